import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EC2Client } from '@aws-sdk/client-ec2';
import { ElasticLoadBalancingClient } from '@aws-sdk/client-elastic-load-balancing';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SNSClient } from '@aws-sdk/client-sns';
import { SSMClient } from '@aws-sdk/client-ssm';
import { CLIENT_SETTINGS } from '../functions/aws/client-settings.ts';
import type { RestoreItem, RestoreResult } from '../functions/core/case/record.ts';
import type { Config } from '../functions/core/config.ts';
import { InputError } from '../functions/core/errors.ts';
import { DEFAULT_HOST_OPTIONS } from '../functions/core/host/host-options.ts';
import { intake } from '../functions/core/intake/intake.ts';
import type { Mode } from '../functions/core/model.ts';
import { quietReport, type Report } from '../functions/core/report/report.ts';
import { type RestoreEnd, type RestoreReport, restoredItems } from '../functions/core/report/restore-report.ts';
import type { Toolbox } from '../functions/shared/toolbox.ts';
// The step loads it when it needs it; while time is virtual, nothing waits for a file.
import '../functions/start-response/look.ts';
import { type StartResult, startResponse } from '../functions/start-response/step.ts';
import { readDefinition } from './definitions.ts';

import { type Around, type ExecutionResult, runMachine, type Visit } from './runner.ts';
import { wholeReport } from './whole-report.ts';
import { runInVirtualTime } from './world/clock.ts';
import { createEmbeddedWorld, type EmbeddedWorld } from './world/embedded-world.ts';
import type { WorldFile } from './world/parse-world.ts';
import { createPhysics, type WorldPhysics } from './world/physics.ts';
import type { FlowTruth } from './world/truth.ts';

export type World = EmbeddedWorld<WorldPhysics>;

/** One response in the embedded world, with everything that a report or a test wants to know of it. */
export interface Simulation {
  readonly file: WorldFile;
  readonly report: Report;
  /** The visits of the response, then those of the restore, in order. */
  readonly visits: readonly Visit[];
  readonly restore: RestoreResult | null;
  /** Everything that the restore put back, or why not. */
  readonly restored: readonly RestoreItem[];
  /** What people were told of it; null = nothing was to be restored. */
  readonly restoreReport: RestoreReport | null;
  readonly calls: ReturnType<World['calls']>;
  readonly timeline: ReturnType<World['timeline']>;
  readonly messages: World['messages'];
  readonly table: Record<string, unknown>[];
  /** Truth by the name of the flow. */
  readonly truth: ReadonlyMap<string, FlowTruth>;
  /** The moment of the verdict and of the end of the restore, in seconds. */
  readonly reportedAt: number;
  readonly endedAt: number;
  readonly finalState: Record<string, unknown>;
}

export interface SimulationOptions {
  readonly mode?: Mode;
  /** Restore after the response. */
  readonly restore?: { readonly force: boolean };
  readonly config?: Partial<Config>;
  /** A hand in the world before anything runs: interceptors and the like. */
  readonly prepare?: (world: World, tools: Toolbox) => void;
  /** A hand in the world between the response and the restore. */
  readonly between?: (world: World, tools: Toolbox) => Promise<void>;
}

const STATE_MACHINE = 'arn:aws:states:local:000000000000:stateMachine:flowcut-respond';

/** The configuration of a local run: what a deployed stack has by default, but it contains. */
export function localConfig(file: Pick<WorldFile, 'AccountId' | 'Region' | 'NaclEntryQuota'>): Config {
  return {
    accountId: file.AccountId,
    region: file.Region,
    vpcIds: [],
    defaultMode: 'contain',
    exemptTag: 'flowcut:exempt',
    aclRuleNumbers: { first: 1, last: 32_766 },
    aclEntriesPerDirection: file.NaclEntryQuota,
    hostCutBudgetSeconds: 45,
    hostOptions: DEFAULT_HOST_OPTIONS,
    hostDocuments: { linux: 'flowcut-host-linux', windows: 'flowcut-host-windows' },
    respondStateMachineArn: STATE_MACHINE,
    topicArn: `arn:aws:sns:${file.Region}:${file.AccountId}:flowcut`,
    openings: { agentEgress: [], analystIngress: [] },
    isolationsPerHour: 10,
    deleteReplacedGroups: false,
    autoScaling: 'standby',
    releaseDenies: 'never',
  };
}

