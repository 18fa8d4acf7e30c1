import type {
  CreateSecurityGroupCommandInput,
  DeleteSecurityGroupCommandInput,
  DescribeSecurityGroupsCommandInput,
} from '@aws-sdk/client-ec2';
import type { ApiContext, Handlers } from '../context.ts';
import { AwsError } from '../errors.ts';
import { found, newId } from '../ids.ts';
import type { ApiState, SecurityGroup, Vpc } from '../shapes.ts';
import { findGroup, groupsCreatedAt, visibleGroups } from './find.ts';
import { rulesOf } from './group-rules.ts';
import { type Listing, list } from './listing.ts';
import { invalidValue, required, requireOwner } from './require.ts';
import { tagsFor } from './tag-specifications.ts';

const listing: Listing<SecurityGroup> = {
  kind: 'group',
  idOf: (group) => group.GroupId,
  tagsOf: (group) => group.Tags,
  pageSize: { min: 5, max: 1000 },
  filters: {
    'group-id': (group) => group.GroupId,
    'group-name': (group) => group.GroupName,
    description: (group) => group.Description,
    'vpc-id': (group) => group.VpcId,
    'owner-id': (group) => group.OwnerId,
    'ip-permission.group-id': (group) =>
      group.IpPermissions.flatMap((p) => p.UserIdGroupPairs?.map((pair) => pair.GroupId)),
    'ip-permission.cidr': (group) => group.IpPermissions.flatMap((p) => p.IpRanges?.map((range) => range.CidrIp)),
    'ip-permission.ipv6-cidr': (group) =>
      group.IpPermissions.flatMap((p) => p.Ipv6Ranges?.map((range) => range.CidrIpv6)),
    'ip-permission.prefix-list-id': (group) =>
      group.IpPermissions.flatMap((p) => p.PrefixListIds?.map((prefixList) => prefixList.PrefixListId)),
    'egress.ip-permission.group-id': (group) =>
      group.IpPermissionsEgress.flatMap((p) => p.UserIdGroupPairs?.map((pair) => pair.GroupId)),
    'egress.ip-permission.cidr': (group) =>
      group.IpPermissionsEgress.flatMap((p) => p.IpRanges?.map((range) => range.CidrIp)),
    'egress.ip-permission.ipv6-cidr': (group) =>
      group.IpPermissionsEgress.flatMap((p) => p.Ipv6Ranges?.map((range) => range.CidrIpv6)),
    'egress.ip-permission.prefix-list-id': (group) =>
      group.IpPermissionsEgress.flatMap((p) => p.PrefixListIds?.map((prefixList) => prefixList.PrefixListId)),
  },
};

function describeSecurityGroups(context: ApiContext, input: DescribeSecurityGroupsCommandInput): object {
  const all = visibleGroups(context).map((group) => ({ OwnerId: context.state.AccountId, ...group }));
  const { items, nextToken } = list<SecurityGroup>(all, listing, input.GroupIds, input);
  return { SecurityGroups: items, NextToken: nextToken };
}

