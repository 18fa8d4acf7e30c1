import {
  AuthorizeSecurityGroupEgressCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  type EC2Client,
  type IpPermission,
  paginateDescribeSecurityGroupRules,
  paginateDescribeSecurityGroups,
  RevokeSecurityGroupEgressCommand,
  RevokeSecurityGroupIngressCommand,
  type SecurityGroup,
  type SecurityGroupRule,
} from '@aws-sdk/client-ec2';
import type { GroupRule } from '../core/model.ts';
import { canonicalCidr } from '../core/network/addresses.ts';
import type { IsolationRule } from '../core/network/isolation-rules.ts';
import { errorCode } from './errors.ts';

/** Name, description and tag of the group that isolated ENIs get; one per VPC, without a rule in either family. */
export const ISOLATION_GROUP = {
  name: 'flowcut-isolation',
  description: 'Isolation by flowcut: no rules. Do not add any.',
  tag: { Key: 'flowcut:purpose', Value: 'isolation' },
} as const;

const PROTOCOL_NAMES: Readonly<Record<string, string>> = { '1': 'icmp', '6': 'tcp', '17': 'udp', '58': 'icmpv6' };

function peerOf(rule: SecurityGroupRule): GroupRule['peer'] {
  if (rule.PrefixListId !== undefined) return { kind: 'prefix-list', prefixListId: rule.PrefixListId };
  if (rule.ReferencedGroupInfo !== undefined) return { kind: 'group', groupId: rule.ReferencedGroupInfo.GroupId ?? '' };
  const text = rule.CidrIpv4 ?? rule.CidrIpv6 ?? '';
  const cidr = canonicalCidr(text);
  return { kind: 'cidr', cidr: cidr?.cidr ?? text, family: cidr?.family ?? 'ipv4' };
}

/** -1 stands for "all" in port and ICMP fields. */
const bound = (value: number | undefined): number | null => (value === undefined || value === -1 ? null : value);

function toRule(rule: SecurityGroupRule): GroupRule {
  const protocol = rule.IpProtocol ?? '-1';
  return {
    ruleId: rule.SecurityGroupRuleId ?? '',
    groupId: rule.GroupId ?? '',
    direction: rule.IsEgress === true ? 'egress' : 'ingress',
    protocol: PROTOCOL_NAMES[protocol] ?? protocol,
    fromPort: bound(rule.FromPort),
    toPort: bound(rule.ToPort),
    peer: peerOf(rule),
  };
}

/** The rules of these groups, both directions and families, one source or destination each. */
export async function rulesOf(ec2: EC2Client, groupIds: readonly string[]): Promise<readonly GroupRule[]> {
  if (groupIds.length === 0) return [];
  const found: GroupRule[] = [];
  const input = { Filters: [{ Name: 'group-id', Values: [...groupIds] }] };
  for await (const page of paginateDescribeSecurityGroupRules({ client: ec2, pageSize: 1000 }, input)) {
    found.push(...(page.SecurityGroupRules ?? []).map(toRule));
  }
  return found;
}

/** Permits what is wanted; a rule that is there already is fine. */
export async function authorize(ec2: EC2Client, groupId: string, rules: readonly IsolationRule[]): Promise<void> {
  const there = (error: unknown): void => {
    if (errorCode(error) !== 'InvalidPermission.Duplicate') throw error;
  };
  for (const rule of rules) {
    const input = { GroupId: groupId, IpPermissions: [toPermission(rule)] };
    const command =
      rule.direction === 'egress'
        ? ec2.send(new AuthorizeSecurityGroupEgressCommand(input))
        : ec2.send(new AuthorizeSecurityGroupIngressCommand(input));
    await command.then(() => undefined, there);
  }
}

function toPermission({ protocol, fromPort, toPort, peer }: IsolationRule): IpPermission {
  const ports = fromPort === null || toPort === null ? {} : { FromPort: fromPort, ToPort: toPort };
  const base = { IpProtocol: protocol, ...ports };
  switch (peer.kind) {
    case 'cidr':
      return peer.family === 'ipv4'
        ? { ...base, IpRanges: [{ CidrIp: peer.cidr }] }
        : { ...base, Ipv6Ranges: [{ CidrIpv6: peer.cidr }] };
    case 'prefix-list':
      return { ...base, PrefixListIds: [{ PrefixListId: peer.prefixListId }] };
    case 'group':
      return { ...base, UserIdGroupPairs: [{ GroupId: peer.groupId }] };
    default:
      return peer satisfies never;
  }
}

