import { needCase, updateCase } from '../aws/case-table/cases.ts';
import { type DenyRefusal, isClosing, type WantedDeny } from '../core/case/case.ts';
import type { Denying, DenyResult } from '../core/case/record.ts';
import { leftOf, packDenies, unpackDenies, waitingAfter } from '../core/network/packed-denies.ts';
import { tryTurn } from '../shared/paced.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';
import { DENY_API, makeDeny } from './make-deny.ts';

/**
 * How long one run waits for its turns, in seconds. The first is short: the isolation waits for it, and must come soon after
 * the host has listed its flows. Later ones have the function's time.
 */
const WAIT_SECONDS = { first: 8, later: 40 } as const;

/** When denies that still have no turn are given up, in seconds from the first run. */
const DEADLINE_SECONDS = 300;

interface Wanted {
  readonly denies: readonly WantedDeny[];
  /** null in the first run. */
  readonly deadline: string | null;
}

/** Which denies are wanted now: the newest list in the record. */
function wanted(record: Denying): Wanted {
  const { verdict, cutAgain, lateDenies, cut, host, assessment } = record;
  const assessed = assessment.kind === 'contain' ? unpackDenies(assessment.denies) : [];
  if (verdict !== undefined) {
    return cutAgain?.kind === 'waiting' ? leftOf(cutAgain) : { denies: unpackDenies(verdict.denies), deadline: null };
  }
  if (lateDenies?.kind === 'waiting') return leftOf(lateDenies);
  if (cut !== undefined) {
    const late = waitingAfter(cut);
    const failed = cut.deny.kind === 'failed' ? assessed : [];
    const deadline = late.map((result) => result.deadline).sort()[0] ?? null;
    return { denies: [...failed, ...late.flatMap((result) => result.denies)], deadline };
  }
  return { denies: host?.kind === 'answered' ? unpackDenies(host.denies) : assessed, deadline: null };
}

/**
 * Deny at the subnet: one entry per peer and direction, recorded in the ledger before it is made. One that cannot be made
 * is refused with the reason; the others go on. One for which EC2 has no turn left waits for a later run.
 */
export async function denyAtNacl(tools: Tools<'ec2' | 'cases'>, record: Denying): Promise<DenyResult> {
  const { denies, deadline: given } = wanted(record);
  const { caseId, urgency = 0 } = record.case;
  const startedAt = tools.now().getTime();
  const isFirst = record.cut === undefined && record.verdict === undefined;
  // What comes late comes too late where a restore has begun: it would lift nothing that is made behind it.
  if (!isFirst && isClosing(await needCase(tools.cases, caseId))) return { kind: 'done', made: 0, refused: 0 };
  const deadline = given ?? new Date(startedAt + DEADLINE_SECONDS * 1000).toISOString();
  const until = startedAt + (isFirst ? WAIT_SECONDS.first : WAIT_SECONDS.later) * 1000;
  const calls = denies.filter((deny) => deny.ruleNumber !== null).length;
  const turn = tryTurn(tools, { api: DENY_API, urgency, canWait: true, until }, calls);
  const outcomes = await Promise.all(
    denies.map((deny) => makeDeny(tools, deny, { caseId, urgency, until, deadline, turn })),
  );

  const refusals = outcomes.flatMap((outcome) => (outcome.kind === 'refused' ? [outcome.refusal] : []));
  const waiting = outcomes.flatMap((outcome) => (outcome.kind === 'waiting' ? [outcome.deny] : []));
  const made = denies.length - refusals.length - waiting.length;
  const at = tools.now().toISOString();
  // A flow log is watched from the last cut on: what passed before a deny that came late is no leak.
  const counts = { made, refused: refusals.length, ...(!isFirst && made > 0 && { at }) };
  await Promise.all([
    noteRefusals(tools, caseId, refusals),
    tell(
      tools,
      caseId,
      'deny-at-nacl',
      `of ${denies.length} denies ${made} stand, ${refusals.length} are refused, ${waiting.length} wait for their turn`,
    ),
  ]);
  return waiting.length > 0
    ? { kind: 'waiting', ...counts, denies: packDenies(waiting), deadline }
    : { kind: refusals.length > 0 ? 'refused' : 'done', ...counts };
}

async function noteRefusals(
  { cases }: Tools<'cases'>,
  caseId: string,
  refusals: readonly DenyRefusal[],
): Promise<void> {
  if (refusals.length === 0) return;
  const isSame = (a: DenyRefusal) => (b: DenyRefusal) =>
    a.aclId === b.aclId && a.address === b.address && a.reason === b.reason;
  // Both entries of a pair are refused for the same reason more often than not.
  const distinct = refusals.filter((refusal, index) => refusals.findIndex(isSame(refusal)) === index);
  await updateCase(cases, caseId, (stored) => {
    const fresh = distinct.filter((refusal) => !stored.denyRefusals.some(isSame(refusal)));
    return fresh.length === 0 ? stored : { ...stored, denyRefusals: [...stored.denyRefusals, ...fresh] };
  });
}
