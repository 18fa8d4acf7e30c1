import { DescribeExecutionCommand, type SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { errorCode, unless } from './errors.ts';

/**
 * Starts an execution under a fixed name. A repeat is success: with the same name and input while it runs the service
 * answers with the same execution, afterwards `ExecutionAlreadyExists` for 90 days.
 */
export async function startExecution(
  sfn: SFNClient,
  execution: { stateMachineArn: string; name: string; input: object },
): Promise<'started' | 'already-started'> {
  try {
    await sfn.send(
      new StartExecutionCommand({
        stateMachineArn: execution.stateMachineArn,
        name: execution.name,
        input: JSON.stringify(execution.input),
      }),
    );
    return 'started';
  } catch (error) {
    if (errorCode(error) === 'ExecutionAlreadyExists') return 'already-started';
    throw error;
  }
}

export interface ExecutionState {
  readonly status: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED' | 'PENDING_REDRIVE';
  /** Epoch milliseconds; null = it has not ended. */
  readonly startedAt: number;
  readonly endedAt: number | null;
}

/** The ARN that an execution of this name has. */
export const executionArnOf = ({
  stateMachineArn,
  name,
}: {
  readonly stateMachineArn: string;
  readonly name: string;
}): string => `${stateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`;

/** How an execution stands that was started under this name. */
export async function readExecution(
  sfn: SFNClient,
  execution: { readonly stateMachineArn: string; readonly name: string },
): Promise<ExecutionState> {
  const executionArn = executionArnOf(execution);
  const { status = 'RUNNING', startDate, stopDate } = await sfn.send(new DescribeExecutionCommand({ executionArn }));
  const at = (date: Date | undefined): number | null => (date === undefined ? null : new Date(date).getTime());
  return { status, startedAt: at(startDate) ?? 0, endedAt: at(stopDate) };
}

/** Does an execution go on? One that Step Functions does not know, or knows no more, does not. null = there is none. */
export async function isRunning(sfn: SFNClient, executionArn: string | null): Promise<boolean> {
  if (executionArn === null) return false;
  const describe = () => sfn.send(new DescribeExecutionCommand({ executionArn }));
  const answer = await unless(['ExecutionDoesNotExist', 'InvalidArn'], describe, () => null);
  return answer?.status === 'RUNNING' || answer?.status === 'PENDING_REDRIVE';
}
