import type { WorldAssumptions, WorldFile } from '../../../local/world/parse-world.ts';
import { createPhysics, type WorldPhysics } from '../../../local/world/physics.ts';
import { parseQuietWorld } from '../../support/quiet-agents.ts';

export const ids = {
  instance: 'i-0000000000000ab01',
  neighbour: 'i-0000000000000ab02',
  eni: 'eni-00000000000000e01',
  secondEni: 'eni-00000000000000e02',
  neighbourEni: 'eni-00000000000000e03',
  vpc: 'vpc-00000000000000001',
  subnet: 'subnet-00000000000000001',
  otherSubnet: 'subnet-00000000000000002',
  acl: 'acl-00000000000000001',
  otherAcl: 'acl-00000000000000002',
  group: 'sg-00000000000000001',
  isolation: 'sg-00000000000000009',
  open: 'sg-00000000000000008',
  neighbourGroup: 'sg-00000000000000007',
  routes: 'rtb-00000000000000001',
} as const;

const everywhere = { IpRanges: [{ CidrIp: '0.0.0.0/0' }], Ipv6Ranges: [{ CidrIpv6: '::/0' }] };
export const allTraffic = { IpProtocol: '-1', ...everywhere };

const allowAll = [true, false].flatMap((Egress) => [
  { RuleNumber: 100, RuleAction: 'allow', Egress, Protocol: '-1', CidrBlock: '0.0.0.0/0' },
  { RuleNumber: 101, RuleAction: 'allow', Egress, Protocol: '-1', Ipv6CidrBlock: '::/0' },
]);

export const theShell = {
  Name: 'reverse shell',
  NetworkInterfaceId: ids.eni,
  LocalAddress: '10.0.1.10',
  LocalPort: 51_234,
  RemoteAddress: '198.51.100.7',
  RemotePort: 4444,
  Process: { Pid: 4242, Name: 'bash' },
};

/** One instance whose group lets everything out and SSH in, in a subnet that drops nothing. Time to propagate: none. */
export const theWorld = {
  Reservations: [
    { Instances: [{ InstanceId: ids.instance, InstanceType: 'm5.large', VpcId: ids.vpc, SubnetId: ids.subnet }] },
  ],
  NetworkInterfaces: [
    {
      NetworkInterfaceId: ids.eni,
      VpcId: ids.vpc,
      SubnetId: ids.subnet,
      Groups: [{ GroupId: ids.group }],
      PrivateIpAddresses: [{ PrivateIpAddress: '10.0.1.10', Primary: true }],
      Ipv6Addresses: [{ Ipv6Address: '2001:db8:1::10' }],
      Attachment: { AttachmentId: 'eni-attach-1', InstanceId: ids.instance, DeviceIndex: 0 },
    },
  ],
  SecurityGroups: [
    {
      GroupId: ids.group,
      VpcId: ids.vpc,
      IpPermissions: [{ IpProtocol: 'tcp', FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: '203.0.113.0/24' }] }],
      IpPermissionsEgress: [allTraffic],
    },
    { GroupId: ids.isolation, VpcId: ids.vpc },
    { GroupId: ids.open, VpcId: ids.vpc, IpPermissions: [allTraffic], IpPermissionsEgress: [allTraffic] },
  ],
  NetworkAcls: [{ NetworkAclId: ids.acl, VpcId: ids.vpc, Associations: [{ SubnetId: ids.subnet }], Entries: allowAll }],
  RouteTables: [
    {
      RouteTableId: ids.routes,
      VpcId: ids.vpc,
      Associations: [{ Main: true }],
      Routes: [
        { DestinationCidrBlock: '10.0.0.0/16', GatewayId: 'local' },
        { DestinationCidrBlock: '0.0.0.0/0', GatewayId: 'igw-00000000000000001' },
      ],
    },
  ],
  Subnets: [
    {
      SubnetId: ids.subnet,
      VpcId: ids.vpc,
      CidrBlock: '10.0.1.0/24',
      Ipv6CidrBlockAssociationSet: [{ Ipv6CidrBlock: '2001:db8:1::/64' }],
    },
  ],
  Vpcs: [{ VpcId: ids.vpc, CidrBlock: '10.0.0.0/16' }],
  InstanceInformationList: [{ InstanceId: ids.instance, PingStatus: 'Online', PlatformType: 'Linux' }],
  Flows: [theShell] as object[],
  Hosts: [] as object[],
  FlowLogs: [] as object[],
  Assumptions: { PropagationSeconds: 0 } as Partial<WorldAssumptions>,
};

