import { errorCode } from '../aws/errors.ts';
import { createGroup, groupByName, ISOLATION_GROUP, type NamedGroup, revoke, rulesOf } from '../aws/security-groups.ts';
import type { Tools } from './toolbox.ts';

/** Looks at the group until it is seen without a rule: right after its creation EC2 may not know it yet. */
const EMPTY_ATTEMPTS = 12;
const EMPTY_PAUSE_SECONDS = 0.5;

/** Names tried when a group that is not ours has taken the one before. */
const NAMES = [ISOLATION_GROUP.name, `${ISOLATION_GROUP.name}-2`, `${ISOLATION_GROUP.name}-3`] as const;

/**
 * The isolation group of a VPC: found or made, and read back without a rule in either direction and family before it is
 * handed out. A new group is born with egress to everywhere (in an IPv6 VPC in both families), so attaching it unread
 * would leave the instance more open than it was found. Where it stands and is empty, this is one call.
 */
export async function ensureIsolationGroup(tools: Tools<'ec2'>, vpcId: string): Promise<string> {
  let created = 'none';
  for (let attempt = 1; attempt <= EMPTY_ATTEMPTS; attempt += 1) {
    const { group, freeName } = await find(tools, vpcId);
    if (group?.empty === true) return group.id;
    if (group !== null) {
      await empty(tools, group.id);
      continue;
    }
    if (created === 'none') {
      // The name may be taken by a run that is faster, or by our own call whose answer was lost: look again either way.
      created = (await createGroup(tools.ec2, vpcId, freeName)) ?? 'taken';
      if (created !== 'taken') await empty(tools, created);
      continue;
    }
    await tools.sleep(EMPTY_PAUSE_SECONDS);
  }
  throw new Error(`no isolation group was seen without rules in ${vpcId} after ${EMPTY_ATTEMPTS} looks`);
}

/** Our group in the VPC, or the first name that nobody else has taken. */
async function find(tools: Tools<'ec2'>, vpcId: string): Promise<{ group: NamedGroup | null; freeName: string }> {
  for (const name of NAMES) {
    const group = await groupByName(tools.ec2, vpcId, name);
    if (group === null || group.ours) return { group, freeName: name };
  }
  throw new Error(`the names ${NAMES.join(', ')} are taken in ${vpcId} by groups that are not ours`);
}

/** Revokes whatever the group permits; a group that EC2 does not know yet is left for the next look. */
async function empty(tools: Tools<'ec2'>, groupId: string): Promise<void> {
  try {
    await revoke(tools.ec2, groupId, await rulesOf(tools.ec2, [groupId]));
  } catch (error) {
    if (errorCode(error) !== 'InvalidGroup.NotFound') throw error;
    await tools.sleep(EMPTY_PAUSE_SECONDS);
  }
}
