import {
  CreateNetworkAclEntryCommand,
  DeleteNetworkAclEntryCommand,
  DescribeNetworkAclsCommand,
  EC2Client,
} from '@aws-sdk/client-ec2';
import { mockClient } from 'aws-sdk-client-mock';
import 'aws-sdk-client-mock-vitest/extend';
import { beforeEach, describe, expect, it } from 'vitest';
import { aclsById, aclsOfSubnets, createDeny, deleteEntry } from '../../functions/aws/network-acls.ts';

const ec2 = mockClient(EC2Client);
const client = new EC2Client({});

beforeEach(() => ec2.reset());

describe('aclsOfSubnets and aclsById', () => {
  it('ask by subnet and by id, page by page', async () => {
    ec2
      .on(DescribeNetworkAclsCommand)
      .resolvesOnce({ NetworkAcls: [{ NetworkAclId: 'acl-1' }], NextToken: 'more' })
      .resolvesOnce({ NetworkAcls: [{ NetworkAclId: 'acl-2' }] })
      .resolves({ NetworkAcls: [] });
    expect((await aclsOfSubnets(client, ['subnet-1', 'subnet-2'])).map(({ id }) => id)).toEqual(['acl-1', 'acl-2']);
    await aclsById(client, ['acl-1']);
    const calls = ec2.commandCalls(DescribeNetworkAclsCommand).map((call) => call.args[0].input);
    const bySubnet = { Filters: [{ Name: 'association.subnet-id', Values: ['subnet-1', 'subnet-2'] }] };
    expect(calls).toMatchObject([
      bySubnet,
      { ...bySubnet, NextToken: 'more' },
      { Filters: [{ Name: 'network-acl-id', Values: ['acl-1'] }] },
    ]);
  });

  it('ask for nothing where nothing is wanted: without a filter EC2 would list every ACL', async () => {
    expect([...(await aclsOfSubnets(client, [])), ...(await aclsById(client, []))]).toEqual([]);
    expect(ec2).not.toHaveReceivedAnyCommand();
  });

  it('read entries in canonical form, without the default deny of either family', async () => {
    ec2.on(DescribeNetworkAclsCommand).resolves({
      NetworkAcls: [
        {
          NetworkAclId: 'acl-1',
          VpcId: 'vpc-1',
          OwnerId: '444455556666',
          Associations: [{ SubnetId: 'subnet-1' }, { SubnetId: 'subnet-2' }],
          Entries: [
            { RuleNumber: 1, Egress: true, Protocol: '-1', RuleAction: 'deny', CidrBlock: '198.51.100.9/24' },
            {
              RuleNumber: 2,
              Egress: false,
              Protocol: '6',
              RuleAction: 'allow',
              Ipv6CidrBlock: '2001:DB8::/32',
              PortRange: { From: 443, To: 444 },
            },
            {
              RuleNumber: 3,
              Egress: false,
              Protocol: '1',
              RuleAction: 'allow',
              CidrBlock: '0.0.0.0/0',
              IcmpTypeCode: { Type: 8, Code: -1 },
            },
            { RuleNumber: 32_767, Egress: true, Protocol: '-1', RuleAction: 'deny', CidrBlock: '0.0.0.0/0' },
            { RuleNumber: 32_768, Egress: true, Protocol: '-1', RuleAction: 'deny', Ipv6CidrBlock: '::/0' },
          ],
        },
      ],
    });
    expect(await aclsById(client, ['acl-1'])).toEqual([
      {
        id: 'acl-1',
        vpcId: 'vpc-1',
        ownerId: '444455556666',
        subnetIds: ['subnet-1', 'subnet-2'],
        entries: [
          {
            ruleNumber: 1,
            egress: true,
            action: 'deny',
            protocol: '-1',
            cidr: '198.51.100.0/24',
            family: 'ipv4',
            fromPort: null,
            toPort: null,
          },
          {
            ruleNumber: 2,
            egress: false,
            action: 'allow',
            protocol: 'tcp',
            cidr: '2001:db8::/32',
            family: 'ipv6',
            fromPort: 443,
            toPort: 444,
          },
          {
            ruleNumber: 3,
            egress: false,
            action: 'allow',
            protocol: 'icmp',
            cidr: '0.0.0.0/0',
            family: 'ipv4',
            fromPort: 8,
            toPort: -1,
          },
        ],
      },
    ]);
  });
});

describe('createDeny and deleteEntry', () => {
  const place = { aclId: 'acl-1', egress: true, ruleNumber: 7 };
  const there = { NetworkAclId: 'acl-1', Egress: true, RuleNumber: 7 };

  it.each([
    ['198.51.100.7/32', { CidrBlock: '198.51.100.7/32' }],
    ['2001:db8::7/128', { Ipv6CidrBlock: '2001:db8::7/128' }],
  ])('deny everything to and from %s, in its own family', async (cidr, block) => {
    ec2.on(CreateNetworkAclEntryCommand).resolves({});
    await createDeny(client, place, cidr);
    expect(ec2.commandCalls(CreateNetworkAclEntryCommand).map((call) => call.args[0].input)).toEqual([
      { ...there, ...block, RuleAction: 'deny', Protocol: '-1' },
    ]);
  });

  it('delete one entry by its place', async () => {
    ec2.on(DeleteNetworkAclEntryCommand).resolves({});
    await deleteEntry(client, place);
    expect(ec2).toHaveReceivedCommandExactlyOnceWith(DeleteNetworkAclEntryCommand, there);
  });

  it('hide no error: the caller reads back whose entry it is', async () => {
    const taken = Object.assign(new Error('taken'), { Code: 'NetworkAclEntryAlreadyExists' });
    ec2.on(CreateNetworkAclEntryCommand).rejects(taken).on(DeleteNetworkAclEntryCommand).rejects(taken);
    await expect(createDeny(client, place, '198.51.100.7/32')).rejects.toMatchObject({
      Code: 'NetworkAclEntryAlreadyExists',
    });
    await expect(deleteEntry(client, place)).rejects.toMatchObject({ Code: 'NetworkAclEntryAlreadyExists' });
  });
});