/** Real SDK clients that talk to the world and to nothing else. */
export function localToolbox(world: World, config: Config): Toolbox {
  const { maxAttempts, retryMode } = CLIENT_SETTINGS;
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const settings = { region: config.region, credentials, maxAttempts, retryMode };
  return {
    config,
    ec2: world.attach(new EC2Client(settings)),
    ssm: world.attach(new SSMClient(settings)),
    sfn: world.attach(new SFNClient(settings)),
    logs: world.attach(new CloudWatchLogsClient(settings)),
    sns: world.attach(new SNSClient(settings)),
    scaling: world.attach(new AutoScalingClient(settings)),
    elb: world.attach(new ElasticLoadBalancingV2Client(settings)),
    classicElb: world.attach(new ElasticLoadBalancingClient(settings)),
    cases: { client: world.attach(new DynamoDBClient(settings)), name: 'flowcut-cases' },
    log: { info: () => undefined, warn: () => undefined },
    now: () => new Date(),
    sleep: (seconds) => world.clock.sleep(seconds),
  };
}

/** Is this what EventBridge delivers, rather than what a person types? */
export function isEvent(input: unknown): boolean {
  return (
    typeof input === 'object' && input !== null && ('detail' in input || 'detail-type' in input || 'source' in input)
  );
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
    const physics = createPhysics(file);
    const world: World = createEmbeddedWorld(file, clock, physics);
    const config = { ...localConfig(file), ...(options.mode && { defaultMode: options.mode }), ...options.config };
    const tools = localToolbox(world, config);
    options.prepare?.(world, tools);
    const visits: Visit[] = [];
    const around: Around = (state, name, run) =>
      world.inState(state, async () => {
        const leave = world.enterFunction(name);
        try {
          return await run();
        } finally {
          leave();
        }
      });
    const run = (name: 'respond' | 'restore', payload: unknown) =>
      runMachine(readDefinition(name), payload, tools, { around, onVisit: (visit) => visits.push(visit) });

    const reported = isEvent(request)
      ? await respondToEvent(world, tools, request, around, run)
      : reportOf(await run('respond', request));
    const reportedAt = clock.now();
    await options.between?.(world, tools);
    const restored =
      options.restore && reported.undo !== null
        ? restoreOf(await run('restore', { caseId: reported.caseId, force: options.restore.force }))
        : null;
    const restore = restored?.restore ?? null;
    const items = restored === null ? [] : restoredItems(restored);
    const endedAt = clock.now();
    const calls = world.calls();
    const timeline = world.timeline();
    const finalState = world.snapshot();
    // Asked for by nobody but us: not one of the calls that are counted.
    const report = await wholeReport(tools.cases, reported);
    const truth = new Map(physics.truth().map((entry) => [entry.name, entry]));
    return {
      file,
      report,
      visits,
      restore,
      restored: items,
      restoreReport: restored?.report ?? null,
      calls,
      timeline,
      messages: world.messages,
      table: world.dumpTable(),
      truth,
      reportedAt,
      endedAt,
      finalState,
    };
  });
}

/** `--mode` overrides the request's own mode; a finding carries none. */
export function withMode(input: unknown, mode: Mode | undefined): unknown {
  if (mode === undefined || isEvent(input) || typeof input !== 'object' || input === null) return input;
  return { ...input, mode };
}

/** Lambda's own retries of an asynchronous invocation: a minute, then two, and then the dead-letter queue. */
const START_PAUSES = [60, 120];

