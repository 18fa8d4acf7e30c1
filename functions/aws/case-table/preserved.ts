import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { type Preserved, preservedName } from '../../core/case/evidence.ts';
import { type CaseTable, caseKey, type Item, ifHolds, keyOf, list, numberOf, parsed, putNew } from './table.ts';

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
  const note = new UpdateItemCommand({
    TableName: table.name,
    Key: preservedKey(caseId, preserved),
    UpdateExpression: 'SET undone = :yes',
    ConditionExpression: 'taken = :taken',
    ExpressionAttributeValues: { ':yes': { BOOL: true }, ':taken': { N: String(taken) } },
  });
  return (await ifHolds(() => table.client.send(note))) !== null;
}
