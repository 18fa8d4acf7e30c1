import type { IpPermission, NetworkAclEntry } from '../api/shapes.ts';
import { protocolName } from '../parse/incident.ts';
import type { WorldFile } from '../parse-world.ts';
import { canonicalAddress, holds } from './addresses.ts';
import { type Timers, timersOf } from './timers.ts';

/** Direction as an ENI sees it. */
export type Direction = 'in' | 'out';

/** One source or destination of a group rule. `from` and `to` are ports, or ICMP type and code; null = all. */
export interface Rule {
  readonly direction: Direction;
  readonly protocol: string;
  readonly from: number | null;
  readonly to: number | null;
  readonly peer: { readonly kind: 'cidr' | 'group' | 'prefix-list'; readonly value: string };
}

export interface AclRule {
  readonly number: number;
  readonly direction: Direction;
  readonly allow: boolean;
  readonly protocol: string;
  readonly cidr: string;
  readonly from: number | null;
  readonly to: number | null;
  readonly icmpType: number | null;
}

export interface RouteRow {
  readonly destination: string | null;
  readonly prefixListId: string | null;
  readonly target: string;
  readonly blackhole: boolean;
}

export interface Eni {
  readonly id: string;
  readonly vpcId: string;
  readonly subnetId: string;
  readonly interfaceType: string;
  readonly instanceId: string | null;
  readonly addresses: readonly string[];
  readonly groupIds: readonly string[];
  /** The merged rules of its groups. */
  readonly rules: Readonly<Record<Direction, readonly Rule[]>>;
  readonly timers: Timers;
}

/** The network as packets see it from `effectiveAt` on; nothing in it changes when the world's objects do. */
export interface Snapshot {
  readonly effectiveAt: number;
  readonly enis: ReadonlyMap<string, Eni>;
  readonly subnets: readonly SubnetRow[];
  /** Sorted by number. A subnet that is not here has no ACL that the world knows: nothing is dropped. */
  readonly acls: ReadonlyMap<string, readonly AclRule[]>;
  readonly routes: ReadonlyMap<string, readonly RouteRow[]>;
  readonly prefixLists: ReadonlyMap<string, readonly string[]>;
  readonly endpoints: readonly EndpointRow[];
  /** Interfaces of secondary networks, which neither groups nor ACLs reach → the instance that has it. */
  readonly secondaryInterfaces: ReadonlyMap<string, string>;
  /** What Network Load Balancers send flows to, draining targets included. */
  readonly balancedTargets: readonly BalancedTarget[];
}

export interface BalancedTarget {
  /** An instance, or an address. */
  readonly id: string;
  /** Null = any. */
  readonly port: number | null;
}

export interface SubnetRow {
  readonly id: string;
  readonly vpcId: string;
  readonly cidrs: readonly string[];
}

export interface EndpointRow {
  readonly id: string;
  readonly type: string;
  readonly vpcId: string;
  readonly service: string;
  readonly subnetIds: readonly string[];
  readonly networkInterfaceIds: readonly string[];
}

const ALL = '-1';
const protocolOf = (text: string | undefined): string => {
  const word = (text ?? ALL).toLowerCase();
  return word === 'all' ? ALL : (protocolName(word) ?? word);
};
const orAll = (value: number | undefined): number | null => (value === undefined || value === -1 ? null : value);
const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];

/** Reads the world as it is now. */
export function takeSnapshot(world: WorldFile, effectiveAt: number): Snapshot {
  const subnets = world.Subnets.map((one) => ({
    id: one.SubnetId,
    vpcId: one.VpcId,
    cidrs: [one.CidrBlock, ...(one.Ipv6CidrBlockAssociationSet ?? []).map((block) => block.Ipv6CidrBlock)].filter(
      (cidr) => cidr !== undefined,
    ),
  }));
  const enis = readEnis(world, new Map(world.SecurityGroups.map((one) => [one.GroupId, readRules(one)])));
  const subnetVpcs = new Map([...enis.values()].map((one) => [one.subnetId, one.vpcId]));
  for (const subnet of subnets) subnetVpcs.set(subnet.id, subnet.vpcId);
  return {
    effectiveAt,
    enis,
    subnets,
    acls: readAcls(world, subnetVpcs),
    routes: readRoutes(world, subnetVpcs),
    prefixLists: new Map(
      world.ManagedPrefixLists.map((one) => [one.PrefixListId, (one.Entries ?? []).map((entry) => entry.Cidr)]),
    ),
    endpoints: world.VpcEndpoints.map((one) => ({
      id: one.VpcEndpointId,
      type: one.VpcEndpointType ?? 'Interface',
      vpcId: one.VpcId ?? '',
      service: one.ServiceName ?? '',
      subnetIds: strings(one['SubnetIds']),
      networkInterfaceIds: strings(one['NetworkInterfaceIds']),
    })),
    secondaryInterfaces: new Map(
      world.Reservations.flatMap((one) => one.Instances).flatMap((instance) =>
        (instance.SecondaryInterfaces ?? []).map((one) => [one.SecondaryInterfaceId, instance.InstanceId] as const),
      ),
    ),
    balancedTargets: readTargets(world),
  };
}

