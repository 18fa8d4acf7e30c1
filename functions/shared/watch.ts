import { beginWatch, noteLook, noteLookOver } from '../aws/case-table/watch.ts';
import { errorText } from '../aws/errors.ts';
import { type BeforeInterface, type CaseDocument, isClosing, type WantedDeny } from '../core/case/case.ts';
import type { NextLook } from '../core/case/next-look.ts';
import { dueAfterLook, type LookPart, SWEEP_SECONDS } from '../core/case/watch.ts';
import type { Verdict } from '../core/verdict/verdict.ts';
import type { Standing } from './standing.ts';
import type { Tools } from './toolbox.ts';

const later = (tools: Tools<'cases'>, seconds: number): string =>
  new Date(tools.now().getTime() + seconds * 1000).toISOString();

/** A response is about to make its first change: from here on somebody looks after the case, whatever becomes of it. */
export async function startWatch(
  tools: Tools<'cases'>,
  { caseId, instanceId }: CaseDocument,
  {
    interfaces,
    denies,
    execution,
  }: {
    readonly interfaces: readonly BeforeInterface[];
    readonly denies: readonly WantedDeny[];
    readonly execution: string | null;
  },
): Promise<void> {
  if (tools.config.watchDays === 0) return;
  const touches = [
    instanceId,
    ...interfaces.map(({ networkInterfaceId }) => networkInterfaceId),
    ...denies.map(({ aclId }) => aclId),
  ];
  await beginWatch(tools.cases, {
    caseId,
    from: later(tools, 0),
    due: later(tools, SWEEP_SECONDS),
    execution,
    touches: [...new Set(touches)],
  });
}

interface Looked {
  readonly document: CaseDocument;
  readonly standing: Standing;
  readonly verdict: Verdict;
  readonly next: NextLook;
  readonly look: LookPart | null;
  readonly execution: string | null;
}

/**
 * After a verification: moves the time at which the sweep sees to the case ahead of the next look. Where the table does not
 * take it, the sweep comes sooner than it has to.
 */
export async function keepWatch(tools: Tools<'cases'>, looked: Looked): Promise<void> {
  const { document, look, next } = looked;
  if (tools.config.watchDays === 0 || isClosing(document)) return;
  // A look beside a response leaves its times alone, the last one ends the watch; a cut is followed by another look.
  if (look === 'beside' || look === 'last') return;
  if (look === 'alone' && (next.kind === 'cut-again' || next.kind === 'take-again')) return;
  try {
    await note(tools, looked);
  } catch (error) {
    const { caseId } = document;
    tools.log.warn('the next look of the watch could not be noted', { caseId, error: errorText(error) });
  }
}

function note(tools: Tools<'cases'>, { document, standing, verdict, next, look, execution }: Looked): Promise<void> {
  const { caseId } = document;
  const pause = next.kind === 'report' || next.kind === 'rest' ? null : next.seconds;
  const due = dueAfterLook(document, { pause, provenAt: verdict.nextProof, now: tools.now().getTime() });
  const touches = touchedBy(document, standing);
  if (look !== null) return noteLookOver(tools.cases, { caseId, due, touches });
  const isAsleep = next.kind === 'wait' || next.kind === 'tell-and-wait';
  const wakesAt = isAsleep ? later(tools, next.seconds) : null;
  return noteLook(tools.cases, { caseId, from: later(tools, 0), due, execution, wakesAt, touches });
}

/** Whatever holds the case: a change of any of it may undo a control. */
function touchedBy({ instanceId, aclIds }: CaseDocument, { interfaces, acls, flowLogs }: Standing): readonly string[] {
  return [
    ...new Set([
      instanceId,
      ...interfaces.flatMap(({ id, groupIds }) => [id, ...groupIds]),
      ...aclIds,
      ...acls.map(({ id }) => id),
      ...(flowLogs ?? []).map(({ id }) => id),
    ]),
  ];
}
