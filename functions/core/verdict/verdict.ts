import type { CaseFlow, HostOutcome } from '../case/case.ts';
import { TCP_RETRANSMIT_SECONDS } from '../case/expiry.ts';
import { admits, type IsolationOpenings } from '../network/isolation-rules.ts';
import { type FlowLogFindings, mayBeRecordOf } from './flow-log.ts';

export type VerdictKind = 'contained' | 'held' | 'not-proven' | 'leaking';
export type Basis = 'host' | 'flow-log' | 'untracked';

/**
 * How sure we are of a flow: `requested` an API call returned; `in-force` the control was read back; `observed` the
 * socket is gone from the host's lists, or the flow log saw it stop; `unproven` none of these.
 */
export type EvidenceLevel = 'requested' | 'in-force' | 'observed' | 'unproven';

/** How the isolation of one ENI stands. */
export interface InterfaceStanding {
  readonly id: string;
  /** `in-force`: read back on the isolation group, which was read back without a rule. */
  readonly isolation: 'in-force' | 'not-modifiable' | 'failed';
  readonly reason: string | null;
}

/** How the denies of one flow stand, over every ACL that may see it, both directions. */
export type DenyStanding = 'in-force' | 'requested' | 'none';

export interface VerdictQuestion {
  readonly flows: readonly CaseFlow[];
  readonly denies: ReadonlyMap<string, DenyStanding>;
  readonly interfaces: readonly InterfaceStanding[];
  readonly host: HostOutcome | null;
  /** When isolation was in force on every ENI that can be isolated, ISO; null = never. */
  readonly isolatedAt: string | null;
  /** When peers were last denied after the isolation, ISO; null = none was. */
  readonly cutAgainAt: string | null;
  /** null = no flow log covers the instance. */
  readonly flowLog: { readonly findings: FlowLogFindings; readonly since: number } | null;
  /** What the isolation group allows; a flow that it may let pass is not isolated by it. */
  readonly openings: IsolationOpenings;
  /** Longest tracking timer of the instance's ENIs that was in force before, in seconds. */
  readonly longestTimerSeconds: number;
  /** The denies were lifted on the word of the host and the flow log both. */
  readonly released: boolean;
}

export interface FlowVerdict {
  readonly flow: CaseFlow;
  readonly blocked: boolean;
  readonly dead: readonly Basis[];
  readonly alive: boolean;
  readonly evidence: EvidenceLevel;
}

export interface Verdict {
  readonly kind: VerdictKind;
  readonly reason: string;
  readonly basis: readonly Basis[];
  readonly flows: readonly FlowVerdict[];
}

/**
 * Longest time between the host's list and the isolation for which the list still counts as complete, in seconds: what
 * is opened in between becomes a tracked flow that nobody has listed.
 */
export const FRESH_ENUMERATION_SECONDS = 20;

function judgeFlow(flow: CaseFlow, question: VerdictQuestion): FlowVerdict {
  const standing = question.denies.get(flow.id) ?? 'none';
  const swapped = flow.interfaceIds.every((id) =>
    question.interfaces.some((entry) => entry.id === id && entry.isolation === 'in-force'),
  );
  const isolated = swapped && !admits(question.openings, flow);
  const untrackedAndSwapped = flow.tracking.kind === 'untracked' && isolated;
  // An ACL sees the packets only where they cross the subnet's boundary; the swap reaches an untracked flow anywhere.
  const blocked = (standing === 'in-force' && flow.crossesSubnetBoundary) || untrackedAndSwapped;

  const records = question.flowLog?.findings.records.filter((record) => mayBeRecordOf(record, flow)) ?? [];
  const accepted = records.some((record) => record.action === 'ACCEPT');
  const covered = coveredSeconds(question);
  const silent = isolated && covered > 0 && silentSeconds(question, records) >= flow.tracking.timeoutSeconds;

  const dead: Basis[] = [];
  if (flow.host === 'gone') dead.push('host');
  if (untrackedAndSwapped) dead.push('untracked');
  if (silent) dead.push('flow-log');
  const alive = accepted || (flow.host === 'open' && !blocked);
  return { flow, blocked, dead: alive ? [] : dead, alive, evidence: evidenceOf() };

  function evidenceOf(): EvidenceLevel {
    if (alive) return 'unproven';
    if (flow.host === 'gone' || silent || (covered > 0 && records.length > 0)) return 'observed';
    if (blocked) return 'in-force';
    return standing === 'requested' ? 'requested' : 'unproven';
  }
}

