import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { Recorded } from '../../core/control.ts';
import { type CaseTable, caseKey, ifHolds, keyOf, list, numberOf, parsed, putNew, textOf } from './table.ts';

const PREFIX = 'PRESERVED#';

/**
 * Records what a control is about to do, under the name of the thing, with what undoes it. What was recorded first stays,
 * unless a restore has put it back since: then it is found anew. Each time counts, so that a restore sees what was taken
 * meanwhile.
 */
export async function recordPreserved<R extends Recorded>(
  table: CaseTable,
  caseId: string,
  item: string,
  preserved: R,
): Promise<void> {
  const text = JSON.stringify(preserved);
  const key = { pk: caseKey(caseId), sk: `${PREFIX}${item}` };
  if (await putNew(table, { ...key, preserved: text, taken: 1 })) return;
  const again = { TableName: table.name, Key: keyOf(key.pk, key.sk) };
  const count = { ':one': { N: '1' } };
  const anew = new UpdateItemCommand({
    ...again,
    UpdateExpression: 'SET preserved = :preserved ADD taken :one REMOVE undone',
    ConditionExpression: 'undone = :yes',
    ExpressionAttributeValues: { ...count, ':preserved': { S: text }, ':yes': { BOOL: true } },
  });
  if ((await ifHolds(() => table.client.send(anew))) !== null) return;
  const onceMore = new UpdateItemCommand({
    ...again,
    UpdateExpression: 'ADD taken :one',
    ConditionExpression: 'attribute_exists(pk)',
    ExpressionAttributeValues: count,
  });
  await table.client.send(onceMore);
}

export interface PreservedRecord {
  /** Its name, which is its key. */
  readonly item: string;
  readonly preserved: Recorded;
  /** A restore has put it back. */
  readonly undone: boolean;
  /** How often it was taken. */
  readonly taken: number;
}

/** What controls have recorded for the case. */
export async function readPreserved(table: CaseTable, caseId: string): Promise<readonly PreservedRecord[]> {
  const items = await list(table, caseKey(caseId), PREFIX);
  return items.map((item) => ({
    item: textOf(item, 'sk').slice(PREFIX.length),
    preserved: parsed<Recorded>(item, 'preserved'),
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
  { item, taken }: Pick<PreservedRecord, 'item' | 'taken'>,
): Promise<boolean> {
  const note = new UpdateItemCommand({
    TableName: table.name,
    Key: keyOf(caseKey(caseId), `${PREFIX}${item}`),
    UpdateExpression: 'SET undone = :yes',
    ConditionExpression: 'taken = :taken',
    ExpressionAttributeValues: { ':yes': { BOOL: true }, ':taken': { N: String(taken) } },
  });
  return (await ifHolds(() => table.client.send(note))) !== null;
}
