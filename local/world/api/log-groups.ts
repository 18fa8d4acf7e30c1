import type {
  CreateLogStreamCommandInput,
  DeleteLogGroupCommandInput,
  DeleteLogStreamCommandInput,
  PutLogEventsCommandInput,
  PutRetentionPolicyCommandInput,
} from '@aws-sdk/client-cloudwatch-logs';
import { memorySlot } from '../../memory-slots.ts';
import type { ApiContext, Handlers } from './context.ts';
import { AwsError } from './errors.ts';
import { deliversToS3, flowLogsEver, logGroupOf, watchedInterfaces } from './flow-logs.ts';

/** One event as it lies in a stream; times in epoch milliseconds. */
export interface StoredEvent {
  readonly stream: string;
  readonly timestamp: number;
  readonly ingestedAt: number;
  readonly message: string;
}

/** What others than the flow log service did to a group. */
interface GroupHistory {
  readonly streams: Set<string>;
  readonly written: StoredEvent[];
  /** Epoch milliseconds: what was there by then is gone, from the whole group or from one stream. */
  emptiedAt: number;
  readonly streamsEmptiedAt: Map<string, number>;
  retentionDays: number | null;
}

const histories = memorySlot(() => new Map<string, GroupHistory>());

function historyOf({ memory }: ApiContext, group: string): GroupHistory {
  const all = memory.of(histories);
  const there = all.get(group) ?? {
    streams: new Set<string>(),
    written: [],
    emptiedAt: Number.NEGATIVE_INFINITY,
    streamsEmptiedAt: new Map<string, number>(),
    retentionDays: null,
  };
  all.set(group, there);
  return there;
}

const DAY_MS = 86_400_000;

/** Epoch milliseconds of the moment of a call. */
export const epochOf = ({ state, now }: ApiContext): number => Date.parse(state.Now) + Math.round(now * 1000);

/** What a search of a group finds: what was delivered and what was written, less what was deleted or has grown too old. */
export function leftOf(context: ApiContext, group: string, delivered: readonly StoredEvent[]): StoredEvent[] {
  const { written, emptiedAt, streamsEmptiedAt, retentionDays } = historyOf(context, group);
  const oldest = retentionDays === null ? Number.NEGATIVE_INFINITY : epochOf(context) - retentionDays * DAY_MS;
  return [...delivered, ...written].filter(
    ({ stream, ingestedAt, timestamp }) =>
      timestamp >= oldest &&
      ingestedAt > emptiedAt &&
      ingestedAt > (streamsEmptiedAt.get(stream) ?? Number.NEGATIVE_INFINITY),
  );
}

function requireGroup({ state, memory }: ApiContext, group: string | undefined): string {
  const known = flowLogsEver(state, memory).some((log) => !deliversToS3(log) && logGroupOf(log) === group);
  if (group === undefined || !known) {
    throw new AwsError('ResourceNotFoundException', 'The specified log group does not exist.');
  }
  return group;
}

function requireStream(context: ApiContext, group: string, stream: string | undefined): string {
  const { state, memory } = context;
  const ofFlowLogs = flowLogsEver(state, memory)
    .filter((log) => logGroupOf(log) === group)
    .flatMap((log) => watchedInterfaces(log, state, memory).map((id) => `${id}-all`));
  if (stream === undefined || !(ofFlowLogs.includes(stream) || historyOf(context, group).streams.has(stream))) {
    throw new AwsError('ResourceNotFoundException', 'The specified log stream does not exist.');
  }
  return stream;
}

function createLogStream(context: ApiContext, input: CreateLogStreamCommandInput): object {
  const group = requireGroup(context, input.logGroupName);
  const stream = input.logStreamName ?? '';
  const { streams } = historyOf(context, group);
  if (!/^[^:*]{1,512}$/.test(stream)) throw new AwsError('InvalidParameterException', 'logStreamName is not valid');
  if (streams.has(stream)) throw new AwsError('ResourceAlreadyExistsException', 'The log stream exists.');
  streams.add(stream);
  return {};
}

/** Whoever may write into a group may write what looks like a record. */
function putLogEvents(context: ApiContext, input: PutLogEventsCommandInput): object {
  const group = requireGroup(context, input.logGroupName);
  const stream = requireStream(context, group, input.logStreamName);
  const events = input.logEvents ?? [];
  if (events.length === 0) throw new AwsError('InvalidParameterException', 'logEvents must not be empty');
  const { written } = historyOf(context, group);
  for (const { timestamp = 0, message = '' } of events) {
    written.push({ stream, timestamp, ingestedAt: epochOf(context), message });
  }
  return { nextSequenceToken: '0' };
}

/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html */
const RETENTIONS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

function putRetentionPolicy(context: ApiContext, input: PutRetentionPolicyCommandInput): object {
  const group = requireGroup(context, input.logGroupName);
  const days = input.retentionInDays ?? 0;
  if (!RETENTIONS.includes(days)) throw new AwsError('InvalidParameterException', `${days} days is no retention`);
  historyOf(context, group).retentionDays = days;
  return {};
}

/** The flow log service makes the group anew with the next records. */
function deleteLogGroup(context: ApiContext, input: DeleteLogGroupCommandInput): object {
  const group = requireGroup(context, input.logGroupName);
  historyOf(context, group).emptiedAt = epochOf(context);
  return {};
}

function deleteLogStream(context: ApiContext, input: DeleteLogStreamCommandInput): object {
  const group = requireGroup(context, input.logGroupName);
  const stream = requireStream(context, group, input.logStreamName);
  historyOf(context, group).streamsEmptiedAt.set(stream, epochOf(context));
  return {};
}

export const logGroupHandlers: Handlers = {
  CreateLogStream: createLogStream,
  DeleteLogGroup: deleteLogGroup,
  DeleteLogStream: deleteLogStream,
  PutLogEvents: putLogEvents,
  PutRetentionPolicy: putRetentionPolicy,
};
