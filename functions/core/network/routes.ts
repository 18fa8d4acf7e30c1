import type { Family, Route, RouteTarget, SubnetFacts } from '../model.ts';
import { addressClass, covers, hostNetwork, type Network, network } from './addresses.ts';
import { AUTOMATIC_PATHS, type AutomaticPath } from './tracking-data.ts';

export interface RouteTableFacts {
  readonly id: string;
  readonly vpcId: string;
  readonly main: boolean;
  /** Subnets that are associated with it explicitly. */
  readonly subnetIds: readonly string[];
  readonly routes: readonly Route[];
}

/** Which way packets between the instance and one peer go, and what that means for the two controls outside the host. */
export interface PathVerdict {
  /**
   * `vpc`: the VPC's own route, another subnet. `vpc-service`: metadata, time, DNS resolver; neither groups nor ACLs
   * reach those. `unknown`: not decidable from what was read.
   */
  readonly kind: 'same-subnet' | 'vpc' | 'vpc-service' | Exclude<RouteTarget['kind'], 'local'> | 'no-route';
  readonly routeTableId: string | null;
  /** Destination of the route that decided: a CIDR or a prefix list id. */
  readonly destination: string | null;
  readonly targetId: string | null;
  /** Whether the subnet's network ACL sees the packets. */
  readonly crossesSubnetBoundary: boolean;
  readonly automaticallyTracked: boolean;
  /** The automatically tracked thing on the path, as far as it is known. */
  readonly through: AutomaticPath | null;
  readonly because: string;
}

/** What is the same for every peer of one subnet. */
export interface SubnetPaths {
  readonly subnet: SubnetFacts;
  /** Routes of the subnet's table ({@link routeTableOf}); null = they could not be read. */
  readonly routes: readonly Route[] | null;
  /** CIDRs of the prefix lists that routes name, by id. A list that is not here could hold anything. */
  readonly prefixLists?: ReadonlyMap<string, readonly string[]>;
}

export interface Peer {
  readonly remoteAddress: string;
  /** What else is known to carry the flow: a load balancer in front, the type of the peer's own ENI. */
  readonly through?: AutomaticPath | null;
}

type Where = Omit<PathVerdict, 'because' | 'crossesSubnetBoundary' | 'automaticallyTracked' | 'through'>;

const NOWHERE = { routeTableId: null, destination: null, targetId: null } as const;

/**
 * Targets that mean automatic tracking. A route does not tell a Network Firewall endpoint (automatically tracked) from a
 * Gateway Load Balancer endpoint, nor DynamoDB's gateway endpoint (automatically tracked) from S3's: both are taken as
 * tracked, which is the cautious reading.
 */
const AUTOMATIC_TARGETS: Partial<Record<string, { readonly through: AutomaticPath; readonly because: string }>> = {
  'nat-gateway': { through: 'nat-gateway', because: 'it leaves through a NAT gateway' },
  'egress-only-internet-gateway': {
    through: 'egress-only-internet-gateway',
    because: 'it leaves through an egress-only internet gateway',
  },
  'vpc-endpoint': {
    through: 'dynamodb-gateway-endpoint',
    because:
      "it leaves through a gateway endpoint, and the route does not tell S3's from DynamoDB's, which is automatically tracked",
  },
  'gateway-load-balancer-or-firewall-endpoint': {
    through: 'network-firewall-endpoint',
    because:
      "it leaves through an inspection endpoint, and the route does not tell a Network Firewall's, which is automatically tracked",
  },
};

/**
 * A subnet has one route table: the one associated with it, or else the main table of its VPC.
 * https://docs.aws.amazon.com/vpc/latest/userguide/subnet-route-tables.html
 */
export function routeTableOf(
  subnet: Pick<SubnetFacts, 'id' | 'vpcId'>,
  tables: readonly RouteTableFacts[],
): RouteTableFacts | null {
  const explicit = tables.find((table) => table.subnetIds.includes(subnet.id));
  return explicit ?? tables.find((table) => table.main && table.vpcId === subnet.vpcId) ?? null;
}

/**
 * Neither security groups nor network ACLs filter what goes to the metadata service, the time service or the DNS server
 * (the base of the VPC's IPv4 range plus two).
 * https://docs.aws.amazon.com/vpc/latest/userguide/nacl-basics.html
 * https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
 */
const SERVICE_NETWORKS = ['169.254.0.0/16', 'fe80::/10', 'fd00:ec2::/32'].map(network);

function resolverOf(vpcRange: Network): Network {
  return { family: 'ipv4', base: vpcRange.base + 2n, length: 32 };
}

/** A route with its destination as numbers; null = a prefix list whose content is not known. */
interface Way {
  readonly route: Route;
  readonly isList: boolean;
  readonly networks: readonly Network[] | null;
}

function wayOf(route: Route, prefixLists: SubnetPaths['prefixLists']): Way {
  const isList = route.destination.startsWith('pl-');
  const cidrs = isList ? prefixLists?.get(route.destination) : [route.destination];
  return { route, isList, networks: cidrs?.map(network) ?? null };
}

/** How specific the way is for the host: the longest prefix that matches, -1 for none. */
function specificity({ networks }: Way, host: Network): number {
  return Math.max(-1, ...(networks ?? []).filter((net) => covers(net, host)).map(({ length }) => length));
}

/** Whether a list of unknown content could hold the address. The lists of gateway endpoints hold public ranges only. */
function mayHold({ route }: Way, address: string): boolean {
  return route.target.kind !== 'vpc-endpoint' || addressClass(address).kind === 'public';
}

