import { DescribeInstanceInformationCommand } from '@aws-sdk/client-ssm';
import { errorText } from '../../functions/aws/errors.ts';
import { readFacts } from '../../functions/aws/facts.ts';
import { flowLogsOn } from '../../functions/aws/flow-logs.ts';
import { readSurroundings } from '../../functions/aws/surroundings.ts';
import { planControls } from '../../functions/controls/planned.ts';
import { assess, exemptByTag, flowClassifier, refusal, unmodifiable } from '../../functions/core/case/assess.ts';
import { type CaseFlow, caseIdOf, type DenyRefusal } from '../../functions/core/case/case.ts';
import type { Facts } from '../../functions/core/case/facts.ts';
import { describePlan } from '../../functions/core/case/plan.ts';
import type { PlannedChange } from '../../functions/core/case/record.ts';
import type { Config } from '../../functions/core/config.ts';
import { InputError } from '../../functions/core/errors.ts';
import { intake } from '../../functions/core/intake/intake.ts';
import type { CaseRequest } from '../../functions/core/intake/intake-types.ts';
import type { AclFacts, Family, GroupRule, KnownFlow, NetworkInterfaceFacts } from '../../functions/core/model.ts';
import { denyEntry, planDeny } from '../../functions/core/network/acl-numbers.ts';
import type { TrackingVerdict } from '../../functions/core/network/tracking.ts';
import { leftOpenOf } from '../../functions/core/report/report.ts';
import { logObjection } from '../../functions/core/verdict/log-objection.ts';
import { localConfig } from '../stack.ts';
import { type Clients, regionOf } from './clients.ts';
import { askPermissions, type Permission } from './permissions.ts';

/** A kind of flow and what security groups would do with it. */
export interface FlowKind extends Pick<TrackingVerdict, 'kind' | 'because' | 'timeoutSeconds'> {
  readonly flow: string;
}

export interface PlannedInterface {
  readonly id: string;
  readonly subnetId: string;
  readonly vpcId: string;
  readonly addresses: readonly string[];
  readonly groupIds: readonly string[];
  /** null = its groups can be changed. */
  readonly unmodifiable: string | null;
  /** null = they could not be read. */
  readonly rules: readonly string[] | null;
  readonly flows: readonly FlowKind[];
}

/** One thing that a containment needs; `ok` null = it is not known. */
export interface Readiness {
  readonly what: string;
  readonly ok: boolean | null;
  readonly detail: string;
}

/** Whether the instance could be contained today, and all that was looked at to say so. Nothing was changed for it. */
export interface ContainmentPlan {
  readonly instanceId: string;
  readonly accountId: string;
  readonly region: string;
  readonly instance: Pick<Facts['instance'], 'state' | 'instanceType' | 'platform' | 'spot'>;
  /**
   * `yes`: nothing known stands in the way; `partly`: some control is missing; `no`: it would be refused, or cannot be
   * isolated or denied at all.
   */
  readonly containable: 'yes' | 'partly' | 'no';
  readonly why: readonly string[];
  readonly interfaces: readonly PlannedInterface[];
  /** Flows to the peers that were named. */
  readonly flows: readonly CaseFlow[];
  readonly refusals: readonly DenyRefusal[];
  readonly changes: readonly PlannedChange[];
  /** What stays open whatever is done. */
  readonly leftOpen: readonly string[];
  readonly readiness: readonly Readiness[];
}

export interface PlanQuestion {
  readonly instanceId: string;
  /** Peers that would be denied. */
  readonly remoteAddresses?: readonly string[];
  /** null = the account that owns the instance. */
  readonly accountId: string | null;
  /** Hosts that honour a dry run; AWS's own by default. */
  readonly trusts?: (hostname: string) => boolean;
}

/** Reads what a response reads, and says what it would do and whether it could. Throws InputError for a wrong question. */
export async function planContainment(clients: Clients, question: PlanQuestion): Promise<ContainmentPlan> {
  const { instanceId } = question;
  const region = await regionOf(clients);
  const request = requestOf(question);
  const facts = await readFacts(clients.ec2, instanceId, request);
  if (facts === null) throw new InputError('--instance-id', `there is no instance ${instanceId} in ${region}`);
  const accountId = question.accountId ?? facts.instance.accountId;
  if (accountId === null) throw new InputError('--account', `is missing, and EC2 does not say who owns ${instanceId}`);
  // The quota of an ACL is in another service's API: the default is taken.
  const config = localConfig({ AccountId: accountId, Region: region, NaclEntryQuota: 20 });
  const { flows, denies, refusals } = assess(request, facts, config);
  const [surroundings, controls, agent, permissions, logs] = await Promise.all([
    readSurroundings(clients.ec2, facts).catch(() => null),
    planControls(toolsOf(clients, config), { caseId: caseIdOf({ ...config, instanceId, generation: 1 }), ...facts }),
    agentOf(clients, instanceId),
    askPermissions(clients, facts, question.trusts),
    proof(clients, facts),
  ]);
  const readiness = [
    refusedOrNot(request, facts, config),
    ...facts.interfaces.map(modifiable),
    agent,
    ...facts.acls.flatMap((acl) => familiesOf(facts).map((family) => aclRoom(acl, family, config))),
    ...permissions.map(permitted),
    ...facts.unread.map((problem): Readiness => ({ what: 'reading', ok: null, detail: problem })),
    logs,
  ];
  return {
    instanceId,
    accountId,
    region,
    instance: facts.instance,
    ...judgement(readiness, facts),
    interfaces: facts.interfaces.map((eni) => describeInterface(eni, facts)),
    flows,
    refusals,
    changes: describePlan({ ...facts, surroundings, controls, config }, flows, denies),
    leftOpen: leftOpenOf(request),
    readiness,
  };
}

