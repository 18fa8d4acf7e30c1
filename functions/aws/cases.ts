import { createHash } from 'node:crypto';
import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  paginateQuery,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import type { BeforeInterface, CaseDocument, LedgerDeny, TimelineEntry } from '../core/case/case.ts';
import { type Preserved, preservedName } from '../core/case/evidence.ts';
import { quote } from '../core/errors.ts';
import { errorCode } from './errors.ts';
import type { RecordedGroup } from './replaced-groups.ts';

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
 * | `CASE#id` | `REPORT` | the newest report, whole (reports.ts) |
 * | `CASE#id` | `SAID#step#last` | what the step put on the timeline last |
 * | `SETTINGS` | `MODE` | the switch: `observe` stops everything |
 * | `CAP#vpc-...#hour` | `PLACES` | the cases that were newly isolated in the hour |
 * | `CASE#id` | `SUCCESSOR#sg-...` | the id under which it was made again |
 * | `GROUP#sg-...` | `CASE#id` | the case's restore needs the group |
 * | `ACL#acl-...` | `DENY#in\|out#cidr` | ledger: the rule number of our deny and the set of cases that need it |
 * | `ACL#acl-...` | `NUMBER#in\|out#00001` | ledger: the number is taken by us |
 * | `PACE#account#region` | API | how full EC2's bucket for the API is (turns.ts) |
 */
export interface CaseTable {
  readonly client: DynamoDBClient;
  readonly name: string;
}

type Item = Record<string, AttributeValue>;

const CONDITION_FAILED = 'ConditionalCheckFailedException';

type Plain = Readonly<Record<string, unknown>>;

/** Only we write into the table; what a person's hand has changed in it stops a step with a sentence, not by surprise. */
function malformed(item: Plain, member: string, wanted: string): Error {
  return new Error(`the case table's item ${quote(item.pk)} ${quote(item.sk)}: its ${member} is not ${wanted}`);
}

function textOf(item: Plain, member: string): string {
  const value = item[member];
  if (typeof value !== 'string') throw malformed(item, member, 'text');
  return value;
}

