import type { EvidenceRestored, RestoreResult } from '../../functions/core/case/record.ts';
import type { Config } from '../../functions/core/config.ts';
import type { Report } from '../../functions/core/report/report.ts';
import type { RestoreReport } from '../../functions/core/report/restore-report.ts';
import type { Toolbox } from '../../functions/shared/toolbox.ts';
import { type StartResult, startResponse } from '../../functions/start-response/step.ts';
import { readDefinition } from '../../local/definitions.ts';
import { type Around, runMachine } from '../../local/runner.ts';
import { localConfig, localToolbox, type World } from '../../local/simulate.ts';
import { runInVirtualTime } from '../../local/world/clock.ts';
import { createEmbeddedWorld } from '../../local/world/embedded-world.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { createPhysics } from '../../local/world/physics.ts';
import { NO_OWN_FLOW_LOG } from './own-flow-log.ts';

export interface Restored {
  readonly restore: RestoreResult;
  readonly evidence: EvidenceRestored;
  readonly report: RestoreReport;
}

/** Several events, requests and restores, one after another or at once, in one world. */
export interface Episode {
  readonly world: World;
  readonly file: WorldFile;
  readonly tools: Toolbox;
  /** An event through start-response, to the end of all that it started; one report per execution. */
  send(event: unknown): Promise<readonly Report[]>;
  /** An event through start-response alone; what it started goes on, up to {@link settle}. */
  begin(event: unknown): Promise<StartResult>;
  /** The reports of every execution that was started since the last look. */
  settle(): Promise<readonly Report[]>;
  /** What a person types into the console. */
  ask(request: unknown): Promise<Report>;
  restore(caseId: string, force?: boolean): Promise<Restored>;
  /** The world in the file's shapes, without the case table. */
  state(): string;
}

export function inEpisode<T>(
  file: WorldFile,
  body: (episode: Episode) => Promise<T>,
  config: Partial<Config> = {},
): Promise<T> {
  return runInVirtualTime(file.Now, (clock) => {
    const world: World = createEmbeddedWorld(file, clock, createPhysics(file));
    // No schedule is played here: the response looks at its own pace.
    const tools = localToolbox(world, { ...localConfig(file), watchDays: 0, ...NO_OWN_FLOW_LOG, ...config });
    const around: Around = (state, _name, run) => world.inState(state, run);
    const run = async (name: 'respond' | 'restore', input: unknown): Promise<unknown> => {
      const { output, error } = await runMachine(readDefinition(name), input, tools, { around });
      if (error !== null) throw new Error(`${error.name}: ${error.cause}`);
      return output;
    };
    const reportOf = (output: unknown): Report => (output as { report: Report }).report;
    let started: Promise<unknown>[] = [];
    world.onStartExecution = ({ input }) => {
      const result = run('respond', input);
      started.push(result);
      return { result };
    };
    const begin = (event: unknown) => world.inState('Start', () => startResponse(tools, event));
    const settle = async () => {
      const ended = await Promise.all(started);
      started = [];
      return ended.map(reportOf);
    };
    return body({
      world,
      file,
      tools,
      begin,
      settle,
      send: async (event) => {
        const result = await begin(event);
        return result.kind === 'nothing-to-do' ? [result.report] : settle();
      },
      ask: async (request) => reportOf(await run('respond', request)),
      restore: async (caseId, force = false) => (await run('restore', { caseId, force })) as Restored,
      state: () => JSON.stringify(world.snapshot()),
    });
  });
}