/** What the controls need to look; nothing is changed, and nothing is waited for. */
const toolsOf = (clients: Clients, config: Config) => ({
  ...clients,
  config,
  log: { info: () => undefined, warn: () => undefined },
  now: () => new Date(),
  sleep: () => Promise.resolve(),
  deadline: () => Number.POSITIVE_INFINITY,
});

function requestOf({ instanceId, remoteAddresses = [] }: PlanQuestion): CaseRequest {
  const taken = intake({ instanceId, remoteAddresses, mode: 'observe' });
  if (taken.kind !== 'case') throw new InputError('input', 'is no manual request');
  return taken.request;
}

function refusedOrNot(request: CaseRequest, facts: Facts, config: Config): Readiness {
  const objection =
    facts.interfaces.length === 0
      ? 'it has no network interface'
      : (refusal(request, facts, config) ?? exemptByTag(facts, config));
  return { what: 'instance', ok: objection === null, detail: objection ?? `${facts.instance.state}, not exempt` };
}

function modifiable(eni: NetworkInterfaceFacts): Readiness {
  const objection = unmodifiable(eni);
  return { what: `isolate ${eni.id}`, ok: objection === null, detail: objection ?? 'its groups can be changed' };
}

/** `PingStatus` is a hint: the agent reports every five minutes. */
async function agentOf({ ssm }: Clients, instanceId: string): Promise<Readiness> {
  const what = 'host cut';
  try {
    const Filters = [{ Key: 'InstanceIds', Values: [instanceId] }];
    const answer = await ssm.send(new DescribeInstanceInformationCommand({ Filters }));
    const agent = answer.InstanceInformationList?.find((one) => one.InstanceId === instanceId);
    if (agent === undefined) return { what, ok: false, detail: 'SSM knows no agent on the instance' };
    const version = agent.AgentVersion === undefined ? '' : `, version ${agent.AgentVersion}`;
    const status = agent.PingStatus ?? 'of unknown status';
    return {
      what,
      ok: status === 'Online',
      detail: `the agent is ${status}${version}, on ${agent.PlatformType ?? '?'}`,
    };
  } catch (error) {
    return { what, ok: null, detail: errorText(error) };
  }
}

/** Stand-ins for a peer of which nothing is known but that it is out there. */
const STRANGER = { ipv4: '198.51.100.7', ipv6: '2620:0:2d0:200::7' } as const satisfies Record<Family, string>;

function familiesOf({ interfaces }: Pick<Facts, 'interfaces'>): Family[] {
  return interfaces.some((eni) => eni.ipv6Addresses.length > 0) ? ['ipv4', 'ipv6'] : ['ipv4'];
}

/** How many more peers an ACL takes, found by planning one deny after the other. */
function aclRoom(acl: AclFacts, family: Family, config: Config): Readiness {
  const what = `deny ${family} at ${acl.id}`;
  if (acl.ownerId !== null && acl.ownerId !== config.accountId) {
    return { what, ok: false, detail: `it belongs to account ${acl.ownerId}, which alone can edit it` };
  }
  const entries = [...acl.entries];
  let peers = 0;
  for (;;) {
    const address = family === 'ipv4' ? `198.51.100.${peers}` : `2620:0:2d0:200::${(peers + 1).toString(16)}`;
    const { ingress, egress } = planDeny({
      acl: { ...acl, entries },
      address,
      family,
      range: config.aclRuleNumbers,
      entriesPerDirection: config.aclEntriesPerDirection,
    });
    const refused = [ingress, egress].find((entry) => entry.kind === 'refused');
    if (refused !== undefined) {
      if (peers === 0) return { what, ok: false, detail: refused.reason };
      return {
        what,
        ok: true,
        detail: `room for ${peers} more ${peers === 1 ? 'peer' : 'peers'}, at the default quota`,
      };
    }
    const made = [ingress, egress].flatMap((entry) => (entry.kind === 'create' ? [denyEntry(entry)] : []));
    if (made.length === 0) return { what, ok: true, detail: 'it denies every address already' };
    entries.push(...made);
    peers += 1;
  }
}

function permitted({ call, allowed, detail }: Permission): Readiness {
  return { what: call, ok: allowed, detail };
}