/** The event in the dead-letter queue: nobody acts, and an alarm tells a person. */
async function startAsLambdaDoes(
  world: World,
  event: unknown,
  start: () => Promise<StartResult>,
): Promise<StartResult> {
  for (const pause of [...START_PAUSES, null]) {
    try {
      return await start();
    } catch (error) {
      if (error instanceof InputError) throw error;
      if (pause === null) return { kind: 'nothing-to-do', report: deadLetter(event, error) };
      await world.clock.sleep(pause);
    }
  }
  throw new Error('unreachable');
}

function deadLetter(event: unknown, error: unknown): Report {
  const taken = intake(event);
  const request = taken.kind === 'case' ? taken.request : null;
  const why = error instanceof Error ? error.message : String(error);
  const reason = `nothing was done: no response could be started (${why}); the event waits in the dead-letter queue`;
  const report = quietReport({ caseId: 'none', instanceId: request?.instanceId ?? null, verdict: 'refused', reason });
  return { ...report, verdict: (request?.flows.length ?? 0) > 0 ? 'leaking' : 'not-proven' };
}

async function respondToEvent(
  world: World,
  tools: Toolbox,
  event: unknown,
  around: Around,
  run: (name: 'respond', payload: unknown) => Promise<ExecutionResult>,
): Promise<Report> {
  const executions: Promise<ExecutionResult>[] = [];
  world.onStartExecution = ({ input }) => {
    const result = run('respond', input);
    executions.push(result);
    return { result: result.then(({ output }) => output) };
  };
  const started = await startAsLambdaDoes(world, event, () =>
    around('Start', 'start-response', () => startResponse(tools, event)),
  );
  if (started.kind === 'nothing-to-do') return started.report;
  const results = await Promise.all(executions);
  const first = results[0];
  if (first === undefined) throw new Error('start-response started nothing');
  return reportOf(first);
}

/** What JavaScript itself throws: the fault may be ours, and the stack belongs to it. */
const FAULTS = ['Error', 'TypeError', 'RangeError', 'ReferenceError', 'SyntaxError'];

/** The Lambda error that a failed execution carries; the interpreter puts a sentence of its own before the JSON. */
function lambdaErrorOf({ error }: ExecutionResult): { readonly name: string; readonly message: string } {
  const { name, cause } = error ?? { name: 'Error', cause: 'the execution ended without output' };
  try {
    const { errorType, errorMessage } = JSON.parse(cause.slice(cause.indexOf('{'))) as Record<string, unknown>;
    if (typeof errorType === 'string' && typeof errorMessage === 'string')
      return { name: errorType, message: errorMessage };
  } catch {
    // Not every cause is JSON.
  }
  return { name: 'Error', message: `${name}: ${cause}` };
}

/**
 * Why an execution ended without what was asked for: an InputError where the input was wrong; what AWS refused has its code,
 * and is told in one line.
 */
export function failure(result: ExecutionResult): Error {
  const { name, message } = lambdaErrorOf(result);
  if (name === 'InputError') {
    const [field = 'input', ...rest] = message.split(': ');
    return new InputError(field, rest.join(': '));
  }
  const error = new Error(message);
  return FAULTS.includes(name) ? error : Object.assign(error, { name, code: name });
}

function reportOf(result: ExecutionResult): Report {
  const output = result.output as unknown as { report?: Report } | null;
  if (output?.report === undefined) throw failure(result);
  return output.report;
}

/** The output of a restore that did not fail on the way. */
export type RestoreOutput = RestoreEnd & { readonly restore: RestoreResult; readonly report: RestoreReport };

export function restoreOf(result: ExecutionResult): RestoreOutput {
  const output = result.output as unknown as Partial<RestoreOutput> | null;
  if (output?.restore === undefined || output.report === undefined) throw failure(result);
  return { ...output, restore: output.restore, report: output.report };
}
