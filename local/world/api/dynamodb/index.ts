import type {
  AttributeValue,
  ConditionCheck,
  DeleteItemCommandInput,
  GetItemCommandInput,
  PutItemCommandInput,
  TransactWriteItem,
  TransactWriteItemsCommandInput,
  UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb';
import type { ApiContext, Handlers } from '../context.ts';
import { AwsError } from '../errors.ts';
import { memorySlot, type ServiceMemory } from '../memory.ts';
import { meets, parseCondition } from './conditions.ts';
import { itemKey, KEY_NAMES, keyOf, requireKey, tableOf } from './keys.ts';
import { query, readPaths, scan } from './queries.ts';
import { placeholders, requireAllUsed } from './tokens.ts';
import { applyUpdate, parseUpdate, updatedName } from './updates.ts';
import { checkValue, projected, type TableItem, validation } from './values.ts';

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html */
const ITEM_BYTES = 400 * 1024;
const TRANSACTION_ITEMS = 100;
const TOKEN_SECONDS = 600;

/** Client tokens of transactions that were made. */
const transactions = memorySlot(() => new Map<string, { readonly at: number; readonly text: string }>());

function getItem({ memory }: ApiContext, input: GetItemCommandInput): object {
  const known = placeholders(input.ExpressionAttributeNames, undefined);
  const paths = readPaths(input.ProjectionExpression, known);
  requireAllUsed(known);
  const item = tableOf(memory, input.TableName).get(requireKey(input.Key));
  return item === undefined ? {} : { Item: structuredClone(projected(item, paths)) };
}

/** A write that is checked and not yet made. */
interface Write {
  readonly table: Map<string, TableItem>;
  readonly key: string;
  readonly before: TableItem | undefined;
  /** undefined = the item is deleted. */
  readonly after: TableItem | undefined;
  readonly touched: readonly string[];
  readonly met: boolean;
}

type Conditional = Partial<
  Pick<ConditionCheck, 'TableName' | 'ConditionExpression' | 'ExpressionAttributeNames' | 'ExpressionAttributeValues'>
>;

/** Checks everything that can be refused, and works out what the item becomes. */
function prepare(
  memory: ServiceMemory,
  input: Conditional,
  target: { key: string } & (
    | { kind: 'put'; item: TableItem }
    | { kind: 'update'; keyItem: TableItem; expression: string | undefined }
    | { kind: 'delete' | 'check' }
  ),
): Write {
  const known = placeholders(input.ExpressionAttributeNames, input.ExpressionAttributeValues);
  for (const value of Object.values(known.values)) checkValue(value);
  const condition =
    input.ConditionExpression === undefined
      ? null
      : parseCondition('ConditionExpression', input.ConditionExpression, known);
  const actions =
    target.kind === 'update' && target.expression !== undefined ? parseUpdate(target.expression, known) : [];
  requireAllUsed(known);
  const table = tableOf(memory, input.TableName);
  const before = table.get(target.key);
  const met = condition === null || meets(before, condition);
  const write = { table, key: target.key, before, met };
  switch (target.kind) {
    case 'put':
      return { ...write, after: checkedItem(structuredClone(target.item)), touched: Object.keys(target.item) };
    case 'delete':
      return { ...write, after: undefined, touched: [] };
    case 'check':
      return { ...write, after: before, touched: [] };
    case 'update': {
      const keyName = updatedName(actions, KEY_NAMES);
      if (keyName !== undefined) {
        throw validation(
          `One or more parameter values were invalid: Cannot update attribute ${keyName}. This attribute is part of the key`,
        );
      }
      // A condition that fails is answered before a term that cannot be read.
      if (!met) return { ...write, after: before, touched: [] };
      const { after, touched } = applyUpdate(before ?? target.keyItem, actions);
      return { ...write, after: checkedItem(after), touched };
    }
    default:
      return target satisfies never;
  }
}

function checkedItem(item: TableItem): TableItem {
  for (const value of Object.values(item)) checkValue(value);
  if (Buffer.byteLength(JSON.stringify(item)) > ITEM_BYTES) {
    throw validation('Item size has exceeded the maximum allowed size');
  }
  return item;
}

function commit({ table, key, before, after }: Write): void {
  if (after === undefined) table.delete(key);
  else if (after !== before) table.set(key, after);
}

/** https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html#DDB-PutItem-request-ReturnValuesOnConditionCheckFailure */
function perform(
  write: Write,
  {
    ReturnValues,
    ReturnValuesOnConditionCheckFailure,
  }: Pick<UpdateItemCommandInput, 'ReturnValues' | 'ReturnValuesOnConditionCheckFailure'>,
): object {
  const { before, after, touched } = write;
  if (!write.met) {
    const members =
      ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && before !== undefined
        ? { Item: structuredClone(before) }
        : {};
    throw new AwsError('ConditionalCheckFailedException', 'The conditional request failed', { members });
  }
  commit(write);
  const only = (item: TableItem | undefined) =>
    Object.fromEntries(Object.entries(item ?? {}).filter(([name]) => touched.includes(name)));
  switch (ReturnValues) {
    case 'ALL_OLD':
      return before === undefined ? {} : { Attributes: structuredClone(before) };
    case 'ALL_NEW':
      return { Attributes: structuredClone(after) };
    case 'UPDATED_OLD':
      return { Attributes: structuredClone(only(before)) };
    case 'UPDATED_NEW':
      return { Attributes: structuredClone(only(after)) };
    default:
      return {};
  }
}

function requireReturnValues(value: string | undefined, allowed: readonly string[]): void {
  if (value !== undefined && !allowed.includes(value)) throw validation('Return values set to invalid value');
}

function putItem({ memory }: ApiContext, input: PutItemCommandInput): object {
  requireReturnValues(input.ReturnValues, ['NONE', 'ALL_OLD']);
  const item = input.Item ?? {};
  return perform(prepare(memory, input, { kind: 'put', key: itemKey(item), item }), input);
}

function updateItem({ memory }: ApiContext, input: UpdateItemCommandInput): object {
  requireReturnValues(input.ReturnValues, ['NONE', 'ALL_OLD', 'ALL_NEW', 'UPDATED_OLD', 'UPDATED_NEW']);
  const key = requireKey(input.Key);
  const target = { kind: 'update', key, keyItem: keyOf(input.Key ?? {}), expression: input.UpdateExpression } as const;
  return perform(prepare(memory, input, target), input);
}

function deleteItem({ memory }: ApiContext, input: DeleteItemCommandInput): object {
  requireReturnValues(input.ReturnValues, ['NONE', 'ALL_OLD']);
  return perform(prepare(memory, input, { kind: 'delete', key: requireKey(input.Key) }), input);
}

/** All or nothing, once per item, and once per client token. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html */
function transactWriteItems({ memory, now }: ApiContext, input: TransactWriteItemsCommandInput): object {
  const items = input.TransactItems ?? [];
  if (items.length === 0 || items.length > TRANSACTION_ITEMS) {
    throw validation(`Member must have length from 1 to ${TRANSACTION_ITEMS}`);
  }
  const token = input.ClientRequestToken;
  const text = JSON.stringify(items);
  const earlier = token === undefined ? undefined : memory.of(transactions).get(token);
  if (earlier !== undefined && now <= earlier.at + TOKEN_SECONDS) {
    if (earlier.text === text) return {};
    throw new AwsError('IdempotentParameterMismatchException', 'The token was used with other parameters');
  }
  const writes = items.map((item) => prepareTransactItem(memory, item));
  for (const [index, { table, key }] of writes.entries()) {
    if (writes.slice(index + 1).some((other) => other.table === table && other.key === key)) {
      throw validation('Transaction request cannot include multiple operations on one item');
    }
  }
  if (writes.some(({ met }) => !met)) throw cancelled(writes, items);
  for (const write of writes) commit(write);
  if (token !== undefined) memory.of(transactions).set(token, { at: now, text });
  return {};
}

function prepareTransactItem(memory: ServiceMemory, { Put, Update, Delete, ConditionCheck }: TransactWriteItem): Write {
  if ([Put, Update, Delete, ConditionCheck].filter((member) => member !== undefined).length !== 1) {
    throw validation('TransactItems can only contain one of Check, Put, Update or Delete');
  }
  if (Put !== undefined) {
    const item = Put.Item ?? {};
    return prepare(memory, Put, { kind: 'put', key: itemKey(item), item });
  }
  if (Update !== undefined) {
    const key = requireKey(Update.Key);
    const target = {
      kind: 'update',
      key,
      keyItem: keyOf(Update.Key ?? {}),
      expression: Update.UpdateExpression,
    } as const;
    return prepare(memory, Update, target);
  }
  if (Delete !== undefined) return prepare(memory, Delete, { kind: 'delete', key: requireKey(Delete.Key) });
  return prepare(memory, ConditionCheck ?? {}, { kind: 'check', key: requireKey(ConditionCheck?.Key) });
}

function cancelled(writes: readonly Write[], items: readonly TransactWriteItem[]): AwsError {
  const CancellationReasons = writes.map(({ met, before }, index) => {
    if (met) return { Code: 'None' };
    const { Put, Update, Delete, ConditionCheck } = items[index] ?? {};
    const asked = (Put ?? Update ?? Delete ?? ConditionCheck)?.ReturnValuesOnConditionCheckFailure === 'ALL_OLD';
    const Item: Record<string, AttributeValue> | undefined = asked ? structuredClone(before) : undefined;
    const reason = { Code: 'ConditionalCheckFailed', Message: 'The conditional request failed' };
    return Item === undefined ? reason : { ...reason, Item };
  });
  const codes = CancellationReasons.map(({ Code }) => Code).join(', ');
  return new AwsError(
    'TransactionCanceledException',
    `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
    { members: { CancellationReasons } },
  );
}

export const dynamoDbHandlers: Handlers = {
  GetItem: getItem,
  PutItem: putItem,
  UpdateItem: updateItem,
  DeleteItem: deleteItem,
  TransactWriteItems: transactWriteItems,
  Query: query,
  Scan: scan,
};
