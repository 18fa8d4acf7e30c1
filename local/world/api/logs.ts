import type { FilterLogEventsCommandInput } from '@aws-sdk/client-cloudwatch-logs';
import type { ApiContext, Handlers } from './context.ts';
import { AwsError } from './errors.ts';
import { deliversToS3, flowLogsEver, logGroupOf, stampedLines, watchedInterfaces } from './flow-logs.ts';
import { madeId } from './ids.ts';
import { matchesPattern } from './log-filter.ts';
import { page } from './paging.ts';
import type { FlowLog } from './shapes.ts';

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html */
function filterLogEvents(context: ApiContext, input: FilterLogEventsCommandInput): object {
  const { limit } = input;
  if (limit !== undefined && (limit < 1 || limit > 10_000)) throw invalid('limit must be from 1 to 10000');
  if (input.logStreamNames !== undefined && input.logStreamNamePrefix !== undefined) {
    throw invalid('logStreamNames and logStreamNamePrefix exclude each other');
  }
  const matches = matchesPattern(input.filterPattern ?? '');
  const logs = readableLogs(context, groupName(input));
  const events = logs.flatMap((log) => flowLogEvents(context, log, input, matches));
  const sorted = events.sort((a, b) => a.timestamp - b.timestamp);
  const { items, nextToken } = page(sorted, limit ?? 10_000, input.nextToken, () =>
    invalid('The specified nextToken is invalid.'),
  );
  return { events: items, searchedLogStreams: [], nextToken };
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

function flowLogEvents(
  context: ApiContext,
  log: FlowLog,
  input: FilterLogEventsCommandInput,
  matches: (message: string) => boolean,
) {
  const { state, physics, now } = context;
  const zero = Date.parse(state.Now);
  const from = input.startTime ?? 0;
  const to = input.endTime ?? zero + now * 1000;
  const inStreams = (stream: string) =>
    (input.logStreamNames?.includes(stream) ?? true) && stream.startsWith(input.logStreamNamePrefix ?? '');
  return watchedInterfaces(log, state)
    .map((eni) => ({ id: eni.NetworkInterfaceId, stream: `${eni.NetworkInterfaceId}-all` }))
    .filter(({ stream }) => inStreams(stream))
    .flatMap(({ id, stream }) =>
      stampedLines(physics, log, id, { from: (from - zero) / 1000, to: (to - zero) / 1000, now })
        .map((record, index) => ({ ...record, index }))
        // Before the ids are made: days of lines are many.
        .filter(({ line }) => matches(line))
        .map(({ line, start, index }) => ({
          eventId: madeId('event', id, line, index),
          ingestionTime: zero + Math.round(now * 1000),
          logStreamName: stream,
          message: line,
          timestamp: start * 1000,
        })),
    )
    .filter(({ timestamp }) => timestamp >= from && timestamp <= to);
}

function invalid(why: string): AwsError {
  return new AwsError('InvalidParameterException', why);
}

export const logsHandlers: Handlers = { FilterLogEvents: filterLogEvents };
