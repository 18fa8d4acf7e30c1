import { readCase } from '../aws/case-table/cases.ts';
import { isClosing, modeOf } from '../core/case/case.ts';
import { needCaseId } from '../core/case/case-id.ts';
import type { Opened } from '../core/case/record.ts';
import { LOOK_PARTS } from '../core/case/watch.ts';
import { InputError, quote } from '../core/errors.ts';
import { isRecord } from '../core/intake/input-fields.ts';
import type { Tools } from '../shared/toolbox.ts';
import { refOf } from './ref.ts';

export const isLook = (input: unknown): input is { readonly look: unknown } => isRecord(input) && 'look' in input;

/** A look of the watch reads its case and changes nothing of it: what is in force is read by the verification. */
export async function openLook(tools: Tools<'cases'>, { look }: { readonly look: unknown }): Promise<Opened> {
  if (!isRecord(look)) throw new InputError('look', `${quote(look)} is not an object with the id of a case`);
  const caseId = needCaseId(look['caseId'], 'look.caseId');
  const { as: part = 'alone' } = look;
  const as = LOOK_PARTS.find((one) => one === part);
  if (as === undefined) throw new InputError('look.as', `${quote(part)} is none of ${LOOK_PARTS.join(', ')}`);
  const document = await readCase(tools.cases, caseId);
  if (document === null) throw new InputError('look.caseId', `${quote(caseId)} is not in the case table`);
  const ref = refOf(document, modeOf(document.request, tools.config.defaultMode));
  const { status } = document;
  if (isClosing(document)) return { case: ref, assessment: { kind: 'over', reason: `the case is ${status}` } };
  return { case: ref, assessment: { kind: 'look', reason: 'the watch looks at the case again', as } };
}
