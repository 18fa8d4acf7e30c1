import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  paginateQuery,
  QueryCommand,
  type QueryCommandInput,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  type UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { describe, expect, it } from 'vitest';
import type { Fault } from '../../../local/world/api/shapes.ts';
import { inWorld, outcome, type Scene } from './small-world.ts';

const TableName = 'cases';
const Key = marshall({ pk: 'CASE#1', sk: 'CASE' });

interface Table extends Scene {
  readonly db: DynamoDBClient;
  put(item: Record<string, unknown>): Promise<void>;
  read(): Promise<Record<string, unknown> | null>;
  update(input: Partial<UpdateItemCommandInput>): Promise<Record<string, unknown> | undefined>;
}

function withTable<T>(body: (table: Table) => Promise<T>, Faults: Fault[] = []): Promise<T> {
  return inWorld({ Faults }, (scene) => {
    const db = scene.world.attach(new DynamoDBClient({ region: 'eu-central-1' }));
    return body({
      ...scene,
      db,
      async put(item) {
        await db.send(new PutItemCommand({ TableName, Item: { ...Key, ...marshall(item) } }));
      },
      async read() {
        const { Item } = await db.send(new GetItemCommand({ TableName, Key }));
        return Item === undefined ? null : unmarshall(Item);
      },
      async update(input) {
        const { Attributes } = await db.send(new UpdateItemCommand({ TableName, Key, ...input }));
        return Attributes && unmarshall(Attributes);
      },
    });
  });
}

const values = (object: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(object).map(([name, value]) => [`:${name}`, marshall({ value })['value'] as AttributeValue]),
  );

