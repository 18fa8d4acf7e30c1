import type { CaseFlow, HostOutcome } from '../case/case.ts';
import { FLOW_LOG_DELAY_SECONDS, SETTLE_SECONDS, TCP_RETRANSMIT_SECONDS } from '../case/expiry.ts';
import type { AclFacts } from '../model.ts';
import { admits, type IsolationOpenings } from '../network/isolation-rules.ts';
import { mayBeRecordOf } from './flow-log.ts';
import { disturbances, isPermitted, type LogRecord, silentSeconds, silentSince, type Witness } from './witness.ts';

/**
 * - `contained`: every known flow is dead or sealed, no unknown one can be left on the network's word, every interface is
 *   isolated, and no channel that the finding names is open. True whatever the host does.
 * - `held`: every flow that is named or was seen alive is blocked by a control that stays; every other known one is blocked
 *   or gone; every interface that can be is isolated. That they are dead, or the only ones, is not proven.
 * - `leaking`: a flow was seen alive after the cut and is not blocked since, a named one is neither blocked nor dead nor
 *   gone, or a channel that carries data is open.
 * - `not-proven`: the rest.
 */
export type VerdictKind = 'contained' | 'held' | 'not-proven' | 'leaking';

/** Who agrees: the host's lists (testimony), the flow log's silence, the swap of an untracked flow, the seal. */
export type Basis = 'host' | 'flow-log' | 'untracked' | 'seal';

/**
 * How sure we are of a flow: `requested` an API call returned; `in-force` a control that was read back blocks it; `gone`
 * the host's lists show it no longer; `observed` the network's record shows it dead; `unproven` none of these.
 */
export type EvidenceLevel = 'requested' | 'in-force' | 'gone' | 'observed' | 'unproven';

/** How the isolation of one ENI stands. */
export interface InterfaceStanding {
  readonly id: string;
  /** `in-force`: read back on the isolation group, which was read back without a rule. */
  readonly isolation: 'in-force' | 'not-modifiable' | 'failed';
  readonly reason: string | null;
  /** Its subnet is associated with an ACL that was read back without an allow, both ways and in both families. */
  readonly sealed?: boolean;
  /** Of a sealed one: every interface of its subnet is the instance's own, so nobody is left whom no ACL keeps away. */
  readonly alone?: boolean;
  /** A secondary interface: no security group, no network ACL and no flow log sees it. */
  readonly outOfReach?: boolean;
}

/** How the denies of one flow stand, over every ACL that may see it, both directions. */
export type DenyStanding = 'in-force' | 'requested' | 'none';

/** A channel that the finding itself names and that no group and no ACL reaches. */
export interface NamedChannel {
  readonly what: string;
  readonly state: 'open' | 'closed';
  /** The finding says that it carries data: a DNS tunnel, credentials used elsewhere. */
  readonly carriesData: boolean;
}

export interface VerdictQuestion {
  readonly flows: readonly CaseFlow[];
  readonly denies: ReadonlyMap<string, DenyStanding>;
  readonly interfaces: readonly InterfaceStanding[];
  readonly host: HostOutcome | null;
  /** When the agent was asked to close its own connection, ISO; null = it was not. That it did is no more than testimony. */
  readonly agentAskedAt: string | null;
  /** When isolation was in force on every ENI that can be isolated, ISO; null = never. */
  readonly isolatedAt: string | null;
  /** When peers were last denied after the isolation, ISO; null = none was. */
  readonly cutAgainAt: string | null;
  /** null = no flow log covers the instance. */
  readonly witness: Witness | null;
  /** What the isolation group allows; a flow that it may let pass is not isolated by it. */
  readonly openings: IsolationOpenings;
  /** The ACLs of the subnets of the instance. */
  readonly acls: readonly AclFacts[];
  /** The longest tracking timer of the ENIs: of what EC2 shows, what was recorded and the type's default; seconds. */
  readonly longestTimerSeconds: number;
  /** The denies were lifted once every flow was dead. */
  readonly released: boolean;
  readonly channels: readonly NamedChannel[];
  /** EC2 says that the instance is terminated: nothing of it sends any more. */
  readonly terminated: boolean;
}

