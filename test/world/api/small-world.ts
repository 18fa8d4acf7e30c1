import { EC2Client } from '@aws-sdk/client-ec2';
import type { ApiState, Instance, NetworkInterface } from '../../../local/world/api/shapes.ts';
import { runInVirtualTime } from '../../../local/world/clock.ts';
import { createEmbeddedWorld, type EmbeddedWorld } from '../../../local/world/embedded-world.ts';
import type { Physics, WorldClock } from '../../../local/world/state.ts';

export const ids = {
  account: '111122223333',
  vpc: 'vpc-00000000000000001',
  subnet: 'subnet-00000000000000001',
  acl: 'acl-00000000000000001',
  instance: 'i-00000000000000001',
  spot: 'i-00000000000000002',
  eni: 'eni-00000000000000001',
  secondEni: 'eni-00000000000000002',
  managedEni: 'eni-00000000000000003',
  web: 'sg-00000000000000001',
  defaultGroup: 'sg-00000000000000002',
  otherVpcGroup: 'sg-00000000000000003',
  prefixList: 'pl-00000000000000001',
} as const;

export function interfaceOf(id: string, instanceId: string, over: Partial<NetworkInterface> = {}): NetworkInterface {
  return {
    NetworkInterfaceId: id,
    VpcId: ids.vpc,
    SubnetId: ids.subnet,
    OwnerId: ids.account,
    Status: 'in-use',
    InterfaceType: 'interface',
    RequesterManaged: false,
    Groups: [{ GroupId: ids.web, GroupName: 'web' }],
    PrivateIpAddresses: [{ PrivateIpAddress: '10.0.1.10', Primary: true }],
    Attachment: {
      AttachmentId: `eni-attach-${id.slice(4)}`,
      InstanceId: instanceId,
      DeviceIndex: 0,
      Status: 'attached',
    },
    ...over,
  };
}

export function instanceOf(id: string, over: Partial<Instance> = {}): Instance {
  return {
    InstanceId: id,
    InstanceType: 'm7i.large',
    State: { Code: 16, Name: 'running' },
    VpcId: ids.vpc,
    SubnetId: ids.subnet,
    LaunchTime: '2025-12-01T00:00:00.000Z',
    SecurityGroups: [{ GroupId: ids.web, GroupName: 'web' }],
    ...over,
  };
}

/** One VPC with IPv6, one subnet, one instance with one interface. */
export function smallWorld(over: Partial<ApiState> = {}): ApiState {
  return {
    AccountId: ids.account,
    Region: 'eu-central-1',
    Now: '2026-01-15T10:00:00Z',
    Reservations: [
      { ReservationId: 'r-00000000000000001', OwnerId: ids.account, Instances: [instanceOf(ids.instance)] },
    ],
    InstanceAttributes: {},
    NetworkInterfaces: [interfaceOf(ids.eni, ids.instance)],
    SecurityGroups: [
      {
        GroupId: ids.web,
        GroupName: 'web',
        Description: 'web',
        VpcId: ids.vpc,
        OwnerId: ids.account,
        IpPermissions: [{ IpProtocol: 'tcp', FromPort: 443, ToPort: 443, IpRanges: [{ CidrIp: '0.0.0.0/0' }] }],
        IpPermissionsEgress: [
          { IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }], Ipv6Ranges: [{ CidrIpv6: '::/0' }] },
        ],
      },
      {
        GroupId: ids.defaultGroup,
        GroupName: 'default',
        Description: 'default VPC security group',
        VpcId: ids.vpc,
        OwnerId: ids.account,
        IpPermissions: [],
        IpPermissionsEgress: [],
      },
      {
        GroupId: ids.otherVpcGroup,
        GroupName: 'elsewhere',
        VpcId: 'vpc-00000000000000002',
        OwnerId: ids.account,
        IpPermissions: [],
        IpPermissionsEgress: [],
      },
    ],
    ManagedPrefixLists: [
      {
        PrefixListId: ids.prefixList,
        PrefixListName: 'office',
        Entries: [{ Cidr: '192.0.2.0/24' }, { Cidr: '198.51.100.0/24' }],
      },
    ],
    NetworkAcls: [
      {
        NetworkAclId: ids.acl,
        VpcId: ids.vpc,
        OwnerId: ids.account,
        IsDefault: true,
        Associations: [{ NetworkAclAssociationId: 'aclassoc-1', NetworkAclId: ids.acl, SubnetId: ids.subnet }],
        Entries: [true, false].flatMap((Egress) => [
          { RuleNumber: 100, Egress, Protocol: '-1', RuleAction: 'allow', CidrBlock: '0.0.0.0/0' },
          { RuleNumber: 32_767, Egress, Protocol: '-1', RuleAction: 'deny', CidrBlock: '0.0.0.0/0' },
        ]),
      },
    ],
    RouteTables: [],
    Subnets: [{ SubnetId: ids.subnet, VpcId: ids.vpc, OwnerId: ids.account, CidrBlock: '10.0.1.0/24' }],
    Vpcs: [
      {
        VpcId: ids.vpc,
        OwnerId: ids.account,
        CidrBlock: '10.0.0.0/16',
        Ipv6CidrBlockAssociationSet: [{ Ipv6CidrBlock: '2001:db8::/56', Ipv6CidrBlockState: { State: 'associated' } }],
      },
      { VpcId: 'vpc-00000000000000002', OwnerId: ids.account, CidrBlock: '10.9.0.0/16' },
    ],
    VpcEndpoints: [],
    InstanceInformationList: [{ InstanceId: ids.instance, PingStatus: 'Online', PlatformType: 'Linux' }],
    AutoScalingGroups: [],
    AutoScalingInstances: [],
    TargetGroups: [],
    TargetHealth: [],
    LoadBalancers: [],
    FlowLogs: [],
    Faults: [],
    NaclEntryQuota: 20,
    LatencySeconds: 0.2,
    ...over,
  };
}

/** What physics was told, in order; answers as the test says. */
export interface StubPhysics extends Physics {
  readonly told: string[];
}

export function stubPhysics(over: Partial<Physics> = {}): StubPhysics {
  const told: string[] = [];
  return {
    told,
    advanceTo: () => {},
    networkChanged: () => told.push('networkChanged'),
    instanceStopped: (id) => told.push(`stopped ${id}`),
    sendCommand: ({ instanceId }) => {
      told.push(`command ${instanceId}`);
      return { answer: () => null, cancel: (at) => told.push(`cancel at ${at}`) };
    },
    flowLogRecords: () => [],
    ...over,
  };
}

export interface Scene {
  readonly world: EmbeddedWorld<StubPhysics>;
  readonly state: ApiState;
  readonly clock: WorldClock;
  readonly ec2: EC2Client;
}

/** Runs a test in virtual time against a world, with an EC2 client at hand. */
export function inWorld<T>(
  over: Partial<ApiState>,
  body: (scene: Scene) => Promise<T>,
  physics: Partial<Physics> = {},
): Promise<T> {
  const state = smallWorld(over);
  return runInVirtualTime(state.Now, (clock) => {
    const world = createEmbeddedWorld(state, clock, stubPhysics(physics));
    return body({ world, state, clock, ec2: world.attach(new EC2Client({ region: 'eu-central-1' })) });
  });
}

/** The name of the error that a call ends in, `ok` without one. */
export async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'ok';
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}