describe('writes', () => {
  it('put once where the item must not be there', () =>
    withTable(async ({ db, read }) => {
      const put = (colour: string) =>
        db.send(
          new PutItemCommand({
            TableName,
            Item: { ...Key, ...marshall({ colour }) },
            ConditionExpression: 'attribute_not_exists(pk)',
            ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
          }),
        );
      await put('red');
      const second = put('blue');

      await expect(second).rejects.toBeInstanceOf(ConditionalCheckFailedException);
      await expect(second).rejects.toMatchObject({
        name: 'ConditionalCheckFailedException',
        Item: { colour: { S: 'red' } },
      });
      expect(await read()).toEqual({ pk: 'CASE#1', sk: 'CASE', colour: 'red' });
    }));

  it.each<[string, Partial<UpdateItemCommandInput>, Record<string, unknown>]>([
    [
      'SET',
      {
        UpdateExpression: 'SET a = :n, #s = :s',
        ExpressionAttributeNames: { '#s': 'status' },
        ExpressionAttributeValues: values({ n: 2, s: 'open' }),
      },
      { a: 2, status: 'open' },
    ],
    [
      'a counter',
      { UpdateExpression: 'set version = version + :n', ExpressionAttributeValues: values({ n: 1 }) },
      { version: 8 },
    ],
    [
      'a difference',
      { UpdateExpression: 'SET version = version - :n', ExpressionAttributeValues: values({ n: 1 }) },
      { version: 6 },
    ],
    [
      'if_not_exists, there',
      { UpdateExpression: 'SET version = if_not_exists(version, :n)', ExpressionAttributeValues: values({ n: 1 }) },
      { version: 7 },
    ],
    [
      'if_not_exists, not there',
      { UpdateExpression: 'SET a = if_not_exists(a, :n) + :n', ExpressionAttributeValues: values({ n: 1 }) },
      { a: 2 },
    ],
    [
      'list_append',
      {
        UpdateExpression: 'SET #l = :l, notes = list_append(if_not_exists(notes, :none), :l)',
        ExpressionAttributeNames: { '#l': 'lines' },
        ExpressionAttributeValues: values({ l: ['b'], none: [] }),
      },
      { lines: ['b'], notes: ['a', 'b'] },
    ],
    [
      'a nested path',
      { UpdateExpression: 'SET nested.inside[1] = :n REMOVE nested.gone', ExpressionAttributeValues: values({ n: 9 }) },
      { nested: { inside: [1, 9] } },
    ],
    ['REMOVE', { UpdateExpression: 'REMOVE version' }, { version: undefined }],
    [
      'ADD to a number',
      { UpdateExpression: 'ADD version :n, fresh :n', ExpressionAttributeValues: values({ n: 3 }) },
      { version: 10, fresh: 3 },
    ],
    [
      'ADD to a set',
      { UpdateExpression: 'ADD needs :s', ExpressionAttributeValues: values({ s: new Set(['a', 'z']) }) },
      { needs: new Set(['a', 'b', 'z']) },
    ],
    [
      'DELETE from a set',
      { UpdateExpression: 'DELETE needs :s', ExpressionAttributeValues: values({ s: new Set(['a']) }) },
      { needs: new Set(['b']) },
    ],
    [
      'DELETE the last of a set',
      { UpdateExpression: 'DELETE needs :s', ExpressionAttributeValues: values({ s: new Set(['a', 'b']) }) },
      { needs: undefined },
    ],
    [
      'all at once, each reading what was before',
      { UpdateExpression: 'SET a = version ADD version :n', ExpressionAttributeValues: values({ n: 1 }) },
      { a: 7, version: 8 },
    ],
  ])('update: %s', (_title, input, expected) =>
    withTable(async ({ put, update }) => {
      await put({ version: 7, needs: new Set(['a', 'b']), notes: ['a'], nested: { inside: [1, 2], gone: true } });

      const after = await update({ ...input, ReturnValues: 'ALL_NEW' });

      for (const [name, value] of Object.entries(expected)) expect(after?.[name]).toEqual(value);
    }),
  );

  it('an update makes an item that is not there, with its key', () =>
    withTable(async ({ update, read }) => {
      await update({ UpdateExpression: 'ADD needs :s', ExpressionAttributeValues: values({ s: new Set(['a']) }) });

      expect(await read()).toEqual({ pk: 'CASE#1', sk: 'CASE', needs: new Set(['a']) });
    }));

  it('return what was asked', () =>
    withTable(async ({ put, update, db }) => {
      await put({ a: 1, b: 2 });
      const change = { UpdateExpression: 'SET a = :n', ExpressionAttributeValues: values({ n: 5 }) };

      expect(await update({ ...change, ReturnValues: 'UPDATED_OLD' })).toEqual({ a: 1 });
      expect(await update({ ...change, ReturnValues: 'UPDATED_NEW' })).toEqual({ a: 5 });
      expect(await update({ ...change, ReturnValues: 'ALL_OLD' })).toEqual({ pk: 'CASE#1', sk: 'CASE', a: 5, b: 2 });
      expect(await update(change)).toBeUndefined();
      const { Attributes } = await db.send(new DeleteItemCommand({ TableName, Key, ReturnValues: 'ALL_OLD' }));
      expect(Attributes?.['b']).toEqual({ N: '2' });
    }));

  it.each<[string, Partial<UpdateItemCommandInput>]>([
    ['a reserved word', { UpdateExpression: 'SET status = :s', ExpressionAttributeValues: values({ s: 1 }) }],
    ['an unused name', { UpdateExpression: 'REMOVE a', ExpressionAttributeNames: { '#b': 'b' } }],
    ['an unused value', { UpdateExpression: 'REMOVE a', ExpressionAttributeValues: values({ b: 1 }) }],
    ['an undefined name', { UpdateExpression: 'REMOVE #a' }],
    ['an undefined value', { UpdateExpression: 'SET a = :a' }],
    ['empty names', { UpdateExpression: 'REMOVE a', ExpressionAttributeNames: {} }],
    ['an empty expression', { UpdateExpression: '' }],
    ['a key', { UpdateExpression: 'SET pk = :s', ExpressionAttributeValues: values({ s: 'x' }) }],
    ['overlapping paths', { UpdateExpression: 'SET a = :s REMOVE a.b', ExpressionAttributeValues: values({ s: 1 }) }],
    ['a clause twice', { UpdateExpression: 'REMOVE a REMOVE b' }],
    [
      'an attribute that is not there',
      { UpdateExpression: 'SET a = nowhere + :s', ExpressionAttributeValues: values({ s: 1 }) },
    ],
    [
      'a parent that is not there',
      { UpdateExpression: 'SET nowhere.a = :s', ExpressionAttributeValues: values({ s: 1 }) },
    ],
    ['the wrong type to ADD', { UpdateExpression: 'ADD a :s', ExpressionAttributeValues: values({ s: 'text' }) }],
    ['the wrong type to add to', { UpdateExpression: 'ADD name1 :s', ExpressionAttributeValues: values({ s: 1 }) }],
    ['redundant parentheses', { UpdateExpression: 'REMOVE a', ConditionExpression: '((attribute_exists(pk)))' }],
    ['a syntax error', { UpdateExpression: 'SET a = ' }],
    ['an unknown function', { UpdateExpression: 'REMOVE a', ConditionExpression: 'exists(pk)' }],
    ['a key of another shape', { Key: marshall({ pk: 'a' }), UpdateExpression: 'REMOVE a' }],
    ['an empty key', { Key: marshall({ pk: '', sk: 'a' }), UpdateExpression: 'REMOVE a' }],
    ['an empty set', { UpdateExpression: 'SET a = :s', ExpressionAttributeValues: { ':s': { SS: [] } } }],
  ])('refuse %s', (_title, input) =>
    withTable(async ({ put, update }) => {
      await put({ name1: 'text' });

      expect(await outcome(update(input))).toBe('ValidationException');
    }),
  );

  it('refuse an item without its key, and one that is too large', () =>
    withTable(async ({ db }) => {
      const put = (Item: Record<string, AttributeValue>) => outcome(db.send(new PutItemCommand({ TableName, Item })));

      expect(await put(marshall({ pk: 'a' }))).toBe('ValidationException');
      expect(await put(marshall({ pk: 'a', sk: 1 }))).toBe('ValidationException');
      expect(await put(marshall({ pk: 'a', sk: 'b', text: 'x'.repeat(410_000) }))).toBe('ValidationException');
    }));
});

