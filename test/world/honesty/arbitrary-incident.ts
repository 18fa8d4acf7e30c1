import fc, { type Arbitrary } from 'fast-check';
import {
  type AclKind,
  type AgentPlan,
  type AssumptionPlan,
  type FaultPlan,
  type FlowPlan,
  type GroupKind,
  HEALTHY_LOG,
  type HostPlan,
  type Incident,
  type InterfacePlan,
  type LogPlan,
  type OutagePlan,
  type PeerPlan,
  PLAIN_HOST,
  type SubnetPlan,
  type Trigger,
  UNDISTURBED,
} from './incident.ts';
import { IS_LONG } from './settings.ts';

/** The first values are the plain ones: what fails shrinks towards them, and they come more often. */
const mostly = <T>(plain: T, weight: number, rest: Arbitrary<T>): Arbitrary<T> =>
  fc.oneof({ arbitrary: fc.constant(plain), weight }, { arbitrary: rest, weight: 1 });
const one = <T extends string | number | boolean | null>(...values: readonly T[]): Arbitrary<T> =>
  fc.constantFrom(...values);

const acl = mostly<AclKind>(
  'default',
  2,
  one<AclKind>(
    'low allows',
    'denied already',
    'denied in vain',
    'denied for one protocol',
    'full',
    'full outbound',
    'full inbound',
    'first is an allow',
    'of another account',
    'none',
  ),
);

const subnet: Arbitrary<SubnetPlan> = fc.record({
  path4: one('igw', 'nat', 'igw', 'none'),
  path6: one('igw', 'eigw', 'none'),
  acl,
});

const group = mostly<GroupKind>(
  'web',
  1,
  one<GroupKind>(
    'open',
    'open ipv4',
    'open ipv6',
    'halves',
    'specific',
    'egress only',
    'ingress only',
    'http in',
    'itself',
    'prefix list',
    'empty',
  ),
);

const tracking = fc.record(
  {
    tcp: one(60, 350, 3600, 432_000),
    udp: one(30, 60),
    udpStream: one(60, 180),
  },
  { requiredKeys: [] },
);

const networkInterface = (subnets: number): Arbitrary<InterfacePlan> =>
  fc.record({
    subnet: fc.nat(subnets - 1),
    groups: fc.uniqueArray(group, { minLength: 1, maxLength: 2 }),
    ipv6: fc.boolean(),
    managed: mostly<InterfacePlan['managed']>('no', 9, one('requester', 'operator')),
    tracking: mostly<InterfacePlan['tracking']>(null, 3, tracking),
  });

const peer: Arbitrary<PeerPlan> = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constant('public' as const), host: fc.integer({ min: 1, max: 3 }) }), weight: 6 },
  { arbitrary: fc.record({ kind: fc.constant('far private' as const), host: fc.constant(1) }), weight: 1 },
  {
    arbitrary: fc.record({ kind: fc.constant('same subnet' as const), withInterface: fc.boolean(), groups: group }),
    weight: 1,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant('other subnet' as const),
      withInterface: fc.boolean(),
      groups: group,
      acl,
    }),
    weight: 1,
  },
);

const HOUR = 3600;
const DAY = 86_400;

const flow = (interfaces: readonly InterfacePlan[]): Arbitrary<FlowPlan> =>
  fc
    .record({
      via: fc.nat(interfaces.length - 1),
      six: fc.boolean(),
      peer,
      protocol: mostly<FlowPlan['protocol']>('tcp', 3, one('udp', 'icmp')),
      port: one(4444, 443, 53, 22),
      openedBy: mostly<FlowPlan['openedBy']>('instance', 2, fc.constant('remote')),
      malicious: mostly(true, 2, fc.constant(false)),
      everySeconds: mostly<number | null>(5, 1, one(1, 0.7, 45, 200, 700, null, null, null)),
      // Before and after each of the timers, and around the end of the response.
      wakesAt: one<number | null>(
        null,
        8,
        20,
        45,
        70,
        100,
        170,
        190,
        400,
        650,
        1100,
        2 * HOUR,
        DAY,
        4.9 * DAY,
        5.2 * DAY,
        8 * DAY,
      ),
      process: mostly(true, 4, fc.constant(false)),
      onHostLists: mostly(true, 5, fc.constant(false)),
      // What the ENI's timers were before somebody lowered them.
      entrySeconds: mostly<number | null>(null, 5, one(180, 600, 3600, 432_000)),
    })
    .map(({ six, ...plan }): FlowPlan => ({ ...plan, family: six && interfaces[plan.via]?.ipv6 === true ? 6 : 4 }));

