import type { Basis } from '../../../functions/core/verdict/verdict.ts';
import {
  type AssumptionPlan,
  type FlowPlan,
  type Incident,
  PLAIN,
  PLAIN_HOST,
  PLAIN_INTERFACE,
  PLAIN_SUBNET,
  SHELL,
} from './incident.ts';

export interface Expectation {
  readonly verdict: 'contained' | 'held' | 'not-proven' | 'leaking';
  readonly basis: readonly Basis[];
}

export interface NamedWorld {
  readonly name: string;
  readonly incident: Incident;
  readonly expected: Expectation | ((assumptions: AssumptionPlan) => Expectation);
  /** The words of the contract that make it so. */
  readonly because: string;
}

const says = (verdict: Expectation['verdict'], ...basis: readonly Basis[]): Expectation => ({ verdict, basis });

const TESTIFIED = "held: every named flow is blocked, every other is gone on the host's word, which is never proof";
const UNPROVEN =
  'held: every named flow is blocked by controls that stay; that it is dead, or the only one, is not proven';
const ONE_STAYS = 'held: every known flow is blocked, every ENI that can be is isolated';
const HOST_ALONE = "not-proven: only the host's word, where no control outside it reaches the flow";
const UNREACHED = 'leaking: a flow that nothing in force reaches has no evidence of death';
const NOTHING_KNOWN = 'not-proven: no flow known and none could be enumerated';
const ON_THE_LOG = 'contained: a healthy flow log was silent for the longest tracking timer';
const NOT_BY_WAITING = 'waiting proves nothing about UDP, ICMP, or a host whose root is the attacker';

const DAY = 86_400;
const noAgent: Partial<Incident> = { agent: 'not registered' };
const lying = (lies: Incident['host']['lies']): Partial<Incident> => ({ host: { ...PLAIN_HOST, lies } });
const shell = (plan: Partial<FlowPlan>): FlowPlan => ({ ...SHELL, ...plan });
const neighbour = (withInterface: boolean): FlowPlan =>
  shell({ peer: { kind: 'same subnet', withInterface, groups: 'open' } });
const world = (
  name: string,
  incident: Partial<Incident>,
  expected: NamedWorld['expected'],
  because: string,
): NamedWorld => ({ name, incident: { ...PLAIN, ...incident }, expected, because });

const behindNat = [{ ...PLAIN_SUBNET, path4: 'nat' as const }];
const twoInterfaces = {
  subnets: [PLAIN_SUBNET, { ...PLAIN_SUBNET, path6: 'eigw' as const }],
  interfaces: [
    PLAIN_INTERFACE,
    { ...PLAIN_INTERFACE, subnet: 1, ipv6: true, groups: ['web' as const, 'http in' as const] },
  ],
};

