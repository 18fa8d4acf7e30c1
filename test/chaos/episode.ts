import type { EvidenceRestored, RestoreResult } from '../../functions/core/case/record.ts';
import type { Report } from '../../functions/core/report/report.ts';
import { type StartResult, startResponse } from '../../functions/start-response/step.ts';
import { readDefinition } from '../../local/definitions.ts';
import { isEvent } from '../../local/requests.ts';
import { type Around, runMachine } from '../../local/runner.ts';
import { localConfig, localToolbox, type World } from '../../local/simulate.ts';
import { runInVirtualTime } from '../../local/world/clock.ts';
import { createEmbeddedWorld } from '../../local/world/embedded-world.ts';
import { createPhysics } from '../../local/world/physics.ts';
import type { FlowTruth } from '../../local/world/truth.ts';
import { type Watch, watch } from '../world/honesty/watch.ts';
import { controlsOf } from './controls.ts';
import { createReaper, type Disturbance, type Point } from './disturbance.ts';
import { difference, essence, type Picture, pictureOfTable, pictureOfWorld } from './picture.ts';
import type { ChaosWorld } from './worlds.ts';

/** A response with its restore, and everything that is compared. */
export interface Outcome {
  /** null = no response could be started, or it ended without a report. */
  readonly report: Report | null;
  readonly reportedAt: number;
  readonly executions: number;
  readonly contained: Picture;
  readonly containedTable: Picture;
  /** What the response put in force. */
  readonly controls: readonly string[];
  readonly restored: Picture;
  readonly restoredTable: Picture;
  /** Restores until one was complete; null = none was in the end. */
  readonly restores: number | null;
  readonly restoreOutcomes: readonly string[];
  readonly truth: readonly FlowTruth[];
  readonly points: readonly Point[];
  /** The disturbance met the run. */
  readonly struck: boolean;
  /** Promises that were broken, whatever the undisturbed run did. */
  readonly breaches: readonly string[];
}

/** Lambda's own retries of an asynchronous invocation, in seconds. */
const START_PAUSES = [60, 120];

/** A person starts a restore that did not end well again, so often. */
const RESTORE_ATTEMPTS = 4;

/** Longer than any tracking timer: what was held is held all that time. */
const RUN_ON_SECONDS = 11 * 86_400;

/** Until Auto Scaling and load balancers have finished what they were told. */
const SETTLE_SECONDS = 600;

