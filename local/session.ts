import { AsyncLocalStorage } from 'node:async_hooks';
import { isCaseId } from '../functions/core/case/case-id.ts';
import type { Config } from '../functions/core/config.ts';
import type { Report } from '../functions/core/report/report.ts';
import type { Toolbox } from '../functions/shared/toolbox.ts';
import { type Activity, createActivity } from './activity.ts';
import { readDefinition } from './definitions.ts';
import { stackTriggers, type Triggers } from './deployment.ts';
import type { Parameters } from './parameters.ts';
import { type Around, type ExecutionResult, type RunningMachine, startMachine, type Visit } from './runner.ts';
import { localConfig } from './stack.ts';
import { localToolbox, type World } from './toolbox.ts';
import type { StartedExecution } from './world/api/executions.ts';
import { createEmbeddedWorld } from './world/embedded-world.ts';
import type { WorldFile } from './world/parse-world.ts';
import { createPhysics } from './world/physics.ts';
import type { WorldClock } from './world/state.ts';

/** One of several things that go on in a world: a step of an episode, or what a schedule does. */
export interface Run {
  readonly name: string;
  /** The case that it opened or joined, the first of several; null = none so far. */
  caseId(): string | null;
  belongTo(caseId: string): void;
  /** Resolves when it has a case. */
  readonly named: Promise<void>;
  /** A schedule of the stack runs it: nobody has asked for it. */
  readonly isByItself: boolean;
  /** Executions that it started, in order. */
  readonly executions: Promise<ExecutionResult>[];
}

/** A verdict that was told by a report, or that a look of the watch has found. */
export interface GivenVerdict {
  readonly kind: 'told' | 'look';
  readonly at: number;
  readonly caseId: string;
  readonly verdict: Report['verdict'];
  readonly reason: string;
  /** The run that told it; null = no run did. */
  readonly run: string | null;
  /** The report that it stands in; null = it was not kept. */
  report: Report | null;
}

/** A world in which the stack is deployed. */
export interface Session {
  readonly file: WorldFile;
  readonly world: World;
  readonly tools: Toolbox;
  readonly parameters: Parameters;
  readonly triggers: Triggers;
  readonly activity: Activity;
  /** Every verdict so far, oldest first. */
  readonly verdicts: readonly GivenVerdict[];
  /** Every state with a function that was entered, in order. */
  readonly visits: readonly Visit[];
  /** What is done in `body`, and what that starts, belongs to the run. */
  within<T>(run: Run, body: () => T): T;
  readonly around: Around;
  /** Starts an execution by hand. */
  execute(machine: Machine, input: unknown): Promise<ExecutionResult>;
}

export type Machine = 'respond' | 'restore';

export interface SessionOptions {
  readonly parameters?: Parameters;
  /** What starts functions, in place of what the template says. */
  readonly triggers?: Triggers;
  readonly config?: Partial<Config>;
  /** A hand in the world before anything runs: interceptors and the like. */
  readonly prepare?: (world: World, tools: Toolbox) => void;
}

export function newRun(name: string, { isByItself = false } = {}): Run {
  let own: string | null = null;
  const { promise: named, resolve } = Promise.withResolvers<void>();
  return {
    name,
    named,
    isByItself,
    executions: [],
    caseId: () => own,
    belongTo(caseId) {
      own ??= caseId;
      resolve();
    },
  };
}

/** Deploys the stack into a world: functions with its configuration, state machines, and who listens to what they tell. */
export function openSession(
  file: WorldFile,
  clock: WorldClock,
  { parameters = {}, config, prepare, triggers = stackTriggers(file, parameters) }: SessionOptions = {},
): Session {
  const world: World = createEmbeddedWorld(file, clock, createPhysics(file));
  const runs = new AsyncLocalStorage<Run>();
  const activity = createActivity(() => clock.now());
  const verdicts: GivenVerdict[] = [];
  const visits: Visit[] = [];
  const tools = listeningTools(
    localToolbox(world, { ...localConfig(file, parameters), ...config }),
    // The lines that every report and every look of the watch log; the stack's metric counts those of reports.
    (kind, fields) => note(verdicts, verdictOf(world, { kind, fields, run: runs.getStore()?.name ?? null })),
  );
  const around = createAround(world, file, (output) => notice(output, runs.getStore(), verdicts));
  const start = (machine: Machine, input: unknown, executionArn: string): RunningMachine => {
    const onVisit = (visit: Visit) => visits.push(visit);
    const running = startMachine(readDefinition(machine), input, tools, { around, executionArn, onVisit });
    const run = runs.getStore();
    run?.executions.push(run.isByItself ? activity.attend(running.result) : activity.track(running.result));
    return running;
  };
  world.onStartExecution = ({ executionArn, input }) => {
    return startedBy(start(machineOf(executionArn), input, executionArn));
  };
  let byHand = 0;
  prepare?.(world, tools);
  return {
    file,
    world,
    tools,
    parameters,
    triggers,
    activity,
    verdicts,
    visits,
    around,
    within: (run, body) => runs.run(run, () => world.inRun(run.name, body)),
    execute(machine, input) {
      byHand += 1;
      const place = `${file.Region}:${file.AccountId}`;
      const executionArn = `arn:aws:states:${place}:execution:flowcut-${machine}:local-${byHand}`;
      const running = start(machine, input, executionArn);
      world.executionStarted({ executionArn, input }, startedBy(running));
      return running.result;
    },
  };
}

