import { createHash } from 'node:crypto';
import { AwsError } from './errors.ts';
import { memorySlot, type ServiceMemory } from './memory.ts';

/** An id of AWS's form made from its parts: the same in every run. */
export function madeId(prefix: string, ...parts: readonly unknown[]): string {
  return `${prefix}-${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 17)}`;
}

/** Counts what was created, to make ids that are the same in every run. */
const created = memorySlot(() => ({ count: 0 }));

function nextNumber(memory: ServiceMemory): number {
  const counter = memory.of(created);
  counter.count += 1;
  return counter.count;
}

/** An id for a thing that was just created. */
export function newId(memory: ServiceMemory, prefix: string): string {
  return madeId(prefix, 'created', nextNumber(memory));
}

/** A UUID for a thing that was just created. */
export function newUuid(memory: ServiceMemory): string {
  const hex = createHash('sha256')
    .update(`uuid ${nextNumber(memory)}`)
    .digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Error codes of an EC2 resource id that is not there or is none. */
interface IdKind {
  readonly prefix: string;
  readonly noun: string;
  readonly notFound: string;
  /** Where EC2 has no code of its own for a malformed id it answers InvalidParameterValue. */
  readonly malformed: string;
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html */
export const ID_KINDS = {
  instance: {
    prefix: 'i',
    noun: 'instance ID',
    notFound: 'InvalidInstanceID.NotFound',
    malformed: 'InvalidInstanceID.Malformed',
  },
  networkInterface: {
    prefix: 'eni',
    noun: 'networkInterface ID',
    notFound: 'InvalidNetworkInterfaceID.NotFound',
    malformed: 'InvalidNetworkInterfaceId.Malformed',
  },
  group: {
    prefix: 'sg',
    noun: 'security group',
    notFound: 'InvalidGroup.NotFound',
    malformed: 'InvalidGroupId.Malformed',
  },
  groupRule: {
    prefix: 'sgr',
    noun: 'security group rule ID',
    notFound: 'InvalidSecurityGroupRuleId.NotFound',
    malformed: 'InvalidSecurityGroupRuleId.Malformed',
  },
  acl: {
    prefix: 'acl',
    noun: 'networkAcl ID',
    notFound: 'InvalidNetworkAclID.NotFound',
    malformed: 'InvalidParameterValue',
  },
  routeTable: {
    prefix: 'rtb',
    noun: 'routeTable ID',
    notFound: 'InvalidRouteTableID.NotFound',
    malformed: 'InvalidRouteTableId.Malformed',
  },
  subnet: {
    prefix: 'subnet',
    noun: 'subnet ID',
    notFound: 'InvalidSubnetID.NotFound',
    malformed: 'InvalidParameterValue',
  },
  vpc: { prefix: 'vpc', noun: 'vpc ID', notFound: 'InvalidVpcID.NotFound', malformed: 'InvalidParameterValue' },
  vpcEndpoint: {
    prefix: 'vpce',
    noun: 'Vpc Endpoint Id',
    notFound: 'InvalidVpcEndpointId.NotFound',
    malformed: 'InvalidVpcEndpointId.Malformed',
  },
  prefixList: {
    prefix: 'pl',
    noun: 'prefix list ID',
    notFound: 'InvalidPrefixListID.NotFound',
    malformed: 'InvalidPrefixListId.Malformed',
  },
  flowLog: {
    prefix: 'fl',
    noun: 'flow log ID',
    notFound: 'InvalidFlowLogId.NotFound',
    malformed: 'InvalidParameterValue',
  },
  snapshot: {
    prefix: 'snap',
    noun: 'snapshot',
    notFound: 'InvalidSnapshot.NotFound',
    malformed: 'InvalidSnapshotID.Malformed',
  },
} as const satisfies Record<string, IdKind>;

export type IdKindName = keyof typeof ID_KINDS;

/** The object of an id, or EC2's error for one that is malformed or not there. */
export function found<T>(kind: IdKindName, id: string, items: readonly T[], idOf: (item: T) => string): T {
  const item = items.find((candidate) => idOf(candidate) === id);
  if (item !== undefined) return item;
  const { prefix, noun, notFound, malformed } = ID_KINDS[kind];
  if (!new RegExp(`^${prefix}-([0-9a-f]{8}|[0-9a-f]{17})$`).test(id)) {
    throw new AwsError(malformed, `Invalid id: "${id}" (expecting "${prefix}-...")`);
  }
  throw new AwsError(notFound, `The ${noun} '${id}' does not exist`);
}