describe('conditions', () => {
  it.each<[string, boolean]>([
    ['attribute_exists(version)', true],
    ['attribute_exists(nested.inside)', true],
    ['attribute_not_exists(nested.absent)', true],
    ['NOT attribute_exists(version)', false],
    ['version = :seven', true],
    ['version <> :seven', false],
    ['nowhere <> :seven', true],
    ['nowhere < :seven', false],
    ['version < :eight AND version <= :seven', true],
    ['version > :seven OR version >= :seven', true],
    ['version BETWEEN :seven AND :eight', true],
    ['version IN (:eight, :seven)', true],
    ['colour = :text', false],
    ['version = :text', false],
    ['begins_with(colour, :prefix)', true],
    ['contains(colour, :prefix)', true],
    ['contains(needs, :a)', true],
    ['contains(needs, :text)', false],
    ['contains(notes, :a)', true],
    ['size(needs) = :two', true],
    ['attribute_type(needs, :set)', true],
    ['version = :eight OR version = :seven AND colour = :text', false],
    ['(version = :eight OR version = :seven) AND NOT (colour = :text)', true],
  ])('%s is %s', (ConditionExpression, expected) =>
    withTable(async ({ put, update }) => {
      await put({ version: 7, colour: 'red', needs: new Set(['a', 'b']), notes: ['a'], nested: { inside: 1 } });
      const all = values({ seven: 7, eight: 8, two: 2, text: 'green', prefix: 're', a: 'a', set: 'SS' });
      const used = Object.entries(all).filter(([name]) => new RegExp(`${name}\\b`).test(ConditionExpression));
      const call = update({
        UpdateExpression: 'SET touched = :yes',
        ConditionExpression,
        ExpressionAttributeValues: { ...Object.fromEntries(used), ':yes': { BOOL: true } },
      });

      expect(await outcome(call)).toBe(expected ? 'ok' : 'ConditionalCheckFailedException');
    }),
  );
});

describe('transactions', () => {
  const item = (sk: string) => marshall({ pk: 'ACL#1', sk });
  const absent = 'attribute_not_exists(pk)';

  it('write all or nothing, and say why not', () =>
    withTable(async ({ db, world }) => {
      const claim = (sk: string, ReturnValuesOnConditionCheckFailure?: 'ALL_OLD') => ({
        Put: { TableName, Item: item(sk), ConditionExpression: absent, ReturnValuesOnConditionCheckFailure },
      });
      await db.send(new TransactWriteItemsCommand({ TransactItems: [claim('1')] }));
      const clash = db.send(new TransactWriteItemsCommand({ TransactItems: [claim('2'), claim('1', 'ALL_OLD')] }));

      await expect(clash).rejects.toBeInstanceOf(TransactionCanceledException);
      await expect(clash).rejects.toMatchObject({
        CancellationReasons: [{ Code: 'None' }, { Code: 'ConditionalCheckFailed', Item: item('1') }],
      });
      expect(world.dumpTable(TableName)).toEqual([{ pk: 'ACL#1', sk: '1' }]);
    }));

  it('know updates, deletes and checks', () =>
    withTable(async ({ db, world, put }) => {
      await put({ version: 1 });
      await db.send(
        new TransactWriteItemsCommand({
          TransactItems: [
            {
              Update: {
                TableName,
                Key: item('1'),
                UpdateExpression: 'ADD needs :s',
                ExpressionAttributeValues: { ':s': { SS: ['x'] } },
              },
            },
            { Delete: { TableName, Key, ConditionExpression: 'attribute_exists(pk)' } },
            { ConditionCheck: { TableName, Key: item('9'), ConditionExpression: absent } },
          ],
        }),
      );

      expect(world.dumpTable()).toEqual([{ pk: 'ACL#1', sk: '1', needs: new Set(['x']) }]);
    }));

  it('take one item once', () =>
    withTable(async ({ db }) => {
      const twice = [{ Put: { TableName, Item: item('1') } }, { Delete: { TableName, Key: item('1') } }];

      expect(await outcome(db.send(new TransactWriteItemsCommand({ TransactItems: twice })))).toBe(
        'ValidationException',
      );
    }));

  it('are made once though the answer was lost: the SDK sends its client token again', () =>
    withTable(
      async ({ db, world }) => {
        const put = { Put: { TableName, Item: item('1'), ConditionExpression: absent } };

        expect(await outcome(db.send(new TransactWriteItemsCommand({ TransactItems: [put] })))).toBe('ok');
        expect(world.calls().byApi).toEqual({ TransactWriteItems: 2 });
      },
      [{ Api: 'TransactWriteItems', Call: 1, Error: 'InternalServerError', AfterEffect: true }],
    ));

  it('refuse a token with other parameters', () =>
    withTable(async ({ db }) => {
      const write = (sk: string) =>
        outcome(
          db.send(
            new TransactWriteItemsCommand({
              ClientRequestToken: 'token',
              TransactItems: [{ Put: { TableName, Item: item(sk) } }],
            }),
          ),
        );

      expect([await write('1'), await write('1'), await write('2')]).toEqual([
        'ok',
        'ok',
        'IdempotentParameterMismatchException',
      ]);
    }));
});

