import {
  CreateNetworkAclEntryCommand,
  type CreateNetworkAclEntryCommandInput,
  DeleteNetworkAclEntryCommand,
  DescribeNetworkAclsCommand,
  ReplaceNetworkAclEntryCommand,
} from '@aws-sdk/client-ec2';
import { describe, expect, it } from 'vitest';
import { ids, inWorld, outcome, smallWorld } from './small-world.ts';

const perfectDeny: CreateNetworkAclEntryCommandInput = {
  NetworkAclId: ids.acl,
  RuleNumber: 1,
  Egress: true,
  Protocol: '-1',
  RuleAction: 'deny',
  CidrBlock: '198.51.100.7/32',
};
const { CidrBlock: _block, ...withoutBlock } = perfectDeny;

const create = (over: Partial<CreateNetworkAclEntryCommandInput> = {}) =>
  new CreateNetworkAclEntryCommand({ ...perfectDeny, ...over });

describe('CreateNetworkAclEntry', () => {
  it('keeps the canonical form of a CIDR', () =>
    inWorld({}, async ({ ec2 }) => {
      await ec2.send(create({ CidrBlock: '198.51.100.77/24' }));
      await ec2.send(
        new CreateNetworkAclEntryCommand({ ...withoutBlock, RuleNumber: 2, Ipv6CidrBlock: '2001:DB8::7/64' }),
      );

      const { NetworkAcls } = await ec2.send(new DescribeNetworkAclsCommand({ NetworkAclIds: [ids.acl] }));
      const entries = NetworkAcls?.[0]?.Entries ?? [];
      expect(entries.find(({ RuleNumber }) => RuleNumber === 1)).toEqual({
        CidrBlock: '198.51.100.0/24',
        Egress: true,
        Protocol: '-1',
        RuleAction: 'deny',
        RuleNumber: 1,
      });
      expect(entries.find(({ RuleNumber }) => RuleNumber === 2)).toMatchObject({ Ipv6CidrBlock: '2001:db8::/64' });
    }));

  it.each([
    ['InvalidNetworkAclID.NotFound', create({ NetworkAclId: 'acl-0000000000000dead' })],
    ['InvalidParameterValue', create({ NetworkAclId: 'acl-x' })],
    ['InvalidParameterValue', create({ CidrBlock: '198.51.100.7/33' })],
    ['InvalidParameterValue', create({ CidrBlock: '198.51.100.7' })],
    ['InvalidParameterValue', create({ CidrBlock: '2001:db8::/64' })],
    ['InvalidParameterValue', create({ RuleNumber: 0 })],
    ['InvalidParameterValue', create({ RuleNumber: 32_767 })],
    ['InvalidParameterValue', create({ Protocol: 'quic' })],
    ['InvalidParameterValue', create({ Protocol: '6', PortRange: { From: 10, To: 5 } })],
    ['MissingParameter', create({ Protocol: '6' })],
    ['MissingParameter', create({ Protocol: '1' })],
    ['MissingParameter', new CreateNetworkAclEntryCommand(withoutBlock)],
    ['InvalidParameterCombination', create({ Ipv6CidrBlock: '2001:db8::/64' })],
    ['DryRunOperation', create({ DryRun: true })],
    ['NetworkAclEntryAlreadyExists', create({ RuleNumber: 100 })],
  ])('answers %s', (code, command) =>
    inWorld({}, async ({ ec2, state }) => {
      expect(await outcome(ec2.send(command))).toBe(code);
      expect(state.NetworkAcls[0]?.Entries).toHaveLength(4);
    }),
  );

  it('takes the same number in the other direction', () =>
    inWorld({}, async ({ ec2 }) => {
      await ec2.send(create());

      expect(await outcome(ec2.send(create({ CidrBlock: '203.0.113.1/32' })))).toBe('NetworkAclEntryAlreadyExists');
      expect(await outcome(ec2.send(create({ Egress: false })))).toBe('ok');
    }));

  it('counts the quota per direction and family, the default deny included', () =>
    inWorld({ NaclEntryQuota: 4 }, async ({ ec2 }) => {
      await ec2.send(create({ RuleNumber: 1 }));
      await ec2.send(create({ RuleNumber: 2, CidrBlock: '203.0.113.2/32' }));

      expect(await outcome(ec2.send(create({ RuleNumber: 3 })))).toBe('NetworkAclEntryLimitExceeded');
      expect(await outcome(ec2.send(create({ RuleNumber: 3, Egress: false })))).toBe('ok');
      const ipv6 = new CreateNetworkAclEntryCommand({ ...withoutBlock, RuleNumber: 3, Ipv6CidrBlock: '::/0' });
      expect(await outcome(ec2.send(ipv6))).toBe('ok');
    }));

  it('does not count a default deny that the file leaves out', () => {
    const acl = smallWorld().NetworkAcls[0];
    const Entries = (acl?.Entries ?? []).filter(({ RuleNumber }) => RuleNumber === 100);
    return inWorld({ NaclEntryQuota: 2, NetworkAcls: acl ? [{ ...acl, Entries }] : [] }, async ({ ec2 }) => {
      expect(await outcome(ec2.send(create()))).toBe('ok');
      expect(await outcome(ec2.send(create({ RuleNumber: 2 })))).toBe('NetworkAclEntryLimitExceeded');
    });
  });

  it('is for the owner of a shared VPC only', () => {
    const acl = smallWorld().NetworkAcls[0];
    return inWorld({ NetworkAcls: acl ? [{ ...acl, OwnerId: '444455556666' }] : [] }, async ({ ec2 }) => {
      expect(await outcome(ec2.send(create()))).toBe('UnauthorizedOperation');
    });
  });
});

describe('the other calls on entries', () => {
  it('replace what is there and nothing else', () =>
    inWorld({}, async ({ ec2, state }) => {
      const replace = (RuleNumber: number) => new ReplaceNetworkAclEntryCommand({ ...perfectDeny, RuleNumber });

      expect(await outcome(ec2.send(replace(5)))).toBe('InvalidNetworkAclEntry.NotFound');
      await ec2.send(replace(100));
      expect(state.NetworkAcls[0]?.Entries[0]).toMatchObject({ RuleNumber: 100, RuleAction: 'deny', Egress: true });
    }));

  it('delete by number and direction, but never the default deny', () =>
    inWorld({}, async ({ ec2, state }) => {
      const remove = (RuleNumber: number, Egress = true) =>
        outcome(ec2.send(new DeleteNetworkAclEntryCommand({ NetworkAclId: ids.acl, RuleNumber, Egress })));
      await ec2.send(create());

      expect(await remove(1, false)).toBe('InvalidNetworkAclEntry.NotFound');
      expect(await remove(1)).toBe('ok');
      expect(await remove(1)).toBe('InvalidNetworkAclEntry.NotFound');
      expect(await remove(32_767)).toBe('InvalidParameterValue');
      expect(state.NetworkAcls[0]?.Entries).toHaveLength(4);
    }));
});