function numberOf(item: Plain, member: string): number {
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

const keyOf = (pk: string, sk: string): Item => ({ pk: { S: pk }, sk: { S: sk } });

/** Reads one item of the table; null = it is not there. */
export async function readItem(table: CaseTable, pk: string, sk: string): Promise<Record<string, unknown> | null> {
  const answer = await table.client.send(
    new GetItemCommand({ TableName: table.name, Key: keyOf(pk, sk), ConsistentRead: true }),
  );
  return answer.Item === undefined ? null : unmarshall(answer.Item);
}

interface Condition {
  readonly expression: string;
  readonly names?: Readonly<Record<string, string>>;
  readonly values?: Readonly<Record<string, string | number>>;
}

const IS_NEW: Condition = { expression: 'attribute_not_exists(pk)' };

/** Writes a whole item, under a condition if there is one; false = it does not hold, and what is there stays. */
export async function putIf(
  table: CaseTable,
  item: Readonly<Record<string, unknown>>,
  { expression, names, values }: Partial<Condition> = {},
): Promise<boolean> {
  try {
    await table.client.send(
      new PutItemCommand({
        TableName: table.name,
        Item: marshall(item),
        ConditionExpression: expression,
        ...(names && { ExpressionAttributeNames: names }),
        ...(values && { ExpressionAttributeValues: marshall(values) }),
      }),
    );
    return true;
  } catch (error) {
    if (errorCode(error) === CONDITION_FAILED) return false;
    throw error;
  }
}

/** Writes an item that is not there yet; false = there was one already, which stays. */
const putNew = (table: CaseTable, item: Readonly<Record<string, unknown>>): Promise<boolean> =>
  putIf(table, item, IS_NEW);

async function list(table: CaseTable, pk: string, prefix: string): Promise<readonly Record<string, unknown>[]> {
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

export interface InstanceKey {
  readonly accountId: string;
  readonly region: string;
  readonly instanceId: string;
}

export interface Claim {
  readonly caseId: string;
  readonly generation: number;
}

const claimKey = (key: InstanceKey): string => `INSTANCE#${key.accountId}#${key.region}#${key.instanceId}`;

export async function readClaim(table: CaseTable, key: InstanceKey): Promise<Claim | null> {
  const item = await readItem(table, claimKey(key), 'CLAIM');
  return item === null ? null : { caseId: textOf(item, 'caseId'), generation: numberOf(item, 'generation') };
}

/**
 * Makes `claim` the current case of the instance, if the current generation is `replaces` (0 = there is none).
 * false = somebody else was faster.
 */
export function writeClaim(table: CaseTable, key: InstanceKey, claim: Claim, replaces: number): Promise<boolean> {
  const stands: Condition = { expression: 'generation = :replaces', values: { ':replaces': replaces } };
  return putIf(table, { pk: claimKey(key), sk: 'CLAIM', ...claim }, replaces === 0 ? IS_NEW : stands);
}

/** The partition of everything that is one case's. */
export const caseKey = (caseId: string): string => `CASE#${caseId}`;

/** The document is kept as JSON text: it is read and written whole, and no empty list or null changes on the way. */
export function createCase(table: CaseTable, document: CaseDocument): Promise<boolean> {
  return putNew(table, { pk: caseKey(document.caseId), sk: 'CASE', version: 1, document: JSON.stringify(document) });
}

async function readVersioned(
  table: CaseTable,
  caseId: string,
): Promise<{ document: CaseDocument; version: number } | null> {
  const item = await readItem(table, caseKey(caseId), 'CASE');
  if (item === null) return null;
  return { document: parsed<CaseDocument>(item, 'document'), version: numberOf(item, 'version') };
}

export async function readCase(table: CaseTable, caseId: string): Promise<CaseDocument | null> {
  return (await readVersioned(table, caseId))?.document ?? null;
}

/** The document of a case that must be there. */
export async function needCase(table: CaseTable, caseId: string): Promise<CaseDocument> {
  const document = await readCase(table, caseId);
  if (document === null) throw new Error(`case ${caseId} is not in the case table`);
  return document;
}

/** Attempts at a write that others contend for: with fifty writers of one item, each has its turn. */
const WRITE_ATTEMPTS = 60;

/** Lets the others go first, for up to 20 ms, twice as long each time, up to a second: writers in step would never part. */
function stepAside(attempt: number): Promise<void> {
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
async function despiteConflicts<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (!isConflict(error) || attempt >= WRITE_ATTEMPTS) throw error;
      await stepAside(attempt);
    }
  }
}

/**
 * Changes the document: reads, applies, writes if nobody wrote in between, otherwise starts over. `change` must be pure;
 * returning the same document writes nothing.
 */
export async function updateCase(
  table: CaseTable,
  caseId: string,
  change: (document: CaseDocument) => CaseDocument,
): Promise<CaseDocument> {
  for (let attempt = 1; attempt <= WRITE_ATTEMPTS; attempt += 1) {
    const current = await readVersioned(table, caseId);
    if (current === null) throw new Error(`case ${caseId} is not in the case table`);
    const next = change(current.document);
    if (next === current.document) return next;
    try {
      await table.client.send(
        new UpdateItemCommand({
          TableName: table.name,
          Key: keyOf(caseKey(caseId), 'CASE'),
          UpdateExpression: 'SET #document = :document, #version = :next',
          ConditionExpression: '#version = :version',
          ExpressionAttributeNames: { '#document': 'document', '#version': 'version' },
          ExpressionAttributeValues: {
            ':document': { S: JSON.stringify(next) },
            ':version': { N: String(current.version) },
            ':next': { N: String(current.version + 1) },
          },
        }),
      );
      return next;
    } catch (error) {
      if (errorCode(error) !== CONDITION_FAILED) throw error;
      await stepAside(attempt);
    }
  }
  throw new Error(`case ${caseId} is being written by too many at once`);
}

/** Records an ENI as it was found. What was recorded first stays: a second run would record our own changes. */
export async function recordBefore(table: CaseTable, caseId: string, before: BeforeInterface): Promise<void> {
  await putNew(table, beforeItem(caseId, before));
}