/** Letters, digits, spaces and these. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html */
const TEXT = /^[a-zA-Z0-9 ._\-:/()#,@[\]+=&;{}!$*]{1,255}$/;

/** A new group lets everything out, in a VPC with IPv6 on `::/0` too. https://docs.aws.amazon.com/vpc/latest/userguide/creating-security-groups.html */
function createSecurityGroup(context: ApiContext, input: CreateSecurityGroupCommandInput): object {
  const { state, memory, now } = context;
  const name = required(input.GroupName, 'groupName').trim();
  const description = required(input.Description, 'groupDescription');
  if (!TEXT.test(name) || name.startsWith('sg-'))
    throw invalidValue('groupName', name, 'Character sets beyond ASCII are not supported.');
  if (!TEXT.test(description))
    throw invalidValue('groupDescription', description, 'Character sets beyond ASCII are not supported.');
  if (name === 'default') throw new AwsError('InvalidGroup.Reserved', "The security group 'default' is reserved");
  const vpc = vpcFor(state, input.VpcId);
  if (state.SecurityGroups.some((group) => group.VpcId === vpc.VpcId && group.GroupName === name)) {
    throw new AwsError('InvalidGroup.Duplicate', `The security group '${name}' already exists for VPC '${vpc.VpcId}'`);
  }
  const all = { IpProtocol: '-1', PrefixListIds: [], UserIdGroupPairs: [] };
  const group: SecurityGroup = {
    GroupId: newId(memory, 'sg'),
    GroupName: name,
    Description: description,
    VpcId: vpc.VpcId,
    OwnerId: state.AccountId,
    IpPermissions: [],
    IpPermissionsEgress: [
      { ...all, IpRanges: [{ CidrIp: '0.0.0.0/0' }], Ipv6Ranges: hasIpv6(vpc, state) ? [{ CidrIpv6: '::/0' }] : [] },
    ],
    Tags: tagsFor('security-group', input.TagSpecifications),
  };
  state.SecurityGroups.push(group);
  memory.of(groupsCreatedAt).set(group.GroupId, now);
  const SecurityGroupArn = `arn:aws:ec2:${state.Region}:${state.AccountId}:security-group/${group.GroupId}`;
  return { GroupId: group.GroupId, SecurityGroupArn, Tags: group.Tags };
}

function vpcFor(state: ApiState, id: string | undefined): Vpc {
  if (id !== undefined) return found('vpc', id, [...state.Vpcs, ...impliedVpcs(state)], (vpc) => vpc.VpcId);
  const fallback = state.Vpcs.find((vpc) => vpc.IsDefault === true);
  if (fallback === undefined) throw new AwsError('VPCIdNotSpecified', 'No default VPC for this user');
  return fallback;
}

/** A world file need not list its VPCs: one that a subnet, an interface or a group lies in is there all the same. */
function impliedVpcs(state: ApiState): Vpc[] {
  const ids = [...state.Subnets, ...state.NetworkInterfaces, ...state.SecurityGroups].flatMap(
    ({ VpcId }) => VpcId ?? [],
  );
  return [...new Set(ids)].map((VpcId) => ({ VpcId }));
}

/** A subnet or an interface has IPv6 only where its VPC has. */
function hasIpv6(vpc: Vpc, state: ApiState): boolean {
  const here = ({ VpcId }: { VpcId?: string }) => VpcId === vpc.VpcId;
  const below = [
    ...state.Subnets.filter(here).flatMap((subnet) => subnet.Ipv6CidrBlockAssociationSet ?? []),
    ...state.NetworkInterfaces.filter(here).flatMap((eni) => eni.Ipv6Addresses ?? []),
  ];
  if (below.length > 0) return true;
  return (vpc.Ipv6CidrBlockAssociationSet ?? []).some(
    ({ Ipv6CidrBlock, Ipv6CidrBlockState }) =>
      Ipv6CidrBlock !== undefined && (Ipv6CidrBlockState?.State ?? 'associated') === 'associated',
  );
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html */
function deleteSecurityGroup(context: ApiContext, input: DeleteSecurityGroupCommandInput): object {
  const { state } = context;
  const group = findGroup(context, required(input.GroupId ?? input.GroupName, 'groupId'));
  const id = group.GroupId;
  requireOwner(state.AccountId, group.OwnerId, 'DeleteSecurityGroup');
  if (group.GroupName === 'default') {
    throw new AwsError('CannotDelete', `the specified group: "${id}" name: "default" cannot be deleted by a user`);
  }
  const held = state.NetworkInterfaces.some((eni) => eni.Groups.some(({ GroupId }) => GroupId === id));
  const referenced = state.SecurityGroups.some(
    (other) => other !== group && rulesOf(other).some(({ peer }) => peer.kind === 'group' && peer.value === id),
  );
  if (held || referenced) throw new AwsError('DependencyViolation', `resource ${id} has a dependent object`);
  state.SecurityGroups.splice(state.SecurityGroups.indexOf(group), 1);
  context.networkChanged();
  return { Return: true, GroupId: id };
}

export const securityGroupHandlers: Handlers = {
  DescribeSecurityGroups: describeSecurityGroups,
  CreateSecurityGroup: createSecurityGroup,
  DeleteSecurityGroup: deleteSecurityGroup,
};
