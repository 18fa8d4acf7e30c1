import type {
  CancelCommandCommandInput,
  DescribeInstanceInformationCommandInput,
  GetCommandInvocationCommandInput,
  ListCommandInvocationsCommandInput,
  ListCommandsCommandInput,
  SendCommandCommandInput,
} from '@aws-sdk/client-ssm';
import type { Physics } from '../state.ts';
import type { ApiContext, Handlers } from './context.ts';
import { allInstances } from './ec2/find.ts';
import { AwsError } from './errors.ts';
import { newUuid } from './ids.ts';
import { memorySlot, type ServiceMemory } from './memory.ts';
import { page } from './paging.ts';
import type { InstanceInformation } from './shapes.ts';

/** Output is cut here. https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetCommandInvocation.html */
const STDOUT_LIMIT = 24_000;
const STDERR_LIMIT = 8000;

/** Where SendCommand does not say. https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html */
const DELIVERY_SECONDS = 3600;

/** Where neither the call nor the document says how long the script may run. */
const RUNNING_SECONDS = 3600;

/** One command that was sent, with what each instance's agent does with it. */
interface RunningCommand {
  readonly commandId: string;
  readonly documentName: string;
  readonly documentVersion: string;
  readonly parameters: Record<string, string[]>;
  readonly comment: string;
  readonly sentAt: number;
  /** The second at which SSM gives it up. */
  readonly expiresAt: number;
  readonly invocations: ReadonlyMap<string, Invocation>;
}

const sentCommands = memorySlot(() => new Map<string, RunningCommand>());

/** What a command was told to do, by its parameter `Verb`. */
export function verbOf(memory: ServiceMemory, commandId: string | undefined): string | undefined {
  return memory.of(sentCommands).get(commandId ?? '')?.parameters['Verb']?.[0];
}

interface Invocation {
  readonly run: ReturnType<Physics['sendCommand']>;
  cancelledAt: number | null;
}

