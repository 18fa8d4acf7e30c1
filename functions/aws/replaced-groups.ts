import {
  AuthorizeSecurityGroupEgressCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DeleteSecurityGroupCommand,
  DescribeSecurityGroupsCommand,
  type EC2Client,
  type IpPermission,
  paginateDescribeNetworkInterfaces,
  paginateDescribeSecurityGroupRules,
  paginateDescribeSecurityGroups,
  RevokeSecurityGroupEgressCommand,
  type SecurityGroup,
} from '@aws-sdk/client-ec2';
import { errorCode, unless } from './errors.ts';

/** A security group whole, in EC2's own shapes, so that what is created from it again is the same. */
export interface RecordedGroup {
  readonly groupId: string;
  readonly name: string;
  readonly description: string;
  readonly vpcId: string;
  readonly tags: readonly { readonly Key: string; readonly Value: string }[];
  readonly ingress: readonly IpPermission[];
  readonly egress: readonly IpPermission[];
}

function toRecord(group: SecurityGroup): RecordedGroup {
  return {
    groupId: group.GroupId ?? '',
    name: group.GroupName ?? '',
    description: group.Description ?? '',
    vpcId: group.VpcId ?? '',
    tags: (group.Tags ?? []).map(({ Key = '', Value = '' }) => ({ Key, Value })),
    ingress: group.IpPermissions ?? [],
    egress: group.IpPermissionsEgress ?? [],
  };
}

/** Reads a group whole; null = there is none with this id. */
export async function readGroup(ec2: EC2Client, groupId: string): Promise<RecordedGroup | null> {
  const answer = await unless(
    ['InvalidGroup.NotFound'],
    () => ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [groupId] })),
    () => null,
  );
  const group = answer?.SecurityGroups?.[0];
  return group === undefined ? null : toRecord(group);
}

/** Who still holds or references the group: ENI and group ids. */
export async function usersOfGroup(ec2: EC2Client, groupId: string): Promise<readonly string[]> {
  const users: string[] = [];
  const holders = { Filters: [{ Name: 'group-id', Values: [groupId] }] };
  for await (const page of paginateDescribeNetworkInterfaces({ client: ec2, pageSize: 100 }, holders)) {
    users.push(...(page.NetworkInterfaces ?? []).map((eni) => eni.NetworkInterfaceId ?? ''));
  }
  for (const name of ['ip-permission.group-id', 'egress.ip-permission.group-id']) {
    const input = { Filters: [{ Name: name, Values: [groupId] }] };
    for await (const page of paginateDescribeSecurityGroups({ client: ec2, pageSize: 100 }, input)) {
      users.push(...(page.SecurityGroups ?? []).map((group) => group.GroupId ?? ''));
    }
  }
  return [...new Set(users)].filter((id) => id !== groupId);
}

/** Do single rules of the group carry tags? A rule that is authorised again has none. */
export async function hasTaggedRules(ec2: EC2Client, groupId: string): Promise<boolean> {
  const input = { Filters: [{ Name: 'group-id', Values: [groupId] }] };
  for await (const page of paginateDescribeSecurityGroupRules({ client: ec2, pageSize: 1000 }, input)) {
    if ((page.SecurityGroupRules ?? []).some(({ Tags = [] }) => Tags.length > 0)) return true;
  }
  return false;
}

/** Deletes the group; one that is gone already is fine. EC2 refuses while anything holds it (`DependencyViolation`). */
export async function deleteGroup(ec2: EC2Client, groupId: string): Promise<void> {
  await unless(
    ['InvalidGroup.NotFound'],
    () => ec2.send(new DeleteSecurityGroupCommand({ GroupId: groupId })),
    () => null,
  );
}

/** Finds a group by name, which is unique in the VPC. */
async function groupByName(ec2: EC2Client, vpcId: string, name: string): Promise<RecordedGroup | null> {
  const Filters = [
    { Name: 'vpc-id', Values: [vpcId] },
    { Name: 'group-name', Values: [name] },
  ];
  const answer = await ec2.send(new DescribeSecurityGroupsCommand({ Filters }));
  const group = answer.SecurityGroups?.[0];
  return group === undefined ? null : toRecord(group);
}

const RANGES = ['IpRanges', 'Ipv6Ranges', 'PrefixListIds', 'UserIdGroupPairs'] as const;

/** The same rules, each of one peer. */
const oneByOne = (permissions: readonly IpPermission[]): readonly IpPermission[] =>
  permissions.flatMap((permission) => {
    const { IpRanges: _4, Ipv6Ranges: _6, PrefixListIds: _lists, UserIdGroupPairs: _groups, ...ports } = permission;
    return RANGES.flatMap((kind) => (permission[kind] ?? []).map((peer) => ({ ...ports, [kind]: [peer] })));
  });

/** What makes a rule the same to EC2. A reference to a group counts as one to any: who made it again gave it another id. */
const ruleKey = ({ IpProtocol, FromPort = -1, ToPort = -1, ...peers }: IpPermission): string => {
  const peer = peers.IpRanges?.[0]?.CidrIp ?? peers.Ipv6Ranges?.[0]?.CidrIpv6 ?? peers.PrefixListIds?.[0]?.PrefixListId;
  return [IpProtocol, FromPort, ToPort, peer ?? 'a group'].join(' ');
};

/**
 * Whether the group can be what a run of ours has made again and died over: it says the same of itself, nobody holds or
 * references it, and it has no rule that ours would not have. Any other group of the name is somebody's.
 */