const beforeItem = (caseId: string, before: BeforeInterface) => ({
  pk: caseKey(caseId),
  sk: `BEFORE#${before.networkInterfaceId}`,
  before: JSON.stringify(before),
});

/**
 * Records an ENI as it was found anew, in place of what was found before, which it keeps. Where another run was faster, that one
 * has recorded the same, or what is newer.
 */
export async function recordBeforeAnew(
  table: CaseTable,
  caseId: string,
  known: BeforeInterface,
  found: BeforeInterface,
): Promise<void> {
  await putIf(table, beforeItem(caseId, found), {
    expression: '#before = :known',
    names: { '#before': 'before' },
    values: { ':known': beforeItem(caseId, known).before },
  });
}

export async function readBefore(table: CaseTable, caseId: string): Promise<readonly BeforeInterface[]> {
  const items = await list(table, caseKey(caseId), 'BEFORE#');
  return items.map((item) => parsed<BeforeInterface>(item, 'before'));
}

const preservedKey = (caseId: string, preserved: Preserved): Item =>
  keyOf(caseKey(caseId), `PRESERVED#${preservedName(preserved)}`);

/**
 * Records what is about to be done to keep the evidence, with what undoes it. What was recorded first stays, unless a
 * restore has put it back since: then it is found anew. Each time counts, so that a restore sees what was taken meanwhile.
 */
export async function recordPreserved(table: CaseTable, caseId: string, preserved: Preserved): Promise<void> {
  const text = JSON.stringify(preserved);
  const key = { pk: caseKey(caseId), sk: `PRESERVED#${preservedName(preserved)}` };
  if (await putNew(table, { ...key, preserved: text, taken: 1 })) return;
  const again = { TableName: table.name, Key: preservedKey(caseId, preserved) };
  const count = { ':one': { N: '1' } };
  try {
    await table.client.send(
      new UpdateItemCommand({
        ...again,
        UpdateExpression: 'SET preserved = :preserved ADD taken :one REMOVE undone',
        ConditionExpression: 'undone = :yes',
        ExpressionAttributeValues: { ...count, ':preserved': { S: text }, ':yes': { BOOL: true } },
      }),
    );
  } catch (error) {
    if (errorCode(error) !== CONDITION_FAILED) throw error;
    await table.client.send(
      new UpdateItemCommand({
        ...again,
        UpdateExpression: 'ADD taken :one',
        ConditionExpression: 'attribute_exists(pk)',
        ExpressionAttributeValues: count,
      }),
    );
  }
}

export interface PreservedRecord {
  readonly preserved: Preserved;
  /** A restore has put it back. */
  readonly undone: boolean;
  /** How often it was taken. */
  readonly taken: number;
}

/** What was done to keep the evidence. */
export async function readPreserved(table: CaseTable, caseId: string): Promise<readonly PreservedRecord[]> {
  const items = await list(table, caseKey(caseId), 'PRESERVED#');
  return items.map((item) => ({
    preserved: parsed<Preserved>(item, 'preserved'),
    undone: item.undone === true,
    taken: numberOf(item, 'taken'),
  }));
}

/**
 * Notes that a restore has put it back: what somebody does with it from now on is theirs. false = a response has taken it
 * again since the record was read, so it is still to be put back.
 */
export async function notePutBack(
  table: CaseTable,
  caseId: string,
  { preserved, taken }: PreservedRecord,
): Promise<boolean> {
  try {
    await table.client.send(
      new UpdateItemCommand({
        TableName: table.name,
        Key: preservedKey(caseId, preserved),
        UpdateExpression: 'SET undone = :yes',
        ConditionExpression: 'taken = :taken',
        ExpressionAttributeValues: { ':yes': { BOOL: true }, ':taken': { N: String(taken) } },
      }),
    );
    return true;
  } catch (error) {
    if (errorCode(error) === CONDITION_FAILED) return false;
    throw error;
  }
}

/** Notes that the restore of the case needs these groups: none of them is deleted before. */
export async function noteGroupUse(table: CaseTable, caseId: string, groupIds: readonly string[]): Promise<void> {
  await Promise.all(groupIds.map((groupId) => putNew(table, { pk: `GROUP#${groupId}`, sk: `CASE#${caseId}` })));
}

