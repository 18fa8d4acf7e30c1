import type { FlowLogFindings } from '../../core/verdict/flow-log.ts';
import { type CaseTable, caseKey, parsed, putIf, readItem } from './table.ts';

/** What the flow log told one look, for those that come after it: a search costs minutes. */
export interface Heard {
  /** Which isolation and which cuts it was asked about. */
  readonly about: string;
  readonly since: number;
  /** The interfaces that it was asked about. */
  readonly interfaceIds?: readonly string[];
  readonly findings: FlowLogFindings;
}

/** Room that an item has for it, in bytes: DynamoDB takes items of 400 KB. */
const ROOM = 300_000;

/** Keeps what was heard; one that is newer stays. What no item has room for is not kept, and is searched for again. */
export async function keepHeard(table: CaseTable, caseId: string, heard: Heard, at: string): Promise<void> {
  const text = JSON.stringify(heard);
  if (Buffer.byteLength(text) > ROOM) return;
  await putIf(
    table,
    { pk: caseKey(caseId), sk: 'HEARD', at, heard: text },
    { expression: 'attribute_not_exists(pk) OR #at <= :at', names: { '#at': 'at' }, values: { ':at': at } },
  );
}

/** What was heard last; null = nothing is kept. */
export async function readHeard(table: CaseTable, caseId: string): Promise<Heard | null> {
  const item = await readItem(table, caseKey(caseId), 'HEARD');
  return item === null ? null : parsed<Heard>(item, 'heard');
}