/** Worlds with a name, and the verdict that the contract asks for in each. */
export const NAMED_WORLDS: readonly NamedWorld[] = [
  world('a public subnet', {}, says('held', 'host'), TESTIFIED),
  world('behind a NAT gateway', { subnets: behindNat }, says('held', 'host'), TESTIFIED),
  world('behind a NAT gateway, no agent', { subnets: behindNat, ...noAgent }, says('held'), UNPROVEN),
  world('no agent', noAgent, says('held'), UNPROVEN),
  world(
    'an agent that says Online and never answers',
    { host: { ...PLAIN_HOST, answers: false } },
    says('held'),
    UNPROVEN,
  ),
  world('a host that prints garbage', lying('garbage'), says('held'), UNPROVEN),
  world('a host that claims success', lying('claims-success'), says('held', 'host'), TESTIFIED),
  world('a host that hides the shell', lying('hides'), says('held', 'host'), TESTIFIED),
  world('a full ACL', { subnets: [{ ...PLAIN_SUBNET, acl: 'full' }] }, says('not-proven', 'host'), HOST_ALONE),
  world(
    'a full ACL, no agent',
    { subnets: [{ ...PLAIN_SUBNET, acl: 'full' }], ...noAgent },
    says('leaking'),
    UNREACHED,
  ),
  world(
    'an ACL with one full direction, no agent',
    { subnets: [{ ...PLAIN_SUBNET, acl: 'full outbound' }], ...noAgent },
    says('leaking'),
    UNREACHED,
  ),
  world(
    'rule 1 is an allow',
    { subnets: [{ ...PLAIN_SUBNET, acl: 'first is an allow' }] },
    says('not-proven', 'host'),
    HOST_ALONE,
  ),
  world(
    'rule 1 is an allow, no agent',
    { subnets: [{ ...PLAIN_SUBNET, acl: 'first is an allow' }], ...noAgent },
    says('leaking'),
    UNREACHED,
  ),
  world(
    'two ENIs, a shell over IPv6 on the second',
    { ...twoInterfaces, flows: [shell({ via: 1, family: 6 })] },
    says('held', 'host'),
    TESTIFIED,
  ),
  world(
    'two ENIs, a shell over IPv6 on the second, no agent',
    { ...twoInterfaces, flows: [shell({ via: 1, family: 6 })], ...noAgent },
    says('held'),
    UNPROVEN,
  ),
  world(
    'a second ENI that its requester manages',
    { interfaces: [PLAIN_INTERFACE, { ...PLAIN_INTERFACE, managed: 'requester' }] },
    says('held', 'host'),
    ONE_STAYS,
  ),
  world(
    'an ENI that its operator manages, untracked flow',
    { interfaces: [{ ...PLAIN_INTERFACE, managed: 'operator', groups: ['open'] }] },
    says('held', 'host'),
    ONE_STAYS,
  ),
  world('a peer in the same subnet', { flows: [neighbour(true)] }, says('not-proven', 'host'), HOST_ALONE),
  world('a peer in the same subnet, no agent', { flows: [neighbour(true)], ...noAgent }, says('leaking'), UNREACHED),
  world(
    'a peer in the same subnet without an ENI in the world, no agent',
    { flows: [neighbour(false)], ...noAgent },
    says('leaking'),
    UNREACHED,
  ),
  world(
    'a peer in the same subnet, untracked, no agent',
    { flows: [neighbour(true)], interfaces: [{ ...PLAIN_INTERFACE, groups: ['open'] }], ...noAgent },
    says('held', 'untracked'),
    UNPROVEN,
  ),
  world(
    'an untracked shell',
    { interfaces: [{ ...PLAIN_INTERFACE, groups: ['open'] }] },
    says('held', 'host', 'untracked'),
    TESTIFIED,
  ),
  world(
    'two groups that leave the shell untracked together, no agent',
    { interfaces: [{ ...PLAIN_INTERFACE, groups: ['egress only', 'ingress only'] }], ...noAgent },
    says('held', 'untracked'),
    UNPROVEN,
  ),
  world('a UDP beacon', { flows: [shell({ protocol: 'udp', port: 53 })] }, says('held', 'host'), TESTIFIED),
  world(
    'a UDP beacon, no agent',
    { flows: [shell({ protocol: 'udp', port: 53 })], ...noAgent },
    says('held'),
    UNPROVEN,
  ),
  world(
    'a UDP beacon that only a flow log sees',
    // Nitro v6, for a watch of minutes instead of days.
    {
      flows: [shell({ protocol: 'udp', port: 53, everySeconds: 120 })],
      ...noAgent,
      flowLogs: 'vpc',
      instanceType: 'm8i.large',
    },
    says('held'),
    NOT_BY_WAITING,
  ),
  world('an ICMP tunnel', { flows: [shell({ protocol: 'icmp' })] }, says('held'), NOT_BY_WAITING),
  world('an ICMP tunnel, no agent', { flows: [shell({ protocol: 'icmp' })], ...noAgent }, says('held'), NOT_BY_WAITING),
  world(
    'a second shell that the finding does not name',
    { flows: [SHELL, shell({ peer: { kind: 'public', host: 2 }, port: 443 })] },
    says('held', 'host'),
    TESTIFIED,
  ),
  world(
    'a second shell that the finding does not name, no agent',
    { flows: [SHELL, shell({ peer: { kind: 'public', host: 2 }, port: 443 })], ...noAgent },
    says('held'),
    UNPROVEN,
  ),
  world(
    'lost answers',
    {
      faults: ['CreateNetworkAclEntry', 'SendCommand', 'CreateSecurityGroup', 'ModifyNetworkInterfaceAttribute'].map(
        (api) => ({ api, call: 1, error: 'InternalError', afterEffect: true }),
      ),
    },
    says('held', 'host'),
    TESTIFIED,
  ),
  world('an attacker with root', { host: { ...PLAIN_HOST, rootAttacker: true } }, says('held', 'host'), TESTIFIED),
  world(
    'an attacker with root and a peer in the same subnet',
    { flows: [neighbour(true)], host: { ...PLAIN_HOST, rootAttacker: true } },
    says('not-proven', 'host'),
    HOST_ALONE,
  ),
  world(
    'a socket that cannot be killed',
    { host: { ...PLAIN_HOST, socketKill: false, survivors: 'kill' }, flows: [shell({ process: false })] },
    says('held'),
    UNPROVEN,
  ),
  world(
    'a socket that cannot be closed, its owner stopped',
    { host: { ...PLAIN_HOST, socketKill: false } },
    says('held'),
    UNPROVEN,
  ),
  world(
    'a socket that cannot be closed, its owner killed',
    { host: { ...PLAIN_HOST, socketKill: false, survivors: 'kill' } },
    says('held', 'host'),
    TESTIFIED,
  ),
  world(
    'a peer in the same subnet that keeps its flow to a stopped process',
    { flows: [neighbour(true)], host: { ...PLAIN_HOST, socketKill: false } },
    says('leaking'),
    'nothing outside the host reaches the flow, and the host says that its socket is open',
  ),
  world('Windows, whose sockets end with their owners', { platform: 'windows' }, says('held'), UNPROVEN),
  world('a flow log and no agent', { ...noAgent, flowLogs: 'vpc' }, says('contained', 'flow-log'), ON_THE_LOG),
  world(
    'a flow log and a host that hides a shell that wakes on day 2',
    {
      ...lying('hides'),
      flowLogs: 'vpc',
      flows: [SHELL, shell({ peer: { kind: 'public', host: 2 }, everySeconds: null, wakesAt: 2 * DAY })],
    },
    says('contained', 'host', 'flow-log'),
    'contained: the second shell was seen alive, is denied since, and the log was silent for the whole timer after it',
  ),
  world(
    'Nitro v6, a flow log and no agent',
    { instanceType: 'm8i.large', ...noAgent, flowLogs: 'vpc' },
    says('contained', 'flow-log'),
    ON_THE_LOG,
  ),
  world('our own flow log and no agent', { ...noAgent, ownFlowLog: true }, says('contained', 'flow-log'), ON_THE_LOG),
  world(
    'Nitro v6, our own flow log and no agent',
    { instanceType: 'm8i.large', ...noAgent, ownFlowLog: true },
    says('contained', 'flow-log'),
    ON_THE_LOG,
  ),
  world(
    'a UDP beacon that only our own flow log sees',
    {
      flows: [shell({ protocol: 'udp', port: 53, everySeconds: 120 })],
      ...noAgent,
      ownFlowLog: true,
      instanceType: 'm8i.large',
    },
    says('held'),
    NOT_BY_WAITING,
  ),
  world('Nitro v6, no agent', { instanceType: 'm8i.large', ...noAgent }, says('held'), UNPROVEN),
  world(
    'a bare request and no agent',
    { trigger: { kind: 'person', flows: [] }, ...noAgent },
    says('not-proven'),
    NOTHING_KNOWN,
  ),
  world(
    'a bare request and an honest host',
    { trigger: { kind: 'person', flows: [] } },
    says('held', 'host'),
    TESTIFIED,
  ),
  world('no route tables', { routeTables: false }, says('held', 'host'), TESTIFIED),
];
