import {
  CreateNetworkAclCommand,
  DeleteNetworkAclCommand,
  DescribeNetworkAclsCommand,
  type EC2Client,
  ReplaceNetworkAclAssociationCommand,
} from '@aws-sdk/client-ec2';
import { describe, expect, it } from 'vitest';
import { ids, inWorld, outcome, smallWorld } from './small-world.ts';

async function associationOf(ec2: EC2Client) {
  const { NetworkAcls } = await ec2.send(
    new DescribeNetworkAclsCommand({ Filters: [{ Name: 'association.subnet-id', Values: [ids.subnet] }] }),
  );
  const [acl] = NetworkAcls ?? [];
  const association = acl?.Associations?.find((one) => one.SubnetId === ids.subnet);
  return { aclId: acl?.NetworkAclId, id: association?.NetworkAclAssociationId };
}

async function newAcl(ec2: EC2Client, over: object = {}): Promise<string> {
  const { NetworkAcl } = await ec2.send(new CreateNetworkAclCommand({ VpcId: ids.vpc, ...over }));
  return NetworkAcl?.NetworkAclId ?? '';
}

const replace = (ec2: EC2Client, AssociationId: string | undefined, NetworkAclId: string | undefined) =>
  ec2.send(new ReplaceNetworkAclAssociationCommand({ AssociationId, NetworkAclId }));

describe('a new network ACL', () => {
  it('denies everything both ways in both families, and is no default', () =>
    inWorld({}, async ({ ec2 }) => {
      const { NetworkAcl } = await ec2.send(
        new CreateNetworkAclCommand({
          VpcId: ids.vpc,
          TagSpecifications: [{ ResourceType: 'network-acl', Tags: [{ Key: 'flowcut', Value: 'seal' }] }],
        }),
      );

      expect(NetworkAcl).toMatchObject({ IsDefault: false, Associations: [], Tags: [{ Key: 'flowcut' }] });
      expect(NetworkAcl?.Entries).toHaveLength(4);
      expect(NetworkAcl?.Entries?.every((entry) => entry.RuleAction === 'deny')).toBe(true);
    }));

  it('is made once for one client token', () =>
    inWorld({}, async ({ ec2, state }) => {
      const first = await newAcl(ec2, { ClientToken: 'seal' });

      expect(await newAcl(ec2, { ClientToken: 'seal' })).toBe(first);
      expect(state.NetworkAcls).toHaveLength(2);
    }));

  it('is refused beyond 200 in a VPC, and where there is no VPC', () => {
    const [acl] = smallWorld().NetworkAcls;
    const many = Array.from({ length: 200 }, (_, index) => ({
      ...acl,
      NetworkAclId: `acl-${String(index).padStart(17, '0')}`,
      VpcId: ids.vpc,
      Associations: [],
      Entries: [],
    }));
    return inWorld({ NetworkAcls: many }, async ({ ec2 }) => {
      expect(await outcome(newAcl(ec2))).toBe('NetworkAclLimitExceeded');
      expect(await outcome(newAcl(ec2, { VpcId: 'vpc-0000000000000dead' }))).toBe('InvalidVpcID.NotFound');
    });
  });
});

describe('ReplaceNetworkAclAssociation', () => {
  it('moves the subnet, gives the association a new id and forgets the old one', () =>
    inWorld({}, async ({ ec2, world }) => {
      const before = await associationOf(ec2);
      const seal = await newAcl(ec2);

      const { NewAssociationId } = await replace(ec2, before.id, seal);

      expect(await associationOf(ec2)).toEqual({ aclId: seal, id: NewAssociationId });
      expect(NewAssociationId).not.toBe(before.id);
      expect(await outcome(replace(ec2, before.id, ids.acl))).toBe('InvalidAssociationID.NotFound');
      expect(world.physics.told).toEqual(['networkChanged']);
      expect(world.calls().beforeFirstCut).not.toBeNull();
    }));

  it('finds a subnet that no ACL names at the default ACL of its VPC', () => {
    const [acl] = smallWorld().NetworkAcls;
    if (acl === undefined) throw new Error('the small world has lost its ACL');
    return inWorld({ NetworkAcls: [{ ...acl, Associations: [] }] }, async ({ ec2 }) => {
      const before = await associationOf(ec2);
      const seal = await newAcl(ec2);

      await replace(ec2, before.id, seal);

      expect(before).toEqual({ aclId: ids.acl, id: expect.stringMatching(/^aclassoc-/) });
      expect((await associationOf(ec2)).aclId).toBe(seal);
    });
  });

  it('does not cross VPCs', () =>
    inWorld({}, async ({ ec2 }) => {
      const before = await associationOf(ec2);
      const elsewhere = await newAcl(ec2, { VpcId: 'vpc-00000000000000002' });

      expect(await outcome(replace(ec2, before.id, elsewhere))).toBe('InvalidParameterValue');
      expect(await outcome(replace(ec2, before.id, 'acl-0000000000000dead'))).toBe('InvalidNetworkAclID.NotFound');
    }));
});

describe('DeleteNetworkAcl', () => {
  it('takes only an ACL that no subnet has, and no default one', () =>
    inWorld({}, async ({ ec2, state }) => {
      const before = await associationOf(ec2);
      const seal = await newAcl(ec2);
      const { NewAssociationId } = await replace(ec2, before.id, seal);
      const remove = (NetworkAclId: string) => outcome(ec2.send(new DeleteNetworkAclCommand({ NetworkAclId })));

      expect(await remove(ids.acl)).toBe('InvalidParameterValue');
      expect(await remove(seal)).toBe('DependencyViolation');
      await replace(ec2, NewAssociationId, ids.acl);
      expect(await remove(seal)).toBe('ok');
      expect(state.NetworkAcls.map((acl) => acl.NetworkAclId)).toEqual([ids.acl]);
    }));
});
