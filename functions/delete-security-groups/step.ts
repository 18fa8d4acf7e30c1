import { readBefore } from '../aws/case-table/before-states.ts';
import { readDeletedGroups, recordDeletedGroup } from '../aws/case-table/groups.ts';
import { groupTools, replacedGroups } from '../controls/replaced-groups.ts';
import type { DeletionResult, Verifying } from '../core/case/record.ts';
import type { TakeItem } from '../core/control.ts';
import { take } from '../shared/control-runner.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

/**
 * Delete the groups that the isolation replaced: clean-up, not a cut, and only where opted in. A group goes only when the
 * case is contained, nobody holds or references it, and it is not a default one; it is recorded whole first, and restore
 * makes it again.
 */
export async function deleteSecurityGroups(tools: Tools<'ec2' | 'cases'>, record: Verifying): Promise<DeletionResult> {
  const { caseId } = record.case;
  if (!tools.config.deleteReplacedGroups) return keep(tools, caseId, 'replaced groups are kept');
  if (record.verdict?.kind !== 'contained') return keep(tools, caseId, 'the instance is not contained');
  const [before, recorded] = await Promise.all([
    readBefore(tools.cases, caseId),
    readDeletedGroups(tools.cases, caseId),
  ]);
  const groupIds = [...new Set(before.flatMap((eni) => eni.groupIds))];
  const taken = await take(replacedGroups, groupTools(tools, { caseId, groupIds, recorded }), {
    known: recorded,
    // Recorded by an earlier run that could not delete it, it may have changed since: what is deleted is what is given back.
    record: (group) =>
      recordDeletedGroup(
        tools.cases,
        caseId,
        group,
        recorded.find(({ groupId }) => groupId === group.groupId),
      ),
  });
  const items = taken.map((one) => ({ item: one.item, outcome: outcomeText(one) }));
  const what = items.map(({ item, outcome }) => `${item}: ${outcome}`).join('; ');
  await tell(tools, caseId, STEP, what || 'there was no group to delete');
  return { kind: 'done', items };
}

const STEP = 'delete-security-groups';

async function keep(tools: Tools<'cases'>, caseId: string, reason: string): Promise<DeletionResult> {
  await tell(tools, caseId, STEP, `kept: ${reason}`);
  return { kind: 'kept', reason };
}

function outcomeText({ outcome, reason = '' }: TakeItem): string {
  if (outcome === 'done') return 'deleted';
  return outcome === 'already' ? reason : `kept: ${reason}`;
}
