import type {
  DescribeManagedPrefixListsCommandInput,
  DescribeRouteTablesCommandInput,
  DescribeSubnetsCommandInput,
  DescribeVpcEndpointsCommandInput,
  DescribeVpcsCommandInput,
  GetManagedPrefixListEntriesCommandInput,
} from '@aws-sdk/client-ec2';
import type { ApiContext, Handlers } from '../context.ts';
import { AwsError } from '../errors.ts';
import { found } from '../ids.ts';
import { page } from '../paging.ts';
import type { ApiState, ManagedPrefixList, RouteTable, Subnet, Vpc, VpcEndpoint } from '../shapes.ts';
import { type Listing, list } from './listing.ts';
import { required } from './require.ts';

const routeMember = (member: string) => (table: RouteTable) =>
  table.Routes?.map((route) => route[member] as string | undefined);

const routeTables: Listing<RouteTable> = {
  kind: 'routeTable',
  idOf: (table) => table.RouteTableId,
  tagsOf: (table) => table.Tags,
  pageSize: { min: 5, max: 100 },
  filters: {
    'route-table-id': (table) => table.RouteTableId,
    'vpc-id': (table) => table.VpcId,
    'owner-id': (table) => table['OwnerId'] as string | undefined,
    'association.gateway-id': (table) => table.Associations?.map((association) => association.GatewayId),
    'association.main': (table) => table.Associations?.map((association) => association.Main ?? false),
    'association.subnet-id': (table) => table.Associations?.map((association) => association.SubnetId),
    'association.route-table-association-id': (table) =>
      table.Associations?.map((association) => association.RouteTableAssociationId),
    'association.route-table-id': (table) => table.Associations?.map(() => table.RouteTableId),
    'route.destination-cidr-block': routeMember('DestinationCidrBlock'),
    'route.destination-ipv6-cidr-block': routeMember('DestinationIpv6CidrBlock'),
    'route.destination-prefix-list-id': routeMember('DestinationPrefixListId'),
    'route.egress-only-internet-gateway-id': routeMember('EgressOnlyInternetGatewayId'),
    'route.gateway-id': routeMember('GatewayId'),
    'route.nat-gateway-id': routeMember('NatGatewayId'),
    'route.transit-gateway-id': routeMember('TransitGatewayId'),
    'route.vpc-peering-connection-id': routeMember('VpcPeeringConnectionId'),
    'route.state': routeMember('State'),
  },
};

const subnets: Listing<Subnet> = {
  kind: 'subnet',
  idOf: (subnet) => subnet.SubnetId,
  tagsOf: (subnet) => subnet.Tags,
  pageSize: { min: 5, max: 1000 },
  filters: {
    'subnet-id': (subnet) => subnet.SubnetId,
    'vpc-id': (subnet) => subnet.VpcId,
    'owner-id': (subnet) => subnet.OwnerId,
    'availability-zone': (subnet) => subnet.AvailabilityZone,
    'cidr-block': (subnet) => subnet.CidrBlock,
    'ipv6-cidr-block-association.ipv6-cidr-block': (subnet) =>
      subnet.Ipv6CidrBlockAssociationSet?.map((association) => association.Ipv6CidrBlock),
    state: (subnet) => subnet.State,
  },
};

const vpcs: Listing<Vpc> = {
  kind: 'vpc',
  idOf: (vpc) => vpc.VpcId,
  tagsOf: (vpc) => vpc.Tags,
  pageSize: { min: 5, max: 1000 },
  filters: {
    'vpc-id': (vpc) => vpc.VpcId,
    cidr: (vpc) => vpc.CidrBlock,
    'is-default': (vpc) => vpc.IsDefault ?? false,
    'owner-id': (vpc) => vpc.OwnerId,
    state: (vpc) => vpc.State,
  },
};

const vpcEndpoints: Listing<VpcEndpoint> = {
  kind: 'vpcEndpoint',
  idOf: (endpoint) => endpoint.VpcEndpointId,
  tagsOf: (endpoint) => endpoint.Tags,
  pageSize: { min: 1, max: 1000 },
  filters: {
    'vpc-endpoint-id': (endpoint) => endpoint.VpcEndpointId,
    'vpc-endpoint-state': (endpoint) => endpoint.State,
    'vpc-endpoint-type': (endpoint) => endpoint.VpcEndpointType,
    'service-name': (endpoint) => endpoint.ServiceName,
    'vpc-id': (endpoint) => endpoint.VpcId,
  },
};

