import { createGroup, groupByName, ISOLATION_GROUP, revoke, rulesOf } from '../aws/security-groups.ts';
import { errorCode } from '../aws/errors.ts';
import type { Tools } from './toolbox.ts';

/** Looks at the group until it is seen without a rule: right after its creation EC2 may not know it yet. */
const EMPTY_ATTEMPTS = 8;
const EMPTY_PAUSE_SECONDS = 1;

/** Names tried when a group that is not ours has taken the one before. */
const NAMES = [ISOLATION_GROUP.name, `${ISOLATION_GROUP.name}-2`, `${ISOLATION_GROUP.name}-3`] as const;

/**
 * The isolation group of a VPC: found or made, and read back without a rule in either direction and family before it is
 * handed out. A new group is born with egress to everywhere (in an IPv6 VPC in both families), so attaching it unread
 * would leave the instance more open than it was found.
 */
export async function ensureIsolationGroup(tools: Tools<'ec2'>, vpcId: string): Promise<string> {
  const groupId = await findOrCreate(tools, vpcId);
  for (let attempt = 1; attempt <= EMPTY_ATTEMPTS; attempt += 1) {
    try {
      const rules = await rulesOf(tools.ec2, [groupId]);
      // An empty answer about a group that EC2 does not list yet proves nothing.
      const known = rules.length > 0 || (await isListed(tools, vpcId, groupId));
      if (rules.length === 0 && known) return groupId;
      if (rules.length > 0) {
        await revoke(tools.ec2, groupId, rules);
        continue;
      }
    } catch (error) {
      if (errorCode(error) !== 'InvalidGroup.NotFound' || attempt === EMPTY_ATTEMPTS) throw error;
    }
    await tools.sleep(EMPTY_PAUSE_SECONDS);
  }
  throw new Error(`security group ${groupId} was not seen without rules after ${EMPTY_ATTEMPTS} looks`);
}

async function isListed(tools: Tools<'ec2'>, vpcId: string, groupId: string): Promise<boolean> {
  const groups = await Promise.all(NAMES.map((name) => groupByName(tools.ec2, vpcId, name)));
  return groups.some((group) => group?.id === groupId);
}

async function findOrCreate(tools: Tools<'ec2'>, vpcId: string): Promise<string> {
  for (const name of NAMES) {
    const existing = await groupByName(tools.ec2, vpcId, name);
    if (existing?.ours === true) return existing.id;
    if (existing !== null) continue;
    const created = await createGroup(tools.ec2, vpcId, name);
    if (created !== null) return created;
    // Another run took the name between our look and our call, or our own call's answer was lost. Where the service
    // cannot be made to list it, the caller's retry looks again.
    const other = await groupByName(tools.ec2, vpcId, name);
    if (other?.ours === true) return other.id;
    if (other === null) throw new Error(`security group ${name} exists in ${vpcId} and cannot be seen yet`);
  }
  throw new Error(`the names ${NAMES.join(', ')} are taken in ${vpcId} by groups that are not ours`);
}
