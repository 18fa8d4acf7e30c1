import type { WorldFlow } from '../parse-world.ts';
import { holds, isEverywhere, isIpv6, net } from './addresses.ts';
import type { AclRule, Direction, Eni, RouteRow, Rule, Snapshot } from './snapshot.ts';

/** A flow as one ENI sees it. */
export interface Tuple {
  readonly protocol: string;
  readonly localAddress: string;
  readonly localPort: number | null;
  readonly remoteAddress: string;
  readonly remotePort: number | null;
  readonly openedBy: 'local' | 'remote';
}

/** The flow of the file as the instance's ENI sees it. */
export const tupleOf = (flow: WorldFlow): Tuple => ({
  protocol: flow.Protocol,
  localAddress: flow.LocalAddress,
  localPort: flow.LocalPort,
  remoteAddress: flow.RemoteAddress,
  remotePort: flow.RemotePort,
  openedBy: flow.OpenedBy === 'instance' ? 'local' : 'remote',
});

export const mirrored = (tuple: Tuple): Tuple => ({
  protocol: tuple.protocol,
  localAddress: tuple.remoteAddress,
  localPort: tuple.remotePort,
  remoteAddress: tuple.localAddress,
  remotePort: tuple.localPort,
  openedBy: tuple.openedBy === 'local' ? 'remote' : 'local',
});

const ANY_PROTOCOL = '-1';
const LAST_PORT = 65_535;
const isIcmp = (protocol: string): boolean => protocol === 'icmp' || protocol === 'icmpv6';
const hasPorts = (protocol: string): boolean => protocol === 'tcp' || protocol === 'udp';

/** Destination port of a packet in this direction; for ICMP the type: the opener asks (echo), the other side answers. */
function portOrType(tuple: Tuple, direction: Direction): number | null {
  if (hasPorts(tuple.protocol)) return direction === 'out' ? tuple.remotePort : tuple.localPort;
  if (!isIcmp(tuple.protocol)) return null;
  const request = (direction === 'out') === (tuple.openedBy === 'local');
  if (tuple.protocol === 'icmp') return request ? 8 : 0;
  return request ? 128 : 129;
}

/** For ICMP, `from` is the type and `to` the code; the code is not looked at. */
function covers(
  rule: { protocol: string; from: number | null; to: number | null },
  protocol: string,
  port: number | null,
) {
  if (rule.protocol === ANY_PROTOCOL) return true;
  if (rule.protocol !== protocol) return false;
  if (rule.from === null || port === null) return true;
  if (isIcmp(protocol)) return rule.from === port;
  return rule.from <= port && port <= (rule.to ?? LAST_PORT);
}

function matchesPeer(snapshot: Snapshot, rule: Rule, address: string, peer: Eni | null): boolean {
  switch (rule.peer.kind) {
    case 'cidr':
      return holds(rule.peer.value, address);
    case 'prefix-list':
      return (snapshot.prefixLists.get(rule.peer.value) ?? []).some((cidr) => holds(cidr, address));
    case 'group':
      return peer?.groupIds.includes(rule.peer.value) === true;
    default:
      return rule.peer.kind satisfies never;
  }
}

/** Whether the merged rules of the ENI's groups let a packet pass as a new one. */
export function groupsAllow(
  snapshot: Snapshot,
  eni: Eni,
  tuple: Tuple,
  direction: Direction,
  peer: Eni | null,
): boolean {
  const port = portOrType(tuple, direction);
  return eni.rules[direction].some(
    (rule) => covers(rule, tuple.protocol, port) && matchesPeer(snapshot, rule, tuple.remoteAddress, peer),
  );
}

/**
 * TCP and UDP are untracked when a rule in the opening direction permits the port for all addresses and one in the other
 * direction permits all responses, every address and every port; automatically tracked paths aside.
 */
export function isUntracked(eni: Eni, tuple: Tuple, opening: Direction, automatic: boolean): boolean {
  if (automatic || !hasPorts(tuple.protocol)) return false;
  const version = isIpv6(tuple.remoteAddress) ? 6 : 4;
  const everywhere = (rule: Rule): boolean => rule.peer.kind === 'cidr' && isEverywhere(rule.peer.value, version);
  const port = portOrType(tuple, opening);
  const opens = eni.rules[opening].some((rule) => everywhere(rule) && covers(rule, tuple.protocol, port));
  const answers = eni.rules[opening === 'out' ? 'in' : 'out'].some(
    (rule) => everywhere(rule) && coversAllPorts(rule, tuple.protocol),
  );
  return opens && answers;
}

