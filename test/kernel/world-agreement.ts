import assert from 'node:assert/strict';
import { parseCalls } from '../../local/calls.ts';
import { replay } from '../../local/replay.ts';
import { parseWorld } from '../../local/world/parse-world.ts';
import { ATTACKER, VICTIM } from './lab.ts';

/**
 * The lab's incident in the embedded world: the same flows, the same changes, and the world's word on which flows still pass.
 * The model is held to the kernel: a step after which the two disagree fails the lab.
 */
export const STEPS = ['swap', 'deny', 'lift', 'cut'] as const;
export type Step = (typeof STEPS)[number];

export const SHARED_FLOWS = ['shell', 'login', 'beacon'] as const;
export type SharedFlow = (typeof SHARED_FLOWS)[number];

const ENI = 'eni-00000000000000e01';
const INSTANCE = 'i-0000000000000ab01';
const ACL = 'acl-00000000000000d01';
const EMPTY_GROUP = 'sg-00000000000000c99';

const everywhere = { IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] };
const flow = {
  Malicious: true,
  NetworkInterfaceId: ENI,
  LocalAddress: VICTIM,
  RemoteAddress: ATTACKER,
  PacketEverySeconds: 1,
};
const aclEntry = { RuleNumber: 100, Protocol: '-1', RuleAction: 'allow', CidrBlock: '0.0.0.0/0' };

const world = {
  Reservations: [
    {
      Instances: [
        {
          InstanceId: INSTANCE,
          InstanceType: 'm6i.large',
          State: { Code: 16, Name: 'running' },
          VpcId: 'vpc-00000000000000a01',
          SubnetId: 'subnet-00000000000000b01',
          PrivateIpAddress: VICTIM,
        },
      ],
    },
  ],
  NetworkInterfaces: [
    {
      NetworkInterfaceId: ENI,
      VpcId: 'vpc-00000000000000a01',
      SubnetId: 'subnet-00000000000000b01',
      InterfaceType: 'interface',
      Status: 'in-use',
      PrivateIpAddress: VICTIM,
      PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: VICTIM }],
      Association: { PublicIp: '203.0.113.10' },
      Groups: [{ GroupId: 'sg-00000000000000c01', GroupName: 'lab' }],
      Attachment: {
        AttachmentId: 'eni-attach-00000000000000e01',
        InstanceId: INSTANCE,
        DeviceIndex: 0,
        Status: 'attached',
      },
    },
  ],
  SecurityGroups: [
    {
      GroupId: 'sg-00000000000000c01',
      GroupName: 'lab',
      VpcId: 'vpc-00000000000000a01',
      // One network, not everybody: a login from everywhere would be untracked.
      IpPermissions: [{ IpProtocol: 'tcp', FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: '198.51.100.0/24' }] }],
      IpPermissionsEgress: [everywhere],
    },
    {
      GroupId: EMPTY_GROUP,
      GroupName: 'nothing',
      VpcId: 'vpc-00000000000000a01',
      IpPermissions: [],
      IpPermissionsEgress: [],
    },
  ],
  NetworkAcls: [
    {
      NetworkAclId: ACL,
      VpcId: 'vpc-00000000000000a01',
      IsDefault: true,
      Associations: [
        {
          NetworkAclAssociationId: 'aclassoc-00000000000000d01',
          NetworkAclId: ACL,
          SubnetId: 'subnet-00000000000000b01',
        },
      ],
      Entries: [
        { ...aclEntry, Egress: false },
        { ...aclEntry, Egress: true },
      ],
    },
  ],
  RouteTables: [
    {
      RouteTableId: 'rtb-00000000000000f01',
      VpcId: 'vpc-00000000000000a01',
      Associations: [
        { Main: true, RouteTableId: 'rtb-00000000000000f01', RouteTableAssociationId: 'rtbassoc-00000000000000f01' },
      ],
      Routes: [
        { DestinationCidrBlock: '10.0.0.0/16', GatewayId: 'local', State: 'active' },
        { DestinationCidrBlock: '0.0.0.0/0', GatewayId: 'igw-00000000000000f01', State: 'active' },
      ],
    },
  ],
  Subnets: [{ SubnetId: 'subnet-00000000000000b01', VpcId: 'vpc-00000000000000a01', CidrBlock: '10.0.1.0/24' }],
  Vpcs: [
    {
      VpcId: 'vpc-00000000000000a01',
      CidrBlock: '10.0.0.0/16',
      CidrBlockAssociationSet: [{ CidrBlock: '10.0.0.0/16', CidrBlockState: { State: 'associated' } }],
    },
  ],
  Flows: [
    { ...flow, Name: 'shell', Protocol: 'tcp', OpenedBy: 'instance', LocalPort: 51_234, RemotePort: 4444 },
    { ...flow, Name: 'login', Protocol: 'tcp', OpenedBy: 'remote', LocalPort: 22, RemotePort: 40_022 },
    { ...flow, Name: 'beacon', Protocol: 'udp', OpenedBy: 'instance', LocalPort: 51_235, RemotePort: 5353 },
  ],
  Hosts: [{ InstanceId: INSTANCE }],
};

function callsOf(step: Step): { service: string; api: string; input: object }[] {
  const entries = [false, true].map((Egress) => ({ NetworkAclId: ACL, RuleNumber: 1, Egress }));
  const calls = {
    swap: [
      {
        service: 'ec2',
        api: 'ModifyNetworkInterfaceAttribute',
        input: { NetworkInterfaceId: ENI, Groups: [EMPTY_GROUP] },
      },
    ],
    deny: entries.map((entry) => ({
      service: 'ec2',
      api: 'CreateNetworkAclEntry',
      input: { ...entry, Protocol: '-1', RuleAction: 'deny', CidrBlock: `${ATTACKER}/32` },
    })),
    lift: entries.map((input) => ({ service: 'ec2', api: 'DeleteNetworkAclEntry', input })),
    cut: [{ service: 'host', api: 'closeSockets', input: { InstanceId: INSTANCE, RemoteAddress: ATTACKER } }],
  } satisfies Record<Step, object[]>;
  return calls[step];
}

/** Which flows still pass packets in the world, long after the last of the steps. */
export async function aliveInWorld(steps: readonly Step[]): Promise<Record<SharedFlow, boolean>> {
  const calls = steps.flatMap((step, index) => callsOf(step).map((call) => ({ at: 10 * (index + 1), ...call })));
  const { truth, timeline } = await replay(parseWorld(world), parseCalls(calls));
  assert.ok(
    timeline.length >= calls.length && timeline.every(({ outcome }) => outcome === 'ok'),
    JSON.stringify(timeline),
  );
  // A flow that passes goes on for days in the world; one that was stopped has long given up.
  const passes = (name: SharedFlow): boolean => (truth.get(name)?.lastPacketAt ?? 0) > 10 * steps.length + 600;
  return { shell: passes('shell'), login: passes('login'), beacon: passes('beacon') };
}
