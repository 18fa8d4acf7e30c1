import { readBefore } from '../aws/case-table/before-states.ts';
import { casesNeedingGroup, readDeletedGroups, recordDeletedGroup } from '../aws/case-table/groups.ts';
import { errorText } from '../aws/errors.ts';
import { deleteGroup, hasTaggedRules, readGroup, usersOfGroup } from '../aws/replaced-groups.ts';
import type { DeletionResult, Verifying } from '../core/case/record.ts';
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
  const before = await readBefore(tools.cases, caseId);
  const groupIds = [...new Set(before.flatMap((eni) => eni.groupIds))];
  const items = await Promise.all(groupIds.map((groupId) => deleteOne(tools, caseId, groupId)));
  const what = items.map(({ groupId, outcome }) => `${groupId}: ${outcome}`).join('; ');
  await tell(tools, caseId, STEP, what || 'there was no group to delete');
  return { kind: 'done', items };
}

const STEP = 'delete-security-groups';

async function keep(tools: Tools<'cases'>, caseId: string, reason: string): Promise<DeletionResult> {
  await tell(tools, caseId, STEP, `kept: ${reason}`);
  return { kind: 'kept', reason };
}

async function deleteOne(
  tools: Tools<'ec2' | 'cases'>,
  caseId: string,
  groupId: string,
): Promise<{ readonly groupId: string; readonly outcome: string }> {
  try {
    const recorded = (await readDeletedGroups(tools.cases, caseId)).find((one) => one.groupId === groupId);
    const group = await readGroup(tools.ec2, groupId);
    if (group === null) {
      // Deleted by an earlier run of ours, which died before it said so, or by somebody else.
      return { groupId, outcome: recorded === undefined ? 'gone already' : 'deleted' };
    }
    if (group.name === 'default') return { groupId, outcome: 'kept: the default group of a VPC cannot be deleted' };
    const users = await usersOfGroup(tools.ec2, groupId);
    if (users.length > 0) return { groupId, outcome: `kept: used by ${users.slice(0, 3).join(', ')}` };
    const needing = (await casesNeedingGroup(tools.cases, groupId)).filter((id) => id !== caseId);
    if (needing.length > 0)
      return { groupId, outcome: `kept: the restore of ${needing.slice(0, 3).join(', ')} needs it` };
    if (await hasTaggedRules(tools.ec2, groupId))
      return { groupId, outcome: 'kept: its rules carry tags, which a restore could not give back' };
    // Recorded by an earlier run that could not delete it, it may have changed since: what is deleted is what is given back.
    await recordDeletedGroup(tools.cases, caseId, group, recorded);
    await deleteGroup(tools.ec2, groupId);
    return { groupId, outcome: 'deleted' };
  } catch (error) {
    return { groupId, outcome: `kept: ${errorText(error)}` };
  }
}
