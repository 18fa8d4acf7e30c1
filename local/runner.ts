import { StateMachine } from 'aws-local-stepfunctions';
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

/** What the definitions may read of the context object; an execution is named after the moment at which it starts. */
const executionArn = (startedAt: Date): string =>
  `arn:aws:states:eu-central-1:000000000000:execution:flowcut:local-${startedAt.getTime()}`;

const copy = (value: unknown): Json => (value === undefined ? null : (JSON.parse(JSON.stringify(value)) as Json));

/** The definition with ARNs in place of its placeholders, as a deployment substitutes them. */
function deployed(definition: MachineDefinition): unknown {
  const arn = 'arn:aws:lambda:eu-central-1:000000000000:function:';
  return JSON.parse(JSON.stringify(definition).replace(/\$\{(\w+)\}/g, `${arn}$1`));
}

/**
 * Interprets a definition with the real step code behind its tasks. Payloads cross each boundary as JSON, as they do
 * between Step Functions and Lambda.
 */
export async function runMachine(
  definition: MachineDefinition,
  input: unknown,
  tools: Toolbox,
  {
    around = (_state, _name, run) => run(),
    onVisit,
    ...followers
  }: { around?: Around; onVisit?: (visit: Visit) => void } & Followers = {},
): Promise<ExecutionResult> {
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
  const machine = new StateMachine(deployed(definition) as ConstructorParameters<typeof StateMachine>[0], {
    // The definitions are validated by the tests; here it would take longer than the run itself.
    validationOptions: { noValidate: true },
  });
  try {
    const execution = machine.run(copy(input), {
      context: { Execution: { Id: executionArn(tools.now()) } },
      overrides: { taskResourceLocalHandlers: handlers },
    });
    const [output] = await Promise.all([execution.result, follow(execution.eventLogs, definition, followers)]);
    return { output, error: null };
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    return { output: null, error: { name, cause: message } };
  }
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