export interface FlowVerdict {
  readonly flow: CaseFlow;
  /** What the case is about: a request names its peer, or it was seen alive after the cut. */
  readonly named: boolean;
  /** The control outside the host, read back, that reaches it; null = none. */
  readonly blockedBy: 'deny' | 'seal' | 'swap' | null;
  /** The host's lists show it no longer. */
  readonly gone: boolean;
  /** Whose record proves it dead; empty = nobody's. */
  readonly dead: readonly Exclude<Basis, 'host' | 'seal'>[];
  readonly alive: boolean;
  readonly evidence: EvidenceLevel;
}

export interface Verdict {
  readonly kind: VerdictKind;
  readonly reason: string;
  readonly basis: readonly Basis[];
  /** When it will be proven if nothing stirs, ISO; null = it is proven, or nothing will prove it: `reason` says which. */
  readonly provenAt: string | null;
  /** The earliest moment at which a look may find it proven, ISO: also where something must end first; null = no look will. */
  readonly nextProof: string | null;
  readonly flows: readonly FlowVerdict[];
  /** What goes on and is not the attacker's as far as is known: what the isolation permits, the agent's connection. */
  readonly goesOn: readonly string[];
}

const isIn = (
  standings: readonly InterfaceStanding[],
  ids: readonly string[],
  holds: (one: InterfaceStanding) => boolean,
) => ids.length > 0 && ids.every((id) => standings.some((one) => one.id === id && holds(one)));

/** Which control outside the host reaches the flow. */
function blockOf(flow: CaseFlow, question: VerdictQuestion): FlowVerdict['blockedBy'] {
  const { interfaces, denies, openings } = question;
  // An ACL sees the packets only where they cross the subnet's boundary.
  if (flow.crossesSubnetBoundary) {
    if (isIn(interfaces, flow.interfaceIds, ({ sealed }) => sealed === true)) return 'seal';
    if (denies.get(flow.id) === 'in-force') return 'deny';
  }
  const isSwapped = isIn(interfaces, flow.interfaceIds, ({ isolation }) => isolation === 'in-force');
  // A session that reopened before the swap took effect may be tracked: then the swap alone does not reach its peer.
  const staysUntracked = flow.tracking.kind === 'untracked' && flow.staysUntracked === true;
  return isSwapped && staysUntracked && !admits(openings, flow) ? 'swap' : null;
}

/** A peer that is named is named for every flow to it: the attacker has more than one connection to one server. */
const isNamed = (flow: CaseFlow, all: readonly CaseFlow[]): boolean =>
  flow.spared !== true &&
  (flow.seenAlive === true || all.some(({ named, remoteAddress }) => named && remoteAddress === flow.remoteAddress));

function judgeFlow(flow: CaseFlow, question: VerdictQuestion, disturbing: readonly LogRecord[]): FlowVerdict {
  const { interfaces, openings, witness, terminated } = question;
  const blockedBy = blockOf(flow, question);
  const isolated =
    isIn(interfaces, flow.interfaceIds, ({ isolation }) => isolation === 'in-force') && !admits(openings, flow);
  const own = disturbing.filter((record) => mayBeRecordOf(record, flow));
  const accepted = own.some((record) => record.action === 'ACCEPT');
  const alive = !terminated && flow.spared !== true && (accepted || (flow.host === 'open' && blockedBy === null));

  const dead: FlowVerdict['dead'][number][] = [];
  if (!alive && flow.tracking.kind === 'untracked' && isolated) dead.push('untracked');
  const silent = witness === null ? 0 : silentSeconds(witness, own);
  if (!alive && isolated && silent > 0 && silent >= flow.tracking.timeoutSeconds) dead.push('flow-log');
  const gone = flow.host === 'gone' && !alive;
  return { flow, named: isNamed(flow, question.flows), blockedBy, gone, dead, alive, evidence: evidenceOf() };

  function evidenceOf(): EvidenceLevel {
    if (terminated || dead.includes('flow-log')) return 'observed';
    if (alive) return 'unproven';
    if (blockedBy !== null) return 'in-force';
    // What may have been opened anew before the swap took effect is not proven dead with it.
    if (dead.length > 0 && flow.staysUntracked === true) return 'observed';
    if (gone) return 'gone';
    return question.denies.get(flow.id) === 'requested' ? 'requested' : 'unproven';
  }
}

/** Peers of accepted packets that belong to no flow of the case. */
function acceptedStrangers(disturbing: readonly LogRecord[], { flows }: VerdictQuestion): readonly string[] {
  const accepted = disturbing.filter((record) => record.action === 'ACCEPT');
  const strangers = accepted.filter((record) => !flows.some((flow) => mayBeRecordOf(record, flow)));
  return [...new Set(strangers.map((record) => record.remoteAddress))];
}

