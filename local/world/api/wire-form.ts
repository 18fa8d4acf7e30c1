import { definedMembers } from '../../defined-members.ts';
import type { ServiceName } from './sdk.ts';

/** The query protocols send a list as numbered members, so an empty one is not on the wire at all. */
const QUERY_PROTOCOLS: readonly ServiceName[] = ['ec2', 'autoscaling', 'elb', 'elbv2', 'sns'];

/** What of an input reaches the service: no undefined members, no empty lists where the protocol cannot carry them. */
export const wireForm = (service: ServiceName, input: unknown): unknown =>
  definedMembers(input, { dropEmptyLists: QUERY_PROTOCOLS.includes(service) });

/** Members that the SDK gives as Date; the world holds them as text. */
const DATES: ReadonlySet<string> = new Set([
  'AttachTime',
  'CreateTime',
  'CreatedTime',
  'CreationTime',
  'CreationTimestamp',
  'EndTime',
  'InstanceLaunchTime',
  'LastAssociationExecutionDate',
  'LastPingDateTime',
  'LastSuccessfulAssociationExecutionDate',
  'LaunchTime',
  'RegistrationDate',
  'RequestedDateTime',
  'StartTime',
  'UsageOperationUpdateTime',
  'startDate',
  'stopDate',
]);

/** A copy of an output with its dates as the SDK gives them; `DATES` are members of no DynamoDB item, so these pass whole. */
export function answerForm(output: object): object {
  const copy = (value: unknown, name: string): unknown => {
    if (typeof value === 'string' && DATES.has(name)) return new Date(value);
    if (value instanceof Date || value instanceof Uint8Array || value instanceof Set) return value;
    if (Array.isArray(value)) return value.map((member) => copy(member, name));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, copy(member, key)]));
  };
  return copy(output, '') as object;
}

/** An input in one short line for the timeline. */
export function inputSummary(input: unknown, limit = 240): string {
  const text = JSON.stringify(input) ?? '';
  return text.length > limit ? `${text.slice(0, limit)}...` : text;
}
