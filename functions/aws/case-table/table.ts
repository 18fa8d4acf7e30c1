import {
  type AttributeValue,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  paginateQuery,
  TransactionCanceledException,
} from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { quote } from '../../core/errors.ts';
import { errorCode } from '../errors.ts';

/**
 * The case table: one table, string keys `pk` and `sk`, conditional writes only (docs/adr/0004-case-table.md).
 *
 * | pk | sk | what |
 * | --- | --- | --- |
 * | `INSTANCE#account#region#i-...` | `CLAIM` | which case is the instance's current one, and its generation |
 * | `CASE#id` | `CASE` | the case document, with a version for optimistic locking |
 * | `CASE#id` | `BEFORE#eni-...` | an ENI as it was found: written once, and anew where somebody has undone the isolation |
 * | `CASE#id` | `PRESERVED#...` | what was done to keep evidence, and what undoes it |
 * | `CASE#id` | `GROUP#sg-...` | a group that was deleted, whole |
 * | `CASE#id` | `HOST#command id` | what the host printed, whole |
 * | `CASE#id` | `TIME#iso#step#hash` | the timeline; the hash is of the entry's words |
 * | `CASE#id` | `HEARD` | what the flow log told the last look (heard.ts) |
 * | `CASE#id` | `REPORT` | the newest report, whole (reports.ts) |
 * | `CASE#id` | `SAID#step#last` | what the step put on the timeline last |
 * | `SETTINGS` | `MODE` | the switch: `observe` stops everything |
 * | `CAP#vpc-...#hour`, `CAP#vpc-...#hour#HIGH` | `PLACES` | the cases that were newly isolated in the hour; those of high severity apart |
 * | `CASE#id` | `SUCCESSOR#sg-...` | the id under which it was made again |
 * | `GROUP#sg-...` | `CASE#id` | the case's restore needs the group |
 * | `ACL#acl-...` | `DENY#in\|out#cidr` | ledger: the rule number of our deny and the set of cases that need it |
 * | `ACL#acl-...` | `NUMBER#in\|out#00001` | ledger: the number is taken by us |
 * | `SHARED#kind` | `THING#id` | ledger: the set of cases that need another shared thing (shared-things.ts) |
 * | `PACE#account#region` | API | how full EC2's bucket for the API is (turns.ts) |
 */
export interface CaseTable {
  readonly client: DynamoDBClient;
  readonly name: string;
}

export type Item = Record<string, AttributeValue>;

const CONDITION_FAILED = 'ConditionalCheckFailedException';

/** Makes a conditional write; null = its condition does not hold, and nothing was written. */
export async function ifHolds<T>(write: () => Promise<T>): Promise<T | null> {
  try {
    return await write();
  } catch (error) {
    if (errorCode(error) === CONDITION_FAILED) return null;
    throw error;
  }
}

type Plain = Readonly<Record<string, unknown>>;

/** Only we write into the table; what a person's hand has changed in it stops a step with a sentence, not by surprise. */
function malformed(item: Plain, member: string, wanted: string): Error {
  return new Error(`the case table's item ${quote(item.pk)} ${quote(item.sk)}: its ${member} is not ${wanted}`);
}

export function textOf(item: Plain, member: string): string {
  const value = item[member];
  if (typeof value !== 'string') throw malformed(item, member, 'text');
  return value;
}

export function numberOf(item: Plain, member: string): number {
  const value = item[member];
  if (typeof value !== 'number') throw malformed(item, member, 'a number');
  return value;
}

/** JSON text in an item, as the object that it is. Throws, naming item and member, where it is none. */
export function parsed<T extends object>(item: Plain, member: string): T {
  let value: unknown = null;
  try {
    value = JSON.parse(textOf(item, member));
  } catch {
    // Said below.
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed(item, member, 'a JSON object');
  return value as T;
}

export const keyOf = (pk: string, sk: string): Item => ({ pk: { S: pk }, sk: { S: sk } });

/** Reads one item of the table; null = it is not there. */
export async function readItem(table: CaseTable, pk: string, sk: string): Promise<Record<string, unknown> | null> {
  const answer = await table.client.send(
    new GetItemCommand({ TableName: table.name, Key: keyOf(pk, sk), ConsistentRead: true }),
  );
  return answer.Item === undefined ? null : unmarshall(answer.Item);
}

export interface Condition {
  readonly expression: string;
  readonly names?: Readonly<Record<string, string>>;
  readonly values?: Readonly<Record<string, string | number>>;
}

export const IS_NEW: Condition = { expression: 'attribute_not_exists(pk)' };

/** Writes a whole item, under a condition if there is one; false = it does not hold, and what is there stays. */
export async function putIf(
  table: CaseTable,
  item: Readonly<Record<string, unknown>>,
  { expression, names, values }: Partial<Condition> = {},
): Promise<boolean> {
  const put = new PutItemCommand({
    TableName: table.name,
    Item: marshall(item),
    ConditionExpression: expression,
    ...(names && { ExpressionAttributeNames: names }),
    ...(values && { ExpressionAttributeValues: marshall(values) }),
  });
  return (await ifHolds(() => table.client.send(put))) !== null;
}

/** Writes an item that is not there yet; false = there was one already, which stays. */
export const putNew = (table: CaseTable, item: Readonly<Record<string, unknown>>): Promise<boolean> =>
  putIf(table, item, IS_NEW);

export async function list(table: CaseTable, pk: string, prefix: string): Promise<readonly Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = [];
  const input = {
    TableName: table.name,
    KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
    ExpressionAttributeValues: { ':pk': { S: pk }, ':prefix': { S: prefix } },
    ConsistentRead: true,
  };
  for await (const page of paginateQuery({ client: table.client }, input)) {
    found.push(...(page.Items ?? []).map((item) => unmarshall(item)));
  }
  return found;
}

/** The partition of everything that is one case's. */
export const caseKey = (caseId: string): string => `CASE#${caseId}`;

/** Attempts at a write that others contend for: with fifty writers of one item, each has its turn. */
export const WRITE_ATTEMPTS = 60;

/** Lets the others go first, for up to 20 ms, twice as long each time, up to a second: writers in step would never part. */
export function stepAside(attempt: number): Promise<void> {
  const longest = Math.min(1000, 20 * 2 ** attempt);
  return new Promise((resolve) => setTimeout(resolve, Math.random() * longest));
}

const CONFLICT = ['TransactionConflictException', 'TransactionInProgressException'];

function isConflict(error: unknown): boolean {
  if (CONFLICT.includes(errorCode(error))) return true;
  if (!(error instanceof TransactionCanceledException)) return false;
  const codes = (error.CancellationReasons ?? []).map((reason) => reason.Code ?? 'None');
  return codes.includes('TransactionConflict') && !codes.includes('ConditionalCheckFailed');
}

/** Another transaction on the same item is no answer: the SDK does not try it again, so this does. */
export async function despiteConflicts<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (!isConflict(error) || attempt >= WRITE_ATTEMPTS) throw error;
      await stepAside(attempt);
    }
  }
}