/** Cases whose restore needs the group. */
export async function casesNeedingGroup(table: CaseTable, groupId: string): Promise<readonly string[]> {
  const items = await list(table, `GROUP#${groupId}`, 'CASE#');
  return items.map((item) => textOf(item, 'sk').slice('CASE#'.length));
}

/** The restore is done: the case needs its groups no more. One that it has let go of before is let go of. */
export async function forgetGroupUse(table: CaseTable, caseId: string, groupIds: readonly string[]): Promise<void> {
  const forget = async (groupId: string): Promise<void> => {
    try {
      await table.client.send(
        new DeleteItemCommand({
          TableName: table.name,
          Key: keyOf(`GROUP#${groupId}`, `CASE#${caseId}`),
          ConditionExpression: 'attribute_exists(pk)',
        }),
      );
    } catch (error) {
      if (errorCode(error) !== CONDITION_FAILED) throw error;
    }
  };
  await Promise.all(groupIds.map(forget));
}

/** Notes that a deleted group has been made again with all its rules, and under which id: the newest counts. */
export async function recordSuccessor(
  table: CaseTable,
  caseId: string,
  groupId: string,
  successor: string,
): Promise<void> {
  await putIf(table, { pk: caseKey(caseId), sk: `SUCCESSOR#${groupId}`, successor });
}

/** The id under which a deleted group was made again, rules and all; null = it was not. */
export async function readSuccessor(table: CaseTable, caseId: string, groupId: string): Promise<string | null> {
  const item = await readItem(table, caseKey(caseId), `SUCCESSOR#${groupId}`);
  return item === null ? null : textOf(item, 'successor');
}

/**
 * Records a group whole before it is deleted, in place of the record that was read before the group was: an earlier run could
 * not delete it. Throws where another run has recorded it in between.
 */
export async function recordDeletedGroup(
  table: CaseTable,
  caseId: string,
  group: RecordedGroup,
  inPlaceOf?: RecordedGroup,
): Promise<void> {
  const item = { pk: caseKey(caseId), sk: `GROUP#${group.groupId}`, group: JSON.stringify(group) };
  const condition =
    inPlaceOf === undefined
      ? IS_NEW
      : {
          expression: '#group = :known',
          names: { '#group': 'group' },
          values: { ':known': JSON.stringify(inPlaceOf) },
        };
  if (await putIf(table, item, condition)) return;
  // Ours, and its answer was lost; or another run's.
  const now = (await readDeletedGroups(table, caseId)).find(({ groupId }) => groupId === group.groupId);
  if (JSON.stringify(now) !== item.group)
    throw new Error(`security group ${group.groupId} was recorded by another run meanwhile`);
}

export async function readDeletedGroups(table: CaseTable, caseId: string): Promise<readonly RecordedGroup[]> {
  const items = await list(table, caseKey(caseId), 'GROUP#');
  return items.map((item) => parsed<RecordedGroup>(item, 'group'));
}

/** Keeps what the host printed, whole: evidence of processes and flows as they were. The first answer to a command stays. */
export async function recordHostAnswer(
  table: CaseTable,
  caseId: string,
  answer: { readonly commandId: string; readonly output: string },
): Promise<void> {
  await putNew(table, { pk: caseKey(caseId), sk: `HOST#${answer.commandId}`, output: answer.output });
}

/** A step that is started again says the same within this time; beyond it, it is news that nothing has changed. */
const SAME_ENTRY_SECONDS = 900;

/**
 * Appends to the timeline, once however often the step is started again: what the step said last is kept beside it, and
 * an entry that repeats it gets the time of the first. Died in between, the next run writes the entry under that time.
 */
