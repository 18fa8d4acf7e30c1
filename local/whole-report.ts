import { readReport } from '../functions/aws/case-table/reports.ts';
import type { CaseTable } from '../functions/aws/case-table/table.ts';
import type { Report } from '../functions/core/report/report.ts';

/** The report with everything that its execution's output leaves out. */
export async function wholeReport(table: CaseTable, report: Report): Promise<Report> {
  return report.more.length === 0 ? report : ((await readReport(table, report.caseId)) ?? report);
}
