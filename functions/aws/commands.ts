import {
  CancelCommandCommand,
  GetCommandInvocationCommand,
  SendCommandCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm';
import { unless } from './errors.ts';

export interface HostCommand {
  readonly instanceId: string;
  readonly documentName: string;
  /** What people see in the list of commands. */
  readonly comment: string;
  /** Of the document, by name. */
  readonly parameters: Readonly<Record<string, string>>;
  /** How long it is waited for: so long the agent may take to fetch it, and so long the script may run. */
  readonly seconds: number;
}

/**
 * The least time for the agent to fetch a command that SSM takes, in seconds. "If this time is reached and the command hasn't
 * already started running, it won't run."
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html
 */
const LEAST_DELIVERY_SECONDS = 30;

/** How long the script may run where it is waited for less, in seconds: the documents' own default. */
const LEAST_RUNNING_SECONDS = 120;

/**
 * Sends one of our documents and returns the command id. There is no client token: sent twice, it runs twice, so the
 * script is idempotent. Throws `InvalidInstanceId` when the instance has no agent that SSM knows.
 */
export async function sendHostCommand(ssm: SSMClient, command: HostCommand): Promise<string> {
  const executionTimeout = String(Math.max(LEAST_RUNNING_SECONDS, command.seconds));
  const parameters = { ...command.parameters, executionTimeout };
  const answer = await ssm.send(
    new SendCommandCommand({
      DocumentName: command.documentName,
      InstanceIds: [command.instanceId],
      TimeoutSeconds: Math.max(LEAST_DELIVERY_SECONDS, command.seconds),
      Comment: command.comment,
      Parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, [value]])),
    }),
  );
  const commandId = answer.Command?.CommandId;
  if (commandId === undefined) throw new Error('SendCommand answered without a command id');
  return commandId;
}

export type CommandAnswer =
  | { readonly kind: 'pending' }
  | { readonly kind: 'answered'; readonly output: string }
  | { readonly kind: 'ended'; readonly status: string };

const PENDING = ['Pending', 'InProgress', 'Delayed', 'Cancelling'];

/** Looks once for the answer. `InvocationDoesNotExist` right after sending is normal and means pending. */
export async function readHostCommand(ssm: SSMClient, instanceId: string, commandId: string): Promise<CommandAnswer> {
  const answer = await unless(
    ['InvocationDoesNotExist'],
    () => ssm.send(new GetCommandInvocationCommand({ CommandId: commandId, InstanceId: instanceId })),
    () => null,
  );
  const status = answer?.Status ?? 'Pending';
  if (PENDING.includes(status)) return { kind: 'pending' };
  // A status is no proof in either direction: what the script printed is, and it prints its verdict on failure too.
  if (status === 'Success' || status === 'Failed') {
    return { kind: 'answered', output: answer?.StandardOutputContent ?? '' };
  }
  return { kind: 'ended', status };
}

/** Asks the agent to drop a command that has had its time. It may be running already: no promise that it stops. */
export async function cancelHostCommand(ssm: SSMClient, instanceId: string, commandId: string): Promise<void> {
  await ssm.send(new CancelCommandCommand({ CommandId: commandId, InstanceIds: [instanceId] }));
}
