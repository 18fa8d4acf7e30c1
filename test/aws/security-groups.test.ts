import {
  AuthorizeSecurityGroupEgressCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DescribeSecurityGroupRulesCommand,
  DescribeSecurityGroupsCommand,
  EC2Client,
  RevokeSecurityGroupEgressCommand,
  RevokeSecurityGroupIngressCommand,
} from '@aws-sdk/client-ec2';
import { mockClient } from 'aws-sdk-client-mock';
import 'aws-sdk-client-mock-vitest/extend';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  authorize,
  createGroup,
  groupByName,
  isolationGroups,
  revoke,
  rulesOf,
} from '../../functions/aws/security-groups.ts';
import type { GroupRule } from '../../functions/core/model.ts';

const ec2 = mockClient(EC2Client);
const client = new EC2Client({});
const failure = (Code: string) => Object.assign(new Error(Code), { Code });

beforeEach(() => ec2.reset());

describe('rulesOf', () => {
  it('asks for the rules of the groups, page by page', async () => {
    ec2
      .on(DescribeSecurityGroupRulesCommand)
      .resolvesOnce({ SecurityGroupRules: [{ SecurityGroupRuleId: 'sgr-1' }], NextToken: 'more' })
      .resolvesOnce({ SecurityGroupRules: [{ SecurityGroupRuleId: 'sgr-2' }] });
    expect((await rulesOf(client, ['sg-1'])).map(({ ruleId }) => ruleId)).toEqual(['sgr-1', 'sgr-2']);
    expect(ec2).toHaveReceivedNthCommandWith(DescribeSecurityGroupRulesCommand, 1, {
      Filters: [{ Name: 'group-id', Values: ['sg-1'] }],
      MaxResults: 1000,
    });
    expect(ec2).toHaveReceivedNthCommandWith(DescribeSecurityGroupRulesCommand, 2, { NextToken: 'more' });
  });

  it('asks for nothing where there is no group: without a filter EC2 would list every rule', async () => {
    expect(await rulesOf(client, [])).toEqual([]);
    expect(ec2).not.toHaveReceivedAnyCommand();
  });

  it.each([
    [
      { IpProtocol: '-1', FromPort: -1, ToPort: -1, CidrIpv4: '0.0.0.0/0', IsEgress: true },
      {
        direction: 'egress',
        protocol: '-1',
        fromPort: null,
        toPort: null,
        peer: { kind: 'cidr', family: 'ipv4', cidr: '0.0.0.0/0' },
      },
    ],
    [
      { IpProtocol: 'tcp', FromPort: 443, ToPort: 444, CidrIpv6: '::/0', IsEgress: false },
      {
        direction: 'ingress',
        protocol: 'tcp',
        fromPort: 443,
        toPort: 444,
        peer: { kind: 'cidr', family: 'ipv6', cidr: '::/0' },
      },
    ],
    [
      { IpProtocol: '17', FromPort: 0, ToPort: 65_535, CidrIpv4: '198.51.100.9/24' },
      { protocol: 'udp', fromPort: 0, toPort: 65_535, peer: { kind: 'cidr', family: 'ipv4', cidr: '198.51.100.0/24' } },
    ],
    [
      { IpProtocol: 'icmp', FromPort: 8, ToPort: -1, PrefixListId: 'pl-1' },
      { protocol: 'icmp', fromPort: 8, toPort: null, peer: { kind: 'prefix-list', prefixListId: 'pl-1' } },
    ],
    [
      { IpProtocol: 'tcp', FromPort: 22, ToPort: 22, ReferencedGroupInfo: { GroupId: 'sg-9' } },
      { peer: { kind: 'group', groupId: 'sg-9' } },
    ],
  ])('reads %j', async (rule, read) => {
    ec2
      .on(DescribeSecurityGroupRulesCommand)
      .resolves({ SecurityGroupRules: [{ SecurityGroupRuleId: 'sgr-1', GroupId: 'sg-1', ...rule }] });
    expect(await rulesOf(client, ['sg-1'])).toMatchObject([{ ruleId: 'sgr-1', groupId: 'sg-1', ...read }]);
  });
});

