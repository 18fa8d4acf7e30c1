import { readSwitch } from '../aws/case-table/brakes.ts';
import { readCase } from '../aws/case-table/cases.ts';
import { forgetWatched, noteLookBegun, notePending, postpone, readWatched, takeWake } from '../aws/case-table/watch.ts';
import { errorText } from '../aws/errors.ts';
import { executionArnOf, isRunning, startExecution } from '../aws/executions.ts';
import { isTrail, readTrail, touchedCases } from '../core/case/trail.ts';
import { decideSweep, type LookInput, type SweepDecision, WAKE_SECONDS, type WatchedCase } from '../core/case/watch.ts';
import { atMost } from '../shared/at-most.ts';
import type { Tools } from '../shared/toolbox.ts';

type SweepTools = Tools<'sfn' | 'cases'>;

/** What a sweep came to, in numbers. */
export interface SweepResult {
  /** Cases under watch. */
  readonly watched: number;
  /** Cases that it saw to. */
  readonly seen: number;
  /** Looks that it has started. */
  readonly looks: number;
}

/** Cases that are seen to at a time. */
const AT_A_TIME = 10;

/**
 * The watch: sees to every open case whose time has come, and sooner to one that CloudTrail tells a change of. A look is an
 * execution of the response that begins with its verification, under a name that the same look always gets.
 */
export async function sweepCases(tools: SweepTools, event: unknown): Promise<SweepResult> {
  const now = tools.now().getTime();
  if (!isTrail(event)) {
    const watched = await readWatched(tools.cases);
    const due = watched.filter(({ due: at }) => Date.parse(at) <= now);
    return seeTo(tools, watched, due, false);
  }
  const touched = readTrail(event, tools.config);
  if (touched === null) return { watched: 0, seen: 0, looks: 0 };
  const watched = await readWatched(tools.cases);
  const times = { at: new Date(now).toISOString(), since: new Date(now - WAKE_SECONDS * 1000).toISOString() };
  const woken = await atMost(AT_A_TIME, touchedCases(touched, watched), async (one) =>
    (await takeWake(tools.cases, one, times)) ? [one] : [],
  );
  return seeTo(tools, watched, woken.flat(), true);
}

/** One case that fails keeps none of the others from being seen to; it fails the whole afterwards, so that Lambda tries again. */
async function seeTo(
  tools: SweepTools,
  watched: readonly WatchedCase[],
  cases: readonly WatchedCase[],
  isWoken: boolean,
): Promise<SweepResult> {
  const isOff = cases.length > 0 && (await readSwitch(tools.cases)) === 'observe';
  const failures: unknown[] = [];
  const looks = await atMost(AT_A_TIME, cases, async (one) => {
    try {
      return await seeToOne(tools, one, { isOff, isWoken });
    } catch (error) {
      tools.log.warn('a case could not be seen to', { caseId: one.caseId, error: errorText(error) });
      failures.push(error);
      return false;
    }
  });
  if (failures.length > 0) throw failures[0];
  return { watched: watched.length, seen: cases.length, looks: looks.filter(Boolean).length };
}

/** Whether a look was started. */
async function seeToOne(
  tools: SweepTools,
  watched: WatchedCase,
  { isOff, isWoken }: { readonly isOff: boolean; readonly isWoken: boolean },
): Promise<boolean> {
  const [document, isResponding, isLooking] = await Promise.all([
    readCase(tools.cases, watched.caseId),
    isRunning(tools.sfn, watched.execution),
    isRunning(tools.sfn, watched.look),
  ]);
  const { watchDays } = tools.config;
  const now = tools.now().getTime();
  const decision = decideSweep({
    watched,
    document,
    isRunning: isResponding,
    isLooking,
    isOff,
    isWoken,
    watchDays,
    now,
  });
  switch (decision.kind) {
    case 'forget':
      await forgetWatched(tools.cases, watched);
      return false;
    case 'postpone':
      // What is woken while nobody may look has its time already.
      if (!isWoken) await postpone(tools.cases, watched, decision.due);
      return false;
    case 'wait':
      await notePending(tools.cases, watched, new Date(now).toISOString());
      return false;
    case 'look':
      await startLook(tools, watched, decision, isWoken ? `wake-${now}` : `look-${Date.parse(watched.due)}`);
      return true;
    default:
      return decision satisfies never;
  }
}

/** Started before it is noted: a sweep that dies in between starts it again, under the same name. */
async function startLook(
  tools: SweepTools,
  watched: WatchedCase,
  { as, due }: Extract<SweepDecision, { kind: 'look' }>,
  occasion: string,
): Promise<void> {
  const { caseId } = watched;
  const stateMachineArn = tools.config.respondStateMachineArn;
  const name = `${caseId}-${occasion}`;
  const input: LookInput = { look: { caseId, as } };
  await startExecution(tools.sfn, { stateMachineArn, name, input });
  tools.log.info('a look was started', { caseId, as, occasion });
  if (as === 'last') await forgetWatched(tools.cases, watched);
  else await noteLookBegun(tools.cases, watched, { due, look: executionArnOf({ stateMachineArn, name }) });
}
