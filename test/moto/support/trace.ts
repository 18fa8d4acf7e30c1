import type { HistoryEvent } from '@aws-sdk/client-sfn';
import { StateMachine } from 'aws-local-stepfunctions';
import type { Toolbox } from '../../../functions/shared/toolbox.ts';
import {
  type Json,
  type MachineDefinition,
  placeholderOf,
  STEPS,
  type Step,
  statesOf,
} from '../../../local/definitions.ts';

/** What an interpreter did with a state machine: payloads at every boundary, per lane. */
export interface Trace {
  /**
   * What went into each state and came out of it, in order, by lane: the machine itself, and each branch of each Parallel
   * state. Between lanes there is no order to compare. A state that failed has no output.
   */
  readonly lanes: Readonly<Record<string, readonly Boundary[]>>;
  /** What each function got, in order, retries included. */
  readonly payloads: Readonly<Record<string, readonly Json[]>>;
  readonly ended: { readonly output: Json } | { readonly error: string };
}

export interface Boundary {
  readonly state: string;
  readonly input: Json;
  readonly output?: Json;
}

type Tracing = {
  enter(state: string, input: Json): void;
  leave(state: string, output: Json): void;
  invoke(name: string, payload: Json): void;
  end(ended: Trace['ended']): Trace;
};

/** Lane of each state, by the state's name: `machine`, or `Cut 0` for the first branch of the Parallel state `Cut`. */
function lanesOf(definition: MachineDefinition, lane = 'machine'): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(definition.States).flatMap(([name, state]) => [
      [name, lane] as const,
      ...(state.Branches ?? []).flatMap((branch, index) => [...lanesOf(branch, `${name} ${index}`)]),
    ]),
  );
}

function trace(definition: MachineDefinition): Tracing {
  const known = lanesOf(definition);
  const lanes: Record<string, Boundary[]> = {};
  const payloads: Record<string, Json[]> = {};
  const laneOf = (state: string): Boundary[] => {
    const name = known.get(state);
    if (name === undefined) throw new Error(`the definition has no state ${state}`);
    lanes[name] ??= [];
    return lanes[name];
  };
  return {
    enter: (state, input) => laneOf(state).push({ state, input }),
    leave(state, output) {
      const lane = laneOf(state);
      const last = lane.at(-1);
      if (last?.state !== state) throw new Error(`${state} was left and never entered`);
      lane[lane.length - 1] = { ...last, output };
    },
    invoke(name, payload) {
      payloads[name] ??= [];
      payloads[name].push(payload);
    },
    end: (ended) => ({ lanes, payloads, ended }),
  };
}

const copy = (value: unknown): Json => JSON.parse(JSON.stringify(value ?? null)) as Json;

/** Milliseconds that waits and pauses before retries take here. */
const PAUSE = 200;

/** Runs the definition with the interpreter of the demo; `toolsOf` gives each function its own toolbox. */
export async function traceHere(
  definition: MachineDefinition,
  input: Json,
  toolsOf: (functionName: string) => Toolbox,
): Promise<Trace> {
  const tracing = trace(definition);
  const states = [...statesOf(definition)];
  const tasks = states.filter(([, { Type }]) => Type === 'Task');
  const handlers = tasks.map(([state, content]) => {
    const { name, step } = STEPS[placeholderOf(content)];
    const handler = async (payload: unknown): Promise<Json> => {
      tracing.invoke(name, copy(payload));
      try {
        return copy(await (step as Step)(toolsOf(name), copy(payload) as never));
      } catch (error) {
        const { name: errorType, message: errorMessage } = error as Error;
        throw Object.assign(new Error(JSON.stringify({ errorType, errorMessage })), { name: errorType });
      }
    };
    return [state, handler] as const;
  });
  const all = (milliseconds: number) => Object.fromEntries(states.map(([name]) => [name, milliseconds]));
  // A year is more than a timer of JavaScript can hold.
  const whole = { ...definition, TimeoutSeconds: 600 } as unknown as ConstructorParameters<typeof StateMachine>[0];
  const machine = new StateMachine(whole, { validationOptions: { noValidate: true } });
  const execution = machine.run(input, {
    context: { Execution: { Id: 'arn:aws:states:eu-central-1:123456789012:execution:here:here' } },
    overrides: {
      taskResourceLocalHandlers: Object.fromEntries(handlers),
      waitTimeOverrides: all(PAUSE),
      retryIntervalOverrides: all(PAUSE),
    },
  });
  // How it ended is told by the events; a rejection that nobody takes would end the process.
  execution.result.catch(() => undefined);
  let ended: Trace['ended'] | null = null;
  for await (const event of execution.eventLogs) {
    if (event.type === 'StateEntered') tracing.enter(event.state.name, copy(event.state.input));
    if (event.type === 'StateExited') tracing.leave(event.state.name, copy(event.state.output));
    if (event.type === 'ExecutionSucceeded') ended = { output: copy(event.output) };
    if (event.type === 'ExecutionFailed') ended = { error: event.Error };
  }
  if (ended === null) throw new Error('the execution has no end');
  return tracing.end(ended);
}

/** Reads what another interpreter did from its execution history. */
export function traceOfHistory(definition: MachineDefinition, history: readonly HistoryEvent[]): Trace {
  const tracing = trace(definition);
  const json = (text: string | undefined): Json => JSON.parse(text ?? 'null') as Json;
  let ended: Trace['ended'] | null = null;
  for (const event of history.toSorted((a, b) => (a.id ?? 0) - (b.id ?? 0))) {
    const entered = event.stateEnteredEventDetails;
    const exited = event.stateExitedEventDetails;
    const scheduled = event.lambdaFunctionScheduledEventDetails;
    if (entered !== undefined) tracing.enter(entered.name ?? '', json(entered.input));
    if (exited !== undefined) tracing.leave(exited.name ?? '', json(exited.output));
    if (scheduled !== undefined) tracing.invoke(scheduled.resource?.split(':').at(-1) ?? '', json(scheduled.input));
    if (event.type === 'ExecutionSucceeded') ended = { output: json(event.executionSucceededEventDetails?.output) };
    if (event.type === 'ExecutionFailed') ended = { error: event.executionFailedEventDetails?.error ?? '' };
  }
  if (ended === null) throw new Error('the history has no end');
  return tracing.end(ended);
}

/** Ids by service and times differ between two runs in the same account; what they stand for must not. */
const CHANGING: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['id', /\b(?:i|eni|sg|sgr|subnet|vpc|acl|rtb|vol|snap)-[0-9a-f]{17}\b/g],
  ['case', /\bcase-[0-9a-f]{20}\b/g],
  ['uuid', /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g],
  ['time', /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g],
  ['execution', /arn:aws:states:[\w-]+:\d+:execution:[\w:-]+/g],
];

/** The trace with each changing value replaced by its number in order of appearance, so that two runs can be compared. */
export function comparable(found: Trace): unknown {
  const inOrder = <T>(record: Readonly<Record<string, T>>) =>
    Object.entries(record).toSorted(([one], [other]) => (one < other ? -1 : 1));
  const text = JSON.stringify({ lanes: inOrder(found.lanes), payloads: inOrder(found.payloads), ended: found.ended });
  const replaced = CHANGING.reduce((whole, [name, pattern]) => {
    const seen = new Map<string, string>();
    return whole.replace(pattern, (value) => {
      if (name === 'time') return '<time>';
      if (!seen.has(value)) seen.set(value, `<${name} ${seen.size + 1}>`);
      return seen.get(value) ?? '';
    });
  }, text);
  return JSON.parse(replaced);
}