describe('groupByName and isolationGroups', () => {
  const tags = [{ Key: 'flowcut:purpose', Value: 'isolation' }];
  const group = {
    GroupId: 'sg-1',
    GroupName: 'flowcut-isolation',
    VpcId: 'vpc-1',
    IpPermissions: [],
    IpPermissionsEgress: [],
  };

  it.each([
    ['ours and empty', { ...group, Tags: tags }, { id: 'sg-1', ours: true, empty: true }],
    ['of somebody else', group, { id: 'sg-1', ours: false, empty: true }],
    [
      "with another tag's value",
      { ...group, Tags: [{ Key: 'flowcut:purpose', Value: 'x' }] },
      { id: 'sg-1', ours: false, empty: true },
    ],
    [
      'with a way out',
      { ...group, Tags: tags, IpPermissionsEgress: [{ IpProtocol: '-1' }] },
      { id: 'sg-1', ours: true, empty: false },
    ],
    [
      'with a way in',
      { ...group, Tags: tags, IpPermissions: [{ IpProtocol: '-1' }] },
      { id: 'sg-1', ours: true, empty: false },
    ],
    [
      'whose rules are not shown',
      { GroupId: 'sg-1', GroupName: group.GroupName, VpcId: 'vpc-1', Tags: tags },
      { id: 'sg-1', ours: true, empty: false },
    ],
  ])('know a group that is %s', async (_, described, read) => {
    ec2.on(DescribeSecurityGroupsCommand).resolves({ SecurityGroups: [described] });
    expect(await groupByName(client, 'vpc-1', group.GroupName)).toEqual(read);
  });

  it('look by VPC and name on every page, and take no other name or VPC for it', async () => {
    ec2
      .on(DescribeSecurityGroupsCommand)
      .resolvesOnce({
        SecurityGroups: [
          { ...group, VpcId: 'vpc-2' },
          { ...group, GroupName: 'flowcut-isolation-2' },
        ],
        NextToken: 'more',
      })
      .resolvesOnce({ SecurityGroups: [] });
    expect(await groupByName(client, 'vpc-1', group.GroupName)).toBeNull();
    expect(ec2).toHaveReceivedCommandTimes(DescribeSecurityGroupsCommand, 2);
    expect(ec2).toHaveReceivedNthCommandWith(DescribeSecurityGroupsCommand, 1, {
      Filters: [
        { Name: 'vpc-id', Values: ['vpc-1'] },
        { Name: 'group-name', Values: ['flowcut-isolation'] },
      ],
    });
  });

  it('find our groups in several VPCs by their tag', async () => {
    ec2.on(DescribeSecurityGroupsCommand).resolves({ SecurityGroups: [{ ...group, Tags: tags }] });
    expect(await isolationGroups(client, ['vpc-1', 'vpc-2'])).toEqual([{ id: 'sg-1', ours: true, empty: true }]);
    expect(ec2).toHaveReceivedCommandWith(DescribeSecurityGroupsCommand, {
      Filters: [
        { Name: 'vpc-id', Values: ['vpc-1', 'vpc-2'] },
        { Name: 'tag:flowcut:purpose', Values: ['isolation'] },
      ],
    });
    expect(await isolationGroups(client, [])).toEqual([]);
  });
});

describe('createGroup', () => {
  it('makes a group with our tag in one call, so that it is never without', async () => {
    ec2.on(CreateSecurityGroupCommand).resolves({ GroupId: 'sg-new' });
    expect(await createGroup(client, 'vpc-1', 'flowcut-isolation')).toBe('sg-new');
    expect(ec2).toHaveReceivedCommandExactlyOnceWith(CreateSecurityGroupCommand, {
      VpcId: 'vpc-1',
      GroupName: 'flowcut-isolation',
      Description: 'Isolation by flowcut: no rules. Do not add any.',
      TagSpecifications: [{ ResourceType: 'security-group', Tags: [{ Key: 'flowcut:purpose', Value: 'isolation' }] }],
    });
  });

  it('says null where the name is taken, and passes on every other error', async () => {
    ec2
      .on(CreateSecurityGroupCommand)
      .rejectsOnce(failure('InvalidGroup.Duplicate'))
      .rejects(failure('SecurityGroupLimitExceeded'));
    expect(await createGroup(client, 'vpc-1', 'flowcut-isolation')).toBeNull();
    await expect(createGroup(client, 'vpc-1', 'flowcut-isolation')).rejects.toThrow('SecurityGroupLimitExceeded');
  });
});

