import { changeCase } from '../../functions/aws/case-table/cases.ts';
import type { CaseTable } from '../../functions/aws/case-table/table.ts';
import type { CaseDocument } from '../../functions/core/case/case.ts';

/** Puts a case into a state that a test needs, whatever event leads there; the document after it. */
export async function updateCase(
  table: CaseTable,
  caseId: string,
  changed: (document: CaseDocument) => CaseDocument,
): Promise<CaseDocument> {
  return (await changeCase(table, caseId, changed)).after;
}