const prefixLists: Listing<ManagedPrefixList> = {
  kind: 'prefixList',
  idOf: (prefixList) => prefixList.PrefixListId,
  tagsOf: (prefixList) => prefixList.Tags,
  pageSize: { min: 1, max: 100 },
  filters: {
    'owner-id': (prefixList) => prefixList.OwnerId,
    'prefix-list-id': (prefixList) => prefixList.PrefixListId,
    'prefix-list-name': (prefixList) => prefixList.PrefixListName,
  },
};

/** With what AWS always says of such a thing. */
function owned<T extends object>(state: ApiState, items: readonly T[]): (T & { OwnerId: string; State: string })[] {
  return items.map((item) => ({ OwnerId: state.AccountId, State: 'available', ...item }));
}

function describeRouteTables({ state }: ApiContext, input: DescribeRouteTablesCommandInput): object {
  const all = state.RouteTables.map((table) => ({
    OwnerId: state.AccountId,
    ...table,
    Associations: (table.Associations ?? []).map((association) => ({ Main: false, ...association })),
    Routes: (table.Routes ?? []).map((route) => ({ State: 'active', ...route })),
  }));
  const { items, nextToken } = list<RouteTable>(all, routeTables, input.RouteTableIds, input);
  return { RouteTables: items, NextToken: nextToken };
}

function describeSubnets({ state }: ApiContext, input: DescribeSubnetsCommandInput): object {
  const { items, nextToken } = list<Subnet>(owned(state, state.Subnets), subnets, input.SubnetIds, input);
  return { Subnets: items, NextToken: nextToken };
}

function describeVpcs({ state }: ApiContext, input: DescribeVpcsCommandInput): object {
  const { items, nextToken } = list<Vpc>(owned(state, state.Vpcs), vpcs, input.VpcIds, input);
  return { Vpcs: items, NextToken: nextToken };
}

function describeVpcEndpoints({ state }: ApiContext, input: DescribeVpcEndpointsCommandInput): object {
  const { items, nextToken } = list<VpcEndpoint>(
    owned(state, state.VpcEndpoints),
    vpcEndpoints,
    input.VpcEndpointIds,
    input,
  );
  return { VpcEndpoints: items, NextToken: nextToken };
}

function describeManagedPrefixLists({ state }: ApiContext, input: DescribeManagedPrefixListsCommandInput): object {
  const { items, nextToken } = list(state.ManagedPrefixLists, prefixLists, input.PrefixListIds, input);
  const PrefixLists = items.map(({ Entries: _entries, ...prefixList }) => ({
    State: 'create-complete',
    OwnerId: state.AccountId,
    ...prefixList,
  }));
  return { PrefixLists, NextToken: nextToken };
}

function getManagedPrefixListEntries({ state }: ApiContext, input: GetManagedPrefixListEntriesCommandInput): object {
  const id = required(input.PrefixListId, 'PrefixListId');
  const prefixList = found('prefixList', id, state.ManagedPrefixLists, (candidate) => candidate.PrefixListId);
  if (input.MaxResults !== undefined && (input.MaxResults < 1 || input.MaxResults > 100)) {
    throw new AwsError('InvalidParameterValue', `Value (${input.MaxResults}) for parameter MaxResults is invalid.`);
  }
  const { items, nextToken } = page(prefixList.Entries ?? [], input.MaxResults ?? 100, input.NextToken);
  return { Entries: items, NextToken: nextToken };
}

export const networkHandlers: Handlers = {
  DescribeRouteTables: describeRouteTables,
  DescribeSubnets: describeSubnets,
  DescribeVpcs: describeVpcs,
  DescribeVpcEndpoints: describeVpcEndpoints,
  DescribeManagedPrefixLists: describeManagedPrefixLists,
  GetManagedPrefixListEntries: getManagedPrefixListEntries,
};