describe('revoke', () => {
  const rule = (ruleId: string, direction: GroupRule['direction']): GroupRule => ({
    ruleId,
    groupId: 'sg-1',
    direction,
    protocol: '-1',
    fromPort: null,
    toPort: null,
    peer: { kind: 'cidr', family: 'ipv4', cidr: '0.0.0.0/0' },
  });

  it('revokes by rule id, each direction in one call, and calls nothing for a direction without rules', async () => {
    ec2.on(RevokeSecurityGroupEgressCommand).resolves({}).on(RevokeSecurityGroupIngressCommand).resolves({});
    await revoke(client, 'sg-1', [rule('sgr-1', 'egress'), rule('sgr-2', 'egress')]);
    expect(ec2).toHaveReceivedCommandExactlyOnceWith(RevokeSecurityGroupEgressCommand, {
      GroupId: 'sg-1',
      SecurityGroupRuleIds: ['sgr-1', 'sgr-2'],
    });
    expect(ec2).not.toHaveReceivedCommand(RevokeSecurityGroupIngressCommand);
    await revoke(client, 'sg-1', [rule('sgr-3', 'ingress')]);
    expect(ec2).toHaveReceivedCommandExactlyOnceWith(RevokeSecurityGroupIngressCommand, {
      GroupId: 'sg-1',
      SecurityGroupRuleIds: ['sgr-3'],
    });
  });

  it.each(['InvalidSecurityGroupRuleId.NotFound', 'InvalidPermission.NotFound'])('takes %s for done', async (code) => {
    ec2.on(RevokeSecurityGroupEgressCommand).rejects(failure(code));
    await expect(revoke(client, 'sg-1', [rule('sgr-1', 'egress')])).resolves.toBeUndefined();
  });

  it('passes on every other error: the rule may stand', async () => {
    ec2.on(RevokeSecurityGroupEgressCommand).rejects(failure('UnauthorizedOperation'));
    await expect(revoke(client, 'sg-1', [rule('sgr-1', 'egress')])).rejects.toThrow('UnauthorizedOperation');
  });
});

describe('authorize', () => {
  const https = { protocol: 'tcp', fromPort: 443, toPort: 443 } as const;

  it('permits in the shape of each kind of peer, and takes a rule that is there for done', async () => {
    ec2
      .on(AuthorizeSecurityGroupEgressCommand)
      .rejectsOnce(failure('InvalidPermission.Duplicate'))
      .resolves({})
      .on(AuthorizeSecurityGroupIngressCommand)
      .resolves({});
    await authorize(client, 'sg-1', [
      { ...https, direction: 'egress', peer: { kind: 'prefix-list', prefixListId: 'pl-1' } },
      { ...https, direction: 'egress', peer: { kind: 'cidr', family: 'ipv6', cidr: '2001:db8::/64' } },
      { ...https, direction: 'ingress', peer: { kind: 'group', groupId: 'sg-2' } },
    ]);
    const base = { IpProtocol: 'tcp', FromPort: 443, ToPort: 443 };
    expect(ec2).toHaveReceivedNthCommandWith(AuthorizeSecurityGroupEgressCommand, 1, {
      GroupId: 'sg-1',
      IpPermissions: [{ ...base, PrefixListIds: [{ PrefixListId: 'pl-1' }] }],
    });
    expect(ec2).toHaveReceivedNthCommandWith(AuthorizeSecurityGroupEgressCommand, 2, {
      GroupId: 'sg-1',
      IpPermissions: [{ ...base, Ipv6Ranges: [{ CidrIpv6: '2001:db8::/64' }] }],
    });
    expect(ec2).toHaveReceivedCommandExactlyOnceWith(AuthorizeSecurityGroupIngressCommand, {
      GroupId: 'sg-1',
      IpPermissions: [{ ...base, UserIdGroupPairs: [{ GroupId: 'sg-2' }] }],
    });
  });

  it('passes on a refusal', async () => {
    ec2.on(AuthorizeSecurityGroupEgressCommand).rejects(failure('RulesPerSecurityGroupLimitExceeded'));
    await expect(
      authorize(client, 'sg-1', [
        { ...https, direction: 'egress', peer: { kind: 'cidr', family: 'ipv4', cidr: '192.0.2.0/24' } },
      ]),
    ).rejects.toThrow('RulesPerSecurityGroupLimitExceeded');
  });
});