async function isOurs(ec2: EC2Client, group: RecordedGroup, wanted: RecordedGroup): Promise<boolean> {
  const tagsOf = (of: RecordedGroup): string =>
    of.tags
      .filter((one) => !isReserved(one))
      .map(({ Key, Value }) => JSON.stringify([Key, Value]))
      .sort()
      .join();
  const areIn = (rules: readonly IpPermission[], known: readonly IpPermission[]): boolean => {
    const keys = new Set(oneByOne(known).map(ruleKey));
    return oneByOne(rules).every((rule) => keys.has(ruleKey(rule)));
  };
  return (
    group.description === wanted.description &&
    tagsOf(group) === tagsOf(wanted) &&
    areIn(group.ingress, wanted.ingress) &&
    areIn(group.egress, [...BORN_WITH, ...wanted.egress]) &&
    (await usersOfGroup(ec2, group.groupId)).length === 0
  );
}

/**
 * A rule that referenced a group that was made again must reference its successor. A group of another account is found by
 * that account's id alone.
 */
function translated(permission: IpPermission, successors: ReadonlyMap<string, string>): IpPermission {
  const pairs = permission.UserIdGroupPairs?.map(({ GroupId = '', UserId, Description }) => ({
    GroupId: successors.get(GroupId) ?? GroupId,
    ...(UserId !== undefined && { UserId }),
    ...(Description !== undefined && { Description }),
  }));
  return { ...permission, ...(pairs !== undefined && { UserIdGroupPairs: pairs }) };
}

/** What a new group is born with, in an IPv4 and in an IPv6 VPC. */
const BORN_WITH: IpPermission[] = [
  { IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] },
  { IpProtocol: '-1', Ipv6Ranges: [{ CidrIpv6: '::/0' }] },
];

const tolerate =
  (...codes: string[]) =>
  (error: unknown): void => {
    if (!codes.includes(errorCode(error))) throw error;
  };

/** Nobody but AWS may set these: a group that CloudFormation has made carries some, and is refused with them. */
const isReserved = ({ Key }: RecordedGroup['tags'][number]): boolean => Key.toLowerCase().startsWith('aws:');

/** Tags that a group cannot be given again. */
export const lostTags = (group: RecordedGroup): readonly string[] =>
  group.tags.filter(isReserved).map(({ Key }) => Key);

/**
 * Creates the group again with its tags; its id is a new one, and it has no rule of its own yet. Done twice it finds what
 * the first run made. Throws where somebody else has made a group of the name meanwhile, which is theirs.
 */
export async function recreateGroup(ec2: EC2Client, group: RecordedGroup): Promise<string> {
  const tags = group.tags.filter((one) => !isReserved(one));
  const created = await unless(
    ['InvalidGroup.Duplicate'],
    () =>
      ec2.send(
        new CreateSecurityGroupCommand({
          GroupName: group.name,
          Description: group.description,
          VpcId: group.vpcId,
          ...(tags.length > 0 && {
            TagSpecifications: [{ ResourceType: 'security-group', Tags: tags }],
          }),
        }),
      ),
    () => null,
  );
  if (created?.GroupId !== undefined) return created.GroupId;
  const standing = await groupByName(ec2, group.vpcId, group.name);
  if (standing === null) throw new Error(`security group ${group.name} could not be created again in ${group.vpcId}`);
  if (!(await isOurs(ec2, standing, group)))
    throw new Error(`somebody has made a group ${group.name} meanwhile, ${standing.groupId}: it is left as it is`);
  return standing.groupId;
}

/**
 * Gives a group that was made again its rules; `successors` tells the new ids of all groups that were made again. Rules
 * that stand already are no error. A rule for a group that somebody has deleted since cannot come back: returns the ids of
 * those groups.
 */
export async function refillGroup(
  ec2: EC2Client,
  groupId: string,
  group: RecordedGroup,
  successors: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  for (const permission of BORN_WITH) {
    const revoke = new RevokeSecurityGroupEgressCommand({ GroupId: groupId, IpPermissions: [permission] });
    await ec2.send(revoke).catch(tolerate('InvalidPermission.NotFound'));
  }
  const out = (IpPermissions: IpPermission[]) =>
    ec2.send(new AuthorizeSecurityGroupEgressCommand({ GroupId: groupId, IpPermissions }));
  const into = (IpPermissions: IpPermission[]) =>
    ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId: groupId, IpPermissions }));
  const gone: string[] = [];
  for (const permission of group.egress) gone.push(...(await authorizeAll(translated(permission, successors), out)));
  for (const permission of group.ingress) gone.push(...(await authorizeAll(translated(permission, successors), into)));
  return [...new Set(gone)];
}

/**
 * One peer of a rule that stands already, or that is gone, has EC2 refuse the whole call: then each is asked for by itself.
 * Returns the groups that are gone.
 */
async function authorizeAll(
  permission: IpPermission,
  authorize: (permissions: IpPermission[]) => Promise<unknown>,
): Promise<readonly string[]> {
  const gone: string[] = [];
  const forgive = ({ UserIdGroupPairs: [pair] = [] }: IpPermission, error: unknown): void => {
    const code = errorCode(error);
    if (code === 'InvalidPermission.Duplicate') return;
    const id = pair?.GroupId;
    // EC2 names the group: the one that gets the rule may be unknown too, for a moment after it was made.
    const isPair = code === 'InvalidGroup.NotFound' && error instanceof Error && error.message.includes(id ?? 'none');
    if (id === undefined || !isPair) throw error;
    gone.push(id);
  };
  try {
    await authorize([permission]);
  } catch (error) {
    if (!['InvalidPermission.Duplicate', 'InvalidGroup.NotFound'].includes(errorCode(error))) throw error;
    for (const one of oneByOne([permission]))
      await authorize([one]).catch((problem: unknown) => {
        forgive(one, problem);
      });
  }
  return gone;
}