/** Peers of accepted packets that belong to no flow of the case. */
function acceptedStrangers({ flowLog, flows }: VerdictQuestion): readonly string[] {
  const accepted = flowLog?.findings.records.filter((record) => record.action === 'ACCEPT') ?? [];
  const strangers = accepted.filter((record) => !flows.some((flow) => mayBeRecordOf(record, flow)));
  return [...new Set(strangers.map((record) => record.remoteAddress))];
}

/** Seconds for which a healthy flow log watched every ENI after the isolation; 0 without one. */
function coveredSeconds({ flowLog }: VerdictQuestion): number {
  const until = flowLog?.findings.coveredUntil;
  return flowLog === null || until === null || until === undefined ? 0 : Math.max(0, until - flowLog.since);
}

/**
 * Seconds of silence at the end of the watch. Rejected packets count as traffic: outbound ones pass the group before the
 * ACL drops them and refresh the entry, so only silence after the last of them lets it expire.
 */
function silentSeconds(question: VerdictQuestion, records: FlowLogFindings['records']): number {
  const { flowLog } = question;
  if (flowLog === null || flowLog.findings.coveredUntil === null) return 0;
  // A record says only that its aggregation interval held a packet, so its end counts.
  const last = Math.max(flowLog.since, ...records.map((record) => record.until));
  return flowLog.findings.coveredUntil - last;
}

/** Did anyone list all established flows, so that no unknown one can have gone on? */
function enumeration(question: VerdictQuestion): { complete: boolean; by: Basis | null; why: string } {
  const { host, isolatedAt, flowLog } = question;
  // Where a flow log exists it is asked before the host is believed: a host whose root is the attacker's may hide a flow.
  if (flowLog !== null) {
    const covered = coveredSeconds(question);
    if (covered < question.longestTimerSeconds) {
      const why = flowLog.findings.unheard ?? 'the flow log does not yet cover the whole tracking timer';
      return { complete: false, by: null, why };
    }
    return {
      complete: true,
      by: 'flow-log',
      why: 'the flow log shows no accepted packet for the whole tracking timer',
    };
  }
  if (host === null) return { complete: false, by: null, why: 'the host was not asked which flows are open' };
  if (host.kind !== 'answered')
    return { complete: false, by: null, why: `the host gave no list of its flows: ${host.reason}` };
  if (!host.complete) return { complete: false, by: null, why: "the host's list of flows is not complete" };
  const gap = isolatedAt === null ? null : (Date.parse(isolatedAt) - Date.parse(host.notBefore)) / 1000;
  if (gap === null || gap > FRESH_ENUMERATION_SECONDS) {
    return { complete: false, by: null, why: "the host's list was too old when isolation came into force" };
  }
  return { complete: true, by: 'host', why: 'the host listed and closed every established flow' };
}

/** Named flows first: they are what the case is about. */
const byName = (a: FlowVerdict, b: FlowVerdict): number => Number(b.flow.named) - Number(a.flow.named);

const listed = (words: readonly string[]): string =>
  words.length <= 3 ? words.join(', ') : `${words.slice(0, 3).join(', ')} and ${words.length - 3} more`;

const names = (flows: readonly FlowVerdict[]): string =>
  listed([...new Set(flows.map(({ flow }) => flow.remoteAddress))]);

/**
 * The verdict, from what is in force and what is proven; the words mean exactly:
 * - contained: every known malicious flow is blocked and dead, all flows were enumerated, every ENI is isolated;
 * - held: every known flow is blocked by controls that stay and every ENI that can be is isolated, but death or
 *   completeness is not proven;
 * - leaking: a flow was seen alive after the cut, or one that nothing in force reaches has no evidence of death;
 * - not-proven: the rest.
 */
