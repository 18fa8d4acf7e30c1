import type { RestoreResult } from '../functions/core/case/record.ts';
import type { RestoreEnd, RestoreReport } from '../functions/core/report/restore-report.ts';
import { type ExecutionResult, failure } from './runner.ts';

/** The output of a restore that did not fail on the way. */
export type RestoreOutput = RestoreEnd & { readonly restore: RestoreResult; readonly report: RestoreReport };

export function restoreOf(result: ExecutionResult): RestoreOutput {
  const output = result.output as unknown as Partial<RestoreOutput> | null;
  if (output?.restore === undefined || output.report === undefined) throw failure(result);
  return { ...output, restore: output.restore, report: output.report };
}
