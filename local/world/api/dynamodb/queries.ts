import type { AttributeValue, QueryCommandInput, ScanCommandInput } from '@aws-sdk/client-dynamodb';
import type { ApiContext } from '../context.ts';
import type { ServiceMemory } from '../memory.ts';
import { attributesOf, type Condition, meets, parseCondition } from './conditions.ts';
import { KEY_NAMES, keyOf, requireKey, tableOf } from './keys.ts';
import { type Placeholders, placeholders, readTokens, requireAllUsed } from './tokens.ts';
import { order, type Path, projected, type TableItem, validation } from './values.ts';

/** One page reads this much at most, before the filter. */
const PAGE_BYTES = 1024 * 1024;

export function readPaths(expression: string | undefined, known: Placeholders): Path[] | null {
  if (expression === undefined) return null;
  const tokens = readTokens('ProjectionExpression', expression, known);
  const paths = [tokens.path()];
  while (tokens.take(',')) paths.push(tokens.path());
  if (tokens.peek() !== undefined) throw tokens.fail(`Syntax error; token: "${tokens.peek()}"`);
  return paths;
}

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html */
export function query({ memory }: ApiContext, input: QueryCommandInput): object {
  if (input.KeyConditionExpression === undefined) {
    throw validation('Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.');
  }
  const known = placeholders(input.ExpressionAttributeNames, input.ExpressionAttributeValues);
  const keys = parseCondition('KeyConditionExpression', input.KeyConditionExpression, known);
  requireKeyCondition(keys);
  return readPage(memory, input, known, (item) => meets(item, keys), input.ScanIndexForward !== false);
}

export function scan({ memory }: ApiContext, input: ScanCommandInput): object {
  const known = placeholders(input.ExpressionAttributeNames, input.ExpressionAttributeValues);
  return readPage(memory, input, known, () => true, true);
}

function readPage(
  memory: ServiceMemory,
  input: ScanCommandInput,
  known: Placeholders,
  isMeant: (item: TableItem) => boolean,
  forward: boolean,
): object {
  if (input.IndexName !== undefined)
    throw validation(`The table does not have the specified index: ${input.IndexName}`);
  if (input.Limit !== undefined && input.Limit < 1)
    throw validation("Value at 'limit' failed to satisfy constraint: at least 1");
  const filter =
    input.FilterExpression === undefined ? null : parseCondition('FilterExpression', input.FilterExpression, known);
  const paths = readPaths(input.ProjectionExpression, known);
  requireAllUsed(known);
  if (filter !== null) requireNoKeys(filter);
  const items = [...tableOf(memory, input.TableName).values()].filter(isMeant).sort(byKey);
  if (!forward) items.reverse();
  const after = afterStart(items, input.ExclusiveStartKey, forward);
  const read = firstPage(after, input.Limit);
  const passed = filter === null ? read : read.filter((item) => meets(item, filter));
  const whole = read.length === after.length && read.length !== input.Limit;
  const last = read.at(-1);
  return {
    ...(input.Select === 'COUNT' ? {} : { Items: structuredClone(passed.map((item) => projected(item, paths))) }),
    Count: passed.length,
    ScannedCount: read.length,
    ...(whole || last === undefined ? {} : { LastEvaluatedKey: structuredClone(keyOf(last)) }),
  };
}

function byKey(a: TableItem, b: TableItem): number {
  for (const name of KEY_NAMES) {
    const sign = order(a[name] ?? { S: '' }, b[name] ?? { S: '' });
    if (sign !== null && sign !== 0) return sign;
  }
  return 0;
}

function afterStart(
  items: TableItem[],
  start: Record<string, AttributeValue> | undefined,
  forward: boolean,
): TableItem[] {
  if (start === undefined) return items;
  requireKey(start);
  return items.filter((item) => (forward ? byKey(item, start) > 0 : byKey(item, start) < 0));
}

function firstPage(items: readonly TableItem[], limit: number | undefined): TableItem[] {
  const read: TableItem[] = [];
  let bytes = 0;
  for (const item of items) {
    if (read.length === limit || bytes > PAGE_BYTES) break;
    read.push(item);
    bytes += Buffer.byteLength(JSON.stringify(item));
  }
  return read;
}

/** The partition key by equality, and at most one condition on the sort key. */
function requireKeyCondition(condition: Condition): void {
  const parts = condition.kind === 'and' ? [condition.left, condition.right] : [condition];
  const [pk, sk] = KEY_NAMES;
  const on = (name: string) => parts.filter((part) => attributesOf(part).join() === name);
  const [partition, ...more] = on(pk);
  if (partition?.kind !== 'compare' || partition.comparator !== '=' || more.length > 0) {
    throw validation('Query condition missed key schema element: pk');
  }
  const sort = on(sk);
  if (sort.length !== parts.length - 1) throw validation('Query key condition not supported');
  for (const part of sort) {
    const supported = ['compare', 'between', 'begins_with'].includes(part.kind);
    if (!supported || (part.kind === 'compare' && part.comparator === '<>')) {
      throw validation('Invalid operator used in KeyConditionExpression');
    }
  }
}

function requireNoKeys(filter: Condition): void {
  const key = attributesOf(filter).find((name) => (KEY_NAMES as readonly string[]).includes(name));
  if (key !== undefined) {
    throw validation(`Filter Expression can only contain non-primary key attributes: Primary key attribute: ${key}`);
  }
}