async function proof(clients: Clients, { instance, interfaces }: Facts): Promise<Readiness> {
  const what = 'proof';
  const covering = interfaces.flatMap((eni) => [eni.vpcId, eni.subnetId, eni.id]);
  const flowLogs = await flowLogsOn(clients.ec2, [...new Set(covering)]).catch((error: unknown) => errorText(error));
  if (typeof flowLogs === 'string') return { what, ok: null, detail: `flow logs: ${flowLogs}` };
  const account = instance.accountId ?? interfaces[0]?.ownerId ?? '';
  const objections = flowLogs.flatMap((log) => logObjection(log, account) ?? []);
  if (flowLogs.length === objections.length) {
    return {
      what,
      ok: null,
      detail: `no flow log that could be asked${objections.length > 0 ? ` (${objections.join('; ')})` : ''}: a verdict would rest on the host, or on the rules`,
    };
  }
  const asked = flowLogs.filter((log) => logObjection(log, account) === null);
  return { what, ok: true, detail: `flow log ${asked.map((log) => log.logGroupName).join(', ')}` };
}

/** Without these nothing holds; without another one something is missing. */
const NEEDED = ['instance', 'ec2:ModifyNetworkInterfaceAttribute', 'ec2:CreateNetworkAclEntry'];

function judgement(
  readiness: readonly Readiness[],
  { interfaces }: Facts,
): Pick<ContainmentPlan, 'containable' | 'why'> {
  const failed = readiness.filter(({ ok }) => ok === false);
  const why = failed.map(({ what, detail }) => `${what}: ${detail}`);
  const stuck = interfaces.every((eni) => unmodifiable(eni) !== null);
  if (stuck || failed.some(({ what }) => NEEDED.includes(what))) return { containable: 'no', why };
  return { containable: failed.length > 0 ? 'partly' : 'yes', why };
}

function describeInterface(eni: NetworkInterfaceFacts, facts: Facts): PlannedInterface {
  const rules = facts.rules?.filter((rule) => eni.groupIds.includes(rule.groupId)) ?? null;
  const families = familiesOf({ interfaces: [eni] });
  return {
    id: eni.id,
    subnetId: eni.subnetId,
    vpcId: eni.vpcId,
    addresses: [
      ...eni.privateAddresses,
      ...eni.ipv6Addresses,
      ...(eni.publicAddress === null ? [] : [eni.publicAddress]),
    ],
    groupIds: eni.groupIds,
    unmodifiable: unmodifiable(eni),
    rules: rules?.map(ruleText) ?? null,
    flows: families.flatMap((family) => flowKinds(eni, family, facts, rules ?? [])),
  };
}

const portsText = ({ fromPort, toPort }: GroupRule): string => {
  if (fromPort === null) return '';
  return fromPort === toPort ? ` ${fromPort}` : ` ${fromPort}-${toPort}`;
};

function peerText(peer: GroupRule['peer']): string {
  if (peer.kind === 'cidr') return peer.cidr;
  return peer.kind === 'group' ? `group ${peer.groupId}` : `prefix list ${peer.prefixListId}`;
}

function ruleText(rule: GroupRule): string {
  const protocol = rule.protocol === '-1' ? 'everything' : rule.protocol;
  const [direction, preposition] = rule.direction === 'ingress' ? ['in', 'from'] : ['out', 'to'];
  return `${direction}: ${protocol}${portsText(rule)} ${preposition} ${peerText(rule.peer)} (${rule.groupId} ${rule.ruleId})`;
}

/** Ports of inbound rules that are shown one by one; beyond them a person reads the rules. */
const PORT_LIMIT = 6;

/** What a stranger's flows would be: those that the instance opens, and those that the inbound rules let in. */
function flowKinds(
  eni: NetworkInterfaceFacts,
  family: Family,
  facts: Facts,
  rules: readonly GroupRule[],
): readonly FlowKind[] {
  const classify = flowClassifier(facts);
  const remoteAddress = STRANGER[family];
  const localAddress = (family === 'ipv4' ? eni.privateAddresses : eni.ipv6Addresses)[0] ?? null;
  const base: Omit<KnownFlow, 'protocol' | 'openedBy'> = {
    family,
    remoteAddress,
    remotePort: null,
    localAddress,
    localPort: null,
    networkInterfaceId: eni.id,
    source: 'request',
  };
  const told = (flow: string, known: Omit<KnownFlow, keyof typeof base> & Partial<typeof base>): FlowKind => {
    const { kind, because, timeoutSeconds } = classify({ ...base, ...known }).tracking;
    return { flow, kind, because, timeoutSeconds };
  };
  const open = rules.filter(
    (rule) => rule.direction === 'ingress' && rule.fromPort !== null && ['tcp', 'udp'].includes(rule.protocol),
  );
  const ports = [...new Map(open.map((rule) => [`${rule.protocol} ${rule.fromPort}`, rule])).values()];
  return [
    told(`${family}, opened by the instance, tcp`, { protocol: 'tcp', openedBy: 'instance' }),
    told(`${family}, opened by the instance, udp`, { protocol: 'udp', openedBy: 'instance' }),
    ...ports.slice(0, PORT_LIMIT).map(({ protocol, fromPort }) =>
      told(`${family}, opened from outside, ${protocol} to port ${fromPort}`, {
        protocol,
        openedBy: 'remote',
        localPort: fromPort,
      }),
    ),
  ];
}
