import type { BeforeInterface } from '../../core/case/case.ts';
import { type CaseTable, caseKey, list, parsed, putIf, putNew } from './table.ts';

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