/** Named flows first: they are what the case is about. */
const byName = (a: FlowVerdict, b: FlowVerdict): number => Number(b.named) - Number(a.named);

const listed = (words: readonly string[]): string =>
  words.length <= 3 ? words.join(', ') : `${words.slice(0, 3).join(', ')} and ${words.length - 3} more`;

const names = (flows: readonly FlowVerdict[]): string =>
  listed([...new Set(flows.map(({ flow }) => flow.remoteAddress))]);

/** The agent's own connection, spared by the cut, where nothing shows that it ended. */
const isSparedAlive = ({ flow, dead, gone, blockedBy }: FlowVerdict): boolean =>
  flow.spared === true && dead.length === 0 && !gone && blockedBy !== 'seal';

/**
 * A minute or two until the host hears of it, as long for what its agent opens again, and the ten minutes that a record may
 * span; seconds.
 */
const AGENT_CLOSES_WITHIN_SECONDS = 900;

/** The agent was asked to close its connection, and no packet of a later time shows that it did not. */
function isClosingAgent(
  { agentAskedAt }: VerdictQuestion,
  flows: readonly FlowVerdict[],
  disturbing: readonly LogRecord[],
): boolean {
  if (agentAskedAt === null) return false;
  const by = Date.parse(agentAskedAt) / 1000 + AGENT_CLOSES_WITHIN_SECONDS;
  const spared = flows.filter(({ flow }) => flow.spared === true);
  return !disturbing.some((record) => record.until > by && spared.some(({ flow }) => mayBeRecordOf(record, flow)));
}

/** Every interface that an ACL can see is alone in a sealed subnet, and no flow is known that would pass it all the same. */
function isSealed({ interfaces, flows }: VerdictQuestion): boolean {
  const seen = interfaces.filter(({ outOfReach }) => outOfReach !== true);
  const isClosed = seen.length > 0 && seen.every(({ sealed, alone }) => sealed === true && alone === true);
  return isClosed && flows.every(({ crossesSubnetBoundary }) => crossesSubnetBoundary);
}

/** The network's own word that no flow is left: the seal of every interface, or silence over the longest timer. */
function networkProof(
  question: VerdictQuestion,
  disturbing: readonly LogRecord[],
): { readonly by: 'seal' | 'flow-log' | null; readonly why: string } {
  const { witness, longestTimerSeconds } = question;
  if (isSealed(question)) return { by: 'seal', why: '' };
  if (witness === null)
    return { by: null, why: 'no flow log watches the instance, so nothing outside it can prove more' };
  // One that has had no time to speak yet is as one that has not been silent for long enough.
  const problem = witness.findings.unheard ?? null;
  if (problem !== null) return { by: null, why: problem };
  if (silentSeconds(witness, disturbing) >= longestTimerSeconds) return { by: 'flow-log', why: '' };
  return {
    by: null,
    why: `the flow log has not been silent for the longest tracking timer (${longestTimerSeconds} s) yet`,
  };
}

/** When the flow log will have been silent long enough, if nothing stirs. null = nothing will prove it by itself. */
function provenAt(
  question: VerdictQuestion,
  flows: readonly FlowVerdict[],
  disturbing: readonly LogRecord[],
): string | null {
  const { witness, isolatedAt, longestTimerSeconds } = question;
  if (witness === null || isolatedAt === null) return null;
  const { unheard, passing } = witness.findings;
  if (unheard !== undefined && passing !== true) return null;
  // Sockets of an honest kernel go on retransmitting into a deny, which may refresh their entries.
  const isRetransmitting = flows.some(({ gone, dead, flow }) => !gone && dead.length === 0 && flow.protocol === 'tcp');
  const heard = disturbing.length > 0 || witness.findings.coveredUntil !== null;
  // A log that was not asked yet does not say since when it counts.
  const since = Math.max(silentSince(witness, disturbing), Date.parse(isolatedAt) / 1000 + SETTLE_SECONDS);
  const start = since + (isRetransmitting && !heard ? TCP_RETRANSMIT_SECONDS : 0);
  return new Date((start + longestTimerSeconds + FLOW_LOG_DELAY_SECONDS) * 1000).toISOString();
}

