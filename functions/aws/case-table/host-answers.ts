import { type CaseTable, caseKey, putNew } from './table.ts';

/** Keeps what the host printed, whole: evidence of processes and flows as they were. The first answer to a command stays. */
export async function recordHostAnswer(
  table: CaseTable,
  caseId: string,
  answer: { readonly commandId: string; readonly output: string },
): Promise<void> {
  await putNew(table, { pk: caseKey(caseId), sk: `HOST#${answer.commandId}`, output: answer.output });
}
