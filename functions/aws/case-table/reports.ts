import type { Report } from '../../core/report/report.ts';
import { type CaseTable, caseKey, parsed, putIf, readItem } from './table.ts';

/**
 * Keeps the newest report of a case: the lists of the one in the execution's output are cut to what a state machine may
 * carry. `at`, ISO, is when what it says was read; one that is newer stays.
 */
export async function keepReport(table: CaseTable, report: Report, at: string): Promise<void> {
  await putIf(
    table,
    { pk: caseKey(report.caseId), sk: 'REPORT', at, report: JSON.stringify(report) },
    { expression: 'attribute_not_exists(pk) OR #at <= :at', names: { '#at': 'at' }, values: { ':at': at } },
  );
}

/** The newest report of a case; null = none was kept. */
export async function readReport(table: CaseTable, caseId: string): Promise<Report | null> {
  const item = await readItem(table, caseKey(caseId), 'REPORT');
  return item === null ? null : parsed<Report>(item, 'report');
}
