/**
 * The words of the project: plain data that core decides on and adapters bring. No SDK types, no clock, no environment.
 * Addresses are canonical text throughout (see addresses.ts): dotted IPv4, RFC 5952 IPv6; IPv4-mapped IPv6 becomes IPv4.
 */

export type Family = 'ipv4' | 'ipv6';

/** `tcp`, `udp`, `icmp`, `icmpv6`, a protocol number as text (`"47"`), or `unknown`. */
export type Protocol = string;

export type Mode = 'observe' | 'contain';

/** Who sent the first packet of a flow. */
export type Opener = 'instance' | 'remote' | 'unknown';

/** On whose word a flow is known. */
export type FlowSource = 'finding' | 'request' | 'host' | 'flow-log';

/** One flow of the instance as far as it is known; a peer of which only the address is known is a flow with null ports. */
export interface KnownFlow {
  readonly protocol: Protocol;
  readonly family: Family;
  readonly remoteAddress: string;
  readonly remotePort: number | null;
  readonly localAddress: string | null;
  readonly localPort: number | null;
  readonly openedBy: Opener;
  readonly networkInterfaceId: string | null;
  readonly source: FlowSource;
}

/** One rule of a security group, one source or destination each, as DescribeSecurityGroupRules lists them. */
export interface GroupRule {
  readonly ruleId: string;
  readonly groupId: string;
  readonly direction: 'ingress' | 'egress';
  /** `-1` for all, otherwise as in {@link Protocol}. */
  readonly protocol: Protocol;
  /** Port range, or ICMP type and code; null where the protocol has none or all are meant. */
  readonly fromPort: number | null;
  readonly toPort: number | null;
  readonly peer:
    | { readonly kind: 'cidr'; readonly family: Family; readonly cidr: string }
    | { readonly kind: 'prefix-list'; readonly prefixListId: string }
    | { readonly kind: 'group'; readonly groupId: string };
}

/** Connection tracking timeouts set on an ENI, in seconds; null = not set, the default of the instance type holds. */
export interface TrackingTimeouts {
  readonly tcpEstablishedSeconds: number | null;
  readonly udpSeconds: number | null;
  readonly udpStreamSeconds: number | null;
}

/** Timeouts that hold where an ENI has none set, in seconds. */
export type DefaultTimeouts = { readonly [K in keyof TrackingTimeouts]: number };

export interface NetworkInterfaceFacts {
  readonly id: string;
  readonly vpcId: string;
  readonly subnetId: string;
  readonly ownerId: string | null;
  readonly status: string;
  readonly description: string;
  readonly interfaceType: string;
  readonly requesterManaged: boolean;
  /** The service principal that operates the ENI (EKS Auto Mode and the like), or null. */
  readonly operator: string | null;
  /** Group ids in the order in which AWS lists them. */
  readonly groupIds: readonly string[];
  readonly privateAddresses: readonly string[];
  readonly ipv6Addresses: readonly string[];
  readonly publicAddress: string | null;
  readonly timeouts: TrackingTimeouts;
  readonly deviceIndex: number | null;
  readonly attachmentId: string | null;
  /** The instance that holds it; null = none. */
  readonly attachedTo: string | null;
}

export interface Route {
  readonly routeTableId: string;
  /** Canonical CIDR, or a prefix list id (`pl-...`). */
  readonly destination: string;
  readonly target: RouteTarget;
  readonly blackhole: boolean;
}

/** What a route leads to; `id` is the AWS id, `local` for the VPC's own route. */
export interface RouteTarget {
  readonly kind:
    | 'local'
    | 'internet-gateway'
    | 'nat-gateway'
    | 'egress-only-internet-gateway'
    | 'vpc-peering'
    | 'transit-gateway'
    | 'virtual-private-gateway'
    | 'vpc-endpoint'
    | 'gateway-load-balancer-or-firewall-endpoint'
    | 'network-interface'
    | 'carrier-gateway'
    | 'local-gateway'
    | 'unknown';
  readonly id: string;
}

export interface SubnetFacts {
  readonly id: string;
  readonly vpcId: string;
  readonly ownerId: string | null;
  /** IPv4 and IPv6 CIDRs of the subnet, canonical. */
  readonly cidrs: readonly string[];
}

/** One network ACL entry in canonical form. `ruleNumber` 32767 (the default deny) is not listed. */
export interface AclEntry {
  readonly ruleNumber: number;
  readonly egress: boolean;
  readonly action: 'allow' | 'deny';
  /** `-1` for all, otherwise as in {@link Protocol}. */
  readonly protocol: Protocol;
  readonly cidr: string;
  readonly family: Family;
  readonly fromPort: number | null;
  readonly toPort: number | null;
}

export interface AclFacts {
  readonly id: string;
  readonly vpcId: string;
  readonly ownerId: string | null;
  readonly subnetIds: readonly string[];
  readonly entries: readonly AclEntry[];
}
