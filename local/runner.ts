import { StateMachine } from 'aws-local-stepfunctions';
import { InputError } from '../functions/core/errors.ts';
import type { Toolbox } from '../functions/shared/toolbox.ts';
import { type Json, type MachineDefinition, placeholderOf, STEPS, type Step, statesOf } from './definitions.ts';
import { withSeconds } from './step-deadline.ts';

/** What a Lambda error looks like to a state machine: the name to match, and the cause as JSON text. */
class LambdaError extends Error {
  constructor(error: Error) {
    super(JSON.stringify({ errorType: error.name, errorMessage: error.message }), { cause: error });
    this.name = error.name;
  }
}

/** Told of every function that is entered, to label the calls it makes. */
export type Around = <T>(state: string, functionName: string, run: () => Promise<T>) => Promise<T>;

export interface Visit {
  readonly state: string;
  readonly input: Json;
}

/** Who is told of states of any type, while the machine runs. */
interface Followers {
  /** Every state of the definition itself, none of a branch, with its raw input. */
  readonly onEnter?: (visit: Visit) => void;
  /** Every state that is entered or tried again, those of branches included. */
  readonly onTransition?: (state: string) => void;
}

export interface ExecutionResult {
  readonly output: Json | null;
  readonly error: { readonly name: string; readonly cause: string } | null;
}

/** What the definitions may read of the context object. */
const localArn = (startedAt: Date): string =>
  `arn:aws:states:eu-central-1:000000000000:execution:flowcut:local-${startedAt.getTime()}`;

const copy = (value: unknown): Json => (value === undefined ? null : (JSON.parse(JSON.stringify(value)) as Json));

/** The definition with ARNs in place of its placeholders, as a deployment substitutes them. */
function deployed(definition: MachineDefinition): unknown {
  const arn = 'arn:aws:lambda:eu-central-1:000000000000:function:';
  return JSON.parse(JSON.stringify(definition).replace(/\$\{(\w+)\}/g, `${arn}$1`));
}

/** An execution that goes on. */
export interface RunningMachine {
  readonly result: Promise<ExecutionResult>;
  /** Ends it at once, as StopExecution does; a function that runs is not interrupted. */
  abort(): void;
}

export interface RunOptions extends Followers {
  readonly around?: Around;
  readonly onVisit?: (visit: Visit) => void;
  /** What `$$.Execution.Id` is; default: named after the moment at which it starts. */
  readonly executionArn?: string;
}

/** Interprets a definition, to its end: {@link startMachine}. */
export function runMachine(
  definition: MachineDefinition,
  input: unknown,
  tools: Toolbox,
  options: RunOptions = {},
): Promise<ExecutionResult> {
  return startMachine(definition, input, tools, options).result;
}

/**
 * Interprets a definition with the real step code behind its tasks. Payloads cross each boundary as JSON, as they do
 * between Step Functions and Lambda.
 */
export function startMachine(
  definition: MachineDefinition,
  input: unknown,
  tools: Toolbox,
  { executionArn = localArn(tools.now()), ...options }: RunOptions = {},
): RunningMachine {
  const machine = new StateMachine(deployed(definition) as ConstructorParameters<typeof StateMachine>[0], {
    // The definitions are validated by the tests; here it would take longer than the run itself.
    validationOptions: { noValidate: true },
  });
  const execution = machine.run(copy(input), {
    context: { Execution: { Id: executionArn } },
    overrides: { taskResourceLocalHandlers: handlersOf(definition, tools, options) },
  });
  const ended = Promise.all([execution.result, follow(execution.eventLogs, definition, options)]);
  const result = ended.then(
    ([output]): ExecutionResult => ({ output, error: null }),
    (error: unknown): ExecutionResult => {
      const thrown = error instanceof Error ? error : new Error(String(error));
      // The interpreter wraps what ended the execution; Step Functions tells it as it is.
      const { name, message } = thrown.cause instanceof Error ? thrown.cause : thrown;
      return { output: null, error: { name, cause: message } };
    },
  );
  return { result, abort: () => execution.abort() };
}

function handlersOf(
  definition: MachineDefinition,
  tools: Toolbox,
  { around = (_state, _name, run) => run(), onVisit }: RunOptions,
): Record<string, (payload: Json) => Promise<Json>> {
  const handlers: Record<string, (payload: Json) => Promise<Json>> = {};
  for (const [state, content] of statesOf(definition)) {
    if (content.Type !== 'Task') continue;
    const { name, step } = STEPS[placeholderOf(content)];
    handlers[state] = async (payload) => {
      onVisit?.({ state, input: copy(payload) });
      try {
        const run = () =>
          withSeconds(Number(content['TimeoutSeconds']), () => (step as Step)(tools, copy(payload) as never));
        return copy(await around(state, name, run));
      } catch (error) {
        throw error instanceof Error ? new LambdaError(error) : error;
      }
    };
  }
  return handlers;
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

type Events = ReturnType<StateMachine['run']>['eventLogs'];

/** Tells of each state as it is entered or tried again, until the execution ends. */
async function follow(
  events: Events,
  definition: MachineDefinition,
  { onEnter, onTransition }: Followers,
): Promise<void> {
  for await (const entry of events) {
    if (entry.type !== 'StateEntered' && entry.type !== 'StateRetried') continue;
    const { name, input } = entry.state;
    onTransition?.(name);
    if (entry.type === 'StateEntered' && Object.hasOwn(definition.States, name)) {
      onEnter?.({ state: name, input: copy(input) });
    }
  }
}