export async function addToTimeline(table: CaseTable, caseId: string, entry: TimelineEntry): Promise<void> {
  const pk = caseKey(caseId);
  const since = new Date(Date.parse(entry.at) - SAME_ENTRY_SECONDS * 1000).toISOString();
  let { at } = entry;
  try {
    await table.client.send(
      new PutItemCommand({
        TableName: table.name,
        Item: marshall({ pk, sk: `SAID#${entry.step}#last`, at, what: entry.what }),
        ConditionExpression: 'attribute_not_exists(pk) OR #what <> :what OR #at < :since',
        ExpressionAttributeNames: { '#what': 'what', '#at': 'at' },
        ExpressionAttributeValues: { ':what': { S: entry.what }, ':since': { S: since } },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    at = error.Item?.['at']?.S ?? at;
  }
  // Two runs of a step may say different things in the same millisecond.
  const words = createHash('sha256').update(entry.what).digest('hex').slice(0, 8);
  await putNew(table, { ...entry, pk, sk: `TIME#${at}#${entry.step}#${words}`, at });
}

// --- the brakes ----------------------------------------------------------------------------------------------------

/** The one switch that stops everything: `observe` in it makes every response a plan. null = it is not set. */
export async function readSwitch(table: CaseTable): Promise<'observe' | 'contain' | null> {
  const item = await readItem(table, 'SETTINGS', 'MODE');
  return item?.mode === 'observe' || item?.mode === 'contain' ? item.mode : null;
}

/**
 * Takes one of the hour's places for a new isolation in the VPC; false = they are taken. The same case takes one place
 * however often it asks. One write, however many ask at once: in a storm every response passes here.
 */
export async function takePlace(
  table: CaseTable,
  { vpcId, hour, caseId, places }: { vpcId: string; hour: string; caseId: string; places: number },
): Promise<boolean> {
  if (places === 0) return false;
  try {
    await table.client.send(
      new UpdateItemCommand({
        TableName: table.name,
        Key: keyOf(`CAP#${vpcId}#${hour}`, 'PLACES'),
        UpdateExpression: 'ADD #cases :set',
        ConditionExpression: 'attribute_not_exists(#cases) OR contains(#cases, :case) OR size(#cases) < :places',
        ExpressionAttributeNames: { '#cases': 'cases' },
        ExpressionAttributeValues: {
          ':set': { SS: [caseId] },
          ':case': { S: caseId },
          ':places': { N: String(places) },
        },
      }),
    );
    return true;
  } catch (error) {
    if (errorCode(error) === CONDITION_FAILED) return false;
    throw error;
  }
}

// --- the ledger of network ACL denies -------------------------------------------------------------------------------

const aclKey = (aclId: string): string => `ACL#${aclId}`;
const side = (egress: boolean): string => (egress ? 'out' : 'in');
const denyKey = (deny: { egress: boolean; cidr: string }): string => `DENY#${side(deny.egress)}#${deny.cidr}`;
const numberKey = (place: { egress: boolean; ruleNumber: number }): string =>
  `NUMBER#${side(place.egress)}#${String(place.ruleNumber).padStart(5, '0')}`;

function toLedgerDeny(item: Record<string, unknown>): LedgerDeny {
  return {
    aclId: textOf(item, 'aclId'),
    egress: item.egress === true,
    cidr: textOf(item, 'cidr'),
    ruleNumber: numberOf(item, 'ruleNumber'),
    // A set that has lost its last member is gone from the item.
    cases: item.cases instanceof Set ? [...(item.cases as Set<string>)].sort() : [],
    ...(typeof item.liftedBy === 'string' && { liftedBy: item.liftedBy }),
  };
}

/** Our denies on one ACL. */
export async function ledgerOf(table: CaseTable, aclId: string): Promise<readonly LedgerDeny[]> {
  return (await list(table, aclKey(aclId), 'DENY#')).map(toLedgerDeny);
}

export type Reservation =
  /** The number is ours now, or was from an earlier run. `shared`: another case needs the deny too, and may have made it. */
  | { readonly kind: 'reserved'; readonly ruleNumber: number; readonly shared: boolean }
  /** Another record holds the number for another network: take the next one. */
  | { readonly kind: 'number-taken' };

/**
 * Records a deny before it is made: its number and that `caseId` needs it, in one transaction, which is all that the first
 * cut waits for. A deny of the same network in the same direction that is in the ledger already is joined, whatever its
 * number.
 */
export async function reserveDeny(
  table: CaseTable,
  deny: { aclId: string; egress: boolean; cidr: string; ruleNumber: number },
  caseId: string,
): Promise<Reservation> {
  const isNew = 'attribute_not_exists(pk)';
  const { aclId, egress, cidr, ruleNumber } = deny;
  const denyItem = { pk: aclKey(aclId), sk: denyKey(deny), aclId, egress, cidr, ruleNumber, cases: new Set([caseId]) };
  const numberItem = { pk: aclKey(aclId), sk: numberKey(deny), cidr };
  try {
    await despiteConflicts(() =>
      table.client.send(
        new TransactWriteItemsCommand({
          TransactItems: [denyItem, numberItem].map((item) => ({
            Put: { TableName: table.name, Item: marshall(item), ConditionExpression: isNew },
          })),
        }),
      ),
    );
    return { kind: 'reserved', ruleNumber, shared: false };
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) throw error;
    const reasons = (error.CancellationReasons ?? []).map((reason) => reason.Code ?? 'None');
    // A conflict beside a condition that failed is no news: what failed stands.
    const isAnswer = ['None', 'ConditionalCheckFailed', 'TransactionConflict'];
    if (reasons.some((reason) => !isAnswer.includes(reason))) throw error;
    // The deny is recorded already, by another case or an earlier run of this one: join it. Or the number alone is taken.
    const recorded = await joinDeny(table, deny, caseId);
    if (recorded === null) return { kind: 'number-taken' };
    return { kind: 'reserved', ruleNumber: recorded.ruleNumber, shared: recorded.cases.length > 1 };
  }
}

/** Puts the case on a deny or takes it off; null = the ledger has no such deny. */
async function changeCases(
  table: CaseTable,
  deny: { aclId: string; egress: boolean; cidr: string },
  change: 'ADD' | 'DELETE',
  caseId: string,
): Promise<LedgerDeny | null> {
  try {
    const answer = await despiteConflicts(() =>
      table.client.send(
        new UpdateItemCommand({
          TableName: table.name,
          Key: keyOf(aclKey(deny.aclId), denyKey(deny)),
          UpdateExpression: `${change} #cases :case`,
          ConditionExpression: 'attribute_exists(pk)',
          ExpressionAttributeNames: { '#cases': 'cases' },
          ExpressionAttributeValues: { ':case': { SS: [caseId] } },
          ReturnValues: 'ALL_NEW',
        }),
      ),
    );
    return answer.Attributes === undefined ? null : toLedgerDeny(unmarshall(answer.Attributes));
  } catch (error) {
    if (errorCode(error) === CONDITION_FAILED) return null;
    throw error;
  }
}

/** Adds the case to a deny of the ledger; null = the ledger has no such deny. */
export function joinDeny(
  table: CaseTable,
  deny: { aclId: string; egress: boolean; cidr: string },
  caseId: string,
): Promise<LedgerDeny | null> {
  return changeCases(table, deny, 'ADD', caseId);
}

/** Takes the case off a deny; returns the cases that still need it. */
export async function leaveDeny(table: CaseTable, deny: LedgerDeny, caseId: string): Promise<readonly string[]> {
  return (await changeCases(table, deny, 'DELETE', caseId))?.cases ?? [];
}

/**
 * Says that the case is about to remove the entry of a deny that nobody needs; until {@link forgetDeny} or
 * {@link endLifting} whoever finds this looks whether the entry still stands. false = a case has joined it in the meantime.
 */
export function beginLifting(table: CaseTable, deny: LedgerDeny, caseId: string): Promise<boolean> {
  return changeLifting(table, deny, 'SET #liftedBy = :case', 'attribute_not_exists(#cases)', caseId);
}

/** The entry stands again, for a case that joined while it was being removed. */
export async function endLifting(table: CaseTable, deny: LedgerDeny, caseId: string): Promise<void> {
  await changeLifting(table, deny, 'REMOVE #liftedBy', '#liftedBy = :case', caseId);
}

async function changeLifting(
  table: CaseTable,
  deny: LedgerDeny,
  change: string,
  condition: string,
  caseId: string,
): Promise<boolean> {
  const names = { '#liftedBy': 'liftedBy', '#cases': 'cases' };
  const asked = `${change} ${condition}`;
  try {
    await despiteConflicts(() =>
      table.client.send(
        new UpdateItemCommand({
          TableName: table.name,
          Key: keyOf(aclKey(deny.aclId), denyKey(deny)),
          UpdateExpression: change,
          ConditionExpression: `attribute_exists(pk) AND ${condition}`,
          ExpressionAttributeNames: Object.fromEntries(Object.entries(names).filter(([name]) => asked.includes(name))),
          ExpressionAttributeValues: { ':case': { S: caseId } },
        }),
      ),
    );
    return true;
  } catch (error) {
    if (errorCode(error) === CONDITION_FAILED) return false;
    throw error;
  }
}

/**
 * Gives a deny of the ledger another number, for all cases that need it, where somebody else's entry stands at its own.
 * false = its number has changed in the meantime, or the new one is taken.
 */
export async function renumberDeny(
  table: CaseTable,
  deny: { aclId: string; egress: boolean; cidr: string; ruleNumber: number },
  ruleNumber: number,
): Promise<boolean> {
  const { aclId, egress, cidr } = deny;
  const TableName = table.name;
  const numberItem = { pk: aclKey(aclId), sk: numberKey({ egress, ruleNumber }), cidr };
  try {
    await despiteConflicts(() =>
      table.client.send(
        new TransactWriteItemsCommand({
          TransactItems: [
            {
              Update: {
                TableName,
                Key: keyOf(aclKey(aclId), denyKey(deny)),
                UpdateExpression: 'SET #ruleNumber = :new',
                ConditionExpression: '#ruleNumber = :old',
                ExpressionAttributeNames: { '#ruleNumber': 'ruleNumber' },
                ExpressionAttributeValues: {
                  ':new': { N: String(ruleNumber) },
                  ':old': { N: String(deny.ruleNumber) },
                },
              },
            },
            { Put: { TableName, Item: marshall(numberItem), ConditionExpression: 'attribute_not_exists(pk)' } },
            { Delete: { TableName, Key: keyOf(aclKey(aclId), numberKey(deny)) } },
          ],
        }),
      ),
    );
    return true;
  } catch (error) {
    const reasons = error instanceof TransactionCanceledException ? (error.CancellationReasons ?? []) : [];
    if (reasons.some((reason) => reason.Code === 'ConditionalCheckFailed')) return false;
    throw error;
  }
}

/**
 * Forgets a deny that nobody needs and that is gone from the ACL, with its number. false = a case has joined it in the
 * meantime. One that is forgotten already, or has become another one at another number, is left as it is.
 */
export async function forgetDeny(table: CaseTable, deny: LedgerDeny): Promise<boolean> {
  const TableName = table.name;
  const [pk, sk] = [aclKey(deny.aclId), denyKey(deny)];
  const denyItem = {
    TableName,
    Key: keyOf(pk, sk),
    ConditionExpression: 'attribute_not_exists(#cases) AND #ruleNumber = :ruleNumber',
    ExpressionAttributeNames: { '#cases': 'cases', '#ruleNumber': 'ruleNumber' },
    ExpressionAttributeValues: { ':ruleNumber': { N: String(deny.ruleNumber) } },
  };
  const numberItem = {
    TableName,
    Key: keyOf(pk, numberKey(deny)),
    ConditionExpression: '#cidr = :cidr',
    ExpressionAttributeNames: { '#cidr': 'cidr' },
    ExpressionAttributeValues: { ':cidr': { S: deny.cidr } },
  };
  try {
    await despiteConflicts(() =>
      table.client.send(
        new TransactWriteItemsCommand({ TransactItems: [{ Delete: denyItem }, { Delete: numberItem }] }),
      ),
    );
    return true;
  } catch (error) {
    const reasons = error instanceof TransactionCanceledException ? (error.CancellationReasons ?? []) : [];
    if (!reasons.some((reason) => reason.Code === 'ConditionalCheckFailed')) throw error;
    const now = await readItem(table, pk, sk);
    return now === null || toLedgerDeny(now).cases.length === 0;
  }
}
