import { DeleteItemCommand, UpdateItemCommand, type UpdateItemCommandInput } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { WatchedCase } from '../../core/case/watch.ts';
import { type CaseTable, caseKey, ifHolds, keyOf, list, parsed, putIf, textOf } from './table.ts';

/** One partition for all cases under watch: a sweep reads it as a whole, and nothing else. */
const PARTITION = 'WATCH';

const key = (caseId: string) => keyOf(PARTITION, caseKey(caseId));

type Begun = Pick<WatchedCase, 'caseId' | 'from' | 'due' | 'execution' | 'touches'>;

/** Begins the watch of a case, or begins it anew: a cut is about to be made. */
export async function beginWatch(table: CaseTable, { caseId, from, due, execution, touches }: Begun): Promise<void> {
  await putIf(table, {
    pk: PARTITION,
    sk: caseKey(caseId),
    caseId,
    from,
    due,
    touches: JSON.stringify({ ids: touches }),
    ...(execution !== null && { execution }),
  });
}

const optional = (item: Readonly<Record<string, unknown>>, member: string): string | null =>
  typeof item[member] === 'string' ? item[member] : null;

/** Every case under watch. */
export async function readWatched(table: CaseTable): Promise<readonly WatchedCase[]> {
  const items = await list(table, PARTITION, 'CASE#');
  return items.map((item) => ({
    caseId: textOf(item, 'caseId'),
    from: textOf(item, 'from'),
    due: textOf(item, 'due'),
    execution: optional(item, 'execution'),
    wakesAt: optional(item, 'wakesAt'),
    look: optional(item, 'look'),
    wokenAt: optional(item, 'wokenAt'),
    isPending: item['isPending'] === true,
    touches: parsed<{ readonly ids: readonly string[] }>(item, 'touches').ids,
  }));
}

/** What a verification says of the watch. */
export interface Looked extends Begun {
  /** Until when the response sleeps, ISO; null = it does not. */
  readonly wakesAt: string | null;
}

/** Notes a verification of a response. Where the sweep has let go of the case meanwhile, its watch begins again. */
export async function noteLook(table: CaseTable, { caseId, from, due, ...looked }: Looked): Promise<void> {
  const { execution, wakesAt, touches } = looked;
  const own = { caseId, wakesAt, touches: JSON.stringify({ ids: touches }), ...(execution !== null && { execution }) };
  const update = (set: Members, condition: Partial<Pick<UpdateItemCommandInput, 'ConditionExpression'>>) =>
    new UpdateItemCommand({
      TableName: table.name,
      Key: key(caseId),
      UpdateExpression: `SET ${assignments(set)}, #from = if_not_exists(#from, :from)`,
      ...condition,
      ExpressionAttributeNames: names([
        ...Object.keys(set),
        'from',
        ...('ConditionExpression' in condition ? ['isPending'] : []),
      ]),
      ExpressionAttributeValues: values({ ...set, from }),
    });
  const condition = { ConditionExpression: 'attribute_not_exists(#isPending)' };
  const noted = await ifHolds(() => table.client.send(update({ ...own, due }, condition)));
  // Woken since this verification began to read: the next sweep comes as it was told to.
  if (noted === null) await table.client.send(update(own, {}));
}

/** Notes a look of the watch: a case that the sweep has let go of stays so, and one that was woken meanwhile stays due. */
export async function noteLookOver(
  table: CaseTable,
  { caseId, due, touches }: Pick<Looked, 'caseId' | 'due' | 'touches'>,
): Promise<void> {
  const set = { due, touches: JSON.stringify({ ids: touches }) };
  const update = new UpdateItemCommand({
    TableName: table.name,
    Key: key(caseId),
    UpdateExpression: `SET ${assignments(set)}`,
    ConditionExpression: 'attribute_exists(pk) AND attribute_not_exists(#isPending)',
    ExpressionAttributeNames: names([...Object.keys(set), 'isPending']),
    ExpressionAttributeValues: values(set),
  });
  await ifHolds(() => table.client.send(update));
}