/** `theWorld` with a neighbour: in the same subnet, or in another with an ACL and a group of its own. */
export function withNeighbour(where: 'same subnet' | 'other subnet') {
  const inOther = where === 'other subnet';
  return {
    ...theWorld,
    Reservations: [...theWorld.Reservations, { Instances: [{ InstanceId: ids.neighbour }] }],
    NetworkInterfaces: [
      ...theWorld.NetworkInterfaces,
      {
        NetworkInterfaceId: ids.neighbourEni,
        VpcId: ids.vpc,
        SubnetId: inOther ? ids.otherSubnet : ids.subnet,
        Groups: [{ GroupId: ids.neighbourGroup }],
        PrivateIpAddresses: [{ PrivateIpAddress: inOther ? '10.0.2.20' : '10.0.1.20' }],
        Attachment: { InstanceId: ids.neighbour },
      },
    ],
    SecurityGroups: [
      ...theWorld.SecurityGroups,
      {
        GroupId: ids.neighbourGroup,
        VpcId: ids.vpc,
        IpPermissions: [
          { IpProtocol: 'tcp', FromPort: 4444, ToPort: 4444, UserIdGroupPairs: [{ GroupId: ids.group }] },
        ],
        IpPermissionsEgress: [],
      },
    ],
    Subnets: [...theWorld.Subnets, { SubnetId: ids.otherSubnet, VpcId: ids.vpc, CidrBlock: '10.0.2.0/24' }],
    NetworkAcls: [
      ...theWorld.NetworkAcls,
      { NetworkAclId: ids.otherAcl, VpcId: ids.vpc, Associations: [{ SubnetId: ids.otherSubnet }], Entries: allowAll },
    ],
    Flows: [{ ...theShell, RemoteAddress: inOther ? '10.0.2.20' : '10.0.1.20' }],
  };
}

/** A world that is changed in place, as the APIs do it, with physics told of it. */
export interface Bench {
  readonly world: WorldFile;
  readonly physics: WorldPhysics;
  swap(at: number, groupId: string, eniId?: string): void;
  deny(at: number, directions?: 'both' | 'egress' | 'ingress', address?: string, aclId?: string): void;
  lift(at: number): void;
  change(at: number, change: (world: WorldFile) => void): void;
  command(
    at: number,
    verb: string,
    addresses?: string,
    more?: Readonly<Record<string, string>>,
  ): ReturnType<WorldPhysics['sendCommand']>;
}

export function bench(json: object, flowLogs = false): Bench {
  const world = parseQuietWorld({
    ...json,
    ...(flowLogs ? { FlowLogs: [{ ResourceId: ids.vpc }] } : {}),
  });
  const physics = createPhysics(world);
  const change = (at: number, run: (world: WorldFile) => void): void => {
    physics.advanceTo(at);
    run(world);
    physics.networkChanged();
  };
  return {
    world,
    physics,
    change,
    swap: (at, groupId, eniId = ids.eni) =>
      change(at, ({ NetworkInterfaces }) => {
        for (const eni of NetworkInterfaces) if (eni.NetworkInterfaceId === eniId) eni.Groups = [{ GroupId: groupId }];
      }),
    deny: (at, directions = 'both', address = '198.51.100.7', aclId = ids.acl) =>
      change(at, ({ NetworkAcls }) => {
        const acl = NetworkAcls.find((one) => one.NetworkAclId === aclId);
        const cidr = address.includes(':') ? { Ipv6CidrBlock: `${address}/128` } : { CidrBlock: `${address}/32` };
        for (const Egress of [true, false]) {
          if (directions === (Egress ? 'ingress' : 'egress')) continue;
          acl?.Entries.push({ RuleNumber: 1, RuleAction: 'deny', Egress, Protocol: '-1', ...cidr });
        }
      }),
    lift: (at) =>
      change(at, ({ NetworkAcls }) => {
        for (const acl of NetworkAcls) acl.Entries = acl.Entries.filter((one) => one.RuleAction === 'allow');
      }),
    command(at, verb, addresses = 'none', more = {}) {
      physics.advanceTo(at);
      const given = { Verb: verb, CaseId: 'case-1', RemoteAddresses: addresses, Pids: 'none', ...more };
      const parameters = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, [value]]));
      return physics.sendCommand({
        instanceId: ids.instance,
        documentName: 'flowcut-host-linux',
        parameters,
        deliverySeconds: 45,
      });
    },
  };
}

/** The truth of the first flow, without its names. */
export function truthOf({ physics }: Bench, index = 0) {
  const { lastPacketAt, stoppedBy, revivedAt } = physics.truth()[index] ?? {};
  return { lastPacketAt, stoppedBy, revivedAt };
}