/** Protocols of target groups that only Network Load Balancers use. */
const NETWORK_PROTOCOLS: ReadonlySet<unknown> = new Set(['TCP', 'UDP', 'TCP_UDP', 'TLS', 'QUIC', 'TCP_QUIC']);

function readTargets(world: WorldFile): BalancedTarget[] {
  return world.TargetHealth.flatMap(({ TargetGroupArn, Target }) => {
    const group = world.TargetGroups.find((one) => one.TargetGroupArn === TargetGroupArn);
    const isNetwork =
      NETWORK_PROTOCOLS.has(group?.['Protocol']) || group?.LoadBalancerArns?.some((arn) => arn.includes('/net/'));
    if (isNetwork !== true) return [];
    return [{ id: canonicalAddress(Target.Id) ?? Target.Id, port: Target.Port ?? group?.Port ?? null }];
  });
}

function readEnis(world: WorldFile, rules: ReadonlyMap<string, readonly Rule[]>): Map<string, Eni> {
  const instanceTypes = new Map(
    world.Reservations.flatMap((one) => one.Instances.map((it) => [it.InstanceId, it.InstanceType] as const)),
  );
  return new Map(
    world.NetworkInterfaces.map((one) => {
      const instanceId = one.Attachment?.InstanceId ?? null;
      const merged = one.Groups.flatMap(({ GroupId }) => rules.get(GroupId) ?? []);
      const addresses = [
        ...(one.PrivateIpAddresses ?? []).map((it) => it.PrivateIpAddress),
        ...(one.Ipv6Addresses ?? []).map((it) => it.Ipv6Address),
      ];
      return [
        one.NetworkInterfaceId,
        {
          id: one.NetworkInterfaceId,
          vpcId: one.VpcId,
          subnetId: one.SubnetId,
          interfaceType: one.InterfaceType ?? 'interface',
          instanceId,
          addresses: addresses.flatMap((it) => (it === undefined ? [] : (canonicalAddress(it) ?? []))),
          groupIds: one.Groups.map((it) => it.GroupId),
          rules: {
            in: merged.filter((rule) => rule.direction === 'in'),
            out: merged.filter((rule) => rule.direction === 'out'),
          },
          timers: timersOf(
            instanceId === null ? undefined : instanceTypes.get(instanceId),
            one.ConnectionTrackingConfiguration,
          ),
        },
      ];
    }),
  );
}

function readRules(group: { IpPermissions: IpPermission[]; IpPermissionsEgress: IpPermission[] }): Rule[] {
  const lists = [
    ['in', group.IpPermissions],
    ['out', group.IpPermissionsEgress],
  ] as const;
  return lists.flatMap(([direction, permissions]) =>
    permissions.flatMap((one) =>
      peersOf(one).map((peer) => ({
        direction,
        protocol: protocolOf(one.IpProtocol),
        from: orAll(one.FromPort),
        to: orAll(one.ToPort),
        peer,
      })),
    ),
  );
}

function peersOf(permission: IpPermission): Rule['peer'][] {
  const peer = (kind: Rule['peer']['kind'], values: (string | undefined)[]) =>
    values.flatMap((value) => (value === undefined ? [] : { kind, value }));
  return [
    ...peer(
      'cidr',
      (permission.IpRanges ?? []).map((one) => one.CidrIp),
    ),
    ...peer(
      'cidr',
      (permission.Ipv6Ranges ?? []).map((one) => one.CidrIpv6),
    ),
    ...peer(
      'prefix-list',
      (permission.PrefixListIds ?? []).map((one) => one.PrefixListId),
    ),
    ...peer(
      'group',
      (permission.UserIdGroupPairs ?? []).map((one) => one.GroupId),
    ),
  ];
}

