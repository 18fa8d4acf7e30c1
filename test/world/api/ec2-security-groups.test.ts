import {
  AuthorizeSecurityGroupEgressCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  CreateTagsCommand,
  DeleteSecurityGroupCommand,
  DescribeSecurityGroupRulesCommand,
  DescribeSecurityGroupsCommand,
  ModifyNetworkInterfaceAttributeCommand,
  RevokeSecurityGroupEgressCommand,
  RevokeSecurityGroupIngressCommand,
} from '@aws-sdk/client-ec2';
import { describe, expect, it } from 'vitest';
import { ids, inWorld, outcome, type Scene } from './small-world.ts';

const isolation = new CreateSecurityGroupCommand({ GroupName: 'isolation', Description: 'no rules', VpcId: ids.vpc });

async function rulesOf({ ec2 }: Scene, groupId: string) {
  const filter = { Filters: [{ Name: 'group-id', Values: [groupId] }] };
  const { SecurityGroupRules } = await ec2.send(new DescribeSecurityGroupRulesCommand(filter));
  return SecurityGroupRules ?? [];
}

async function newGroup({ ec2, clock }: Scene): Promise<string> {
  const { GroupId } = await ec2.send(isolation);
  await clock.sleep(1);
  return GroupId ?? '';
}

describe('CreateSecurityGroup', () => {
  it('lets everything out on IPv4, and on IPv6 in a VPC that has it', () =>
    inWorld({}, async (scene) => {
      const rules = await rulesOf(scene, await newGroup(scene));

      expect(rules).toMatchObject([
        { IsEgress: true, IpProtocol: '-1', FromPort: -1, ToPort: -1, CidrIpv4: '0.0.0.0/0' },
        { IsEgress: true, IpProtocol: '-1', CidrIpv6: '::/0' },
      ]);
      expect(rules[0]?.SecurityGroupRuleId).toMatch(/^sgr-[0-9a-f]{17}$/);
    }));

  it('takes a VPC that the file does not list, but in which something lies, as it is', () =>
    inWorld({ Vpcs: [] }, async (scene) => {
      expect(await rulesOf(scene, await newGroup(scene))).not.toEqual([]);
    }));

  it('lets out nothing on IPv6 in a VPC without it', () =>
    inWorld({ Vpcs: [{ VpcId: ids.vpc, OwnerId: ids.account, CidrBlock: '10.0.0.0/16' }] }, async (scene) => {
      expect(await rulesOf(scene, await newGroup(scene))).toHaveLength(1);
    }));

  it('is not known to other calls for a second', () =>
    inWorld({}, async (scene) => {
      const { ec2, clock } = scene;
      const { GroupId = '' } = await ec2.send(isolation);
      const swap = new ModifyNetworkInterfaceAttributeCommand({ NetworkInterfaceId: ids.eni, Groups: [GroupId] });
      const read = new DescribeSecurityGroupsCommand({ GroupIds: [GroupId] });
      const tag = new CreateTagsCommand({ Resources: [GroupId], Tags: [{ Key: 'a', Value: 'b' }] });

      for (const call of [ec2.send(swap), ec2.send(read), ec2.send(tag)]) {
        expect(await outcome(call)).toBe('InvalidGroup.NotFound');
      }
      expect(await rulesOf(scene, GroupId)).toEqual([]);
      expect(await outcome(ec2.send(isolation))).toBe('InvalidGroup.Duplicate');
      await clock.sleep(1);
      expect(await outcome(ec2.send(read))).toBe('ok');
    }));

  it.each([
    ['MissingParameter', { GroupName: 'a', VpcId: ids.vpc }],
    ['MissingParameter', { Description: 'a', VpcId: ids.vpc }],
    ['InvalidParameterValue', { GroupName: 'sg-a', Description: 'a', VpcId: ids.vpc }],
    ['InvalidParameterValue', { GroupName: 'a', Description: 'ä', VpcId: ids.vpc }],
    ['InvalidGroup.Reserved', { GroupName: 'default', Description: 'a', VpcId: ids.vpc }],
    ['InvalidGroup.Duplicate', { GroupName: 'web', Description: 'a', VpcId: ids.vpc }],
    ['InvalidVpcID.NotFound', { GroupName: 'a', Description: 'a', VpcId: 'vpc-0000000000000dead' }],
    ['VPCIdNotSpecified', { GroupName: 'a', Description: 'a' }],
  ])('answers %s', (code, input) =>
    inWorld({}, async ({ ec2 }) => {
      const command = new CreateSecurityGroupCommand({ Description: undefined, GroupName: undefined, ...input });
      expect(await outcome(ec2.send(command))).toBe(code);
    }),
  );
});

