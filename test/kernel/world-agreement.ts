import assert from 'node:assert/strict';
import { parseCalls, replayCalls } from '../../local/calls.ts';
import { runInVirtualTime } from '../../local/world/clock.ts';
import { createEmbeddedWorld } from '../../local/world/embedded-world.ts';
import { parseWorld } from '../../local/world/parse-world.ts';
import { createPhysics } from '../../local/world/physics.ts';
import { ATTACKER, ATTACKER_V6, VICTIM } from './lab.ts';

/**
 * The lab's incident in the embedded world: the same flows, the same changes, and the world's word on every flow after every
 * change. The model is held to the kernel: a step after which the two disagree fails the lab.
 */
export type Step = 'swap' | 'deny' | 'lift' | 'cut';

export const SHARED_FLOWS = ['shell', 'login', 'beacon', 'dormant', 'shell6', 'pod', 'echo', 'sleeper'] as const;
export type SharedFlow = (typeof SHARED_FLOWS)[number];

/** What the world says of a flow at a moment. */
export interface WorldWord {
  /** Packets are delivered. */
  readonly passes: boolean;
  /** Packets are delivered that had stopped before. */
  readonly revived: boolean;
  /** The instance's socket is open. */
  readonly open: boolean;
}

const ENI = 'eni-00000000000000e01';
const INSTANCE = 'i-0000000000000ab01';
const ACL = 'acl-00000000000000d01';
const EMPTY_GROUP = 'sg-00000000000000c99';

const everywhere = { IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }], Ipv6Ranges: [{ CidrIpv6: '::/0' }] };
const VICTIM_V6 = '2001:db8:1::10';
const flow = {
  Malicious: true,
  NetworkInterfaceId: ENI,
  LocalAddress: VICTIM,
  RemoteAddress: ATTACKER,
  PacketEverySeconds: 1,
};
const tcp = { ...flow, Protocol: 'tcp', OpenedBy: 'instance' };
const allow = { Protocol: '-1', RuleAction: 'allow' };
const allowFour = { ...allow, RuleNumber: 100, CidrBlock: '0.0.0.0/0' };
const allowSix = { ...allow, RuleNumber: 101, Ipv6CidrBlock: '::/0' };

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
      Ipv6Addresses: [{ Ipv6Address: VICTIM_V6 }],
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
        { ...allowFour, Egress: false },
        { ...allowFour, Egress: true },
        { ...allowSix, Egress: false },
        { ...allowSix, Egress: true },
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
        { DestinationIpv6CidrBlock: '::/0', GatewayId: 'igw-00000000000000f01', State: 'active' },
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
    { ...tcp, Name: 'shell', LocalPort: 51_234, RemotePort: 4444 },
    { ...tcp, Name: 'login', OpenedBy: 'remote', LocalPort: 22, RemotePort: 40_022 },
    { ...flow, Name: 'beacon', Protocol: 'udp', OpenedBy: 'instance', LocalPort: 51_235, RemotePort: 5353 },
    // A keepalive is a packet and its answer, once a second.
    { ...tcp, Name: 'dormant', LocalPort: 51_236, RemotePort: 4445 },
    {
      ...tcp,
      Name: 'shell6',
      LocalAddress: VICTIM_V6,
      LocalPort: 51_237,
      RemoteAddress: ATTACKER_V6,
      RemotePort: 4446,
    },
    // The instance's address stands for the container's, as on the wire.
    { ...tcp, Name: 'pod', LocalPort: 51_238, RemotePort: 4447 },
    { ...flow, Name: 'echo', Protocol: 'icmp', OpenedBy: 'instance' },
    { ...tcp, Name: 'sleeper', LocalPort: 51_239, RemotePort: 4449, PacketEverySeconds: null },
  ],
  Hosts: [{ InstanceId: INSTANCE }],
};

const PEERS = [
  { RuleNumber: 1, block: { CidrBlock: `${ATTACKER}/32` } },
  { RuleNumber: 2, block: { Ipv6CidrBlock: `${ATTACKER_V6}/128` } },
];

function callsOf(step: Step): { service: string; api: string; input: object }[] {
  const entries = PEERS.flatMap(({ RuleNumber, block }) =>
    [false, true].map((Egress) => ({ place: { NetworkAclId: ACL, RuleNumber, Egress }, block })),
  );
  const calls = {
    swap: [
      {
        service: 'ec2',
        api: 'ModifyNetworkInterfaceAttribute',
        input: { NetworkInterfaceId: ENI, Groups: [EMPTY_GROUP] },
      },
    ],
    deny: entries.map(({ place, block }) => ({
      service: 'ec2',
      api: 'CreateNetworkAclEntry',
      input: { ...place, Protocol: '-1', RuleAction: 'deny', ...block },
    })),
    lift: entries.map(({ place }) => ({ service: 'ec2', api: 'DeleteNetworkAclEntry', input: place })),
    cut: [ATTACKER, ATTACKER_V6].map((RemoteAddress) => ({
      service: 'host',
      api: 'closeSockets',
      input: { InstanceId: INSTANCE, RemoteAddress },
    })),
  } satisfies Record<Step, object[]>;
  return calls[step];
}

/** Seconds between two steps; a change needs the API's latency and the propagation, and a revival a retransmission. */
const STEP = 10;
const SETTLED = 7.5;
const LOOK = 9.5;

/** The world's word after each of the steps, and after the sleeper's waking, which is the last. */
export function worldAfterEach(steps: readonly Step[]): Promise<readonly Record<SharedFlow, WorldWord>[]> {
  const wakes = STEP * (steps.length + 1);
  const Flows = world.Flows.map((one) => (one.Name === 'sleeper' ? { ...one, WakesAtSeconds: wakes } : one));
  const file = parseWorld({ ...world, Flows });
  const calls = parseCalls(
    steps.flatMap((step, index) => callsOf(step).map((call) => ({ at: STEP * (index + 1), ...call }))),
  );
  return runInVirtualTime(file.Now, async (clock) => {
    const physics = createPhysics(file);
    const embedded = createEmbeddedWorld(file, clock, physics);
    const replayed = replayCalls(embedded, calls);
    const words: Record<SharedFlow, WorldWord>[] = [];
    for (let turn = 1; turn <= steps.length + 1; turn += 1) {
      await clock.sleep(STEP * turn + LOOK - clock.now());
      physics.advanceTo(clock.now());
      words.push(wordsAt(physics, STEP * turn));
    }
    await replayed;
    const timeline = embedded.timeline();
    assert.ok(
      timeline.length >= calls.length && timeline.every(({ outcome }) => outcome === 'ok'),
      JSON.stringify(timeline),
    );
    return words;
  });
}

function wordsAt(physics: ReturnType<typeof createPhysics>, stepAt: number): Record<SharedFlow, WorldWord> {
  const truths = new Map(physics.truthNow().map((truth) => [truth.name, truth]));
  const open = physics.openFlows(INSTANCE);
  const word = (name: SharedFlow): WorldWord => {
    const truth = truths.get(name);
    return {
      // The sleeper ticks every 5 s once it is awake.
      passes: (truth?.lastPacketAt ?? 0) > stepAt + (name === 'sleeper' ? 0 : SETTLED),
      revived: truth?.revivedAt != null && truth.revivedAt > stepAt,
      open: open.includes(name),
    };
  };
  return {
    shell: word('shell'),
    login: word('login'),
    beacon: word('beacon'),
    dormant: word('dormant'),
    shell6: word('shell6'),
    pod: word('pod'),
    echo: word('echo'),
    sleeper: word('sleeper'),
  };
}
