/**
 * The fields of a flow log record and the version that brought each.
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
 */
export const LOG_FIELDS: Readonly<Record<string, number>> = {
  version: 2,
  'account-id': 2,
  'interface-id': 2,
  srcaddr: 2,
  dstaddr: 2,
  srcport: 2,
  dstport: 2,
  protocol: 2,
  packets: 2,
  bytes: 2,
  start: 2,
  end: 2,
  action: 2,
  'log-status': 2,
  'vpc-id': 3,
  'subnet-id': 3,
  'instance-id': 3,
  'tcp-flags': 3,
  type: 3,
  'pkt-srcaddr': 3,
  'pkt-dstaddr': 3,
  region: 4,
  'az-id': 4,
  'sublocation-type': 4,
  'sublocation-id': 4,
  'pkt-src-aws-service': 5,
  'pkt-dst-aws-service': 5,
  'flow-direction': 5,
  'traffic-path': 5,
  'ecs-cluster-name': 7,
  'ecs-cluster-arn': 7,
  'ecs-container-instance-id': 7,
  'ecs-container-instance-arn': 7,
  'ecs-service-name': 7,
  'ecs-task-definition-arn': 7,
  'ecs-task-id': 7,
  'ecs-task-arn': 7,
  'ecs-container-id': 7,
  'ecs-second-container-id': 7,
  'reject-reason': 8,
  'resource-id': 9,
  'encryption-status': 10,
};

/** Field names as `LogFormat` writes them. */
export const formatOf = (fields: readonly string[]): string => fields.map((name) => `\${${name}}`).join(' ');

/** The default format: the fields of version 2, in their order. */
export const DEFAULT_FORMAT = formatOf(Object.keys(LOG_FIELDS).filter((name) => LOG_FIELDS[name] === 2));

/**
 * The field names of a `LogFormat`, in order; null where it is none: `${field}` parted by spaces, each a known field.
 *
 * @example fieldsOfFormat(formatOf(['srcaddr', 'action'])) // ['srcaddr', 'action']
 */
export function fieldsOfFormat(format: string): string[] | null {
  const fields = format
    .trim()
    .split(/\s+/)
    .map((part) => /^\$\{([a-z0-9-]+)\}$/.exec(part)?.[1]);
  const known = fields.filter((one) => one !== undefined && one in LOG_FIELDS);
  return known.length === fields.length ? (known as string[]) : null;
}

/** A record is of the highest version among its fields. */
export const versionOf = (fields: readonly string[]): number =>
  Math.max(2, ...fields.map((name) => LOG_FIELDS[name] ?? 2));
