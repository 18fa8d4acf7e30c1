import {
  DescribeRouteTablesCommand,
  DescribeSubnetsCommand,
  EC2Client,
  GetManagedPrefixListEntriesCommand,
  type Route,
} from '@aws-sdk/client-ec2';
import { mockClient } from 'aws-sdk-client-mock';
import 'aws-sdk-client-mock-vitest/extend';
import { beforeEach, describe, expect, it } from 'vitest';
import { prefixListEntries, routeTablesOf, subnetsById } from '../../functions/aws/routes.ts';

const ec2 = mockClient(EC2Client);
const client = new EC2Client({});

beforeEach(() => ec2.reset());

describe('routeTablesOf', () => {
  const read = async (route: Route) => {
    ec2.on(DescribeRouteTablesCommand).resolves({ RouteTables: [{ RouteTableId: 'rtb-1', Routes: [route] }] });
    return (await routeTablesOf(client, ['vpc-1']))[0]?.routes;
  };

  it('reads all tables of the VPCs, page by page, and which is the main one', async () => {
    ec2
      .on(DescribeRouteTablesCommand)
      .resolvesOnce({
        RouteTables: [{ RouteTableId: 'rtb-1', VpcId: 'vpc-1', Associations: [{ Main: true }] }],
        NextToken: 'more',
      })
      .resolvesOnce({
        RouteTables: [
          { RouteTableId: 'rtb-2', VpcId: 'vpc-1', Associations: [{ SubnetId: 'subnet-1' }, { GatewayId: 'igw-1' }] },
        ],
      });
    expect(await routeTablesOf(client, ['vpc-1'])).toEqual([
      { id: 'rtb-1', vpcId: 'vpc-1', main: true, subnetIds: [], routes: [] },
      { id: 'rtb-2', vpcId: 'vpc-1', main: false, subnetIds: ['subnet-1'], routes: [] },
    ]);
    expect(ec2).toHaveReceivedNthCommandWith(DescribeRouteTablesCommand, 1, {
      Filters: [{ Name: 'vpc-id', Values: ['vpc-1'] }],
    });
    expect(ec2).toHaveReceivedNthCommandWith(DescribeRouteTablesCommand, 2, { NextToken: 'more' });
  });

  it.each<[string, Route, string]>([
    ['the VPC', { GatewayId: 'local' }, 'local'],
    ['an internet gateway', { GatewayId: 'igw-1' }, 'internet-gateway'],
    ['a virtual private gateway', { GatewayId: 'vgw-1' }, 'virtual-private-gateway'],
    ['an inspection endpoint', { GatewayId: 'vpce-1' }, 'gateway-load-balancer-or-firewall-endpoint'],
    ['a NAT gateway', { NatGatewayId: 'nat-1' }, 'nat-gateway'],
    ['an egress-only internet gateway', { EgressOnlyInternetGatewayId: 'eigw-1' }, 'egress-only-internet-gateway'],
    ['a transit gateway', { TransitGatewayId: 'tgw-1' }, 'transit-gateway'],
    ['a peering', { VpcPeeringConnectionId: 'pcx-1' }, 'vpc-peering'],
    ['a carrier gateway', { CarrierGatewayId: 'cagw-1' }, 'carrier-gateway'],
    ['a local gateway', { LocalGatewayId: 'lgw-1' }, 'local-gateway'],
    ['an appliance', { NetworkInterfaceId: 'eni-1', InstanceId: 'i-1' }, 'network-interface'],
    ['something new', { CoreNetworkArn: 'arn:aws:networkmanager::1:core-network/x' }, 'unknown'],
  ])('knows a route to %s', async (_, target, kind) => {
    expect(await read({ DestinationCidrBlock: '0.0.0.0/0', ...target })).toMatchObject([
      { destination: '0.0.0.0/0', target: { kind } },
    ]);
  });

  it('reads IPv6, prefix lists and black holes, and drops what has no destination', async () => {
    expect(await read({ DestinationIpv6CidrBlock: '::/0', GatewayId: 'igw-1' })).toMatchObject([
      { destination: '::/0', blackhole: false },
    ]);
    expect(await read({ DestinationPrefixListId: 'pl-1', GatewayId: 'vpce-1' })).toMatchObject([
      { destination: 'pl-1', target: { kind: 'vpc-endpoint', id: 'vpce-1' } },
    ]);
    expect(
      await read({ DestinationCidrBlock: '10.9.0.9/16', VpcPeeringConnectionId: 'pcx-1', State: 'blackhole' }),
    ).toMatchObject([{ destination: '10.9.0.0/16', blackhole: true }]);
    expect(await read({ GatewayId: 'igw-1' })).toEqual([]);
  });

  it('asks for nothing where no VPC is known', async () => {
    expect(await routeTablesOf(client, [])).toEqual([]);
    expect(ec2).not.toHaveReceivedAnyCommand();
  });
});

describe('subnetsById', () => {
  it('filters by id, so that one that is gone does not fail the others', async () => {
    ec2.on(DescribeSubnetsCommand).resolves({
      Subnets: [
        {
          SubnetId: 'subnet-1',
          VpcId: 'vpc-1',
          OwnerId: '1',
          CidrBlock: '10.0.1.0/24',
          Ipv6CidrBlockAssociationSet: [{ Ipv6CidrBlock: '2001:DB8::/64' }],
        },
      ],
    });
    expect(await subnetsById(client, ['subnet-1', 'subnet-gone'])).toEqual([
      { id: 'subnet-1', vpcId: 'vpc-1', ownerId: '1', cidrs: ['10.0.1.0/24', '2001:db8::/64'] },
    ]);
    expect(ec2).toHaveReceivedCommandExactlyOnceWith(DescribeSubnetsCommand, {
      Filters: [{ Name: 'subnet-id', Values: ['subnet-1', 'subnet-gone'] }],
      MaxResults: 100,
      NextToken: undefined,
    });
    expect(await subnetsById(client, [])).toEqual([]);
  });
});

describe('prefixListEntries', () => {
  it('reads every page of every list', async () => {
    ec2
      .on(GetManagedPrefixListEntriesCommand, { PrefixListId: 'pl-1' })
      .resolvesOnce({ Entries: [{ Cidr: '198.51.100.9/24' }], NextToken: 'more' })
      .resolvesOnce({ Entries: [{ Cidr: '2001:DB8::/32' }, {}] });
    ec2.on(GetManagedPrefixListEntriesCommand, { PrefixListId: 'pl-2' }).resolves({});
    expect(await prefixListEntries(client, ['pl-1', 'pl-2'])).toEqual([
      ['pl-1', ['198.51.100.0/24', '2001:db8::/32']],
      ['pl-2', []],
    ]);
  });
});
