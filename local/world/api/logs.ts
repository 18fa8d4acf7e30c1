import type { FilterLogEventsCommandInput } from '@aws-sdk/client-cloudwatch-logs';
import type { ApiContext, Handlers } from './context.ts';
import { AwsError } from './errors.ts';
import { logGroupOf, watchedInterfaces } from './flow-logs.ts';
import { madeId } from './ids.ts';
import { matchesPattern } from './log-filter.ts';
import { page } from './paging.ts';

/** The field `start` of the default flow log format. */
const START_FIELD = 10;

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html */
function filterLogEvents(context: ApiContext, input: FilterLogEventsCommandInput): object {
  const { limit } = input;
  if (limit !== undefined && (limit < 1 || limit > 10_000)) throw invalid('limit must be from 1 to 10000');
  if (input.logStreamNames !== undefined && input.logStreamNamePrefix !== undefined) {
    throw invalid('logStreamNames and logStreamNamePrefix exclude each other');
  }
  const matches = matchesPattern(input.filterPattern ?? '');
  const events = flowLogEvents(context, input, matches);
  const { items, nextToken } = page(events, limit ?? 10_000, input.nextToken, () =>
    invalid('The specified nextToken is invalid.'),
  );
  return { events: items, searchedLogStreams: [], nextToken };
}

function flowLogEvents(context: ApiContext, input: FilterLogEventsCommandInput, matches: (message: string) => boolean) {
  const { state, physics, now } = context;
  const group = input.logGroupName ?? input.logGroupIdentifier?.split(':log-group:').at(-1)?.replace(/:\*$/, '');
  if (group === undefined) throw invalid('logGroupName is missing');
  const log = state.FlowLogs.find((candidate) => logGroupOf(candidate) === group);
  if (log === undefined) throw new AwsError('ResourceNotFoundException', 'The specified log group does not exist.');
  const zero = Date.parse(state.Now);
  const from = input.startTime ?? 0;
  const to = input.endTime ?? zero + now * 1000;
  const inStreams = (stream: string) =>
    (input.logStreamNames?.includes(stream) ?? true) && stream.startsWith(input.logStreamNamePrefix ?? '');
  return watchedInterfaces(log, state)
    .map((eni) => ({ id: eni.NetworkInterfaceId, stream: `${eni.NetworkInterfaceId}-all` }))
    .filter(({ stream }) => inStreams(stream))
    .flatMap(({ id, stream }) =>
      physics
        .flowLogRecords(id, (from - zero) / 1000, (to - zero) / 1000, now)
        .map((message, index) => ({ message, index }))
        // Before the ids are made: days of lines are many.
        .filter(({ message }) => matches(message))
        .map(({ message, index }) => ({
          eventId: madeId('event', id, message, index),
          ingestionTime: zero + Math.round(now * 1000),
          logStreamName: stream,
          message,
          timestamp: Number(message.split(' ')[START_FIELD]) * 1000,
        })),
    )
    .filter(({ timestamp }) => timestamp >= from && timestamp <= to)
    .sort((a, b) => a.timestamp - b.timestamp);
}

function invalid(why: string): AwsError {
  return new AwsError('InvalidParameterException', why);
}

export const logsHandlers: Handlers = { FilterLogEvents: filterLogEvents };
