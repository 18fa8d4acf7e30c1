import type { FilterLogEventsCommandInput } from '@aws-sdk/client-cloudwatch-logs';
import { memorySlot } from '../../memory-slots.ts';
import type { ApiContext, Handlers } from './context.ts';
import { AwsError } from './errors.ts';
import { deliversToS3, flowLogsEver, logGroupOf, stampedLines, watchedInterfaces } from './flow-logs.ts';
import { madeId } from './ids.ts';
import { matchesPattern } from './log-filter.ts';
import { epochOf, leftOf, logGroupHandlers, type StoredEvent } from './log-groups.ts';
import { page } from './paging.ts';
import type { FlowLog } from './shapes.ts';

/** What each search that has pages left has found. */
const openSearches = memorySlot(() => new Map<string, readonly StoredEvent[]>());

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html */
function filterLogEvents(context: ApiContext, input: FilterLogEventsCommandInput): object {
  const { limit, nextToken: token, ...search } = input;
  if (limit !== undefined && (limit < 1 || limit > 10_000)) throw invalid('limit must be from 1 to 10000');
  if (input.logStreamNames !== undefined && input.logStreamNamePrefix !== undefined) {
    throw invalid('logStreamNames and logStreamNamePrefix exclude each other');
  }
  const group = groupName(input);
  const logs = readableLogs(context, group);
  const open = context.memory.of(openSearches);
  const key = JSON.stringify(search);
  const found = (token === undefined ? undefined : open.get(key)) ?? eventsFound(context, input, group, logs);
  const { items, nextToken } = page([...found.entries()], limit ?? 10_000, token, () =>
    invalid('The specified nextToken is invalid.'),
  );
  if (nextToken === undefined) open.delete(key);
  else open.set(key, found);
  const events = items.map(([index, event]) => shownEvent(event, index));
  return { events, searchedLogStreams: [], nextToken };
}

/** What a search finds, oldest first. */
function eventsFound(
  context: ApiContext,
  input: FilterLogEventsCommandInput,
  group: string,
  logs: readonly FlowLog[],
): readonly StoredEvent[] {
  const matches = matchesPattern(input.filterPattern ?? '');
  const delivered = logs.flatMap((log) => flowLogEvents(context, log, input, matches));
  const found = leftOf(context, group, delivered).filter(isAskedFor(input, matches, epochOf(context)));
  return found.sort((x, y) => x.timestamp - y.timestamp);
}

function groupName({ logGroupName, logGroupIdentifier }: FilterLogEventsCommandInput): string {
  const group = logGroupName ?? logGroupIdentifier?.split(':log-group:').at(-1)?.replace(/:\*$/, '');
  if (group === undefined) throw invalid('logGroupName is missing');
  return group;
}

/** The flow logs of a group, where the group may be searched. */
function readableLogs({ state, memory }: ApiContext, group: string): FlowLog[] {
  const logs = flowLogsEver(state, memory).filter((log) => !deliversToS3(log) && logGroupOf(log) === group);
  if (logs.length === 0) throw new AwsError('ResourceNotFoundException', 'The specified log group does not exist.');
  if (logs.some((log) => log.Readable === false)) {
    throw new AwsError(
      'AccessDeniedException',
      `not authorized to perform: logs:FilterLogEvents on resource: arn:aws:logs:${state.Region}:${state.AccountId}:log-group:${group}:log-stream:`,
    );
  }
  const other = logs.find((log) => (log.LogGroupClass ?? 'STANDARD') !== 'STANDARD');
  if (other !== undefined) {
    // As CloudWatch words it: https://github.com/aws/karpenter-provider-aws/pull/9567
    throw new AwsError(
      'InvalidOperationException',
      `The log group ${group} is of log-group-class ${other.LogGroupClass}. FilterLogEvents is not supported for this log class.`,
    );
  }
  return logs;
}

const isInStreams = ({ logStreamNames, logStreamNamePrefix }: FilterLogEventsCommandInput, stream: string): boolean =>
  (logStreamNames?.includes(stream) ?? true) && stream.startsWith(logStreamNamePrefix ?? '');

function isAskedFor(
  input: FilterLogEventsCommandInput,
  matches: (message: string) => boolean,
  now: number,
): (event: StoredEvent) => boolean {
  const { startTime: from = 0, endTime: to = now } = input;
  return ({ timestamp, message, stream }) =>
    timestamp >= from && timestamp <= to && isInStreams(input, stream) && matches(message);
}

/** Lines that do not match are left out early: days of lines are many. */
function flowLogEvents(
  context: ApiContext,
  log: FlowLog,
  input: FilterLogEventsCommandInput,
  matches: (message: string) => boolean,
): StoredEvent[] {
  const { state, physics, memory, now } = context;
  const zero = Date.parse(state.Now);
  const { startTime: from = 0, endTime: to = epochOf(context) } = input;
  const range = { from: (from - zero) / 1000, to: (to - zero) / 1000, now };
  return watchedInterfaces(log, state, memory)
    .map((id) => ({ id, stream: `${id}-all` }))
    .filter(({ stream }) => isInStreams(input, stream))
    .flatMap(({ id, stream }) =>
      stampedLines(physics, log, id, range)
        .filter(({ line }) => matches(line))
        .map(({ line, start, end }) => ({
          stream,
          timestamp: start * 1000,
          ingestedAt: (end + (log.DeliverySeconds ?? 300)) * 1000,
          message: line,
        })),
    );
}

function shownEvent({ stream, timestamp, ingestedAt, message }: StoredEvent, index: number): object {
  return {
    eventId: madeId('event', stream, message, timestamp, index),
    ingestionTime: ingestedAt,
    logStreamName: stream,
    message,
    timestamp,
  };
}

function invalid(why: string): AwsError {
  return new AwsError('InvalidParameterException', why);
}

export const logsHandlers: Handlers = { FilterLogEvents: filterLogEvents, ...logGroupHandlers };
