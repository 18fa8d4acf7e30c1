import {
  DescribeNetworkInterfacesCommand,
  type DescribeNetworkInterfacesCommandOutput,
  EC2Client,
  ModifyNetworkInterfaceAttributeCommand,
} from '@aws-sdk/client-ec2';
import { mockClient } from 'aws-sdk-client-mock';
import 'aws-sdk-client-mock-vitest/extend';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  hasAccelerator,
  holdersOf,
  interfacesOf,
  setGroups,
  setTimeouts,
} from '../../functions/aws/network-interfaces.ts';

const ec2 = mockClient(EC2Client);
const client = new EC2Client({});

beforeEach(() => ec2.reset());

describe('interfacesOf', () => {
  it('reads every page, and gives the primary interface first', async () => {
    ec2
      .on(DescribeNetworkInterfacesCommand)
      .resolvesOnce({
        NetworkInterfaces: [
          { NetworkInterfaceId: 'eni-3', Attachment: { DeviceIndex: 2 } },
          { NetworkInterfaceId: 'eni-9' },
        ],
        NextToken: 'more',
      })
      .resolvesOnce({
        NetworkInterfaces: [
          { NetworkInterfaceId: 'eni-2', Attachment: { DeviceIndex: 1 } },
          { NetworkInterfaceId: 'eni-1', Attachment: { DeviceIndex: 0 } },
        ],
      });
    const found = await interfacesOf(client, 'i-1');
    expect(found.map(({ id }) => id)).toEqual(['eni-1', 'eni-2', 'eni-3', 'eni-9']);
    const filter = { Filters: [{ Name: 'attachment.instance-id', Values: ['i-1'] }], MaxResults: 100 };
    expect(ec2).toHaveReceivedNthCommandWith(DescribeNetworkInterfacesCommand, 1, filter);
    expect(ec2).toHaveReceivedNthCommandWith(DescribeNetworkInterfacesCommand, 2, { ...filter, NextToken: 'more' });
  });

  it('reads an interface with all that it may have, addresses in canonical form, groups in order', async () => {
    ec2.on(DescribeNetworkInterfacesCommand).resolves({
      NetworkInterfaces: [
        {
          NetworkInterfaceId: 'eni-1',
          VpcId: 'vpc-1',
          SubnetId: 'subnet-1',
          OwnerId: '111122223333',
          Status: 'in-use',
          Description: 'primary',
          InterfaceType: 'efa',
          RequesterManaged: true,
          Operator: { Managed: true, Principal: 'eks.amazonaws.com' },
          Groups: [{ GroupId: 'sg-2' }, { GroupId: 'sg-1' }],
          PrivateIpAddress: '10.0.1.10',
          PrivateIpAddresses: [{ PrivateIpAddress: '10.0.1.10' }, { PrivateIpAddress: '10.0.1.11' }],
          Ipv6Addresses: [{ Ipv6Address: '2001:DB8:0:0::10' }],
          Association: { PublicIp: '203.0.113.10' },
          ConnectionTrackingConfiguration: { TcpEstablishedTimeout: 600, UdpTimeout: 45 },
          Attachment: { AttachmentId: 'eni-attach-1', DeviceIndex: 0, InstanceId: 'i-1' },
          SourceDestCheck: false,
        },
      ],
    });
    expect(await interfacesOf(client, 'i-1')).toEqual([
      {
        id: 'eni-1',
        vpcId: 'vpc-1',
        subnetId: 'subnet-1',
        ownerId: '111122223333',
        status: 'in-use',
        description: 'primary',
        interfaceType: 'efa',
        requesterManaged: true,
        operator: 'eks.amazonaws.com',
        groupIds: ['sg-2', 'sg-1'],
        privateAddresses: ['10.0.1.10', '10.0.1.11'],
        ipv6Addresses: ['2001:db8::10'],
        publicAddress: '203.0.113.10',
        timeouts: { tcpEstablishedSeconds: 600, udpSeconds: 45, udpStreamSeconds: null },
        deviceIndex: 0,
        attachmentId: 'eni-attach-1',
        attachedTo: 'i-1',
        sourceDestCheck: false,
      },
    ]);
  });

  it('reads one that says nothing as an ordinary one, and an operator that does not manage it as none', async () => {
    ec2.on(DescribeNetworkInterfacesCommand).resolves({
      NetworkInterfaces: [{ NetworkInterfaceId: 'eni-1', Operator: { Managed: false, Principal: 'x' } }],
    });
    expect(await interfacesOf(client, 'i-1')).toMatchObject([
      {
        interfaceType: 'interface',
        requesterManaged: false,
        operator: null,
        timeouts: { tcpEstablishedSeconds: null, udpSeconds: null, udpStreamSeconds: null },
        deviceIndex: null,
        sourceDestCheck: true,
      },
    ]);
  });
});