/** What goes on by permission, and the agent's own connection. */
function goesOnOf(question: VerdictQuestion, flows: readonly FlowVerdict[], isContained: boolean): readonly string[] {
  if (isContained && question.terminated) return [];
  const permitted = (question.witness?.findings.records ?? [])
    .filter((record) => record.action === 'ACCEPT' && isPermitted(record, question))
    .map((record) => `traffic with ${record.remoteAddress}, which the isolation group permits`);
  const spared = flows
    .filter(isSparedAlive)
    .map(({ flow }) => `the SSM agent's own connection to ${flow.remoteAddress} port ${flow.remotePort ?? 'any'}`);
  // The host lists no flow of its agent, and an agent that answered holds one.
  const isUnseen =
    !isContained && question.host?.kind === 'answered' && !flows.some(({ flow }) => flow.spared === true);
  return [...new Set([...permitted, ...spared, ...(isUnseen ? ["the SSM agent's own connection"] : [])])];
}

/** The verdict, from what is in force and what is proven; {@link VerdictKind} says what the words mean. */
export function judge(question: VerdictQuestion): Verdict {
  const { interfaces, channels, terminated } = question;
  const disturbing = question.witness === null ? [] : disturbances(question.witness, question);
  // Every flow of the case is suspect, those included that only the host has listed: the host cannot tell a second shell
  // from a customer, and the report names them all.
  const flows = question.flows.map((flow) => judgeFlow(flow, question, disturbing)).sort(byName);
  const answer = (
    kind: VerdictKind,
    reason: string,
    basis: readonly Basis[] = [],
    nextProof: string | null = null,
    isCertain = true,
  ): Verdict => ({
    kind,
    reason,
    basis,
    provenAt: isCertain ? nextProof : null,
    nextProof,
    flows,
    goesOn: goesOnOf(question, flows, kind === 'contained'),
  });

  const open = channels.filter(({ state }) => state === 'open');
  if (terminated) {
    const leak = open.find(({ carriesData }) => carriesData);
    if (leak !== undefined) return answer('leaking', `the instance is terminated, and ${leak.what} is open`);
    if (open.length > 0) return answer('not-proven', `the instance is terminated, and ${open[0]?.what} is open`);
    return answer('contained', 'EC2 says that the instance is terminated: none of its flows is left');
  }
  // Where a flow log speaks, a later look may find dead what is open to doubt now, and may deny what leaks.
  const next = provenAt(question, flows, disturbing);
  const leak = leakOf(question, flows, disturbing);
  if (leak !== null) return answer('leaking', leak, [], next, false);

  const doubt = doubtOf(question, flows);
  if (doubt !== null) return answer('not-proven', doubt.reason, doubt.basis, next, false);

  const proof = networkProof(question, disturbing);
  const beyond = interfaces.filter((entry) => entry.isolation === 'not-modifiable').map(({ id }) => id);
  const isLive = flows.some(isSparedAlive);
  const goesOn = isLive && !isClosingAgent(question, flows, disturbing);
  const undead = flows.filter(({ dead, blockedBy }) => dead.length === 0 && blockedBy !== 'seal');
  if (proof.by !== null && beyond.length === 0 && undead.length === 0 && !isLive) {
    return answer('contained', containedReason(flows, proof.by), basisOf(flows, proof.by));
  }
  return answer(
    'held',
    `${heldReason()}; ${heldSince(question, goesOn || beyond.length > 0 ? null : next)}`,
    basisOf(flows, agreeing(question, disturbing)),
    beyond.length > 0 ? null : next,
    !goesOn,
  );

  function heldReason(): string {
    const blocked = flows.filter(({ blockedBy }) => blockedBy !== null);
    const all =
      blocked.length === 0
        ? 'every interface that can be is isolated'
        : `packets to and from ${names(blocked)} are blocked`;
    if (beyond.length > 0) return `${all}; ${listed(beyond)} cannot be isolated`;
    if (goesOn) return `${all}; the SSM agent's own connection goes on`;
    if (isLive) return `${all}; nothing shows yet that the SSM agent has closed its own connection, as it was asked to`;
    return `${all}; that no flow is left is not proven: ${proof.why || 'a flow is not proven dead'}`;
  }
}

