import { isRecord, valueAt } from '../intake/input-fields.ts';
import type { WatchedCase } from './watch.ts';

/** What a call that CloudTrail recorded has touched. */
export interface Touched {
  /** The API, as a person calls it. */
  readonly call: string;
  readonly ids: ReadonlySet<string>;
}

/**
 * Calls of EC2 that can undo a control, or open a way around one. A call that is not listed is seen by the next sweep.
 * template.yaml has the same list in its rule, and a test compares both.
 */
export const UNDOING_CALLS = [
  'AttachNetworkInterface',
  'AuthorizeSecurityGroupEgress',
  'AuthorizeSecurityGroupIngress',
  'CreateNetworkAclEntry',
  'DeleteFlowLogs',
  'DeleteNetworkAcl',
  'DeleteNetworkAclEntry',
  'DeleteNetworkInterface',
  'DeleteSecurityGroup',
  'DetachNetworkInterface',
  'ModifyInstanceAttribute',
  'ModifyNetworkInterfaceAttribute',
  'ModifySecurityGroupRules',
  'ReplaceNetworkAclAssociation',
  'ReplaceNetworkAclEntry',
  'StartInstances',
] as const;

/** Calls that name no thing of a case, but an association that nobody knows by its id: they touch every case. */
const TOUCHES_ALL: readonly string[] = ['ReplaceNetworkAclAssociation'];

const ID = /^(i|eni|acl|sg|fl)-[0-9a-f]{8,17}$/;

/** A request names a handful of ids; who names more wants to keep us busy. */
const MOST_VALUES = 2000;
const DEEPEST = 12;

/** Text and lists of a request, for whatever it holds. */
function idsIn(parameters: unknown): ReadonlySet<string> {
  const ids = new Set<string>();
  let left = MOST_VALUES;
  const look = (value: unknown, depth: number): void => {
    left -= 1;
    if (left < 0 || depth > DEEPEST) return;
    if (typeof value === 'string') {
      if (ID.test(value)) ids.add(value);
    } else if (Array.isArray(value)) {
      for (const one of value) look(one, depth + 1);
    } else if (isRecord(value)) {
      for (const one of Object.values(value)) look(one, depth + 1);
    }
  };
  look(parameters, 0);
  return ids;
}

/** Does CloudTrail tell of a call? Everything else that starts the sweep is a tick of its schedule. */
export const isTrail = (event: unknown): boolean => valueAt(event, 'detail-type') === 'AWS API Call via CloudTrail';

/**
 * Reads what CloudTrail tells of a call: everything in it is data, and much of it a stranger has written. null = it is none
 * that could undo anything, it failed, or it is of another account or Region. The rule of the template leaves out our own roles.
 * https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
 */
export function readTrail(
  event: unknown,
  { accountId, region }: { readonly accountId: string; readonly region: string },
): Touched | null {
  const detail = valueAt(event, 'detail');
  if (!isTrail(event) || !isRecord(detail)) return null;
  const { eventName, eventSource, awsRegion, recipientAccountId, errorCode, requestParameters, responseElements } =
    detail;
  const call = UNDOING_CALLS.find((name) => name === eventName);
  if (call === undefined || eventSource !== 'ec2.amazonaws.com') return null;
  // In a shared VPC the owner of the ACL is another account: CloudTrail tells both.
  if (awsRegion !== region || recipientAccountId !== accountId) return null;
  if (errorCode !== undefined && errorCode !== null) return null;
  return { call, ids: idsIn([requestParameters, responseElements]) };
}

/** The cases that a call touches. */
export const touchedCases = ({ call, ids }: Touched, watched: readonly WatchedCase[]): readonly WatchedCase[] =>
  watched.filter(({ touches }) => TOUCHES_ALL.includes(call) || touches.some((id) => ids.has(id)));