export function runEpisode(world: ChaosWorld, disturbance: Disturbance): Promise<Outcome> {
  const file = world.file();
  const original = world.file();
  if (disturbance.kind === 'fault') {
    const { api, call, error, afterEffect } = disturbance;
    file.Faults.push({ Api: api, Call: call, Error: error, AfterEffect: afterEffect });
  }
  if (disturbance.kind === 'denied') {
    const { api, from = 1 } = disturbance;
    file.Faults.push({ Api: api, Call: `${from}+`, Error: 'UnauthorizedOperation' });
  }
  const reaper = createReaper(disturbance, file.LatencySeconds);
  let watching: Watch | null = null;

  return runInVirtualTime(file.Now, async (clock) => {
    const physics = createPhysics(file);
    const embedded: World = createEmbeddedWorld(file, clock, physics);
    const tools = localToolbox(embedded, { ...localConfig(file), ...world.config });
    embedded.interceptors.push(reaper.interceptor);
    if (world.isWatched) {
      watching = watch(file, () => embedded.dumpTable());
      embedded.interceptors.push(watching);
    }
    const around: Around = (state, name, run) => embedded.inState(state, () => reaper.around(state, name, run));
    const run = (name: 'respond' | 'restore', input: unknown) =>
      runMachine(readDefinition(name), input, tools, { around });

    // --- the response ---
    const executions: ReturnType<typeof run>[] = [];
    embedded.onStartExecution = ({ input }) => {
      const result = run('respond', input);
      executions.push(result);
      return { result: result.then(({ output }) => output) };
    };
    if (isEvent(world.input)) await startAsLambdaDoes();
    else executions.push(run('respond', world.input));
    let report: Report | null = null;
    for (let index = 0; index < executions.length; index += 1) {
      const ended = await executions[index];
      report = (ended?.output as unknown as { report?: Report } | null)?.report ?? report;
    }
    const reportedAt = clock.now();
    const contained = pictureOfWorld(embedded.snapshot(), file, original);
    const containedTable = pictureOfTable(embedded.dumpTable(), file, original);
    const snapshots = (embedded.snapshot()['Snapshots'] as readonly unknown[] | undefined)?.length ?? 0;
    const controls = controlsOf(file, original, embedded.dumpTable(), snapshots);

    async function startAsLambdaDoes(): Promise<StartResult | null> {
      for (const pause of [...START_PAUSES, null]) {
        try {
          return await around('Start', 'start-response', () => startResponse(tools, world.input));
        } catch {
          if (pause !== null) await clock.sleep(pause);
        }
      }
      return null;
    }

    await clock.sleep(RUN_ON_SECONDS);
    physics.advanceTo(clock.now());
    const truth = physics.truthNow();

    // --- the restore, with every permission there again ---
    if (disturbance.kind === 'denied') file.Faults.length = 0;
    reaper.enterRestore();
    const breaches: string[] = [];
    let restores: number | null = null;
    let restoreOutcomes: readonly string[] = [];
    const caseId = caseToRestore(report, embedded.dumpTable());
    if (caseId !== null) {
      for (let attempt = 1; attempt <= RESTORE_ATTEMPTS && restores === null; attempt += 1) {
        const result = restoreOf((await run('restore', { caseId, force: true })).output);
        if (result !== null) restoreOutcomes = result.items;
        if (result?.isComplete === true) restores = attempt;
      }
      await clock.sleep(SETTLE_SECONDS);
    }
    const restored = pictureOfWorld(embedded.snapshot(), file, original);
    const restoredTable = pictureOfTable(embedded.dumpTable(), file, original);
    reaper.retire();
    if (caseId !== null) {
      // What is compared stands even where the response changed nothing.
      const lost = difference(essence(original), essence(file));
      breaches.push(...lost.map((line) => `not as it was found after the restore: ${line}`));
      await run('restore', { caseId, force: true });
      await clock.sleep(SETTLE_SECONDS);
      const again = difference(restored, pictureOfWorld(embedded.snapshot(), file, original));
      breaches.push(...again.map((line) => `changed by a restore of what is restored: ${line}`));
    }
    return {
      report,
      reportedAt,
      executions: executions.length,
      contained,
      containedTable,
      controls,
      restored,
      restoredTable,
      restores,
      restoreOutcomes,
      truth,
      points: reaper.points,
      struck: disturbance.kind === 'fault' || disturbance.kind === 'denied' || reaper.deaths() > 0,
      breaches: [...breaches, ...(watching?.breaches ?? [])],
    };
  });
}

/** The case of the report, or, where there is no report, the one that a person finds in the table. */
function caseToRestore(report: Report | null, table: readonly Record<string, unknown>[]): string | null {
  const found = table.find(({ sk }) => sk === 'CASE');
  if (found === undefined || (report !== null && report.undo === null)) return null;
  return String(found['pk']).slice('CASE#'.length);
}

function restoreOf(output: unknown): { readonly isComplete: boolean; readonly items: readonly string[] } | null {
  const { restore, evidence } = (output ?? {}) as { restore?: RestoreResult; evidence?: EvidenceRestored };
  if (restore === undefined) return null;
  if (restore.kind === 'refused') return { isComplete: false, items: [`refused: ${restore.reason}`] };
  const items = [...restore.items, ...(evidence?.items ?? [])];
  const isComplete = evidence !== undefined && items.every(({ outcome }) => outcome !== 'failed');
  return { isComplete, items: items.map(({ item, outcome }) => `${item}: ${outcome}`) };
}
