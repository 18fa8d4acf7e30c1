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
import { compareRules, isolationRules } from '../core/network/isolation-rules.ts';
import type { Tools } from './toolbox.ts';

/**
 * Pauses between the looks at the group, in seconds: right after its creation EC2 may not know it yet, and what it shows may
 * lag behind what was written.
 */
const PAUSE_SECONDS = { first: 0.5, later: 2 } as const;

/** Looks with the short pause between them. */
const FIRST_LOOKS = 12;

/** How long the group is looked at, in seconds: what a step does with it needs the rest of its function's time. */
export const GROUP_SECONDS = { prepare: 45, swap: 80 } as const;

/** Names tried when a group that is not ours has taken the one before. */
const NAMES = [ISOLATION_GROUP.name, `${ISOLATION_GROUP.name}-2`, `${ISOLATION_GROUP.name}-3`] as const;

/** In place of the id of a group that somebody else has made. */
const TAKEN = 'taken';

type Difference = ReturnType<typeof compareRules>;

const isNone = ({ extra, missing }: Difference): boolean => extra.length === 0 && missing.length === 0;

/**
 * The isolation group of a VPC: found or made, and read back without a rule in either direction and family before it is
 * handed out. A new group is born with egress to everywhere (in an IPv6 VPC in both families), so attaching it unread
 * would leave the instance more open than it was found. Where it stands and is empty, this is one call.
 */
export async function ensureIsolationGroup(tools: Tools<'ec2'>, vpcId: string, seconds: number): Promise<string> {
  const wanted = isolationRules(tools.config.openings);
  const until = tools.now().getTime() + seconds * 1000;
  let created: string | null = null;
  let written: string | null = null;
  for (let look = 1; tools.now().getTime() < until; look += 1) {
    const { group, freeName } = await find(tools, vpcId);
    if (group?.empty === true && wanted.length === 0) return group.id;
    if (group === null && created === null) {
      // The name may be taken by a run that is faster, or by our own call whose answer was lost: look again either way.
      created = (await createGroup(tools.ec2, vpcId, freeName)) ?? TAKEN;
    }
    // A new group that EC2 does not list yet is asked for its rules once.
    const id = group?.id ?? (written === null ? created : null);
    if (id !== null && id !== TAKEN) {
      const difference = compareRules(await rulesOf(tools.ec2, [id]), wanted);
      // No rule at all, seen right after the creation, proves nothing: EC2 may not know the group yet.
      if (group !== null && wanted.length > 0 && isNone(difference)) return id;
      // What is written may show at once; what was written before and does not show is waited for.
      const news = JSON.stringify(difference);
      if (news !== written && (await mend(tools, id, difference))) {
        written = news;
        continue;
      }
    }
    await tools.sleep(look <= FIRST_LOOKS ? PAUSE_SECONDS.first : PAUSE_SECONDS.later);
  }
  throw new Error(`no isolation group was seen without rules in ${vpcId} within ${seconds} s`);
}

/** Our group in the VPC, or the first name that nobody else has taken. */
async function find(tools: Tools<'ec2'>, vpcId: string): Promise<{ group: NamedGroup | null; freeName: string }> {
  for (const name of NAMES) {
    const group = await groupByName(tools.ec2, vpcId, name);
    if (group === null || group.ours) return { group, freeName: name };
  }
  throw new Error(`the names ${NAMES.join(', ')} are taken in ${vpcId} by groups that are not ours`);
}

/** Revokes what the group permits beyond what is wanted and adds what it lacks; false = EC2 does not know the group yet. */
async function mend(tools: Tools<'ec2'>, groupId: string, { extra, missing }: Difference): Promise<boolean> {
  try {
    await revoke(tools.ec2, groupId, extra);
    await authorize(tools.ec2, groupId, missing);
    return true;
  } catch (error) {
    if (errorCode(error) !== 'InvalidGroup.NotFound') throw error;
    return false;
  }
}

/** Of our groups in these VPCs, those that were seen with exactly the rules that isolation has: none by default. */
export async function exactGroupIds(tools: Tools<'ec2'>, vpcIds: readonly string[]): Promise<readonly string[]> {
  const groups = await isolationGroups(tools.ec2, vpcIds);
  const wanted = isolationRules(tools.config.openings);
  if (wanted.length === 0) return groups.filter((group) => group.empty).map((group) => group.id);
  const ids = groups.map((group) => group.id);
  const rules = await rulesOf(tools.ec2, ids);
  return ids.filter((id) => {
    const difference = compareRules(
      rules.filter((rule) => rule.groupId === id),
      wanted,
    );
    return isNone(difference);
  });
}