type Members = Readonly<Record<string, unknown>>;

const assignments = (set: Members): string =>
  Object.keys(set)
    .map((name) => `#${name} = :${name}`)
    .join(', ');

const names = (members: readonly string[]) => Object.fromEntries(members.map((name) => [`#${name}`, name]));

const values = (set: Members) =>
  marshall(Object.fromEntries(Object.entries(set).map(([name, value]) => [`:${name}`, value])));

/** Changes an item whose time nobody has moved since it was read; false = somebody has, and what is there stays. */
async function change(
  table: CaseTable,
  { caseId, due: known }: WatchedCase,
  { set, remove = [] }: { readonly set: Members; readonly remove?: readonly string[] },
): Promise<boolean> {
  const removed = remove.length === 0 ? '' : ` REMOVE ${remove.map((name) => `#${name}`).join(', ')}`;
  const update = new UpdateItemCommand({
    TableName: table.name,
    Key: key(caseId),
    UpdateExpression: `SET ${assignments(set)}${removed}`,
    ConditionExpression: '#due = :known',
    ExpressionAttributeNames: names([...new Set([...Object.keys(set), ...remove, 'due'])]),
    ExpressionAttributeValues: values({ ...set, known }),
  });
  return (await ifHolds(() => table.client.send(update))) !== null;
}

/** Nobody sees to the case before `due`. */
export const postpone = (table: CaseTable, watched: WatchedCase, due: string): Promise<boolean> =>
  change(table, watched, { set: { due } });

/** A look was started, by the execution `look`. */
export const noteLookBegun = (
  table: CaseTable,
  watched: WatchedCase,
  { due, look }: { readonly due: string; readonly look: string },
): Promise<boolean> => change(table, watched, { set: { due, look }, remove: ['isPending'] });

/** The case was woken while somebody worked on it: the next sweep sees to it, whatever time was noted meanwhile. */
export async function notePending(
  table: CaseTable,
  { caseId }: Pick<WatchedCase, 'caseId'>,
  due: string,
): Promise<boolean> {
  const set = { due, isPending: true };
  const update = new UpdateItemCommand({
    TableName: table.name,
    Key: key(caseId),
    UpdateExpression: `SET ${assignments(set)}`,
    ConditionExpression: 'attribute_exists(pk)',
    ExpressionAttributeNames: names(Object.keys(set)),
    ExpressionAttributeValues: values(set),
  });
  return (await ifHolds(() => table.client.send(update))) !== null;
}

/** Takes the one wake that a case has in `seconds`; false = it is taken, or the case is under watch no more. */
export async function takeWake(
  table: CaseTable,
  { caseId }: Pick<WatchedCase, 'caseId'>,
  { at, since }: { readonly at: string; readonly since: string },
): Promise<boolean> {
  const update = new UpdateItemCommand({
    TableName: table.name,
    Key: key(caseId),
    UpdateExpression: 'SET #wokenAt = :at',
    ConditionExpression: 'attribute_exists(pk) AND (attribute_not_exists(#wokenAt) OR #wokenAt <= :since)',
    ExpressionAttributeNames: { '#wokenAt': 'wokenAt' },
    ExpressionAttributeValues: marshall({ ':at': at, ':since': since }),
  });
  return (await ifHolds(() => table.client.send(update))) !== null;
}

/** Ends the watch of a case; a cut that has begun it anew since it was read keeps it. */
export async function forgetWatched(table: CaseTable, { caseId, from }: WatchedCase): Promise<void> {
  const forget = new DeleteItemCommand({
    TableName: table.name,
    Key: key(caseId),
    ConditionExpression: '#from = :from',
    ExpressionAttributeNames: { '#from': 'from' },
    ExpressionAttributeValues: marshall({ ':from': from }),
  });
  await ifHolds(() => table.client.send(forget));
}
