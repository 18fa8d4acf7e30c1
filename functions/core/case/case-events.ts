import { hostAccount } from '../host/host-account.ts';
import { type HostListing, joinListing, namedAs } from '../host/host-flows.ts';
import type { HostReport } from '../host/host-protocol.ts';
import type { CaseRequest } from '../intake/intake-types.ts';
import type { VerdictKind } from '../verdict/verdict.ts';
import type { Assessment } from './assess.ts';
import {
  type CaseDocument,
  type CaseFlow,
  type DenyRefusal,
  type HostAsked,
  type HostOutcome,
  isClosing,
  isKnownFlow,
  isNamedFlow,
  laterOf,
  mergeRequests,
  type WantedDeny,
  withAcls,
  withRefusals,
} from './case.ts';
import { type EvidenceItem, mergeEvidence } from './evidence.ts';
import { withRetaken } from './lost-controls.ts';

type Answer = Extract<HostOutcome, { kind: 'answered' }>;

/**
 * Everything that can happen to a case. A step changes a case by one of these and by nothing else; {@link apply} says what
 * each one means. Plain data: the table applies an event again to the newest document when two steps write at once.
 *
 * | event | written by | status after it |
 * | --- | --- | --- |
 * | `joined` | start-response, assess-flows | as before; `restored` takes nothing in |
 * | `planned` | assess-flows | as before |
 * | `cutBegun` | assess-flows | `restoring` becomes `open` |
 * | `deniesRefused` | deny-at-nacl | as before |
 * | `hostAnswered`, `hostSilent`, `hostUndone` | check-host-cut | as before |
 * | `agentAsked` | cut-on-host | as before |
 * | `isolated` | swap-security-groups | `restoring`, `restored` become `open` where this response has isolated |
 * | `flowsSeen` | verify-cut | as before |
 * | `verified` | verify-cut | `open` becomes `reported` |
 * | `retaken` | verify-cut | as before |
 * | `told` | report-case | as before |
 * | `preserved` | preserve-evidence | as before |
 * | `released` | release-nacl | as before |
 * | `restoreBegun` | restore-instance | `restoring` |
 * | `evidenceReturning` | restore-evidence | as before |
 * | `restored` | restore-evidence | `restoring` becomes `restored` |
 */
export type CaseEvent =
  /** A request for the instance joins the case. */
  | { readonly kind: 'joined'; readonly request: CaseRequest; readonly decision: CaseDocument['decision'] }
  /** The flows were classified for a plan. */
  | ({ readonly kind: 'planned' } & Assessment)
  /** A response is about to make its first change. */
  | ({ readonly kind: 'cutBegun' } & CutBegun & Assessment)
  | { readonly kind: 'deniesRefused'; readonly refusals: readonly DenyRefusal[] }
  | {
      readonly kind: 'hostAnswered';
      readonly answer: Omit<Answer, 'account'>;
      readonly report: Extract<HostReport, { kind: 'evidence' }>;
      readonly listing: HostListing;
      readonly denies: readonly WantedDeny[];
      readonly refusals: readonly DenyRefusal[];
    }
  | { readonly kind: 'hostSilent'; readonly outcome: Exclude<HostOutcome, { kind: 'answered' }> }
  | { readonly kind: 'hostUndone' }
  /** The agent was asked to close its own connection, `at` ISO: what it does then is not known. */
  | { readonly kind: 'agentAsked'; readonly at: string }
  /** The interfaces were read back after the swap. */
  | ({ readonly kind: 'isolated' } & Isolated)
  /** A flow log has shown packets of flows that the case did not know. */
  | { readonly kind: 'flowsSeen'; readonly flows: readonly CaseFlow[] }
  | ({ readonly kind: 'verified' } & Verified)
  /** Controls are not in force, and are about to be taken again: `items` as plan, report and restore name them, `at` ISO. */
  | { readonly kind: 'retaken'; readonly items: readonly string[]; readonly at: string }
  /** People were told this verdict; `isFinal`: at the end of a response. */
  | { readonly kind: 'told'; readonly verdict: VerdictKind; readonly isFinal: boolean }
  | { readonly kind: 'preserved'; readonly items: readonly EvidenceItem[] }
  | { readonly kind: 'released' }
  /** `by`: the ARN of the execution that restores; null = a bare call. */
  | { readonly kind: 'restoreBegun'; readonly by: string | null }
  | { readonly kind: 'evidenceReturning' }
  | { readonly kind: 'restored' };

interface CutBegun {
  readonly hostAsked: HostAsked;
  /** ISO. */
  readonly at: string;
  /** The instance was seen isolated: what is denied now is denied on top of it. */
  readonly isolated: boolean;
  /** `isolatedAt` of the document that the assessment was made from. */
  readonly isolatedAtBefore: string | null;
}

interface Isolated {
  /** ISO: when the interfaces were read back. */
  readonly at: string;
  /** Every ENI that can be isolated was seen isolated. */
  readonly complete: boolean;
  /** A flow log was seen to cover the instance. */
  readonly watched: boolean;
  /** Why the host said nothing, where nobody has noted it yet. */
  readonly silence: HostOutcome | null;
  /** This response holds an ENI isolated, so a restore that ran beside it has looked too early. */
  readonly takesUp: boolean;
}