/** Two flows without ports between the same two addresses would be one. */
function withoutTwins(flows: readonly FlowPlan[]): readonly FlowPlan[] {
  const ends = ({ via, family, peer: { kind, ...rest } }: FlowPlan) =>
    `${via} ${family} ${kind} ${'host' in rest ? rest.host : ''}`;
  const isTunnel = ({ protocol, peer: { kind } }: FlowPlan) => protocol === 'icmp' && !kind.endsWith('subnet');
  return flows.filter(
    (plan, index) =>
      !isTunnel(plan) || flows.findIndex((other) => isTunnel(other) && ends(other) === ends(plan)) === index,
  );
}

const trigger = (flows: number): Arbitrary<Trigger> =>
  fc.oneof(
    {
      arbitrary: fc.record({
        kind: fc.constant('finding' as const),
        detail: one('whole', 'whole', 'no interface', 'address only'),
      }),
      weight: 4,
    },
    {
      arbitrary: fc.record({
        kind: fc.constant('person' as const),
        flows: fc.uniqueArray(fc.nat(flows - 1), { maxLength: 2 }),
      }),
      weight: 1,
    },
  );

const host: Arbitrary<HostPlan> = mostly<HostPlan>(
  PLAIN_HOST,
  1,
  fc.record({
    listed: mostly(true, 5, fc.constant(false)),
    answers: mostly(true, 4, fc.constant(false)),
    delaySeconds: one(0, 0.5, 3, 12, 30, 44, 60),
    socketKill: fc.boolean(),
    survivors: one('stop', 'leave', 'kill'),
    rootAttacker: mostly(false, 2, fc.constant(true)),
    lies: mostly<HostPlan['lies']>('none', 1, one('garbage', 'claims-success', 'hides')),
    agentConnection: mostly(false, 3, fc.constant(true)),
  }),
);

const assumptions: Arbitrary<AssumptionPlan> = fc.record({
  lowered: fc.boolean(),
  dwell: one('never', 'active', 'all'),
  refreshes: fc.boolean(),
  ingressRefreshes: mostly(false, 3, fc.constant(true)),
  resetClears: fc.boolean(),
  propagationSeconds: fc.integer({ min: 0, max: 12 }),
  retransmitSeconds: mostly(924.6, 2, one(30, 7200, 900_000)),
});

/** What the response calls, one way or another; the start of an execution and the case table are apart. */
const APIS = [
  'DescribeInstances',
  'DescribeNetworkInterfaces',
  'DescribeSubnets',
  'DescribeNetworkAcls',
  'DescribeRouteTables',
  'DescribeSecurityGroups',
  'DescribeSecurityGroupRules',
  'DescribeFlowLogs',
  'CreateNetworkAclEntry',
  'CreateSecurityGroup',
  'RevokeSecurityGroupEgress',
  'ModifyNetworkInterfaceAttribute',
  'CreateNetworkAcl',
  'ReplaceNetworkAclAssociation',
  'DescribeAutoScalingGroups',
  'SendCommand',
  'GetCommandInvocation',
  'CancelCommand',
  'FilterLogEvents',
  'CreateFlowLogs',
  'ListObjectsV2',
  'GetObject',
  'Publish',
] as const;

const fault: Arbitrary<FaultPlan> = fc.oneof(
  fc.record({
    api: one(...APIS),
    call: one<number | string>(1, 1, 2, 3, 4, '1+', '2+'),
    error: one('RequestLimitExceeded', 'InternalError', 'UnauthorizedOperation', 'Timeout'),
    afterEffect: fc.boolean(),
  }),
  // The case table may be slow or throttle; one that is gone for good leaves nothing to report from.
  fc.record({
    api: one('GetItem', 'PutItem', 'UpdateItem', 'Query', 'TransactWriteItems'),
    call: fc.integer({ min: 1, max: 12 }),
    error: one('ThrottlingException', 'InternalServerError', 'Timeout'),
    afterEffect: fc.boolean(),
  }),
);