interface InvocationState {
  readonly status: 'InProgress' | 'Success' | 'Failed' | 'Cancelled' | 'TimedOut';
  readonly responseCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

function sendCommand(context: ApiContext, input: SendCommandCommandInput): object {
  const { state, physics, memory, now } = context;
  if (input.DocumentName === undefined || input.DocumentName === '')
    throw invalid('documentName', 'Member must not be null');
  const { TimeoutSeconds: timeout = DELIVERY_SECONDS } = input;
  if (timeout < 30 || timeout > 2_592_000) {
    throw invalid('timeoutSeconds', 'Member must have value between 30 and 2592000');
  }
  if ((input.Comment ?? '').length > 100) throw invalid('comment', 'Member must have length less than or equal to 100');
  const ids = targetedInstances(context, input);
  if (ids.length > 50) throw invalid('instanceIds', 'Member must have length less than or equal to 50');
  const unable = ids.filter((id) => !canTakeCommands(context, id));
  if (unable.length > 0) {
    throw new AwsError(
      'InvalidInstanceId',
      `Instances [[${unable.join(', ')}]] not in a valid state for account ${state.AccountId}`,
    );
  }
  const parameters = stringLists(input.Parameters);
  const documentName = input.DocumentName;
  const invocations = ids.map((instanceId): [string, Invocation] => [
    instanceId,
    {
      run: physics.sendCommand({ instanceId, documentName, parameters, deliverySeconds: timeout }),
      cancelledAt: null,
    },
  ]);
  const running = Number(parameters['executionTimeout']?.[0] ?? RUNNING_SECONDS);
  const command: RunningCommand = {
    commandId: newUuid(memory),
    documentName,
    documentVersion: input.DocumentVersion ?? '$DEFAULT',
    parameters,
    comment: input.Comment ?? '',
    sentAt: now,
    expiresAt: now + timeout + running,
    invocations: new Map(invocations),
  };
  memory.of(sentCommands).set(command.commandId, command);
  return { Command: shownCommand(context, command) };
}

function targetedInstances({ state }: ApiContext, { InstanceIds, Targets }: SendCommandCommandInput): string[] {
  if (InstanceIds !== undefined && InstanceIds.length > 0) return [...new Set(InstanceIds)];
  const ids = (Targets ?? []).flatMap(({ Key, Values }) =>
    Key?.toLowerCase() === 'instanceids' ? (Values ?? []) : [],
  );
  if (ids.length === 0) throw new AwsError('InvalidInstanceId', 'No instance was named.');
  return ids.filter((id) => state.InstanceInformationList.some(({ InstanceId }) => InstanceId === id));
}

/** Registered, and running as far as EC2 knows. */
function canTakeCommands({ state }: ApiContext, id: string): boolean {
  const registered = state.InstanceInformationList.some(({ InstanceId }) => InstanceId === id);
  const instance = allInstances(state).find(({ InstanceId }) => InstanceId === id);
  return registered && (instance?.State?.Name ?? 'running') === 'running';
}

function stringLists(parameters: SendCommandCommandInput['Parameters']): Record<string, string[]> {
  for (const [name, values] of Object.entries(parameters ?? {})) {
    if (!Array.isArray(values) || values.some((value) => typeof value !== 'string')) {
      throw new AwsError('InvalidParameters', `The parameter ${name} is not a list of strings.`);
    }
  }
  return structuredClone(parameters ?? {});
}

/**
 * "If a command invocation was just sent, it is not there yet": within one round trip of SendCommand's answer.
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetCommandInvocation.html#API_GetCommandInvocation_Errors
 */
function getCommandInvocation(context: ApiContext, input: GetCommandInvocationCommandInput): object {
  const command = findCommand(context, input.CommandId);
  const instanceId = input.InstanceId ?? '';
  const invocation = command.invocations.get(instanceId);
  if (invocation === undefined || context.now <= command.sentAt + context.state.LatencySeconds) {
    throw new AwsError('InvocationDoesNotExist', '');
  }
  return { ...shownInvocation(context, command, instanceId, invocation) };
}

/**
 * The total timeout is that of the delivery and that of the execution, one after the other.
 * https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html#monitor-about-status-timeouts
 */
function stateOf({ now }: ApiContext, { expiresAt }: RunningCommand, invocation: Invocation): InvocationState {
  const { run, cancelledAt } = invocation;
  const answer = run.answer(Math.min(now, cancelledAt ?? now, expiresAt));
  if (answer !== null) return answer;
  const unanswered = now < expiresAt ? 'InProgress' : 'TimedOut';
  return { status: cancelledAt === null ? unanswered : 'Cancelled', responseCode: -1, stdout: '', stderr: '' };
}

function shownInvocation(
  context: ApiContext,
  command: RunningCommand,
  instanceId: string,
  invocation: Invocation,
): object {
  const { status, responseCode, stdout, stderr } = stateOf(context, command, invocation);
  const startedAt = context.iso(command.sentAt);
  const ended = status !== 'InProgress';
  return {
    CommandId: command.commandId,
    InstanceId: instanceId,
    Comment: command.comment,
    DocumentName: command.documentName,
    DocumentVersion: command.documentVersion,
    ResponseCode: responseCode,
    ExecutionStartDateTime: startedAt,
    ExecutionEndDateTime: ended ? context.iso(context.now) : '',
    Status: status,
    StatusDetails: status,
    StandardOutputContent: stdout.slice(0, STDOUT_LIMIT),
    StandardOutputUrl: '',
    StandardErrorContent: stderr.slice(0, STDERR_LIMIT),
    StandardErrorUrl: '',
  };
}

function cancelCommand(context: ApiContext, input: CancelCommandCommandInput): object {
  const command = findCommand(context, input.CommandId);
  const ids = input.InstanceIds ?? [...command.invocations.keys()];
  for (const id of ids) {
    const invocation = command.invocations.get(id);
    if (invocation === undefined) throw new AwsError('InvalidInstanceId', `The command was not sent to ${id}.`);
    if (invocation.cancelledAt !== null || stateOf(context, command, invocation).status !== 'InProgress') continue;
    invocation.cancelledAt = context.now;
    invocation.run.cancel(context.now);
  }
  return {};
}

function findCommand({ memory }: ApiContext, id: string | undefined): RunningCommand {
  if (!/^[0-9a-f-]{36}$/.test(id ?? '')) throw invalid('commandId', 'Member must have length 36');
  const command = memory.of(sentCommands).get(id ?? '');
  if (command === undefined) throw new AwsError('InvalidCommandId', '');
  return command;
}

function shownCommand(context: ApiContext, command: RunningCommand): object {
  const states = [...command.invocations.values()].map((invocation) => stateOf(context, command, invocation).status);
  const Status =
    states.find((status) => status === 'InProgress') ?? states.find((status) => status !== 'Success') ?? 'Success';
  return {
    CommandId: command.commandId,
    DocumentName: command.documentName,
    DocumentVersion: command.documentVersion,
    Comment: command.comment,
    Parameters: command.parameters,
    InstanceIds: [...command.invocations.keys()],
    RequestedDateTime: context.iso(command.sentAt),
    Status: context.now === command.sentAt ? 'Pending' : Status,
    StatusDetails: context.now === command.sentAt ? 'Pending' : Status,
    TargetCount: command.invocations.size,
    CompletedCount: states.filter((status) => status !== 'InProgress').length,
    ErrorCount: states.filter((status) => status === 'Failed').length,
  };
}

function listCommands(context: ApiContext, input: ListCommandsCommandInput): object {
  const commands = [...context.memory.of(sentCommands).values()].filter(
    (command) =>
      (input.CommandId === undefined || command.commandId === input.CommandId) &&
      (input.InstanceId === undefined || command.invocations.has(input.InstanceId)),
  );
  const { items, nextToken } = page(commands, input.MaxResults, input.NextToken, invalidToken);
  return { Commands: items.map((command) => shownCommand(context, command)), NextToken: nextToken };
}

function listCommandInvocations(context: ApiContext, input: ListCommandInvocationsCommandInput): object {
  const invocations = [...context.memory.of(sentCommands).values()]
    .filter(({ commandId }) => input.CommandId === undefined || commandId === input.CommandId)
    .flatMap((command) => [...command.invocations].map(([id, invocation]) => ({ command, id, invocation })))
    .filter(({ id }) => input.InstanceId === undefined || id === input.InstanceId);
  const { items, nextToken } = page(invocations, input.MaxResults, input.NextToken, invalidToken);
  const CommandInvocations = items.map(({ command, id, invocation }) => {
    const { status } = stateOf(context, command, invocation);
    return {
      CommandId: command.commandId,
      InstanceId: id,
      DocumentName: command.documentName,
      RequestedDateTime: context.iso(command.sentAt),
      Status: status,
      StatusDetails: status,
    };
  });
  return { CommandInvocations, NextToken: nextToken };
}

/** https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_InstanceInformationStringFilter.html */
const INFORMATION_FILTERS: Record<string, (information: InstanceInformation) => unknown> = {
  InstanceIds: (information) => information.InstanceId,
  PingStatus: (information) => information.PingStatus,
  PlatformTypes: (information) => information.PlatformType,
  AgentVersion: (information) => information.AgentVersion,
};

function describeInstanceInformation(context: ApiContext, input: DescribeInstanceInformationCommandInput): object {
  const filters = [
    ...(input.Filters ?? []).map(({ Key, Values }) => ({ key: Key ?? '', values: Values ?? [] })),
    ...(input.InstanceInformationFilterList ?? []).map(({ key, valueSet }) => ({
      key: key ?? '',
      values: valueSet ?? [],
    })),
  ];
  const listed = filters.reduce((left, { key, values }) => {
    const member = INFORMATION_FILTERS[key];
    if (member === undefined) throw new AwsError('InvalidFilterKey', `The filter key ${key} is not valid.`);
    return left.filter((information) => values.some((value) => value === member(information)));
  }, context.state.InstanceInformationList);
  const { MaxResults } = input;
  if (MaxResults !== undefined && (MaxResults < 5 || MaxResults > 50)) {
    throw invalid('maxResults', 'Member must have value between 5 and 50');
  }
  const { items, nextToken } = page(listed, MaxResults ?? 50, input.NextToken, invalidToken);
  return { InstanceInformationList: items, NextToken: nextToken };
}

function invalid(member: string, why: string): AwsError {
  return new AwsError(
    'ValidationException',
    `1 validation error detected: Value at '${member}' failed to satisfy constraint: ${why}`,
  );
}

function invalidToken(): AwsError {
  return new AwsError('InvalidNextToken', 'The specified token is not valid.');
}

export const ssmHandlers: Handlers = {
  SendCommand: sendCommand,
  GetCommandInvocation: getCommandInvocation,
  CancelCommand: cancelCommand,
  ListCommands: listCommands,
  ListCommandInvocations: listCommandInvocations,
  DescribeInstanceInformation: describeInstanceInformation,
};
