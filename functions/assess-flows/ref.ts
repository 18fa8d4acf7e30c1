import type { CaseDocument } from '../core/case/case.ts';
import type { CaseRef } from '../core/case/record.ts';
import type { CaseRequest } from '../core/intake/intake-types.ts';
import type { Mode } from '../core/model.ts';
import { urgencyOf } from '../core/pacing.ts';

export const triggerOf = (request: CaseRequest): string => request.finding?.type ?? 'manual request';

/** What the state machine carries of a case. */
export const refOf = ({ caseId, instanceId, request }: CaseDocument, mode: Mode): CaseRef => ({
  caseId,
  instanceId,
  mode,
  trigger: triggerOf(request),
  urgency: urgencyOf(request),
});
