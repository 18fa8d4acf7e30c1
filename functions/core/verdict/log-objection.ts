import type { FlowLogFacts } from '../case/facts.ts';
import { missingFields, readLogFormat } from './log-format.ts';
import { folderIn } from './own-log.ts';

const DESTINATIONS: Readonly<Record<string, string>> = { s3: 'a bucket', 'kinesis-data-firehose': 'Data Firehose' };

/** What of a deployment decides whether it can read a flow log. */
export interface Reader {
  readonly accountId: string;
  /** The bucket of the stack, the only one that is read; null = it has none. */
  readonly flowLogBucketArn: string | null;
}

/**
 * Why a flow log cannot be read, as far as DescribeFlowLogs tells; null = nothing speaks against it. Its log group or the
 * bucket may refuse all the same.
 */
export function logObjection(log: FlowLogFacts, reader: Reader): string | null {
  const why = objectionTo(log, reader);
  return why === null ? null : `flow log ${log.id} ${why}`;
}

/**
 * Why the lines of a flow log cannot be trusted beside those of `others` on the same interface; null = they can. "If a network
 * interface has multiple flow logs in the same log group, it has one combined log stream": lines of a log of one kind of traffic
 * would pass for its heartbeat where both have as many fields.
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-cwl.html
 */
export function streamObjection(log: FlowLogFacts, others: readonly FlowLogFacts[]): string | null {
  // The files of a bucket are each of one log.
  if (log.logGroupName === null) return null;
  const { count } = readLogFormat(log.format);
  const rival = others.find(
    (other) =>
      other.trafficType !== 'ALL' &&
      other.logGroupName === log.logGroupName &&
      readLogFormat(other.format).count === count,
  );
  if (rival === undefined) return null;
  return `flow log ${log.id} shares its log stream with ${rival.id}, which records ${rival.trafficType} only: their lines cannot be told apart`;
}

const isInOurBucket = ({ destinationType, destination }: FlowLogFacts, { flowLogBucketArn }: Reader): boolean =>
  destinationType === 's3' && folderIn(flowLogBucketArn, destination) !== null;

function objectionTo(log: FlowLogFacts, reader: Reader): string | null {
  const { accountId } = reader;
  const isInLogGroup = log.destinationType === 'cloud-watch-logs' && log.logGroupName !== null;
  if (!isInLogGroup && !isInOurBucket(log, reader)) {
    return `is delivered to ${DESTINATIONS[log.destinationType] ?? log.destinationType}, and only CloudWatch Logs and the bucket of this stack are read`;
  }
  if (log.destinationAccountId !== null && log.destinationAccountId !== accountId) {
    return `is delivered to account ${log.destinationAccountId}, whose log groups this responder cannot search`;
  }
  if (log.problem !== null) return `is not delivered: ${log.problem}`;
  // Its silence is no heartbeat.
  if (log.trafficType !== 'ALL') return `records traffic of one kind only (${log.trafficType})`;
  const missing = missingFields(readLogFormat(log.format));
  if (missing.length > 0) return `has a format without ${missing.join(', ')}`;
  return null;
}
