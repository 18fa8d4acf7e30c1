import { addToTimeline } from '../aws/case-table/timeline.ts';
import { errorText } from '../aws/errors.ts';
import type { EvidenceItem } from '../core/case/evidence.ts';
import type { RestoreItem } from '../core/case/record.ts';
import { cleaned } from '../core/plain-text.ts';
import type { Tools } from './toolbox.ts';

/**
 * Appends to the timeline what came of a step, in words that a second run of it says as well. Where it cannot be written
 * that is logged: what the step did stands all the same, and failing now would delay what comes next.
 */
export async function tell(tools: Tools<'cases'>, caseId: string, step: string, what: string): Promise<void> {
  const at = tools.now().toISOString();
  await addToTimeline(tools.cases, caseId, { at, step, what: cleaned(what) }).catch((error: unknown) => {
    tools.log.warn('the timeline could not be written', { caseId, step, error: errorText(error) });
  });
}

/** What became of what controls took. In an order of its own: what an earlier run took comes last in the list. */
export const takenText = (items: readonly EvidenceItem[]): string =>
  items
    .map(({ item, outcome, reason }) => `${item}: ${outcome}${reason === undefined ? '' : ` (${reason})`}`)
    .sort()
    .join('; ');

/** As it was found: put back by this run, or by one that died before it said so. */
const isAsFound = ({ outcome, detail = '' }: RestoreItem): boolean =>
  outcome === 'already' || (outcome === 'restored' && !detail.startsWith('stands on'));

const exceptions = (items: readonly RestoreItem[]): readonly string[] =>
  items
    .filter((item) => !isAsFound(item))
    .map(({ item, outcome, detail }) => `${item}: ${outcome}${detail === undefined ? '' : ` (${detail})`}`);

/** What a restore came to: what is as it was found, and what is not, with the reason. */
export function restoredText(items: readonly RestoreItem[]): string {
  const names = items.filter(isAsFound).map(({ item }) => item);
  const asFound = names.length === 0 ? [] : [`as it was found: ${names.join(', ')}`];
  return [...asFound, ...exceptions(items)].join('; ');
}

/** The same of denies. One that is lifted has left the ledger: a second run knows only the ACLs. */
export function liftedText(items: readonly RestoreItem[], aclIds: readonly string[]): string {
  const isLifted = aclIds.length > 0 && items.every(({ outcome }) => outcome !== 'failed');
  const lifted = isLifted ? [`this case holds no deny any more in ${[...aclIds].sort().join(', ')}`] : [];
  return [...lifted, ...exceptions(items)].join('; ');
}