export interface NamedGroup {
  readonly id: string;
  /** It carries our tag. */
  readonly ours: boolean;
  /** It was seen without a rule in either direction; rules of both families stand in the same lists. */
  readonly empty: boolean;
}

/** The group of this name in the VPC. */
export async function groupByName(ec2: EC2Client, vpcId: string, name: string): Promise<NamedGroup | null> {
  const input = {
    Filters: [
      { Name: 'vpc-id', Values: [vpcId] },
      { Name: 'group-name', Values: [name] },
    ],
  };
  for await (const page of paginateDescribeSecurityGroups({ client: ec2, pageSize: 100 }, input)) {
    const group = page.SecurityGroups?.find((candidate) => candidate.GroupName === name && candidate.VpcId === vpcId);
    if (group?.GroupId !== undefined) {
      const ours = group.Tags?.some(
        (tag) => tag.Key === ISOLATION_GROUP.tag.Key && tag.Value === ISOLATION_GROUP.tag.Value,
      );
      return { id: group.GroupId, ours: ours ?? false, empty: isEmpty(group) };
    }
  }
  return null;
}

const isEmpty = (group: SecurityGroup): boolean =>
  group.IpPermissions?.length === 0 && group.IpPermissionsEgress?.length === 0;

/** Our isolation groups in these VPCs, found by their tag. */
export function isolationGroups(ec2: EC2Client, vpcIds: readonly string[]): Promise<readonly NamedGroup[]> {
  return groupsWhere(ec2, vpcIds, `tag:${ISOLATION_GROUP.tag.Key}`, ISOLATION_GROUP.tag.Value);
}

/**
 * Groups in these VPCs with which an ENI was isolated, those included from which somebody has taken the tag since: a
 * description cannot be changed. Good for knowing our own work again; what isolates is only what carries the tag.
 */
export async function groupsThatIsolated(ec2: EC2Client, vpcIds: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all([
    isolationGroups(ec2, vpcIds),
    groupsWhere(ec2, vpcIds, 'description', ISOLATION_GROUP.description),
  ]);
  return [...new Set(found.flat().map(({ id }) => id))];
}

async function groupsWhere(
  ec2: EC2Client,
  vpcIds: readonly string[],
  name: string,
  value: string,
): Promise<readonly NamedGroup[]> {
  if (vpcIds.length === 0) return [];
  const found: NamedGroup[] = [];
  const input = {
    Filters: [
      { Name: 'vpc-id', Values: [...vpcIds] },
      { Name: name, Values: [value] },
    ],
  };
  for await (const page of paginateDescribeSecurityGroups({ client: ec2, pageSize: 100 }, input)) {
    for (const group of page.SecurityGroups ?? []) {
      found.push({ id: group.GroupId ?? '', ours: true, empty: isEmpty(group) });
    }
  }
  return found;
}

/**
 * Creates a group in the VPC. It is born with a default egress-all rule (in an IPv6 VPC also `::/0`): never attach it
 * before its rules are revoked and read back. Returns null when the name is taken (another run was faster).
 */
export async function createGroup(ec2: EC2Client, vpcId: string, name: string): Promise<string | null> {
  try {
    const answer = await ec2.send(
      new CreateSecurityGroupCommand({
        VpcId: vpcId,
        GroupName: name,
        Description: ISOLATION_GROUP.description,
        TagSpecifications: [{ ResourceType: 'security-group', Tags: [ISOLATION_GROUP.tag] }],
      }),
    );
    return answer.GroupId ?? null;
  } catch (error) {
    if (errorCode(error) === 'InvalidGroup.Duplicate') return null;
    throw error;
  }
}

/** Revokes rules by id; one that is gone already is fine. */
export async function revoke(ec2: EC2Client, groupId: string, rules: readonly GroupRule[]): Promise<void> {
  const ids = (direction: GroupRule['direction']): string[] =>
    rules.filter((rule) => rule.direction === direction).map((rule) => rule.ruleId);
  const gone = (error: unknown): void => {
    if (!['InvalidSecurityGroupRuleId.NotFound', 'InvalidPermission.NotFound'].includes(errorCode(error))) throw error;
  };
  const [egress, ingress] = [ids('egress'), ids('ingress')];
  await Promise.all([
    egress.length > 0 &&
      ec2.send(new RevokeSecurityGroupEgressCommand({ GroupId: groupId, SecurityGroupRuleIds: egress })).catch(gone),
    ingress.length > 0 &&
      ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId: groupId, SecurityGroupRuleIds: ingress })).catch(gone),
  ]);
}