/** Tools whose reports and looks are heard. */
function listeningTools(tools: Toolbox, onVerdict: (kind: GivenVerdict['kind'], fields: object) => void): Toolbox {
  const info = (message: string, fields: object = {}): void => {
    tools.log.info(message, fields);
    if (message === 'report') onVerdict('told', fields);
    if (message === 'look') onVerdict('look', fields);
  };
  return { ...tools, log: { ...tools.log, info } };
}

/** Enters each function under its state, counts it, and tells what it gave back. */
function createAround(world: World, file: WorldFile, onOutput: (output: unknown) => void): Around {
  const firstStart = createFirstStart(file, world.clock);
  return (state, name, run) =>
    world.inState(state, async () => {
      const leave = world.enterFunction(name);
      try {
        await firstStart(name);
        const output = await run();
        onOutput(output);
        return output;
      } finally {
        leave();
      }
    });
}

/** A state machine of the stack, by an execution's ARN: `...:execution:flowcut-respond:name`. */
const machineOf = (executionArn: string): Machine => (/-restore:[^:]*$/.test(executionArn) ? 'restore' : 'respond');

const startedBy = (running: RunningMachine): StartedExecution => ({
  result: running.result.then(outputOrError),
  abort: () => running.abort(),
});

function outputOrError({ output, error }: ExecutionResult): unknown {
  if (error !== null) throw Object.assign(new Error(error.cause), { name: error.name });
  return output;
}

/** `FunctionStartSeconds`: how long the first start of every function takes. */
function createFirstStart({ FunctionStartSeconds }: WorldFile, clock: WorldClock): (name: string) => Promise<void> {
  const started = new Set<string>();
  return async (name) => {
    if (FunctionStartSeconds === 0 || started.has(name)) return;
    started.add(name);
    await clock.sleep(FunctionStartSeconds);
  };
}

function verdictOf(
  world: World,
  { kind, fields, run }: { readonly kind: GivenVerdict['kind']; readonly fields: object; readonly run: string | null },
): GivenVerdict {
  const { caseId, verdict, reason } = fields as Pick<Report, 'caseId' | 'verdict' | 'reason'>;
  const stored = kind === 'told' && isCaseId(caseId) ? storedReport(world, caseId) : null;
  const report = stored?.verdict === verdict && stored.reason === reason ? stored : null;
  return { kind, at: world.clock.now(), caseId, verdict, reason, run, report };
}

/** What a look has found and then told is one verdict. */
function note(verdicts: GivenVerdict[], given: GivenVerdict): void {
  const last = verdicts.findLastIndex(({ caseId, run }) => caseId === given.caseId && run === given.run);
  const isSame = given.kind === 'told' && verdicts[last]?.kind === 'look' && verdicts[last].verdict === given.verdict;
  if (isSame) verdicts.splice(last, 1);
  verdicts.push(given);
}

/** The newest report of a case, whole, as the case table has it; read by nobody's call. */
function storedReport(world: World, caseId: string): Report | null {
  const item = world.dumpTable().find(({ pk, sk }) => pk === `CASE#${caseId}` && sk === 'REPORT');
  return item === undefined ? null : (JSON.parse(String(item['report'])) as Report);
}

/** What a function gave back says which case its run is about, and fills in a report that the table did not keep. */
function notice(output: unknown, run: Run | undefined, verdicts: readonly GivenVerdict[]): void {
  if (typeof output !== 'object' || output === null) return;
  const given = output as {
    case?: { caseId?: unknown };
    caseIds?: readonly unknown[];
    caseId?: unknown;
    verdict?: unknown;
  };
  const id = given.case?.caseId ?? given.caseIds?.[0];
  if (isCaseId(id)) run?.belongTo(id);
  const told = verdicts.findLast(({ caseId, verdict }) => caseId === given.caseId && verdict === given.verdict);
  if (told !== undefined) told.report ??= output as Report;
}