/** Somewhere in the response, or in the looks after it. */
const span: Arbitrary<readonly [number, number]> = fc
  .record({ from: one(-600, 0, 60, 300, 900), seconds: one(30, 600, 3600) })
  .map(({ from, seconds }) => [from, from + seconds] as const);

const log: Arbitrary<LogPlan> = mostly<LogPlan>(
  HEALTHY_LOG,
  4,
  fc.record({
    readable: mostly(true, 3, fc.constant(false)),
    startsAt: mostly<number | null>(null, 1, one(-3600, 0, 300, 3600)),
    gaps: fc.array(span, { maxLength: 1 }),
    skipData: fc.array(span, { maxLength: 1 }),
  }),
);

const outage: Arbitrary<OutagePlan> = fc.record({
  service: one('ec2', 'ssm', 'logs', 'sns'),
  from: one(0, 1, 3, 10, 60, 600),
  seconds: one(2, 20, 90, 600, 3600),
  error: one('RequestLimitExceeded', 'InternalError', 'Timeout'),
});

const INSTANCE_TYPES = ['m6i.large', 'm6i.large', 't3.micro', 'm8i.large', 'p6e-gb200.36xlarge'] as const;

const flowsOver = (interfaces: readonly InterfacePlan[]): Arbitrary<readonly FlowPlan[]> =>
  fc.array(flow(interfaces), { minLength: 1, maxLength: 4 }).map(withoutTwins);

/** Five days of a flow log take a second to read: most incidents with a log have timers of minutes. */
const withShortTimers = (incident: Incident): Incident => ({
  ...incident,
  instanceType: 'm8i.large',
  interfaces: incident.interfaces.map((plan) => ({ ...plan, tracking: null })),
});

/** Nitro v6 and later: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html */
const SHORT_TIMER_TYPES: readonly string[] = ['m8i.large', 'p6e-gb200.36xlarge'];

/** A timer may have been lowered since an entry was opened, never raised and set back: that is the promise's one exception. */
const withTimersOnlyLowered = (incident: Incident): Incident => ({
  ...incident,
  flows: incident.flows.map((plan) => {
    if (plan.entrySeconds === null || plan.protocol === 'icmp') return { ...plan, entrySeconds: null };
    const tcp = SHORT_TIMER_TYPES.includes(incident.instanceType) ? 350 : 432_000;
    return { ...plan, entrySeconds: Math.min(plan.entrySeconds, plan.protocol === 'tcp' ? tcp : 180) };
  }),
});

/**
 * An incident in which nothing stands against the proof: a flow log sees every interface, the host is honest and, a Linux, closes
 * what it lists before the swap takes its agent away, nobody tampers, and no call fails.
 */
const healthy = (incident: Incident): Incident => ({
  ...incident,
  instanceType: 'm8i.large',
  platform: 'linux',
  agent: 'online',
  // Its agent holds a connection of its own, which only its own close ends.
  host: { ...PLAIN_HOST, agentConnection: true },
  subnets: incident.subnets.map((plan) => ({ ...plan, path4: 'igw', acl: 'default' })),
  routeTables: true,
  interfaces: incident.interfaces.map((plan) => ({
    ...plan,
    // The agent needs a way out.
    groups: [...new Set<GroupKind>(['web', ...plan.groups])],
    managed: 'no',
    tracking: null,
  })),
  flows: withoutTwins(
    incident.flows.map((plan, index) => ({
      ...plan,
      peer: { kind: 'public', host: index + 1 },
      protocol: plan.protocol === 'icmp' ? 'tcp' : plan.protocol,
      process: true,
      onHostLists: true,
      entrySeconds: null,
    })),
  ),
  flowLogs: 'vpc',
  ownFlowLog: false,
  log: HEALTHY_LOG,
  ...UNDISTURBED,
});