function verdict(peer: Peer, where: Where, because: string, crossesSubnetBoundary = true): PathVerdict {
  const { through = null } = peer;
  const target = AUTOMATIC_TARGETS[where.kind];
  const known =
    through === null ? '' : `; the flow goes through ${AUTOMATIC_PATHS[through]}, which is automatically tracked`;
  return {
    ...where,
    crossesSubnetBoundary,
    automaticallyTracked: through !== null || target !== undefined,
    through: through ?? target?.through ?? null,
    because: because + known,
  };
}

function alongRoute(peer: Peer, route: Route): PathVerdict {
  const { target, destination, routeTableId } = route;
  const via = `route ${destination} of ${routeTableId}`;
  const as = (kind: PathVerdict['kind'], because: string) =>
    verdict(peer, { kind, routeTableId, destination, targetId: target.id }, because);
  if (route.blackhole) return as('no-route', `${via} is a black hole: ${target.id} is gone`);
  if (target.kind === 'local') return as('vpc', `it stays in the VPC, in another subnet (${via})`);
  if (target.kind === 'unknown') return as('unknown', `${via} leads to ${target.id}, which is of an unknown kind`);
  return as(target.kind, `${AUTOMATIC_TARGETS[target.kind]?.because ?? 'it leaves'} (${via} to ${target.id})`);
}

/**
 * Of ways that are equally specific: a static route before one that a virtual private gateway propagates, a CIDR before a
 * prefix list; among prefix lists AWS chooses at random. Several to one target are one.
 */
function preferred(tied: readonly Way[]): readonly Way[] {
  const cidrs = tied.filter(({ isList }) => !isList);
  const fixed = cidrs.filter(({ route }) => route.target.kind !== 'virtual-private-gateway');
  const rank = [fixed, cidrs, tied].find((ways) => ways.length > 0) ?? [];
  const first = rank[0]?.route;
  const sameTarget = rank.every(
    ({ route }) => route.target.id === first?.target.id && route.blackhole === first.blackhole,
  );
  return sameTarget ? rank.slice(0, 1) : rank;
}

/** The routes that may decide, and none is known to. Automatic tracking is certain enough if each of them means it. */
function undecided(peer: Peer, possible: readonly Way[]): PathVerdict {
  const ways = [...new Set(possible.map(({ route }) => `${route.destination} to ${route.target.id}`))].sort();
  const because = `it cannot be told which route decides its way: ${ways.join(' or ')}`;
  const routeTableId = possible[0]?.route.routeTableId ?? null;
  const answer = verdict(peer, { kind: 'unknown', ...NOWHERE, routeTableId }, because);
  const everyWay = possible.every(
    ({ route }) => !route.blackhole && AUTOMATIC_TARGETS[route.target.kind] !== undefined,
  );
  if (possible.length < 2 || !everyWay) return answer;
  return {
    ...answer,
    automaticallyTracked: true,
    because: `${answer.because}, but each way is, or may be, automatically tracked`,
  };
}

/**
 * The most specific route that matches decides (longest prefix match). Traffic inside a subnet asks no route table.
 * https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html
 *
 * @example
 * const path = compilePaths({ subnet, routes: table.routes });
 * path({ remoteAddress: '198.51.100.7' }).kind; // 'internet-gateway'
 */
export function compilePaths({ subnet, routes, prefixLists }: SubnetPaths): (peer: Peer) => PathVerdict {
  const inSubnet = subnet.cidrs.map(network);
  const ways = routes?.map((route) => wayOf(route, prefixLists)) ?? null;
  const vpcRanges = (ways ?? [])
    .filter(({ route }) => route.target.kind === 'local')
    .flatMap((way) => way.networks ?? []);
  const services = [...SERVICE_NETWORKS, ...vpcRanges.filter(({ family }) => family === 'ipv4').map(resolverOf)];

  return (peer) => {
    const host = hostNetwork(peer.remoteAddress);
    const nowhere = (kind: PathVerdict['kind'], because: string, crosses = true) =>
      verdict(peer, { kind, ...NOWHERE }, because, crosses);
    if (services.some((net) => covers(net, host))) {
      return nowhere('vpc-service', 'it goes to a service of the VPC, which no group and no ACL reaches', false);
    }
    if (inSubnet.some((net) => covers(net, host))) {
      return nowhere('same-subnet', 'the peer is in the same subnet', false);
    }
    if (inSubnet.length === 0) return nowhere('unknown', `the address ranges of ${subnet.id} are not known`, false);
    if (ways === null) return nowhere('unknown', `the route table of ${subnet.id} could not be read`);

    const longest = Math.max(-1, ...ways.map((way) => specificity(way, host)));
    const candidates = longest < 0 ? [] : preferred(ways.filter((way) => specificity(way, host) === longest));
    const [best] = candidates;
    const hidden = ways.filter(
      (way) => way.networks === null && longest < host.length && mayHold(way, peer.remoteAddress),
    );
    if (hidden.length > 0 || candidates.length > 1) return undecided(peer, [...hidden, ...candidates]);
    return best === undefined
      ? nowhere('no-route', 'no route of the subnet matches the peer')
      : alongRoute(peer, best.route);
  };
}

/** {@link compilePaths} for a single peer. */
export function pathTo({
  remoteAddress,
  through = null,
  ...paths
}: SubnetPaths & Peer & { readonly family: Family }): PathVerdict {
  return compilePaths(paths)({ remoteAddress, through });
}