/** A leak in words; null = there is none. */
function leakOf(
  question: VerdictQuestion,
  flows: readonly FlowVerdict[],
  disturbing: readonly LogRecord[],
): string | null {
  const alive = flows.filter((flow) => flow.alive);
  if (alive.length > 0) return `a flow to ${names(alive)} was seen alive after the cut`;
  const strangers = acceptedStrangers(disturbing, question);
  if (strangers.length > 0) return `the flow log shows packets of a flow that nobody listed, to ${listed(strangers)}`;
  const loose = flows.filter((flow) => flow.named && flow.blockedBy === null && flow.dead.length === 0);
  const unstopped = loose.filter((flow) => !flow.gone);
  if (unstopped.length > 0)
    return `nothing in force reaches the flow to ${names(unstopped)}, and nothing shows that it ended`;
  const channel = question.channels.find(({ state, carriesData }) => state === 'open' && carriesData);
  return channel === undefined ? null : `${channel.what} is open, and the finding says that it carries data`;
}

/** Good enough for `held`: blocked or dead on the network's word; one that nobody names and nobody saw alive may be gone. */
function isReached(flow: FlowVerdict): boolean {
  const { blockedBy, dead, gone } = flow;
  if (blockedBy !== null || dead.includes('flow-log') || flow.flow.spared === true) return true;
  if (flow.flow.dropped === true) return false;
  return !flow.named && (gone || dead.length > 0);
}

/** Why not even `held` can be said, in words; null = it can. */
function doubtOf(
  question: VerdictQuestion,
  flows: readonly FlowVerdict[],
): { readonly reason: string; readonly basis: readonly Basis[] } | null {
  const { interfaces, host, witness } = question;
  const say = (reason: string, basis: readonly Basis[] = []) => ({ reason, basis });
  if (interfaces.length === 0) return say('no network interface could be read');
  const failed = interfaces.filter((entry) => entry.isolation === 'failed');
  if (failed.length > 0) return say(`${listed(failed.map((entry) => entry.id))} should be isolated and could not be`);
  const loose = flows.filter((flow) => !isReached(flow));
  if (loose.length > 0) {
    const basis = basisOf(loose);
    const [first] = loose;
    const named = loose.filter((flow) => flow.named);
    if (named.length > 0 && named.every(({ gone }) => gone))
      return say(
        `the flow to ${names(named)} ended on the host's word alone: no control outside the host reaches it`,
        basis,
      );
    if (named.length > 0)
      return say(
        `the swap ended the flow to ${names(named)}; a session reopened before it took effect is not blocked`,
        basis,
      );
    return say(
      `the flow to ${names(loose)}, which ${first?.flow.source === 'host' ? 'the host' : 'the flow log'} has listed, is neither blocked nor gone`,
      basis,
    );
  }
  const open = question.channels.find(({ state }) => state === 'open');
  if (open !== undefined) return say(`${open.what} is open`);
  const isListed = host?.kind === 'answered' || (witness !== null && witness.findings.coveredUntil !== null);
  if (flows.length === 0 && !isListed && !isSealed(question)) {
    return say(`no flow is known and nobody could list any: ${silenceOf(host)}`);
  }
  return null;
}

const silenceOf = (host: HostOutcome | null): string => {
  if (host === null) return 'the host was not asked which flows are open';
  return host.kind === 'answered' ? 'the host lists none' : `the host gave no list of its flows: ${host.reason}`;
};

/** The network's witness agrees so far: it speaks, and nothing has stirred since the change. */
const agreeing = ({ witness }: VerdictQuestion, disturbing: readonly LogRecord[]): Basis | null =>
  witness !== null && silentSeconds(witness, disturbing) > 0 && disturbing.length === 0 ? 'flow-log' : null;

function heldSince({ isolatedAt }: VerdictQuestion, at: string | null): string {
  const since = isolatedAt === null ? 'when it began is not recorded' : `held since ${isolatedAt}`;
  return at === null ? since : `${since}, proven at ${at} if nothing stirs`;
}

function containedReason(flows: readonly FlowVerdict[], by: 'seal' | 'flow-log'): string {
  const proof =
    by === 'seal'
      ? 'every subnet of the instance is sealed: no packet passes in or out'
      : 'the flow log has been silent for the longest tracking timer';
  return flows.length === 0
    ? `no flow is left, and every interface is isolated: ${proof}`
    : `no flow (${names(flows)}) is left, and every interface is isolated: ${proof}`;
}

const ORDER = ['host', 'flow-log', 'untracked', 'seal'] as const satisfies readonly Basis[];

function basisOf(flows: readonly FlowVerdict[], also: Basis | null = null): readonly Basis[] {
  const words = new Set<Basis>(flows.flatMap(({ dead, gone }) => [...dead, ...(gone ? (['host'] as const) : [])]));
  if (also !== null) words.add(also);
  return ORDER.filter((word) => words.has(word));
}
