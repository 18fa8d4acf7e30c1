import {
  AuthorizeSecurityGroupIngressCommand,
  CreateNetworkAclEntryCommand,
  type CreateNetworkAclEntryCommandInput,
  CreateSecurityGroupCommand,
  DeleteNetworkAclEntryCommand,
  DeleteSecurityGroupCommand,
  DescribeInstancesCommand,
  DescribeNetworkAclsCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSecurityGroupRulesCommand,
  DescribeSecurityGroupsCommand,
  ModifyNetworkInterfaceAttributeCommand,
  paginateDescribeSecurityGroups,
} from '@aws-sdk/client-ec2';
import { type Ground, newGroup, revokeAllEgress } from './ground.ts';
import type { Probe } from './probes.ts';

const API = 'https://docs.aws.amazon.com/AWSEC2/latest/APIReference';
const ERRORS = `${API}/errors-overview.html`;
const VPC = 'https://docs.aws.amazon.com/vpc/latest/userguide';

const NO_SUCH = {
  acl: 'acl-0123456789abcdef0',
  group: 'sg-0123456789abcdef0',
  instance: 'i-0123456789abcdef0',
  eni: 'eni-0123456789abcdef0',
};

const deny = (ground: Ground, over: Partial<CreateNetworkAclEntryCommandInput>): Promise<unknown> =>
  ground.ec2.send(
    new CreateNetworkAclEntryCommand({
      NetworkAclId: ground.aclId,
      Egress: false,
      RuleNumber: 1,
      RuleAction: 'deny',
      Protocol: '-1',
      CidrBlock: '198.51.100.7/32',
      ...over,
    }),
  );

async function entriesOf({ ec2, aclId }: Ground) {
  const { NetworkAcls = [] } = await ec2.send(new DescribeNetworkAclsCommand({ NetworkAclIds: [aclId] }));
  return NetworkAcls[0]?.Entries ?? [];
}

const modify = (ground: Ground, over: object): Promise<unknown> =>
  ground.ec2.send(
    new ModifyNetworkInterfaceAttributeCommand({ NetworkInterfaceId: ground.networkInterfaceId, ...over }),
  );

const groups = ({ ec2 }: Ground, GroupIds: string[]): Promise<unknown> =>
  ec2.send(new DescribeSecurityGroupsCommand({ GroupIds }));

const deleteGroup = ({ ec2 }: Ground, GroupId: string): Promise<unknown> =>
  ec2.send(new DeleteSecurityGroupCommand({ GroupId }));

const permit = (ground: Ground, GroupId: string, CidrIp: string): Promise<unknown> =>
  ground.ec2.send(
    new AuthorizeSecurityGroupIngressCommand({
      GroupId,
      IpPermissions: [{ IpProtocol: 'tcp', FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp }] }],
    }),
  );