export function judge(question: VerdictQuestion): Verdict {
  // Every flow of the case is suspect, those included that only the host has listed: the host cannot tell a second shell
  // from a customer, and the report names them all.
  const flows = question.flows.map((flow) => judgeFlow(flow, question)).sort(byName);
  const answer = (kind: VerdictKind, reason: string, basis: readonly Basis[] = []): Verdict => ({
    kind,
    reason,
    basis,
    flows,
  });

  const alive = flows.filter((flow) => flow.alive);
  if (alive.length > 0) return answer('leaking', `a flow to ${names(alive)} was seen alive after the cut`);
  const strangers = acceptedStrangers(question);
  if (strangers.length > 0) {
    return answer('leaking', `the flow log shows packets of a flow that nobody listed, to ${listed(strangers)}`);
  }
  const open = flows.filter((flow) => !flow.blocked && flow.dead.length === 0);
  if (open.length > 0) {
    return answer('leaking', `nothing in force reaches the flow to ${names(open)}, and nothing shows that it ended`);
  }

  const failed = question.interfaces.filter((entry) => entry.isolation === 'failed');
  if (question.interfaces.length === 0) return answer('not-proven', 'no network interface could be read');
  if (failed.length > 0) {
    return answer('not-proven', `${failed.map((entry) => entry.id).join(', ')} should be isolated and could not be`);
  }
  const enumerated = enumeration(question);
  if (flows.length === 0 && !enumerated.complete) {
    return answer('not-proven', `no flow is known and none could be enumerated: ${enumerated.why}`);
  }
  const isReleased = ({ dead }: FlowVerdict): boolean =>
    question.released && dead.includes('host') && dead.includes('flow-log');
  const unblocked = flows.filter((flow) => !(flow.blocked || isReleased(flow)));
  if (unblocked.length > 0) {
    const basis = basisOf(unblocked);
    const reach = basis.includes('host') ? 'no control outside the host reaches it' : 'no control reaches it';
    const reason = `the flow to ${names(unblocked)} ended on ${wordOf(basis)}: ${reach}`;
    return answer('not-proven', reason, basis);
  }
  const undead = flows.filter((flow) => flow.dead.length === 0);
  const fixed = question.interfaces.filter((entry) => entry.isolation === 'not-modifiable');
  if (undead.length === 0 && enumerated.complete && fixed.length === 0) {
    return answer('contained', containedReason(flows), basisOf(flows, enumerated.by));
  }
  return answer(
    'held',
    `${heldReason()}; ${heldSince(flows, question)}`,
    basisOf(flows.filter((flow) => flow.dead.length > 0)),
  );

  function heldReason(): string {
    const held =
      flows.length === 0
        ? 'every interface that can be is isolated'
        : `packets to and from ${names(flows)} are blocked`;
    if (undead.length > 0) return `${held}; that the flow is dead is not proven`;
    if (fixed.length > 0) return `${held}; ${fixed.map((entry) => entry.id).join(', ')} cannot be isolated`;
    return `${held}; whether other flows go on is not proven: ${enumerated.why}`;
  }
}

/** Since when it is held, and when the flows of an honest host would be gone: a lying one may keep its own alive. */
function heldSince(
  flows: readonly FlowVerdict[],
  { isolatedAt, cutAgainAt, longestTimerSeconds }: VerdictQuestion,
): string {
  if (isolatedAt === null) return 'when it began is not recorded';
  const timers = flows.filter((flow) => flow.dead.length === 0).map(({ flow }) => flow.tracking.timeoutSeconds);
  const longest = timers.length === 0 ? longestTimerSeconds : Math.max(...timers);
  const lastCut = Math.max(Date.parse(isolatedAt), Date.parse(cutAgainAt ?? isolatedAt));
  const expired = new Date(lastCut + (longest + TCP_RETRANSMIT_SECONDS) * 1000);
  return `held since ${isolatedAt}, an honest host's flow would have expired by ${expired.toISOString()}`;
}

const WORDS: Record<Basis, string> = {
  host: "the host's word",
  'flow-log': "the flow log's silence",
  untracked: 'the swap',
};

const wordOf = (basis: readonly Basis[]): string =>
  `${basis.map((one) => WORDS[one]).join(' and ')}${basis.length === 1 ? ' alone' : ''}`;

function containedReason(flows: readonly FlowVerdict[]): string {
  if (flows.length === 0) return 'no flow was open, and every interface is isolated';
  if (flows.some((flow) => !flow.blocked)) {
    return `every flow (${names(flows)}) is proven dead, by the host and the flow log where its denies are lifted, and every interface is isolated`;
  }
  return `every flow (${names(flows)}) is blocked and proven dead, and every interface is isolated`;
}

function basisOf(flows: readonly FlowVerdict[], enumeratedBy: Basis | null = null): readonly Basis[] {
  const words = new Set(flows.flatMap((flow) => flow.dead));
  if (enumeratedBy !== null) words.add(enumeratedBy);
  return (['host', 'flow-log', 'untracked'] as const).filter((word) => words.has(word));
}