/** An incident in a subnet of which every interface is the instance's own, whatever its host does, and without a flow log. */
const alone = (incident: Incident): Incident => ({
  ...healthy(incident),
  host: { ...incident.host, agentConnection: true },
  flowLogs: 'none',
  // The minute is that of an AWS that answers as it usually does: at 0.2 s per call, two subnets and a silent host take 64 s.
  latencySeconds: Math.min(incident.latencySeconds, 0.1),
  seal: 'when-alone',
});

/** Who lives in a subnet has an interface there, which the subnet's owner sees: so a seal knows whether the instance is alone. */
const withNeighboursSeen = (incident: Incident): Incident => ({
  ...incident,
  flows: incident.flows.map((plan): FlowPlan => {
    if (incident.seal === 'never' || plan.peer.kind !== 'same subnet') return plan;
    return { ...plan, peer: { ...plan.peer, withInterface: true } };
  }),
});

/** A month of looks takes a minute, and where a busy log is read several: the long runs have them. */
const withShortWatch = (incident: Incident): Incident => ({
  ...incident,
  watchDays: incident.watchDays === 30 && !IS_LONG ? 2 : incident.watchDays,
});

const isWatched = ({ flowLogs, ownFlowLog }: Incident): boolean => flowLogs !== 'none' || ownFlowLog;

/** Any incident. */
export const incidents: Arbitrary<Incident> = fc
  .array(subnet, { minLength: 1, maxLength: 2 })
  .chain((subnets) =>
    fc.array(networkInterface(subnets.length), { minLength: 1, maxLength: 3 }).chain((interfaces) =>
      flowsOver(interfaces).chain((flows) =>
        fc.record({
          subnets: fc.constant(subnets),
          routeTables: mostly(true, 9, fc.constant(false)),
          interfaces: fc.constant(interfaces),
          flows: fc.constant(flows),
          trigger: trigger(flows.length),
          instanceType: one(...INSTANCE_TYPES),
          platform: mostly<Incident['platform']>('linux', 4, fc.constant('windows')),
          agent: mostly<AgentPlan>('online', 5, one('connection lost', 'not registered')),
          host,
          flowLogs: mostly<Incident['flowLogs']>('none', 2, one('vpc', 'subnets', 'interfaces', 'first interface')),
          ownFlowLog: mostly(false, 2, fc.constant(true)),
          deliverySeconds: one(0, 60, 300, 600),
          log,
          assumptions,
          latencySeconds: one(0.05, 0.1, 0.2, 0.5),
          isolationGroup: mostly<Incident['isolationGroup']>('none', 5, one('clean', 'with a rule', "somebody else's")),
          faults: mostly<readonly FaultPlan[]>([], 2, fc.array(fault, { minLength: 1, maxLength: 2 })),
          outages: mostly<readonly OutagePlan[]>([], 6, fc.array(outage, { minLength: 1, maxLength: 2 })),
          readLagSeconds: mostly(0, 4, one(1, 3, 10, 45)),
          functionStartSeconds: mostly(0, 4, one(1, 8)),
          seal: mostly<Incident['seal']>('never', 1, one('when-alone', 'ordered')),
          secondaryInterface: mostly(false, 9, fc.constant(true)),
          watchDays: mostly<Incident['watchDays']>(0, 11, mostly<Incident['watchDays']>(2, 9, fc.constant(30))),
          watchesForDays: mostly(false, 24, fc.constant(true)),
        }),
      ),
    ),
  )
  .map(({ watchesForDays, ...incident }) =>
    withShortWatch(
      withNeighboursSeen(
        withTimersOnlyLowered(watchesForDays || !isWatched(incident) ? incident : withShortTimers(incident)),
      ),
    ),
  );

/** Incidents that need no witness. */
export const sealedIncidents: Arbitrary<Incident> = incidents.map(alone);

/** Incidents that come to be proven. */
export const healthyIncidents: Arbitrary<Incident> = incidents.map(healthy);

/** The same with no flow log but our own: nobody has one in the VPC. */
export const ownLogIncidents: Arbitrary<Incident> = healthyIncidents.map((incident) => ({
  ...incident,
  flowLogs: 'none',
  ownFlowLog: true,
}));
