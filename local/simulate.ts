import type { RestoreItem, RestoreResult } from '../functions/core/case/record.ts';
import type { Config } from '../functions/core/config.ts';
import { intake } from '../functions/core/intake/intake.ts';
import type { Mode } from '../functions/core/model.ts';
import type { Report } from '../functions/core/report/report.ts';
import type { RestoreReport } from '../functions/core/report/restore-report.ts';
import type { Toolbox } from '../functions/shared/toolbox.ts';
import type { Parameters } from './parameters.ts';
import { endOf } from './play.ts';
import { isEvent, withMode } from './requests.ts';
import { type Restored, respondToEvent, respondToRequest, restoreCase } from './responses.ts';
import type { Visit } from './runner.ts';
import { newRun, openSession, type Session } from './session.ts';
import { type ToldVerdict, toldOf } from './told.ts';
import type { World } from './toolbox.ts';
import { playTriggers } from './triggers.ts';
import { runInVirtualTime } from './world/clock.ts';
import type { WorldFile } from './world/parse-world.ts';
import type { FlowTruth } from './world/truth.ts';

export { localConfig } from './stack.ts';
export { localToolbox, type World } from './toolbox.ts';

/** One response in the embedded world, with everything that a report or a test wants to know of it. */
export interface Simulation {
  readonly file: WorldFile;
  /** The last of its case before the restore. */
  readonly report: Report;
  /** Every verdict of its case, oldest first. */
  readonly verdicts: readonly ToldVerdict[];
  /** The visits of the response, then those of the restore, in order. */
  readonly visits: readonly Visit[];
  readonly restore: RestoreResult | null;
  /** Everything that the restore put back, or why not. */
  readonly restored: readonly RestoreItem[];
  /** What people were told of it; null = nothing was restored. */
  readonly restoreReport: RestoreReport | null;
  /** Why a restore ended before it could report; null = it did, or there was none. */
  readonly restoreFailure: string | null;
  readonly calls: ReturnType<World['calls']>;
  readonly timeline: ReturnType<World['timeline']>;
  readonly messages: World['messages'];
  readonly table: Record<string, unknown>[];
  /** Truth by the name of the flow. */
  readonly truth: ReadonlyMap<string, FlowTruth>;
  /** The moment of the verdict and of the end of everything, in seconds. */
  readonly reportedAt: number;
  readonly endedAt: number;
  readonly finalState: Record<string, unknown>;
}

export interface SimulationOptions {
  readonly mode?: Mode;
  /** Values of the template's parameters, in place of its defaults. */
  readonly parameters?: Parameters;
  /** Restore after the response. */
  readonly restore?: { readonly force: boolean };
  readonly config?: Partial<Config>;
  /** A hand in the world before anything runs: interceptors and the like. */
  readonly prepare?: (world: World, tools: Toolbox) => void;
  /** A hand in the world between the response and the restore. */
  readonly between?: (world: World, tools: Toolbox) => Promise<void>;
}

/**
 * Runs the whole response in virtual time: an event goes through start-response, a manual request straight into the state
 * machine, as from the console. Throws InputError for input that nothing was done with.
 */
export function simulate(file: WorldFile, input: unknown, options: SimulationOptions = {}): Promise<Simulation> {
  const request = withMode(input, options.mode);
  return runInVirtualTime(file.Now, async (clock) => {
    // What cannot be read stops here, before there is a world to change.
    intake(request);
    const { parameters, config, prepare, mode } = options;
    const session = openSession(file, clock, {
      ...(parameters && { parameters }),
      ...(prepare && { prepare }),
      config: { ...(mode && { defaultMode: mode }), ...config },
    });
    const triggers = playTriggers(session);
    const run = newRun('response');
    const { own, restore, begunAt } = await session.activity.track(
      session.within(run, async () => {
        const responded = isEvent(request)
          ? await respondToEvent(session, run, request)
          : await respondToRequest(session, request);
        await options.between?.(session.world, session.tools);
        const start = clock.now();
        return {
          own: responded,
          begunAt: start,
          restore: await restoreAfter(session, responded.report, options.restore),
        };
      }),
    );
    await triggers.untilQuiet();
    const { world, visits } = session;
    const ended = restore?.kind === 'ended' ? restore : null;
    const hasBegun = ended !== null && ended.restore.kind !== 'refused';
    const { toldAt, ...told } = toldOf(session, run, own, new Map(hasBegun ? [[own.report.caseId, begunAt]] : []));
    return {
      file,
      ...told,
      visits,
      restore: ended?.restore ?? null,
      restored: ended?.items ?? [],
      restoreReport: ended?.report ?? null,
      restoreFailure: restore?.kind === 'failed' ? restore.reason : null,
      calls: world.calls(run.name),
      timeline: world.timeline(run.name),
      messages: world.messages,
      table: world.dumpTable(),
      // The response's own end, or a later look that told another verdict.
      reportedAt: Math.max(own.endedAt, toldAt),
      ...endOf(session),
    };
  });
}

/** Nothing is restored where nothing was changed. */
function restoreAfter(
  session: Session,
  { caseId, undo }: Report,
  restore: SimulationOptions['restore'],
): Promise<Restored | null> {
  if (restore === undefined || undo === null) return Promise.resolve(null);
  return restoreCase(session, { caseId, force: restore.force });
}
