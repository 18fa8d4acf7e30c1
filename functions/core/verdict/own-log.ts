import type { FlowLogFacts } from '../case/facts.ts';

/**
 * The fields of our own flow logs: those that a record is read by, and for people the flags and the way of the packets. The
 * `pkt-` pair is the one that the packet carries, where the other pair has the primary address of the interface.
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
 */
const OWN_FIELDS = [
  'version',
  'account-id',
  'interface-id',
  'srcaddr',
  'dstaddr',
  'srcport',
  'dstport',
  'protocol',
  'packets',
  'bytes',
  'start',
  'end',
  'action',
  'log-status',
  'tcp-flags',
  'pkt-srcaddr',
  'pkt-dstaddr',
  'flow-direction',
] as const;

export const OWN_LOG_FORMAT = OWN_FIELDS.map((name) => `\${${name}}`).join(' ');

/** The shortest that EC2 takes. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFlowLogs.html */
export const OWN_INTERVAL_SECONDS = 60;

/** "The maximum number of flow logs per network interface", not adjustable. https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html */
export const LOGS_PER_RESOURCE = 2;

const withoutSlash = (arn: string): string => arn.replace(/\/+$/, '');

/** The folder below the bucket that a log is delivered to, empty or ending in `/`; null = another place. */
export function folderIn(bucketArn: string | null, destination: string | null): string | null {
  if (bucketArn === null || destination === null) return null;
  const place = withoutSlash(destination);
  if (place === bucketArn) return '';
  return place.startsWith(`${bucketArn}/`) ? `${place.slice(bucketArn.length + 1)}/` : null;
}

/** A log that EC2 would not make a second time beside it: to the bucket itself, of all traffic, in our format. */
export const isAsOurs = (log: FlowLogFacts, bucketArn: string): boolean =>
  log.destinationType === 's3' &&
  log.trafficType === 'ALL' &&
  log.format === OWN_LOG_FORMAT &&
  folderIn(bucketArn, log.destination) === '';
