import {
  type EC2Client,
  paginateDescribeRouteTables,
  paginateDescribeSubnets,
  paginateGetManagedPrefixListEntries,
  type Route as SdkRoute,
} from '@aws-sdk/client-ec2';
import type { Route, RouteTarget, SubnetFacts } from '../core/model.ts';
import { canonicalCidr } from '../core/network/addresses.ts';
import type { RouteTableFacts } from '../core/network/routes.ts';

function targetOf(route: SdkRoute): RouteTarget {
  if (route.NatGatewayId) return { kind: 'nat-gateway', id: route.NatGatewayId };
  if (route.EgressOnlyInternetGatewayId)
    return { kind: 'egress-only-internet-gateway', id: route.EgressOnlyInternetGatewayId };
  if (route.TransitGatewayId) return { kind: 'transit-gateway', id: route.TransitGatewayId };
  if (route.VpcPeeringConnectionId) return { kind: 'vpc-peering', id: route.VpcPeeringConnectionId };
  if (route.CarrierGatewayId) return { kind: 'carrier-gateway', id: route.CarrierGatewayId };
  if (route.LocalGatewayId) return { kind: 'local-gateway', id: route.LocalGatewayId };
  const gateway = route.GatewayId ?? '';
  if (gateway === 'local') return { kind: 'local', id: gateway };
  if (gateway.startsWith('igw-')) return { kind: 'internet-gateway', id: gateway };
  if (gateway.startsWith('vgw-')) return { kind: 'virtual-private-gateway', id: gateway };
  // A prefix-list route to a gateway endpoint (S3, DynamoDB) has a list as destination, one to a firewall or Gateway Load
  // Balancer endpoint an ordinary network.
  if (gateway.startsWith('vpce-')) {
    return {
      kind: route.DestinationPrefixListId ? 'vpc-endpoint' : 'gateway-load-balancer-or-firewall-endpoint',
      id: gateway,
    };
  }
  if (route.NetworkInterfaceId) return { kind: 'network-interface', id: route.NetworkInterfaceId };
  return { kind: 'unknown', id: gateway };
}

function toRoute(routeTableId: string, route: SdkRoute): Route | null {
  const network = canonicalCidr(route.DestinationCidrBlock ?? route.DestinationIpv6CidrBlock ?? '');
  const destination = network?.cidr ?? route.DestinationPrefixListId;
  if (destination === undefined) return null;
  return { routeTableId, destination, target: targetOf(route), blackhole: route.State === 'blackhole' };
}

/** All route tables of the VPCs: the main one holds for subnets without one of their own. */
export async function routeTablesOf(ec2: EC2Client, vpcIds: readonly string[]): Promise<readonly RouteTableFacts[]> {
  if (vpcIds.length === 0) return [];
  const found: RouteTableFacts[] = [];
  const input = { Filters: [{ Name: 'vpc-id', Values: [...vpcIds] }] };
  for await (const page of paginateDescribeRouteTables({ client: ec2, pageSize: 100 }, input)) {
    for (const table of page.RouteTables ?? []) {
      const id = table.RouteTableId ?? '';
      found.push({
        id,
        vpcId: table.VpcId ?? '',
        main: table.Associations?.some((association) => association.Main === true) ?? false,
        subnetIds: (table.Associations ?? []).flatMap((association) => association.SubnetId ?? []),
        routes: (table.Routes ?? []).map((route) => toRoute(id, route)).filter((route) => route !== null),
      });
    }
  }
  return found;
}

/** The CIDRs of managed prefix lists, AWS's own included, by list id. */
export function prefixListEntries(
  ec2: EC2Client,
  prefixListIds: readonly string[],
): Promise<readonly (readonly [string, readonly string[]])[]> {
  return Promise.all(
    prefixListIds.map(async (id) => {
      const cidrs: string[] = [];
      for await (const page of paginateGetManagedPrefixListEntries(
        { client: ec2, pageSize: 100 },
        { PrefixListId: id },
      )) {
        cidrs.push(...(page.Entries ?? []).flatMap((entry) => canonicalCidr(entry.Cidr)?.cidr ?? []));
      }
      return [id, cidrs] as const;
    }),
  );
}

export async function subnetsById(ec2: EC2Client, subnetIds: readonly string[]): Promise<readonly SubnetFacts[]> {
  if (subnetIds.length === 0) return [];
  const found: SubnetFacts[] = [];
  // A filter, not SubnetIds: an id that a finding names and that is not here (any more) must not fail the whole read.
  const input = { Filters: [{ Name: 'subnet-id', Values: [...subnetIds] }] };
  for await (const page of paginateDescribeSubnets({ client: ec2, pageSize: 100 }, input)) {
    for (const subnet of page.Subnets ?? []) {
      const cidrs = [
        subnet.CidrBlock,
        ...(subnet.Ipv6CidrBlockAssociationSet ?? []).map((association) => association.Ipv6CidrBlock),
      ].map((cidr) => canonicalCidr(cidr)?.cidr);
      found.push({
        id: subnet.SubnetId ?? '',
        vpcId: subnet.VpcId ?? '',
        ownerId: subnet.OwnerId ?? null,
        cidrs: cidrs.filter((cidr) => cidr !== undefined),
      });
    }
  }
  return found;
}
