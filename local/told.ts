import type { Report } from '../functions/core/report/report.ts';
import type { GivenVerdict, Run, Session } from './session.ts';

/** A verdict as it is printed. */
export interface ToldVerdict {
  readonly at: number;
  readonly verdict: Report['verdict'];
  readonly reason: string;
}

/** What an event or a request came to: the last verdict of its case before any restore, and every verdict. */
export interface Told {
  readonly report: Report;
  /** When that was told, in seconds. */
  readonly toldAt: number;
  readonly verdicts: readonly ToldVerdict[];
}

/** When a restore of a case began that was not refused; by case. */
export type RestoredAt = ReadonlyMap<string, number>;

/**
 * What is told of a run. `own` is what its own executions reported, or why there was none: it counts where its case has no
 * other verdict, and where there is no case.
 */
export function toldOf(
  { verdicts }: Pick<Session, 'verdicts'>,
  run: Run,
  own: { readonly report: Report; readonly endedAt: number },
  restoredAt: RestoredAt = new Map(),
): Told {
  const caseId = run.caseId();
  const given = verdicts.filter((one) => (caseId === null ? one.run === run.name : one.caseId === caseId));
  const until = restoredAt.get(caseId ?? '') ?? Number.POSITIVE_INFINITY;
  const told = given.filter(({ kind, report }) => kind === 'told' || report !== null);
  const last = told.findLast(({ at }) => at <= until) ?? told[0];
  const ownVerdict = { at: own.endedAt, verdict: own.report.verdict, reason: own.report.reason };
  return {
    report: last?.report ?? own.report,
    toldAt: last?.at ?? own.endedAt,
    verdicts: given.length === 0 ? [ownVerdict] : given.map(asTold),
  };
}

const asTold = ({ at, verdict, reason }: GivenVerdict): ToldVerdict => ({ at, verdict, reason });
