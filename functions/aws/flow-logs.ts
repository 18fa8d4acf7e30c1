import {
  type CloudWatchLogsClient,
  FilterLogEventsCommand,
  type FilterLogEventsCommandInput,
  paginateFilterLogEvents,
} from '@aws-sdk/client-cloudwatch-logs';
import { type EC2Client, type FlowLog, paginateDescribeFlowLogs } from '@aws-sdk/client-ec2';
import { CASE_TAG } from '../core/case/evidence.ts';
import type { FlowLogFacts } from '../core/case/facts.ts';
import { errorCode, errorText } from './errors.ts';

/** EC2's default where a flow log does not say. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFlowLogs.html */
const DEFAULT_INTERVAL_SECONDS = 600;

function problemOf({ FlowLogStatus, DeliverLogsStatus, DeliverLogsErrorMessage }: FlowLog): string | null {
  if (FlowLogStatus !== 'ACTIVE') return `its status is ${FlowLogStatus ?? 'unknown'}`;
  if (DeliverLogsStatus === 'FAILED') return DeliverLogsErrorMessage ?? 'its delivery fails';
  return null;
}

function toFacts(log: FlowLog): readonly FlowLogFacts[] {
  const { FlowLogId: id, ResourceId: resourceId, LogGroupName, LogDestinationType, LogDestination, CreationTime } = log;
  if (id === undefined || resourceId === undefined) return [];
  const isLogGroup = LogGroupName !== undefined || LogDestination?.includes(':log-group:') === true;
  const [, , , , accountId, , group] = isLogGroup ? (LogDestination?.split(':') ?? []) : [];
  return [
    {
      id,
      resourceId,
      destinationType: LogDestinationType ?? (isLogGroup ? 'cloud-watch-logs' : 'unknown'),
      destinationAccountId: accountId || null,
      logGroupName: LogGroupName ?? group ?? null,
      destination: LogDestination ?? null,
      caseId: log.Tags?.find(({ Key }) => Key === CASE_TAG)?.Value ?? null,
      problem: problemOf(log),
      trafficType: log.TrafficType ?? 'ALL',
      format: log.LogFormat ?? null,
      intervalSeconds: log.MaxAggregationInterval ?? DEFAULT_INTERVAL_SECONDS,
      createdAt: CreationTime === undefined ? null : CreationTime.getTime() / 1000,
    },
  ];
}

/** Flow logs on any of these resources (ENIs, subnets, VPCs), wherever they are delivered and whether they can be read or not. */
export async function flowLogsOn(ec2: EC2Client, resourceIds: readonly string[]): Promise<readonly FlowLogFacts[]> {
  if (resourceIds.length === 0) return [];
  const input = { Filter: [{ Name: 'resource-id', Values: [...resourceIds] }] };
  const found: FlowLogFacts[] = [];
  for await (const page of paginateDescribeFlowLogs({ client: ec2 }, input)) {
    found.push(...(page.FlowLogs ?? []).flatMap(toFacts));
  }
  return found;
}

/** Where and when lines are looked for; `from` and `to` in epoch seconds. */
export interface LogSearch {
  readonly logGroupName: string;
  readonly networkInterfaceId: string;
  readonly from: number;
  readonly to: number;
}

/**
 * "Each network interface has a unique log stream in the log group", named after it.
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-cwl.html
 */
const inputOf = ({ logGroupName, networkInterfaceId, from, to }: LogSearch): FilterLogEventsCommandInput => ({
  logGroupName,
  logStreamNamePrefix: networkInterfaceId,
  startTime: Math.floor(from) * 1000,
  endTime: Math.ceil(to) * 1000,
});

/** Answers of up to 10,000 lines or 1 MB, empty ones among them, that are read of one ENI: a log that long proves nothing in time. */
const PAGE_LIMIT = 400;

/**
 * Reads the lines of one ENI, answer by answer, until the deadline (a moment in ms): beyond it nobody waits for the service
 * any more, and an error is thrown.
 */
export async function readStream(
  logs: CloudWatchLogsClient,
  search: LogSearch,
  deadline: number,
  take: (line: string) => void,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    const late = new Error(`the flow log ${search.logGroupName} was not read to its end in time`);
    timer = setTimeout(() => reject(late), Math.max(0, deadline - Date.now()));
  });
  try {
    await Promise.race([readPages(logs, search, () => Date.now() < deadline, take), over]);
  } catch (error) {
    if (!isMissingStream(error)) throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function readPages(
  logs: CloudWatchLogsClient,
  search: LogSearch,
  isInTime: () => boolean,
  take: (line: string) => void,
): Promise<void> {
  let pages = 0;
  for await (const page of paginateFilterLogEvents({ client: logs }, inputOf(search))) {
    // moto does not look at the prefix, and another ENI's line must not speak for this one.
    for (const { message, logStreamName = search.networkInterfaceId } of page.events ?? [])
      if (message !== undefined && logStreamName.startsWith(search.networkInterfaceId)) take(message);
    pages += 1;
    if (pages === PAGE_LIMIT && page.nextToken !== undefined) {
      throw new Error(`the flow log ${search.logGroupName} holds more lines than can be read`);
    }
    // The other side of the race is lost: nobody wants the rest.
    if (!isInTime()) return;
  }
}

/** What the service says for good: asked again, it says the same. */
const REFUSALS = [
  'AccessDeniedException',
  // "FilterLogEvents is not supported for this log class": Infrequent Access.
  'InvalidOperationException',
  'InvalidParameterException',
  'ResourceNotFoundException',
  'UnrecognizedClientException',
];

/**
 * Asks for one line, to know whether a log group can be searched at all; null = it can, or the service had a bad moment.
 * A stream that is not there yet begins with the first packet of its ENI.
 */
export async function searchRefusal(logs: CloudWatchLogsClient, search: LogSearch): Promise<string | null> {
  try {
    await logs.send(new FilterLogEventsCommand({ ...inputOf(search), limit: 1 }));
    return null;
  } catch (error) {
    if (isPassing(error)) return null;
    return `its log group ${search.logGroupName} cannot be searched: ${errorText(error)}`;
  }
}

/** Another search may be answered. */
export const isPassing = (error: unknown): boolean => !REFUSALS.includes(errorCode(error)) || isMissingStream(error);

const isMissingStream = (error: unknown): boolean =>
  errorCode(error) === 'ResourceNotFoundException' && /log stream/i.test(errorText(error));