interface Verified {
  /** Denies that are to be made now. */
  readonly denies: readonly WantedDeny[];
  /** When peers were denied after the isolation, ISO; null = nothing new. */
  readonly cutAgainAt: string | null;
  /** When every ENI was first seen isolated, where the swap did not see it, ISO; null = it was not. */
  readonly isolatedAt: string | null;
  /** A flow log was seen to cover the instance. */
  readonly watched?: boolean;
}

/** Processes that the host stopped and whose ids were not kept: no undo lets them go on. */
export const stoppedOmitted = ({ host }: CaseDocument): number =>
  host?.kind === 'answered' ? (host.account?.stoppedOmitted ?? 0) : 0;

/** Flows that a case keeps at most: an item of the case table holds some 600. */
export const MOST_FLOWS = 500;

/** The case after the event; the same object where the event changes nothing, so that nothing is written. */
export function apply(stored: CaseDocument, event: CaseEvent): CaseDocument {
  switch (event.kind) {
    case 'joined':
      return joined(stored, event);
    case 'planned':
      return withAssessment(stored, event);
    case 'cutBegun':
      return cutBegun(stored, event);
    case 'deniesRefused':
      return refused(stored, event.refusals);
    case 'hostAnswered':
      return hostAnswered(stored, event);
    case 'hostSilent':
      // An earlier answer of this case is worth more and stays.
      return stored.host?.kind === 'answered' ? stored : { ...stored, host: event.outcome };
    case 'hostUndone':
      // What nobody kept the ids of is still stopped.
      return stored.hostUndone === true || stoppedOmitted(stored) > 0 ? stored : { ...stored, hostUndone: true };
    case 'agentAsked':
      return agentAsked(stored, event);
    case 'isolated':
      return isolated(stored, event);
    case 'flowsSeen':
      return flowsSeen(stored, event.flows);
    case 'verified':
      return verified(stored, event);
    case 'retaken':
      return isClosing(stored) ? stored : withRetaken(stored, event.items, event.at);
    case 'told':
      return told(stored, event);
    case 'preserved':
      return { ...stored, evidence: mergeEvidence(stored.evidence, event.items), evidenceReturning: false };
    case 'released':
      return stored.released === true ? stored : { ...stored, released: true };
    case 'restoreBegun':
      // From here on the instance is no longer isolated as it was: what is isolated again later is so since then.
      return { ...stored, status: 'restoring', isolatedAt: null, restoredBy: event.by, agentAskedAt: undefined };
    case 'evidenceReturning':
      return stored.evidenceReturning === true ? stored : { ...stored, evidenceReturning: true };
    case 'restored':
      return stored.status === 'restoring' ? { ...stored, status: 'restored' } : stored;
    default:
      return event satisfies never;
  }
}

function told(stored: CaseDocument, { verdict, isFinal }: Extract<CaseEvent, { kind: 'told' }>): CaseDocument {
  const isNew = isFinal && !hasEndedAs(stored, verdict);
  if (stored.verdict === verdict && !isNew) return stored;
  return { ...stored, verdict, ...(isNew && { endedAs: [...(stored.endedAs ?? []), verdict] }) };
}

/** People were told this verdict at the end of a response of the case. */
export const hasEndedAs = ({ endedAs = [] }: Pick<CaseDocument, 'endedAs'>, verdict: VerdictKind): boolean =>
  endedAs.includes(verdict);

function joined(stored: CaseDocument, event: Extract<CaseEvent, { kind: 'joined' }>): CaseDocument {
  if (stored.status === 'restored') return stored;
  const request = mergeRequests(stored.request, event.request);
  // A person's request, or a finding that allows action, lifts a case that was waiting for a person; never the reverse.
  const decision = stored.decision === 'act' || event.decision === 'act' ? 'act' : 'ask';
  const isSame = JSON.stringify(request) === JSON.stringify(stored.request) && decision === stored.decision;
  return isSame ? stored : { ...stored, request, decision };
}

/**
 * Adds what is new. A flow that the case knows keeps its first classification: once the groups are swapped, the rules
 * say nothing any more about the entries that the old rules made. One that the host had listed is named from now on.
 */
function withAssessment(stored: CaseDocument, { flows, refusals, denies }: Assessment): CaseDocument {
  const fresh = flows.filter((flow) => !isKnownFlow(flow, stored.flows));
  const known = stored.flows.map((flow) => {
    const word = flow.named ? undefined : flows.find((one) => one.named && isKnownFlow(one, [flow]));
    return word === undefined ? flow : namedAs(flow, word);
  });
  const isSame = fresh.length === 0 && known.every((flow, index) => flow === stored.flows[index]);
  const document = isSame ? stored : { ...stored, flows: [...known, ...fresh] };
  return withAcls(refused(document, refusals), denies);
}

