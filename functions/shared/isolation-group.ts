import { errorCode } from '../aws/errors.ts';
import {
  authorize,
  createGroup,
  groupByName,
  ISOLATION_GROUP,
  isolationGroups,
  type NamedGroup,
  revoke,
  rulesOf,
} from '../aws/security-groups.ts';
import { compareRules, type IsolationRule, isolationRules } from '../core/network/isolation-rules.ts';
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
  const wanted = isolationRules(tools.config.openings);
  let created = 'none';
  for (let attempt = 1; attempt <= EMPTY_ATTEMPTS; attempt += 1) {
    const { group, freeName } = await find(tools, vpcId);
    if (group?.empty === true && wanted.length === 0) return group.id;
    if (group !== null) {
      if (await makeExact(tools, group.id, wanted)) return group.id;
      continue;
    }
    if (created === 'none') {
      // The name may be taken by a run that is faster, or by our own call whose answer was lost: look again either way.
      created = (await createGroup(tools.ec2, vpcId, freeName)) ?? 'taken';
      if (created !== 'taken') await makeExact(tools, created, wanted);
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

/** Revokes what the group permits beyond what is wanted and adds what it lacks; true = it was seen to be exact. */
async function makeExact(tools: Tools<'ec2'>, groupId: string, wanted: readonly IsolationRule[]): Promise<boolean> {
  try {
    const { extra, missing } = compareRules(await rulesOf(tools.ec2, [groupId]), wanted);
    // No rule at all, seen right after the creation, proves nothing: EC2 may not know the group yet.
    if (extra.length === 0 && missing.length === 0) return wanted.length > 0;
    await revoke(tools.ec2, groupId, extra);
    await authorize(tools.ec2, groupId, missing);
  } catch (error) {
    if (errorCode(error) !== 'InvalidGroup.NotFound') throw error;
    await tools.sleep(EMPTY_PAUSE_SECONDS);
  }
  return false;
}

/** Of our groups in these VPCs, those that were seen with exactly the rules that isolation has: none by default. */
export async function exactGroupIds(tools: Tools<'ec2'>, vpcIds: readonly string[]): Promise<readonly string[]> {
  const groups = await isolationGroups(tools.ec2, vpcIds);
  const wanted = isolationRules(tools.config.openings);
  if (wanted.length === 0) return groups.filter((group) => group.empty).map((group) => group.id);
  const ids = groups.map((group) => group.id);
  const rules = await rulesOf(tools.ec2, ids);
  return ids.filter((id) => {
    const { extra, missing } = compareRules(
      rules.filter((rule) => rule.groupId === id),
      wanted,
    );
    return extra.length === 0 && missing.length === 0;
  });
}