export const EC2_PROBES: readonly Probe[] = [
  {
    title: 'an ACL entry at a free number',
    call: 'CreateNetworkAclEntry',
    run: (ground) => deny(ground, {}),
    aws: 'ok',
    page: `${API}/API_CreateNetworkAclEntry.html`,
  },
  {
    title: 'an ACL entry at a taken number',
    call: 'CreateNetworkAclEntry',
    run: (ground) => deny(ground, { CidrBlock: '198.51.100.8/32' }),
    aws: 'NetworkAclEntryAlreadyExists',
    page: ERRORS,
  },
  {
    title: 'an IPv6 entry at the number of an IPv4 entry',
    call: 'CreateNetworkAclEntry',
    run: (ground) => deny(ground, { CidrBlock: undefined, Ipv6CidrBlock: '2001:db8::7/128' }),
    aws: 'NetworkAclEntryAlreadyExists',
    page: `${API}/API_CreateNetworkAclEntry.html`,
  },
  {
    title: 'an ACL entry at a number that is taken in the other direction',
    call: 'CreateNetworkAclEntry',
    run: (ground) => deny(ground, { Egress: true }),
    aws: 'ok',
    page: `${API}/API_CreateNetworkAclEntry.html`,
  },
  {
    title: 'an ACL entry for a network with host bits is made canonical',
    call: 'CreateNetworkAclEntry',
    run: async (ground) => {
      await deny(ground, { RuleNumber: 2, CidrBlock: '203.0.113.18/24' });
      return (await entriesOf(ground)).find(({ RuleNumber, Egress }) => RuleNumber === 2 && Egress === false)
        ?.CidrBlock;
    },
    aws: '203.0.113.0/24',
    page: `${API}/API_CreateNetworkAclEntry.html`,
    moto: { answers: '203.0.113.18/24', why: 'keeps the text as it is' },
  },
  {
    title: 'an ACL entry for a network that is none',
    call: 'CreateNetworkAclEntry',
    run: (ground) => deny(ground, { RuleNumber: 3, CidrBlock: '198.51.100.7/33' }),
    aws: 'InvalidParameterValue',
    page: ERRORS,
    moto: { answers: 'ok', why: 'checks no CIDR' },
  },
  {
    title: 'an ACL entry at number 32767',
    call: 'CreateNetworkAclEntry',
    run: (ground) => deny(ground, { RuleNumber: 32_767 }),
    aws: 'InvalidParameterValue',
    page: `${API}/API_CreateNetworkAclEntry.html`,
    moto: { answers: 'ok', why: 'knows no range' },
  },
  {
    title: 'more ACL entries than the quota of 20 per direction',
    call: 'CreateNetworkAclEntry',
    run: async (ground) => {
      for (let RuleNumber = 10; RuleNumber < 30; RuleNumber += 1) await deny(ground, { RuleNumber, Egress: true });
    },
    aws: 'NetworkAclEntryLimitExceeded',
    page: `${VPC}/amazon-vpc-limits.html`,
    moto: { answers: 'ok', why: 'has no quota' },
  },
  {
    title: 'an entry for an ACL that is not there',
    call: 'CreateNetworkAclEntry',
    run: (ground) => deny(ground, { NetworkAclId: NO_SUCH.acl }),
    aws: 'InvalidNetworkAclID.NotFound',
    page: ERRORS,
  },
  {
    title: 'deleting an ACL entry that is there',
    call: 'DeleteNetworkAclEntry',
    run: ({ ec2, aclId }) =>
      ec2.send(new DeleteNetworkAclEntryCommand({ NetworkAclId: aclId, Egress: false, RuleNumber: 1 })),
    aws: 'ok',
    page: `${API}/API_DeleteNetworkAclEntry.html`,
  },
  {
    title: 'deleting an ACL entry that is not there',
    call: 'DeleteNetworkAclEntry',
    run: ({ ec2, aclId }) =>
      ec2.send(new DeleteNetworkAclEntryCommand({ NetworkAclId: aclId, Egress: false, RuleNumber: 1 })),
    aws: 'InvalidNetworkAclEntry.NotFound',
    page: ERRORS,
    moto: { answers: 'HTTP 500', why: 'fails inside' },
  },
  {
    title: 'an ACL that is not there',
    call: 'DescribeNetworkAcls',
    run: ({ ec2 }) => ec2.send(new DescribeNetworkAclsCommand({ NetworkAclIds: [NO_SUCH.acl] })),
    aws: 'InvalidNetworkAclID.NotFound',
    page: ERRORS,
    moto: { answers: 'InvalidRouteTableID.NotFound', why: 'gives the error of another resource' },
  },
  {
    title: 'an instance that is not there',
    call: 'DescribeInstances',
    run: ({ ec2 }) => ec2.send(new DescribeInstancesCommand({ InstanceIds: [NO_SUCH.instance] })),
    aws: 'InvalidInstanceID.NotFound',
    page: ERRORS,
  },
  {
    title: 'a malformed instance id',
    call: 'DescribeInstances',
    run: ({ ec2 }) => ec2.send(new DescribeInstancesCommand({ InstanceIds: ['web-1'] })),
    aws: 'InvalidInstanceID.Malformed',
    page: ERRORS,
    moto: { answers: 'InvalidInstanceID.NotFound', why: 'looks at no id' },
  },
  {
    title: 'an interface that is not there',
    call: 'DescribeNetworkInterfaces',
    run: ({ ec2 }) => ec2.send(new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [NO_SUCH.eni] })),
    aws: 'InvalidNetworkInterfaceID.NotFound',
    page: ERRORS,
  },
  {
    title: 'groups for an interface that is not there',
    call: 'ModifyNetworkInterfaceAttribute',
    run: (ground) => modify(ground, { NetworkInterfaceId: NO_SUCH.eni, Groups: [ground.groupId] }),
    aws: 'InvalidNetworkInterfaceID.NotFound',
    page: ERRORS,
  },
  {
    title: 'a group that is not there, for an interface',
    call: 'ModifyNetworkInterfaceAttribute',
    run: (ground) => modify(ground, { Groups: [NO_SUCH.group] }),
    aws: 'InvalidGroup.NotFound',
    page: ERRORS,
    moto: { answers: 'ok', why: 'leaves the interface without any group' },
  },
  {
    title: 'two attributes of an interface at once',
    call: 'ModifyNetworkInterfaceAttribute',
    run: (ground) => modify(ground, { Groups: [ground.groupId], SourceDestCheck: { Value: true } }),
    aws: 'InvalidParameterCombination',
    page: `${API}/API_ModifyNetworkInterfaceAttribute.html`,
    moto: { answers: 'ok', why: 'takes both' },
  },
  {
    title: 'a tracking timeout beyond its range',
    call: 'ModifyNetworkInterfaceAttribute',
    run: (ground) => modify(ground, { ConnectionTrackingSpecification: { TcpEstablishedTimeout: 59 } }),
    aws: 'InvalidParameterValue',
    page: `${API}/API_ConnectionTrackingSpecificationRequest.html`,
    moto: { answers: 'ok', why: 'does not read it' },
  },
  {
    title: 'a tracking timeout, read back',
    call: 'DescribeNetworkInterfaces',
    run: async (ground) => {
      const { ec2, networkInterfaceId } = ground;
      await modify(ground, { ConnectionTrackingSpecification: { TcpEstablishedTimeout: 60 } });
      const asked = new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [networkInterfaceId] });
      const { NetworkInterfaces = [] } = await ec2.send(asked);
      return NetworkInterfaces[0]?.ConnectionTrackingConfiguration?.TcpEstablishedTimeout ?? 'not set';
    },
    aws: '60',
    page: `${API}/API_ConnectionTrackingConfiguration.html`,
    moto: { answers: 'not set', why: 'does not keep it' },
  },
  {
    title: 'a new group is born with egress to everywhere, in an IPv6 VPC in both families',
    call: 'CreateSecurityGroup',
    run: async (ground) => {
      const id = await newGroup(ground, 'born');
      const asked = new DescribeSecurityGroupRulesCommand({ Filters: [{ Name: 'group-id', Values: [id] }] });
      const { SecurityGroupRules = [] } = await ground.ec2.send(asked);
      return SecurityGroupRules.map(({ CidrIpv4, CidrIpv6, IsEgress }) => `${CidrIpv4 ?? CidrIpv6} ${IsEgress}`)
        .toSorted()
        .join(', ');
    },
    aws: '0.0.0.0/0 true, ::/0 true',
    page: `${VPC}/creating-security-groups.html`,
  },
  {
    title: 'a group whose name is taken',
    call: 'CreateSecurityGroup',
    run: (ground) => newGroup(ground, 'born'),
    aws: 'InvalidGroup.Duplicate',
    page: ERRORS,
  },
  {
    title: 'a group named default',
    call: 'CreateSecurityGroup',
    run: (ground) => newGroup(ground, 'default'),
    aws: 'InvalidGroup.Reserved',
    page: ERRORS,
    moto: { answers: 'InvalidGroup.Duplicate', why: 'knows the name only as taken' },
  },
  {
    title: 'a dry run',
    call: 'CreateSecurityGroup',
    run: ({ ec2, vpcId }) =>
      ec2.send(new CreateSecurityGroupCommand({ VpcId: vpcId, GroupName: 'dry', Description: 'dry', DryRun: true })),
    aws: 'DryRunOperation',
    page: `${API}/API_CreateSecurityGroup.html`,
  },
  {
    title: 'a rule that is there already',
    call: 'AuthorizeSecurityGroupIngress',
    run: async (ground) => {
      await permit(ground, ground.groupId, '192.0.2.0/24');
      await permit(ground, ground.groupId, '192.0.2.0/24');
    },
    aws: 'InvalidPermission.Duplicate',
    page: ERRORS,
  },
  {
    title: 'a rule for a network that is none',
    call: 'AuthorizeSecurityGroupIngress',
    run: (ground) => permit(ground, ground.groupId, '192.0.2.0/33'),
    aws: 'InvalidParameterValue',
    page: ERRORS,
  },
  {
    title: 'revoking a rule that is gone',
    call: 'RevokeSecurityGroupEgress',
    run: async (ground) => {
      const id = await newGroup(ground, 'revoked');
      await revokeAllEgress(ground, id);
      await revokeAllEgress(ground, id);
    },
    aws: 'InvalidPermission.NotFound',
    page: ERRORS,
  },
  {
    title: 'a group that is not there',
    call: 'DescribeSecurityGroups',
    run: (ground) => groups(ground, [NO_SUCH.group]),
    aws: 'InvalidGroup.NotFound',
    page: ERRORS,
  },
  {
    title: 'a malformed group id',
    call: 'DescribeSecurityGroups',
    run: (ground) => groups(ground, ['sg-web']),
    aws: 'InvalidGroupId.Malformed',
    page: ERRORS,
    moto: { answers: 'InvalidGroup.NotFound', why: 'looks at no id' },
  },
  {
    title: 'a long list in pages of five, each member once',
    call: 'DescribeSecurityGroups',
    run: async (ground) => {
      for (let count = 0; count < 6; count += 1) await newGroup(ground, `page-${count}`);
      const Filters = [{ Name: 'vpc-id', Values: [ground.vpcId] }];
      const ids: string[] = [];
      let pages = 0;
      for await (const { SecurityGroups = [] } of paginateDescribeSecurityGroups(
        { client: ground.ec2, pageSize: 5 },
        { Filters },
      )) {
        if (SecurityGroups.length > 5) return 'more than five in one page';
        pages += 1;
        ids.push(...SecurityGroups.map(({ GroupId = '' }) => GroupId));
      }
      return `${pages > 1 ? 'several pages' : 'one page'}, ${new Set(ids).size === ids.length ? 'each once' : 'some twice'}`;
    },
    aws: 'several pages, each once',
    page: `${API}/API_DescribeSecurityGroups.html`,
    moto: { answers: 'more than five in one page', why: 'gives the whole list' },
  },
  {
    title: 'a page of fewer than five',
    call: 'DescribeSecurityGroups',
    run: ({ ec2 }) => ec2.send(new DescribeSecurityGroupsCommand({ MaxResults: 4 })),
    aws: 'InvalidParameterValue',
    page: `${API}/API_DescribeSecurityGroups.html`,
    moto: { answers: 'ok', why: 'looks at no range' },
  },
  {
    title: 'deleting a group that an interface holds',
    call: 'DeleteSecurityGroup',
    run: (ground) => deleteGroup(ground, ground.groupId),
    aws: 'DependencyViolation',
    page: `${API}/API_DeleteSecurityGroup.html`,
    moto: { answers: 'ok', why: 'deletes it' },
  },
  {
    title: 'deleting a group that another one refers to',
    call: 'DeleteSecurityGroup',
    run: async (ground) => {
      const [referred, referring] = [await newGroup(ground, 'referred'), await newGroup(ground, 'referring')];
      await ground.ec2.send(
        new AuthorizeSecurityGroupIngressCommand({
          GroupId: referring,
          IpPermissions: [{ IpProtocol: '-1', UserIdGroupPairs: [{ GroupId: referred }] }],
        }),
      );
      await deleteGroup(ground, referred);
    },
    aws: 'DependencyViolation',
    page: `${API}/API_DeleteSecurityGroup.html`,
    moto: { answers: 'ok', why: 'deletes it' },
  },
  {
    title: 'deleting the default group',
    call: 'DeleteSecurityGroup',
    run: (ground) => deleteGroup(ground, ground.defaultGroupId),
    aws: 'CannotDelete',
    page: `${VPC}/deleting-security-groups.html`,
    moto: { answers: 'ok', why: 'deletes it' },
  },
  {
    title: 'deleting a group that is not there',
    call: 'DeleteSecurityGroup',
    run: (ground) => deleteGroup(ground, NO_SUCH.group),
    aws: 'InvalidGroup.NotFound',
    page: ERRORS,
  },
];
