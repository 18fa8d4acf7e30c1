import { type CloudWatchLogsClient, paginateFilterLogEvents } from '@aws-sdk/client-cloudwatch-logs';
import { type EC2Client, type FlowLog, paginateDescribeFlowLogs } from '@aws-sdk/client-ec2';
import type { FlowLogFacts } from '../core/case/facts.ts';

/** Active flow logs on any of these resources (ENIs, subnets, VPCs) that are delivered to CloudWatch Logs. */
export async function flowLogsOn(ec2: EC2Client, resourceIds: readonly string[]): Promise<readonly FlowLogFacts[]> {
  if (resourceIds.length === 0) return [];
  const input = { Filter: [{ Name: 'resource-id', Values: [...resourceIds] }] };
  const found: FlowLog[] = [];
  for await (const page of paginateDescribeFlowLogs({ client: ec2 }, input)) found.push(...(page.FlowLogs ?? []));
  return found.flatMap((log) => {
    const { FlowLogId, ResourceId, LogGroupName, CreationTime } = log;
    const usable =
      log.FlowLogStatus === 'ACTIVE' &&
      log.DeliverLogsStatus !== 'FAILED' &&
      log.TrafficType !== 'ACCEPT' &&
      log.TrafficType !== 'REJECT';
    if (!usable || FlowLogId === undefined || ResourceId === undefined || LogGroupName === undefined) return [];
    const createdAt = CreationTime === undefined ? null : CreationTime.getTime() / 1000;
    return [{ id: FlowLogId, resourceId: ResourceId, logGroupName: LogGroupName, createdAt }];
  });
}

/** Lines beyond this are not read: a log that busy proves nothing in time. */
const LINE_LIMIT = 50_000;

/** The lines of a log group that hold all these terms, between two moments in epoch seconds. */
export async function searchLog(
  logs: CloudWatchLogsClient,
  logGroupName: string,
  terms: readonly string[],
  from: number,
  to: number,
): Promise<readonly string[]> {
  const lines: string[] = [];
  const input = {
    logGroupName,
    filterPattern: terms.map((term) => `"${term}"`).join(' '),
    startTime: Math.floor(from) * 1000,
    endTime: Math.ceil(to) * 1000,
  };
  for await (const page of paginateFilterLogEvents({ client: logs }, input)) {
    for (const event of page.events ?? []) if (event.message !== undefined) lines.push(event.message);
    if (lines.length > LINE_LIMIT)
      throw new Error(`the flow log ${logGroupName} holds more than ${LINE_LIMIT} matching lines`);
  }
  return lines;
}
