import { needCaseId } from '../case/case-id.ts';
import { InputError, quote } from '../errors.ts';
import { needInstanceId } from '../instance-id.ts';
import { isBy } from '../report/restore-report.ts';

export interface RestoreRequest {
  readonly caseId: string | null;
  readonly instanceId: string | null;
  /** Restore although a flow may revive. */
  readonly force: boolean;
}

/** `{"caseId": "case-..."}` or `{"instanceId": "i-..."}`, with an optional `"force": true` and who starts it, `"by"`. */
export function parseRestoreRequest(input: unknown): RestoreRequest {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new InputError('input', 'expected {"caseId": "case-..."} or {"instanceId": "i-..."}');
  }
  const given = input as Record<string, unknown>;
  const unknown = Object.keys(given).find((key) => !['caseId', 'instanceId', 'force', 'by'].includes(key));
  if (unknown !== undefined) throw new InputError(quote(unknown), 'is not a member of a restore request');
  const { caseId: ofCase = null, instanceId: ofInstance = null, force = false, by } = given;
  const caseId = ofCase === null ? null : needCaseId(ofCase, 'caseId');
  const instanceId = ofInstance === null ? null : needInstanceId(ofInstance, 'instanceId');
  if (typeof force !== 'boolean') throw new InputError('force', `${quote(force)} is neither true nor false`);
  if (by !== undefined && !isBy(by)) {
    throw new InputError('by', `${quote(by)} is not a name of 1 to 128 letters, digits, spaces and .,@:/_+=-`);
  }
  if ((caseId === null) === (instanceId === null))
    throw new InputError('caseId', 'give either a caseId or an instanceId');
  return { caseId, instanceId, force };
}
