import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { CaseDocument } from '../../core/case/case.ts';
import { apply, type CaseEvent } from '../../core/case/case-events.ts';
import {
  type CaseTable,
  caseKey,
  ifHolds,
  keyOf,
  numberOf,
  parsed,
  putNew,
  readItem,
  stepAside,
  WRITE_ATTEMPTS,
} from './table.ts';

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

/** The document before and after an event; the same object where the event changed nothing. */
export interface Recorded {
  readonly before: CaseDocument;
  readonly after: CaseDocument;
}

/**
 * Changes the document by an event, as {@link changeCase} does. Where the answer to a write was lost, the second look finds
 * what the first one wrote: `before` is then what the first look found.
 */
export function recordEvent(table: CaseTable, caseId: string, event: CaseEvent): Promise<Recorded> {
  return changeCase(table, caseId, (document) => apply(document, event));
}

/** Changes the document by a function: reads, writes if nobody wrote in between, otherwise starts over. */
export async function changeCase(
  table: CaseTable,
  caseId: string,
  changed: (document: CaseDocument) => CaseDocument,
): Promise<Recorded> {
  let first: CaseDocument | null = null;
  for (let attempt = 1; attempt <= WRITE_ATTEMPTS; attempt += 1) {
    const current = await readVersioned(table, caseId);
    if (current === null) throw new Error(`case ${caseId} is not in the case table`);
    const next = changed(current.document);
    if (next === current.document) return { before: first ?? next, after: next };
    first = current.document;
    const update = new UpdateItemCommand({
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
    });
    if ((await ifHolds(() => table.client.send(update))) !== null) return { before: current.document, after: next };
    await stepAside(attempt);
  }
  throw new Error(`case ${caseId} is being written by too many at once`);
}
