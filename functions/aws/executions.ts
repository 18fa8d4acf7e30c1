import { type SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { errorCode } from './errors.ts';

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