function cutBegun(stored: CaseDocument, event: Extract<CaseEvent, { kind: 'cutBegun' }>): CaseDocument {
  const { hostAsked, at, isolated: wasIsolated, isolatedAtBefore } = event;
  // What is cut during a restore takes the case up again: its before-state is still the one of the first response.
  const status = stored.status === 'restoring' ? 'open' : stored.status;
  // Whoever starts a response anew wants what was left to people tried again.
  const { retaken: _, ...asNew } = withAssessment(stored, event);
  const noted = { ...asNew, status, hostAsked, hostUndone: false, released: false };
  if (wasIsolated) return deniesMore(stored, event) ? { ...noted, cutAgainAt: at } : noted;
  // Isolated no more: what was listed and watched before says nothing of what was opened since. An isolation that was
  // noted after the assessment is the work of another response, and stays.
  return stored.isolatedAt === isolatedAtBefore ? { ...noted, isolatedAt: null } : noted;
}

/** A deny is about to be made, or a flow joins the case, that the isolation did not know. */
const deniesMore = ({ flows }: CaseDocument, { denies, flows: wanted }: Assessment): boolean =>
  denies.some((deny) => deny.ruleNumber !== null) || wanted.some((flow) => !isNamedFlow(flow, flows));

const refused = (stored: CaseDocument, refusals: readonly DenyRefusal[]): CaseDocument => {
  const isKnown = (one: DenyRefusal) =>
    stored.denyRefusals.some(
      ({ aclId, address, reason }) => aclId === one.aclId && address === one.address && reason === one.reason,
    );
  return refusals.every(isKnown) ? stored : withRefusals(stored, refusals);
};

function hostAnswered(stored: CaseDocument, event: Extract<CaseEvent, { kind: 'hostAnswered' }>): CaseDocument {
  const { answer, report, listing, denies, refusals } = event;
  const earlier = stored.host?.kind === 'answered' ? stored.host.account : undefined;
  const host: Answer = { ...answer, account: hostAccount(report, earlier) };
  const flows = joinListing(stored.flows, listing);
  return withAcls(refused({ ...stored, host, hostUndone: false, flows }, refusals), denies);
}

function isolated(stored: CaseDocument, event: Extract<CaseEvent, { kind: 'isolated' }>): CaseDocument {
  const isolatedAt = event.complete ? (stored.isolatedAt ?? event.at) : stored.isolatedAt;
  const host = stored.host ?? event.silence;
  const watched = stored.watched === true || event.watched;
  const status = isClosing(stored) && event.takesUp ? 'open' : stored.status;
  const isSame =
    status === stored.status &&
    isolatedAt === stored.isolatedAt &&
    host === stored.host &&
    watched === (stored.watched === true);
  return isSame ? stored : { ...stored, status, isolatedAt, host, ...(watched && { watched }) };
}

function agentAsked(stored: CaseDocument, { at }: Extract<CaseEvent, { kind: 'agentAsked' }>): CaseDocument {
  // A restore that has begun meanwhile wants the agent back.
  const agentAskedAt = isClosing(stored) ? stored.agentAskedAt : (laterOf(stored.agentAskedAt ?? null, at) ?? at);
  return agentAskedAt === stored.agentAskedAt ? stored : { ...stored, agentAskedAt };
}

/** No flow log has shown the flow yet: nobody has seen it alive, or the host alone has listed it. */
export const isNewToFlowLog = ({ seenAlive, source }: CaseFlow): boolean => seenAlive !== true || source === 'host';

function flowsSeen(stored: CaseDocument, seen: readonly CaseFlow[]): CaseDocument {
  const dropped = new Set(seen.filter((flow) => flow.dropped === true && flow.seenAlive !== true).map(({ id }) => id));
  const alive = new Set(seen.map(({ id }) => id).filter((id) => !dropped.has(id)));
  const known = stored.flows.map((flow) => {
    if (alive.has(flow.id) && isNewToFlowLog(flow)) {
      // The flow log has shown it: it is not the host's word alone any more.
      return { ...flow, seenAlive: true, source: flow.source === 'host' ? 'flow-log' : flow.source };
    }
    return dropped.has(flow.id) && flow.dropped !== true ? { ...flow, dropped: true } : flow;
  });
  const ids = new Set(stored.flows.map(({ id }) => id));
  const room = Math.max(0, MOST_FLOWS - stored.flows.length);
  const fresh = seen.filter(({ id }) => !ids.has(id)).slice(0, room);
  const isSame = fresh.length === 0 && known.every((flow, index) => flow === stored.flows[index]);
  return isSame ? stored : { ...stored, flows: [...known, ...fresh] };
}

function verified(stored: CaseDocument, event: Extract<CaseEvent, { kind: 'verified' }>): CaseDocument {
  const { denies, cutAgainAt, isolatedAt } = event;
  return {
    ...withAcls(stored, denies),
    // A restore that has begun meanwhile closes the case itself, and the isolation with it.
    status: isClosing(stored) ? stored.status : 'reported',
    cutAgainAt: laterOf(stored.cutAgainAt, cutAgainAt),
    isolatedAt: isClosing(stored) ? stored.isolatedAt : (stored.isolatedAt ?? isolatedAt),
    ...(event.watched === true && { watched: true }),
  };
}
