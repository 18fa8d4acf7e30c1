/**
 * The documented fields and the version that brought each.
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html#flow-logs-fields
 */
const FIELDS_BY_VERSION = {
  2: 'version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status',
  3: 'vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr',
  4: 'region az-id sublocation-type sublocation-id',
  5: 'pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path',
  7: 'ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn ecs-container-instance-id ecs-container-id ecs-second-container-id ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id',
  8: 'reject-reason',
  9: 'resource-id',
  10: 'encryption-status',
} as const;

/** Every documented field. One that AWS adds later is placed like the others and read by nobody. */
export const LOG_FIELDS: readonly string[] = Object.values(FIELDS_BY_VERSION).flatMap((fields) => fields.split(' '));

/** Where the fields stand in the lines of a flow log. */
export interface LogFormat {
  /** Fields of a line. */
  readonly count: number;
  readonly placeOf: ReadonlyMap<string, number>;
}

function formatOf(names: readonly string[]): LogFormat {
  return { count: names.length, placeOf: new Map(names.map((name, place) => [name, place])) };
}

/** "The default format includes all version 2 fields, in the same order that they appear in the table." */
export const DEFAULT_LOG_FORMAT = formatOf(FIELDS_BY_VERSION[2].split(' '));

/** Reads `LogFormat` of DescribeFlowLogs: `${version} ${account-id} ...`. null = EC2 does not say, so it is the default. */
export function readLogFormat(text: string | null): LogFormat {
  const names = (text ?? '').split(/\s+/).flatMap((part) => /^\$\{([a-z0-9-]+)\}$/i.exec(part)?.[1] ?? []);
  return names.length === 0 ? DEFAULT_LOG_FORMAT : formatOf(names);
}

/** Either pair names both ends; the second one holds what the packet carries. */
export const ADDRESS_FIELDS = [
  ['srcaddr', 'dstaddr'],
  ['pkt-srcaddr', 'pkt-dstaddr'],
] as const;

const NEEDED = ['interface-id', 'action', 'log-status', 'start', 'end'];

/** Fields without which a line says nothing of a flow. */
export function missingFields({ placeOf }: LogFormat): readonly string[] {
  const hasBoth = ADDRESS_FIELDS.some((pair) => pair.every((name) => placeOf.has(name)));
  return [...NEEDED.filter((name) => !placeOf.has(name)), ...(hasBoth ? [] : ADDRESS_FIELDS[0])];
}
