import { readCase } from '../aws/case-table/cases.ts';
import { readClaim } from '../aws/case-table/claims.ts';
import type { CaseDocument } from '../core/case/case.ts';
import type { RestoreItem } from '../core/case/record.ts';
import type { Tools } from './toolbox.ts';

/**
 * The case that has taken the instance since this one was restored, and has not been restored itself: what it has changed is
 * its own to give back. null = there is none.
 */
export async function successorOf({ cases }: Tools<'cases'>, document: CaseDocument): Promise<string | null> {
  const claim = await readClaim(cases, document);
  if (claim === null || claim.caseId === document.caseId) return null;
  const newer = await readCase(cases, claim.caseId);
  return newer?.status === 'restored' ? null : claim.caseId;
}

/** What a restore says of a thing that a newer case has. */
export const leftTo = (successor: string): Pick<RestoreItem, 'outcome' | 'detail'> => ({
  outcome: 'drifted',
  detail: `${successor} has the instance now: restore that case`,
});