describe('holdersOf', () => {
  it('asks for each family by its own filter, and for nothing where there is nothing to ask', async () => {
    const byFamily = (Name: string, Values: string[]) => ({ Filters: [{ Name, Values }] });
    const found: Partial<DescribeNetworkInterfacesCommandOutput> = {
      NetworkInterfaces: [
        {
          NetworkInterfaceId: 'eni-1',
          VpcId: 'vpc-1',
          InterfaceType: 'network_load_balancer',
          PrivateIpAddress: '10.0.7.7',
          Ipv6Addresses: [{ Ipv6Address: 'fd00::1' }, { Ipv6Address: 'fd00::2' }],
        },
      ],
    };
    ec2
      .on(DescribeNetworkInterfacesCommand, byFamily('addresses.private-ip-address', ['10.0.7.7']))
      .resolves(found)
      .on(DescribeNetworkInterfacesCommand, byFamily('ipv6-addresses.ipv6-address', ['fd00::2']))
      .resolves(found);
    const holder = { vpcId: 'vpc-1', interfaceType: 'network_load_balancer' };
    expect(await holdersOf(client, ['10.0.7.7', 'fd00::2'])).toEqual([
      { address: '10.0.7.7', networkInterfaceId: 'eni-1', holder },
      { address: 'fd00::2', networkInterfaceId: 'eni-1', holder },
    ]);
    expect(ec2).toHaveReceivedCommandTimes(DescribeNetworkInterfacesCommand, 2);
    ec2.resetHistory();
    expect(await holdersOf(client, [])).toEqual([]);
    expect(ec2).not.toHaveReceivedAnyCommand();
  });
});

describe('hasAccelerator', () => {
  it('sees an interface of Global Accelerator in one of the VPCs, and none that stands elsewhere', async () => {
    ec2
      .on(DescribeNetworkInterfacesCommand, {
        Filters: [{ Name: 'interface-type', Values: ['global_accelerator_managed'] }],
      })
      .resolves({ NetworkInterfaces: [{ NetworkInterfaceId: 'eni-1', VpcId: 'vpc-1' }] });
    expect(await hasAccelerator(client, ['vpc-2', 'vpc-1'])).toBe(true);
    expect(await hasAccelerator(client, ['vpc-2'])).toBe(false);
  });
});

describe('setGroups', () => {
  it('replaces the groups of one interface, in order and with nothing else', async () => {
    ec2.on(ModifyNetworkInterfaceAttributeCommand).resolves({});
    await setGroups(client, 'eni-1', ['sg-2', 'sg-1']);
    expect(ec2.commandCalls(ModifyNetworkInterfaceAttributeCommand).map((call) => call.args[0].input)).toEqual([
      { NetworkInterfaceId: 'eni-1', Groups: ['sg-2', 'sg-1'] },
    ]);
  });
});

describe('setTimeouts', () => {
  it('sets what is given and touches nothing else', async () => {
    ec2.on(ModifyNetworkInterfaceAttributeCommand).resolves({});
    await setTimeouts(client, 'eni-1', { tcpEstablishedSeconds: 60, udpSeconds: 30, udpStreamSeconds: 60 });
    await setTimeouts(client, 'eni-1', { tcpEstablishedSeconds: null, udpSeconds: null, udpStreamSeconds: 180 });
    expect(ec2.commandCalls(ModifyNetworkInterfaceAttributeCommand).map((call) => call.args[0].input)).toEqual([
      {
        NetworkInterfaceId: 'eni-1',
        ConnectionTrackingSpecification: { TcpEstablishedTimeout: 60, UdpTimeout: 30, UdpStreamTimeout: 60 },
      },
      { NetworkInterfaceId: 'eni-1', ConnectionTrackingSpecification: { UdpStreamTimeout: 180 } },
    ]);
  });
});