describe('rules', () => {
  it('are revoked by id and by permission, down to nothing', () =>
    inWorld({}, async (scene) => {
      const { ec2 } = scene;
      const GroupId = await newGroup(scene);
      const [first] = await rulesOf(scene, GroupId);

      const byId = new RevokeSecurityGroupEgressCommand({
        GroupId,
        SecurityGroupRuleIds: [first?.SecurityGroupRuleId ?? ''],
      });
      await ec2.send(byId);
      expect(await outcome(ec2.send(byId))).toBe('InvalidSecurityGroupRuleId.NotFound');
      const everything = { GroupId, IpPermissions: [{ IpProtocol: '-1', Ipv6Ranges: [{ CidrIpv6: '::/0' }] }] };
      await ec2.send(new RevokeSecurityGroupEgressCommand(everything));
      expect(await outcome(ec2.send(new RevokeSecurityGroupEgressCommand(everything)))).toBe(
        'InvalidPermission.NotFound',
      );
      expect(await rulesOf(scene, GroupId)).toEqual([]);
    }));

  it('are added once, in canonical form, and keep their ids', () =>
    inWorld({}, async (scene) => {
      const { ec2 } = scene;
      const permission = { IpProtocol: 'tcp', FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: '100.68.0.18/18' }] };
      const add = new AuthorizeSecurityGroupIngressCommand({ GroupId: ids.web, IpPermissions: [permission] });

      const { SecurityGroupRules } = await ec2.send(add);
      expect(SecurityGroupRules).toMatchObject([{ CidrIpv4: '100.68.0.0/18', IsEgress: false, FromPort: 22 }]);
      expect(await rulesOf(scene, ids.web)).toContainEqual(SecurityGroupRules?.[0]);
      expect(await outcome(ec2.send(add))).toBe('InvalidPermission.Duplicate');
      await ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId: ids.web, IpPermissions: [permission] }));
      expect((await rulesOf(scene, ids.web)).some(({ FromPort }) => FromPort === 22)).toBe(false);
    }));

  it.each([
    ['InvalidParameterValue', { IpProtocol: 'tcp', FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: '10.1/16' }] }],
    ['InvalidParameterValue', { IpProtocol: 'tcp', FromPort: 22, ToPort: 21, IpRanges: [{ CidrIp: '10.0.0.0/8' }] }],
    ['MissingParameter', { IpProtocol: 'tcp', IpRanges: [{ CidrIp: '10.0.0.0/8' }] }],
    ['MissingParameter', { IpProtocol: '-1' }],
    ['InvalidGroup.NotFound', { IpProtocol: '-1', UserIdGroupPairs: [{ GroupId: 'sg-0000000000000dead' }] }],
    ['InvalidPrefixListID.NotFound', { IpProtocol: '-1', PrefixListIds: [{ PrefixListId: 'pl-0000000000000dead' }] }],
    ['ok', { IpProtocol: '-1', PrefixListIds: [{ PrefixListId: ids.prefixList }] }],
    ['ok', { IpProtocol: '-1', UserIdGroupPairs: [{ GroupId: ids.web }] }],
  ])('answers %s', (code, permission) =>
    inWorld({}, async ({ ec2 }) => {
      const command = new AuthorizeSecurityGroupEgressCommand({
        GroupId: ids.defaultGroup,
        IpPermissions: [permission],
      });
      expect(await outcome(ec2.send(command))).toBe(code);
    }),
  );

  it('refuse a malformed group in the filter, and know no rules of one that is not there', () =>
    inWorld({}, async (scene) => {
      expect(await outcome(rulesOf(scene, 'sg-'))).toBe('InvalidGroupId.Malformed');
      expect(await rulesOf(scene, 'sg-0000000000000dead')).toEqual([]);
    }));

  it('end at sixty per direction', () =>
    inWorld({}, async ({ ec2 }) => {
      const add = (count: number, third: number) =>
        outcome(
          ec2.send(
            new AuthorizeSecurityGroupIngressCommand({
              GroupId: ids.defaultGroup,
              IpPermissions: [
                {
                  IpProtocol: '-1',
                  IpRanges: Array.from({ length: count }, (_, i) => ({ CidrIp: `10.0.${third}.${i}/32` })),
                },
              ],
            }),
          ),
        );
      expect(await add(60, 1)).toBe('ok');
      expect(await add(1, 2)).toBe('RulesPerSecurityGroupLimitExceeded');
    }));
});

describe('DeleteSecurityGroup', () => {
  it('waits until no interface and no other group needs it', () =>
    inWorld({}, async (scene) => {
      const { ec2 } = scene;
      const GroupId = await newGroup(scene);
      const remove = (id: string) => outcome(ec2.send(new DeleteSecurityGroupCommand({ GroupId: id })));
      const swap = (id: string) =>
        ec2.send(new ModifyNetworkInterfaceAttributeCommand({ NetworkInterfaceId: ids.eni, Groups: [id] }));
      const reference = {
        GroupId: ids.web,
        IpPermissions: [{ IpProtocol: '-1', UserIdGroupPairs: [{ GroupId }] }],
      };
      await ec2.send(new AuthorizeSecurityGroupIngressCommand(reference));

      expect(await remove(ids.defaultGroup)).toBe('CannotDelete');
      expect(await remove(ids.web)).toBe('DependencyViolation');
      await swap(GroupId);
      expect(await remove(GroupId)).toBe('DependencyViolation');
      await swap(ids.web);
      expect(await remove(GroupId)).toBe('DependencyViolation');
      await ec2.send(new RevokeSecurityGroupIngressCommand(reference));
      expect(await remove(GroupId)).toBe('ok');
      expect(await remove(GroupId)).toBe('InvalidGroup.NotFound');
    }));
});
