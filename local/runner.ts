import { StateMachine } from 'aws-local-stepfunctions';
import type { Toolbox } from '../functions/shared/toolbox.ts';
import { type Json, type MachineDefinition, placeholderOf, STEPS, type Step, statesOf } from './definitions.ts';

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

export interface ExecutionResult {
  readonly output: Json | null;
  readonly error: { readonly name: string; readonly cause: string } | null;
}

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
  { around = (_state, _name, run) => run(), onVisit }: { around?: Around; onVisit?: (visit: Visit) => void } = {},
): Promise<ExecutionResult> {
  const handlers: Record<string, (payload: Json) => Promise<Json>> = {};
  for (const [state, content] of statesOf(definition)) {
    if (content.Type !== 'Task') continue;
    const { name, step } = STEPS[placeholderOf(content)];
    handlers[state] = async (payload) => {
      onVisit?.({ state, input: copy(payload) });
      try {
        return copy(await around(state, name, () => (step as Step)(tools, copy(payload) as never)));
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
    const execution = machine.run(copy(input), { overrides: { taskResourceLocalHandlers: handlers } });
    return { output: await execution.result, error: null };
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    return { output: null, error: { name, cause: message } };
  }
}
