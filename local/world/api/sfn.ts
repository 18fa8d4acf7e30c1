import type {
  DescribeExecutionCommandInput,
  StartExecutionCommandInput,
  StopExecutionCommandInput,
} from '@aws-sdk/client-sfn';
import { memorySlot, type ServiceMemory } from '../../memory-slots.ts';
import type { ApiContext, Handlers } from './context.ts';
import { AwsError } from './errors.ts';
import type { StartedExecution } from './executions.ts';
import { newUuid } from './ids.ts';

interface ExecutionRecord {
  readonly executionArn: string;
  readonly stateMachineArn: string;
  readonly name: string;
  readonly input: string;
  readonly startDate: string;
  stopDate?: string;
  status: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'ABORTED';
  output?: string;
  error?: string;
  cause?: string;
  started: StartedExecution | null;
}

const executions = memorySlot(() => new Map<string, ExecutionRecord>());

/**
 * Idempotent for the same name and input while the execution runs; afterwards the name is taken for 90 days.
 * https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
 */
function startExecution(context: ApiContext, input: StartExecutionCommandInput): object {
  const stateMachineArn = input.stateMachineArn ?? '';
  const name = input.name ?? newUuid(context.memory);
  if (!/^arn:[^:]+:states:[^:]+:\d{12}:stateMachine:.+/.test(stateMachineArn)) {
    throw new AwsError('InvalidArn', `Invalid Arn: '${stateMachineArn}'`);
  }
  if (!/^[^\s<>{}[\]?*"#%\\^|~`$&,;:/\p{Cc}]{1,80}$/u.test(name))
    throw new AwsError('InvalidName', `Invalid Name: '${name}'`);
  const text = input.input ?? '{}';
  const executionArn = `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`;
  const there = context.memory.of(executions).get(executionArn);
  if (there !== undefined) {
    if (there.status === 'RUNNING' && there.input === text) return { executionArn, startDate: there.startDate };
    throw new AwsError('ExecutionAlreadyExists', `Execution Already Exists: '${executionArn}'`);
  }
  const record: ExecutionRecord = {
    executionArn,
    stateMachineArn,
    name,
    input: text,
    startDate: context.iso(context.now),
    status: 'RUNNING',
    started: null,
  };
  const parsed = parseInput(text);
  context.memory.of(executions).set(executionArn, record);
  record.started = context.startExecution?.({ executionArn, name, stateMachineArn, input: parsed }) ?? null;
  follow(record);
  return { executionArn, startDate: record.startDate };
}

function follow(record: ExecutionRecord): void {
  record.started?.result.then(
    (output) => end(record, { status: 'SUCCEEDED', output: JSON.stringify(output) ?? 'null' }),
    (error: unknown) => {
      const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) };
      end(record, { status: 'FAILED', error: name, cause: message });
    },
  );
}

/** An execution that somebody has started by hand. */
export function noteExecution(
  memory: ServiceMemory,
  { executionArn, input, startDate }: { executionArn: string; input: unknown; startDate: string },
  started: StartedExecution,
): void {
  const [, name = ''] = /:([^:]*)$/.exec(executionArn) ?? [];
  const record: ExecutionRecord = {
    executionArn,
    stateMachineArn: executionArn.replace(':execution:', ':stateMachine:').replace(/:[^:]*$/, ''),
    name,
    input: JSON.stringify(input) ?? '{}',
    startDate,
    status: 'RUNNING',
    started,
  };
  memory.of(executions).set(executionArn, record);
  follow(record);
}

function parseInput(text: string): unknown {
  if (Buffer.byteLength(text) > 262_144)
    throw new AwsError('InvalidExecutionInput', 'The input is longer than 262144 bytes');
  const parsed = readJson(text);
  if (parsed === undefined) {
    throw new AwsError('InvalidExecutionInput', `Invalid State Machine Execution Input: '${text.slice(0, 60)}'`);
  }
  return parsed;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function end(record: ExecutionRecord, change: Partial<ExecutionRecord>): void {
  if (record.status !== 'RUNNING') return;
  Object.assign(record, change, { stopDate: new Date().toISOString() });
}

function findExecution({ memory }: ApiContext, arn: string | undefined): ExecutionRecord {
  const record = memory.of(executions).get(arn ?? '');
  if (record === undefined) throw new AwsError('ExecutionDoesNotExist', `Execution Does Not Exist: '${arn}'`);
  return record;
}

function describeExecution(context: ApiContext, input: DescribeExecutionCommandInput): object {
  const { started: _started, ...shown } = findExecution(context, input.executionArn);
  return shown;
}

function stopExecution(context: ApiContext, input: StopExecutionCommandInput): object {
  const record = findExecution(context, input.executionArn);
  if (record.status === 'RUNNING') {
    end(record, {
      status: 'ABORTED',
      ...(input.error === undefined ? {} : { error: input.error }),
      ...(input.cause === undefined ? {} : { cause: input.cause }),
    });
    record.started?.abort?.();
  }
  return { stopDate: record.stopDate };
}

export const sfnHandlers: Handlers = {
  StartExecution: startExecution,
  DescribeExecution: describeExecution,
  StopExecution: stopExecution,
};