describe('Query', () => {
  const fill = async ({ db }: Table) => {
    for (const sk of ['TIME#3', 'TIME#1', 'BEFORE#1', 'TIME#2']) {
      await db.send(new PutItemCommand({ TableName, Item: marshall({ pk: 'CASE#1', sk, at: Number(sk.at(-1)) }) }));
    }
    await db.send(new PutItemCommand({ TableName, Item: marshall({ pk: 'CASE#2', sk: 'TIME#9', at: 9 }) }));
  };
  const query: QueryCommandInput = {
    TableName,
    KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
    ExpressionAttributeValues: values({ pk: 'CASE#1', prefix: 'TIME#' }),
  };
  const keys = (items: Record<string, AttributeValue>[] | undefined) => items?.map((item) => item['sk']?.S);

  it('reads one partition in order, either way', () =>
    withTable(async (table) => {
      await fill(table);

      const forward = await table.db.send(new QueryCommand(query));
      expect(keys(forward.Items)).toEqual(['TIME#1', 'TIME#2', 'TIME#3']);
      expect(forward).toMatchObject({ Count: 3, ScannedCount: 3 });
      expect(forward.LastEvaluatedKey).toBeUndefined();
      const backward = await table.db.send(new QueryCommand({ ...query, ScanIndexForward: false, Limit: 1 }));
      expect(keys(backward.Items)).toEqual(['TIME#3']);
    }));

  it('pages by limit, before the filter', () =>
    withTable(async (table) => {
      await fill(table);
      const pages: unknown[] = [];
      const input = {
        ...query,
        Limit: 2,
        FilterExpression: '#at <> :one',
        ExpressionAttributeNames: { '#at': 'at' },
        ExpressionAttributeValues: { ...query.ExpressionAttributeValues, ...values({ one: 1 }) },
      };
      for await (const page of paginateQuery({ client: table.db }, input))
        pages.push([keys(page.Items), page.ScannedCount]);

      expect(pages).toEqual([
        [['TIME#2'], 2],
        [['TIME#3'], 1],
      ]);
    }));

  it('projects', () =>
    withTable(async (table) => {
      await fill(table);
      const { Items } = await table.db.send(
        new QueryCommand({
          ...query,
          ProjectionExpression: '#at',
          ExpressionAttributeNames: { '#at': 'at' },
          Limit: 1,
        }),
      );

      expect(Items).toEqual([{ at: { N: '1' } }]);
    }));

  it.each<[string, Partial<QueryCommandInput>]>([
    [
      'no partition key',
      { KeyConditionExpression: 'begins_with(sk, :prefix)', ExpressionAttributeValues: values({ prefix: 'a' }) },
    ],
    ['a range of partitions', { KeyConditionExpression: 'pk > :pk', ExpressionAttributeValues: values({ pk: 'a' }) }],
    [
      'another attribute',
      { KeyConditionExpression: 'pk = :pk AND a = :pk', ExpressionAttributeValues: values({ pk: 'a' }) },
    ],
    [
      'contains() on a key',
      { KeyConditionExpression: 'pk = :pk AND contains(sk, :pk)', ExpressionAttributeValues: values({ pk: 'a' }) },
    ],
    ['a filter on a key', { FilterExpression: 'sk = :pk' }],
    ['an index', { IndexName: 'by-time' }],
    ['no condition', { KeyConditionExpression: undefined }],
  ])('refuses %s', (_title, over) =>
    withTable(async ({ db }) => {
      expect(await outcome(db.send(new QueryCommand({ ...query, ...over })))).toBe('ValidationException');
    }),
  );
});