function coversAllPorts(rule: Rule, protocol: string): boolean {
  if (rule.protocol === ANY_PROTOCOL) return true;
  return rule.protocol === protocol && (rule.from ?? 0) === 0 && (rule.to ?? LAST_PORT) === LAST_PORT;
}

/** Lowest number first, first match wins, no match is a deny; without a known ACL everything passes. */
export function aclAllows(rules: readonly AclRule[] | undefined, tuple: Tuple, direction: Direction): boolean {
  if (rules === undefined) return true;
  const port = portOrType(tuple, direction);
  const match = rules.find(
    (rule) =>
      rule.direction === direction &&
      holds(rule.cidr, tuple.remoteAddress) &&
      covers(isIcmp(rule.protocol) ? { ...rule, from: rule.icmpType } : rule, tuple.protocol, port),
  );
  return match?.allow === true;
}

/** The route of the longest prefix that holds the address. */
export function routeTo(snapshot: Snapshot, subnetId: string, address: string): RouteRow | null {
  let best: RouteRow | null = null;
  let longest = -1;
  for (const row of snapshot.routes.get(subnetId) ?? []) {
    for (const cidr of row.prefixListId === null
      ? [row.destination]
      : (snapshot.prefixLists.get(row.prefixListId) ?? [])) {
      if (cidr === null || !holds(cidr, address)) continue;
      const length = net(cidr)?.prefix ?? 0;
      if (length > longest) {
        longest = length;
        best = row;
      }
    }
  }
  return best;
}

/** Interface types that stand for a service whose flows are tracked whatever the rules say. */
const AUTOMATIC_INTERFACES = new Set([
  'nat_gateway',
  'natGateway',
  'network_load_balancer',
  'vpc_endpoint',
  'lambda',
  'global_accelerator_managed',
]);

/**
 * Automatically tracked paths, by the route and by what holds the peer's address.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html, 2026-11. A gateway endpoint
 * is on the list for DynamoDB only; an endpoint of another type in a route is a firewall's or of unknown kind: tracked.
 */
export function isAutomaticPath(snapshot: Snapshot, route: RouteRow | null, peer: Eni | null): boolean {
  if (peer !== null && AUTOMATIC_INTERFACES.has(peer.interfaceType)) return true;
  if (route === null) return false;
  if (route.target.startsWith('nat-') || route.target.startsWith('eigw-')) return true;
  if (!route.target.startsWith('vpce-')) return false;
  const endpoint = snapshot.endpoints.find((one) => one.id === route.target);
  return endpoint?.type !== 'Gateway' || endpoint.service.endsWith('.dynamodb');
}

/** The interface that Global Accelerator places in the subnet of an endpoint whose clients keep their addresses. */
const ACCELERATOR = 'global_accelerator_managed';

/**
 * Network Load Balancers and Global Accelerator may keep the client's address, and then nothing in a packet shows them:
 * what comes in from outside to a registered port, or into a subnet with an accelerator's interface, may be theirs and is
 * taken to be. A target that is being deregistered keeps the flows that it has.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html (deregistration delay),
 * https://docs.aws.amazon.com/global-accelerator/latest/dg/preserve-client-ip-address.html
 */
export function isThroughBalancer(snapshot: Snapshot, eni: Eni, tuple: Tuple): boolean {
  if (tuple.openedBy !== 'remote' || !hasPorts(tuple.protocol)) return false;
  const isTarget = snapshot.balancedTargets.some(
    ({ id, port }) =>
      (id === eni.instanceId || eni.addresses.includes(id)) && (port === null || port === tuple.localPort),
  );
  return isTarget || [...snapshot.enis.values()].some((one) => isAcceleratorIn(one, eni.subnetId));
}

const isAcceleratorIn = (one: Eni, subnetId: string): boolean =>
  one.interfaceType === ACCELERATOR && one.subnetId === subnetId;
