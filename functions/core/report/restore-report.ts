import { isCaseId } from '../case/case-id.ts';
import type { Failure, RestoreItem, Restoring } from '../case/record.ts';
import { HOST_ITEM, shortItems, TAKEN_UP } from '../case/restore-items.ts';
import { ERROR_NAMES } from '../errors.ts';
import { isInstanceId } from '../instance-id.ts';

/** The record of the restore state machine at its end, whatever the end: the request, and what each step left. */
export interface RestoreEnd extends Partial<Restoring> {
  readonly caseId?: unknown;
  readonly instanceId?: unknown;
  readonly force?: unknown;
  readonly by?: unknown;
  /** What ended the restore before it had put everything back. */
  readonly failure?: Failure;
  /** What ended the undo on the host. */
  readonly hostFailure?: Failure;
}

/**
 * What a restore came to. `restored`: nothing failed; what somebody else has changed since is left, and named. `partly-restored`:
 * something failed, is not known any more, or a response has taken the case up again. `failed`: it stopped on the way.
 */
export interface RestoreReport {
  readonly kind: 'restored' | 'partly-restored' | 'refused' | 'failed';
  /** null = the request names none, and no step found it. */
  readonly caseId: string | null;
  readonly instanceId: string | null;
  readonly reason: string;
  readonly forced: boolean;
  readonly startedBy: StartedBy;
  readonly failed: readonly RestoreItem[];
  /** Drifted or gone: not ours to put back. */
  readonly left: readonly RestoreItem[];
  readonly putBack: readonly RestoreItem[];
}

/**
 * Who started it, as far as a function can know: a state machine tells its functions the execution, and nothing of who called
 * StartExecution. CloudTrail has the caller.
 * https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html
 * https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cloud-trail.html
 */
export interface StartedBy {
  /** What the input says, which nobody has checked; null = it says nothing. */
  readonly by: string | null;
  /** ARN; null = no execution ran. */
  readonly execution: string | null;
}

const cause = ({ Cause = '', Error: name = 'unknown error' }: Failure): string => {
  try {
    const parsed: unknown = JSON.parse(Cause);
    // A Lambda error: `{"errorType": ..., "errorMessage": ..., "trace": [...]}`.
    if (typeof parsed === 'object' && parsed !== null && 'errorMessage' in parsed)
      return `${name}: ${String(parsed.errorMessage).split('\n')[0]}`.slice(0, 300);
  } catch {
    // Not every cause is JSON; then the name has to do.
  }
  return name;
};

/** Everything that a restore put back, or why not: on the network, for the evidence, on the host. */
export function restoredItems({ restore, evidence, host, hostFailure }: RestoreEnd): readonly RestoreItem[] {
  if (restore === undefined || restore.kind === 'refused') return [];
  const items = [...restore.items, ...(evidence?.items ?? [])];
  // Nothing was to be undone there, or the restore failed before it came to the host.
  if (restore.host === null || (host === undefined && hostFailure === undefined)) return items;
  return [...items, { item: HOST_ITEM, ...hostOutcome(host, hostFailure) }];
}

function hostOutcome(host: RestoreEnd['host'], hostFailure: Failure | undefined): Omit<RestoreItem, 'item'> {
  if (hostFailure !== undefined) return { outcome: 'failed', detail: cause(hostFailure) };
  switch (host?.kind) {
    case 'answered':
      return { outcome: 'restored' };
    case 'left':
      return { outcome: 'drifted', detail: host.reason };
    case undefined:
    case 'pending':
      return { outcome: 'failed', detail: 'the host gave no answer' };
    case 'again':
    case 'failed':
    case 'no-evidence':
    case 'unavailable':
      return { outcome: 'failed', detail: host.reason };
    default:
      return host satisfies never;
  }
}

/** Words of whoever starts a restore, which people get to read; what cannot be such a word is none. */
const BY = /^(?!.*\/\/)[\p{L}\p{N}][\p{L}\p{N} .,@:/_+=-]{0,127}$/u;

export const isBy = (value: unknown): value is string => typeof value === 'string' && BY.test(value);

/** The input was wrong: nothing was begun, and whoever started it sees the sentence. */
export const isWrongInput = ({ restore, failure }: RestoreEnd): boolean =>
  restore === undefined && failure?.Error === ERROR_NAMES.input;

export function restoreReport(end: RestoreEnd, execution: string | null): RestoreReport {
  const { restore, failure } = end;
  const items = restoredItems(end);
  const of = (...outcomes: readonly RestoreItem['outcome'][]): readonly RestoreItem[] =>
    items.filter(({ outcome }) => outcomes.includes(outcome));
  const lists = { failed: of('failed'), left: of('drifted', 'gone'), putBack: of('restored', 'already') };
  return {
    ...ending(end, lists),
    ...(failure !== undefined && { kind: 'failed', reason: cause(failure) }),
    caseId: restore?.caseId ?? (isCaseId(end.caseId) ? end.caseId : null),
    instanceId: restore?.instanceId ?? (isInstanceId(end.instanceId) ? end.instanceId : null),
    forced: end.force === true,
    startedBy: { by: isBy(end.by) ? end.by : null, execution },
    ...lists,
  };
}

function ending(
  { restore }: RestoreEnd,
  { failed, left }: Pick<RestoreReport, 'failed' | 'left'>,
): Pick<RestoreReport, 'kind' | 'reason'> {
  if (restore?.kind === 'refused') return { kind: 'refused', reason: restore.reason };
  if (failed.length > 0) {
    // No total: an attempt that died may have put back things that the next one no longer finds.
    const things = failed.length === 1 ? '1 thing' : `${failed.length} things`;
    const lost = restore?.lost === undefined ? '' : `${restore.lost}; `;
    return { kind: 'partly-restored', reason: `${lost}${things} could not be put back` };
  }
  if (restore?.lost !== undefined) return { kind: 'partly-restored', reason: restore.lost };
  if (restore?.kind === 'partly-restored') return { kind: 'partly-restored', reason: TAKEN_UP.detail };
  const others = left.length === 0 ? '' : `, but for ${left.length} that somebody else has changed since`;
  return { kind: 'restored', reason: `everything is as it was found${others}` };
}

/** Things of each list that the record of the state machine names; all of them are in it already, or on the timeline. */
const RECORD_ITEMS = 20;

export function shortRestoreReport(report: RestoreReport): RestoreReport {
  const short = (items: readonly RestoreItem[]): readonly RestoreItem[] => shortItems(items, RECORD_ITEMS);
  return { ...report, failed: short(report.failed), left: short(report.left), putBack: short(report.putBack) };
}
