import type {
  AuthorizeSecurityGroupEgressCommandInput,
  DescribeSecurityGroupRulesCommandInput,
  RevokeSecurityGroupEgressCommandInput,
  RevokeSecurityGroupIngressCommandInput,
} from '@aws-sdk/client-ec2';
import type { ApiContext, Handlers } from '../context.ts';
import { AwsError } from '../errors.ts';
import type { SecurityGroup } from '../shapes.ts';
import { findGroup, visibleGroups } from './find.ts';
import { type Rule, requestedRules, ruleId, ruleKey, rulesOf, setRules, shownRule } from './group-rules.ts';
import { type Listing, list } from './listing.ts';
import { required, requireOwner } from './require.ts';

/** https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups, per address family. */
const RULES_PER_DIRECTION = 60;

const listing: Listing<Rule> = {
  kind: 'groupRule',
  idOf: ruleId,
  tagsOf: () => [],
  pageSize: { min: 5, max: 1000 },
  filters: {
    'group-id': (rule) => rule.groupId,
    'security-group-rule-id': ruleId,
  },
};

const GROUP_ID = /^sg-[0-9a-f]{8,17}$/;

/** The filter `group-id` refuses a malformed id; of a group that is not there, or not yet, it says that it has no rules. */
function describeSecurityGroupRules(context: ApiContext, input: DescribeSecurityGroupRulesCommandInput): object {
  for (const { Name, Values } of input.Filters ?? []) {
    const malformed = Name === 'group-id' ? Values?.find((id) => !GROUP_ID.test(id)) : undefined;
    if (malformed !== undefined) {
      throw new AwsError('InvalidGroupId.Malformed', `The security group ID '${malformed}' is malformed`);
    }
  }
  const { items, nextToken } = list(
    visibleGroups(context).flatMap(rulesOf),
    listing,
    input.SecurityGroupRuleIds,
    input,
  );
  return { SecurityGroupRules: items.map((rule) => shownRule(rule, context.state.AccountId)), NextToken: nextToken };
}

function authorize(egress: boolean) {
  return (context: ApiContext, input: AuthorizeSecurityGroupEgressCommandInput): object => {
    const group = editableGroup(context, input.GroupId);
    const asked = requestedRules(context, group, egress, required(input.IpPermissions, 'ipPermissions'));
    const there = rulesOf(group).filter((rule) => rule.egress === egress);
    const known = new Set(there.map(ruleKey));
    const duplicate = asked.find((rule) => known.has(ruleKey(rule)));
    if (duplicate !== undefined) {
      throw new AwsError(
        'InvalidPermission.Duplicate',
        `the specified rule "peer: ${duplicate.peer.value}, ${duplicate.protocol}" already exists`,
      );
    }
    const rules = [...there, ...asked];
    for (const kind of ['ipv4', 'ipv6']) {
      if (
        rules.filter((rule) => rule.peer.kind === kind || !rule.peer.kind.startsWith('ip')).length > RULES_PER_DIRECTION
      ) {
        throw new AwsError(
          'RulesPerSecurityGroupLimitExceeded',
          'The maximum number of rules per security group has been reached.',
        );
      }
    }
    setRules(group, egress, rules);
    context.networkChanged();
    return { Return: true, SecurityGroupRules: asked.map((rule) => shownRule(rule, context.state.AccountId)) };
  };
}

type RevokeInput = Pick<
  RevokeSecurityGroupEgressCommandInput & RevokeSecurityGroupIngressCommandInput,
  'GroupId' | 'IpPermissions' | 'SecurityGroupRuleIds'
>;

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupEgress.html */
function revoke(egress: boolean) {
  return (context: ApiContext, input: RevokeInput): object => {
    const group = editableGroup(context, input.GroupId);
    const there = rulesOf(group).filter((rule) => rule.egress === egress);
    const gone = new Set(revokedKeys(context, group, egress, there, input));
    setRules(
      group,
      egress,
      there.filter((rule) => !gone.has(ruleKey(rule))),
    );
    context.networkChanged();
    const revoked = there.filter((rule) => gone.has(ruleKey(rule)));
    return {
      Return: true,
      RevokedSecurityGroupRules: revoked.map((rule) => shownRule(rule, context.state.AccountId)),
    };
  };
}

function revokedKeys(
  context: ApiContext,
  group: SecurityGroup,
  egress: boolean,
  there: readonly Rule[],
  input: RevokeInput,
): string[] {
  const { SecurityGroupRuleIds: ids, IpPermissions: permissions } = input;
  if (ids !== undefined && permissions !== undefined) {
    throw new AwsError('InvalidParameterCombination', 'Name rules by id or by permission, not both.');
  }
  if (ids !== undefined) {
    return ids.map((id) => {
      const rule = there.find((candidate) => ruleId(candidate) === id);
      if (rule === undefined) {
        throw new AwsError('InvalidSecurityGroupRuleId.NotFound', `The security group rule ID '${id}' does not exist`);
      }
      return ruleKey(rule);
    });
  }
  const known = new Set(there.map(ruleKey));
  return requestedRules(context, group, egress, required(permissions, 'ipPermissions')).map((rule) => {
    const key = ruleKey(rule);
    if (!known.has(key)) {
      throw new AwsError('InvalidPermission.NotFound', 'The specified rule does not exist in this security group.');
    }
    return key;
  });
}

function editableGroup(context: ApiContext, id: string | undefined): SecurityGroup {
  const group = findGroup(context, required(id, 'groupId'));
  requireOwner(context.state.AccountId, group.OwnerId, 'Editing the rules');
  return group;
}

export const securityGroupRuleHandlers: Handlers = {
  DescribeSecurityGroupRules: describeSecurityGroupRules,
  AuthorizeSecurityGroupIngress: authorize(false),
  AuthorizeSecurityGroupEgress: authorize(true),
  RevokeSecurityGroupIngress: revoke(false),
  RevokeSecurityGroupEgress: revoke(true),
};