function readAcls(world: WorldFile, subnetVpcs: ReadonlyMap<string, string>): Map<string, readonly AclRule[]> {
  const acls = new Map<string, readonly AclRule[]>();
  for (const acl of world.NetworkAcls) {
    const rules = acl.Entries.map(readAclEntry).sort((a, b) => a.number - b.number);
    for (const { SubnetId } of acl.Associations) if (SubnetId !== undefined) acls.set(SubnetId, rules);
  }
  // A subnet that no ACL names is under the default ACL of its VPC.
  for (const acl of world.NetworkAcls.filter((one) => one.IsDefault === true)) {
    const rules = acl.Entries.map(readAclEntry).sort((a, b) => a.number - b.number);
    for (const [subnetId, vpcId] of subnetVpcs) {
      if (vpcId === acl.VpcId && !acls.has(subnetId)) acls.set(subnetId, rules);
    }
  }
  return acls;
}

function readAclEntry(entry: NetworkAclEntry): AclRule {
  return {
    number: entry.RuleNumber,
    direction: entry.Egress ? 'out' : 'in',
    allow: entry.RuleAction === 'allow',
    protocol: protocolOf(entry.Protocol),
    cidr: entry.CidrBlock ?? entry.Ipv6CidrBlock ?? '',
    from: orAll(entry.PortRange?.From),
    to: orAll(entry.PortRange?.To),
    icmpType: orAll(entry.IcmpTypeCode?.Type),
  };
}

/** Members of a route that name where it leads; the first that is there counts. */
const TARGETS = [
  'NatGatewayId',
  'EgressOnlyInternetGatewayId',
  'VpcPeeringConnectionId',
  'TransitGatewayId',
  'GatewayId',
  'VpcEndpointId',
  'NetworkInterfaceId',
  'InstanceId',
  'CarrierGatewayId',
  'LocalGatewayId',
] as const;

function readRoutes(world: WorldFile, subnetVpcs: ReadonlyMap<string, string>): Map<string, readonly RouteRow[]> {
  const routes = new Map<string, readonly RouteRow[]>();
  const mains = new Map<string, readonly RouteRow[]>();
  for (const table of world.RouteTables) {
    const rows = (table.Routes ?? []).map(readRoute);
    for (const { SubnetId, Main } of table.Associations ?? []) {
      if (SubnetId !== undefined) routes.set(SubnetId, rows);
      if (Main === true) mains.set(table.VpcId, rows);
    }
  }
  for (const [subnetId, vpcId] of subnetVpcs) {
    const main = mains.get(vpcId);
    if (main !== undefined && !routes.has(subnetId)) routes.set(subnetId, main);
  }
  return routes;
}

function readRoute(route: Record<string, unknown>): RouteRow {
  const text = (key: string): string | null => (typeof route[key] === 'string' ? route[key] : null);
  return {
    destination: text('DestinationCidrBlock') ?? text('DestinationIpv6CidrBlock'),
    prefixListId: text('DestinationPrefixListId'),
    target: TARGETS.map(text).find((one) => one !== null) ?? '',
    blackhole: route['State'] === 'blackhole',
  };
}

/** The ENI that holds an address, the asking ENI's own VPC first, then one over a peering or transit gateway. */
export function eniOfAddress(snapshot: Snapshot, address: string, vpcId: string, beyondVpc: boolean): Eni | null {
  const all = [...snapshot.enis.values()].filter((one) => one.addresses.includes(address));
  return all.find((one) => one.vpcId === vpcId) ?? (beyondVpc ? all[0] : undefined) ?? null;
}

export function subnetOfAddress(snapshot: Snapshot, address: string, vpcId: string, beyondVpc: boolean): string | null {
  const all = snapshot.subnets.filter((one) => one.cidrs.some((cidr) => holds(cidr, address)));
  return (all.find((one) => one.vpcId === vpcId) ?? (beyondVpc ? all[0] : undefined))?.id ?? null;
}
