import {
  aclAllows,
  groupsAllow,
  isAutomaticPath,
  isThroughBalancer,
  isUntracked,
  mirrored,
  routeTo,
  type Tuple,
} from './judge.ts';
import { type Direction, type Eni, eniOfAddress, type RouteRow, type Snapshot, subnetOfAddress } from './snapshot.ts';
import { OTHER_TIMER, type Timers } from './timers.ts';

/** What the groups of one ENI say about one flow. */
export interface Hop {
  readonly eniId: string;
  /** Whether a packet passes as a new one, by direction as this ENI sees it. */
  readonly allows: Readonly<Record<Direction, boolean>>;
  /** Whether the rules leave the flow untracked, by the direction in which it was opened. */
  readonly untracked: Readonly<Record<Direction, boolean>>;
  /** The direction of the flow's first packet as this ENI sees it. */
  readonly opening: Direction;
  readonly timers: Timers;
}

/** Everything that one snapshot decides about one flow; packets only look at these. */
export interface Path {
  /** False when the interface is gone or no longer attached to the instance that has the socket. */
  readonly attached: boolean;
  /** Null when no group decides: the interface is gone, or a secondary one. */
  readonly local: Hop | null;
  /** Null when the peer has no ENI in the world. */
  readonly peer: Hop | null;
  readonly localAcl: Readonly<Record<Direction, boolean>>;
  readonly peerAcl: Readonly<Record<Direction, boolean>>;
  readonly routeOut: boolean;
  readonly routeBack: boolean;
}

const BOTH = { in: true, out: true } as const;

/** What no group, no ACL and no route of the world has a say in. */
const UNGUARDED = { local: null, peer: null, localAcl: BOTH, peerAcl: BOTH, routeOut: true, routeBack: true } as const;

export function pathOf(snapshot: Snapshot, eniId: string, tuple: Tuple, instanceId: string | null): Path {
  const secondaryOf = snapshot.secondaryInterfaces.get(eniId);
  if (secondaryOf !== undefined) return { attached: secondaryOf === instanceId, ...UNGUARDED };
  const eni = snapshot.enis.get(eniId);
  if (eni === undefined || (instanceId !== null && eni.instanceId !== instanceId)) {
    return { attached: false, ...UNGUARDED };
  }
  const listed = routeTo(snapshot, eni.subnetId, tuple.remoteAddress);
  // A file may leave out the VPC's own route; what lies in the VPC does not take the default route.
  const inVpc = subnetOfAddress(snapshot, tuple.remoteAddress, eni.vpcId, false) !== null;
  const route = inVpc && isDefaultRoute(listed) ? null : listed;
  const beyondVpc = /^(pcx|tgw)-/.test(route?.target ?? '');
  const peer = eniOfAddress(snapshot, tuple.remoteAddress, eni.vpcId, beyondVpc);
  const peerSubnet = peer?.subnetId ?? subnetOfAddress(snapshot, tuple.remoteAddress, eni.vpcId, beyondVpc);
  const back = mirrored(tuple);
  const returnRoute = peer === null ? null : routeTo(snapshot, peer.subnetId, tuple.localAddress);
  // Packets between two hosts of one subnet cross no ACL.
  const sameSubnet = peerSubnet === eni.subnetId;
  const automatic = isAutomaticPath(snapshot, route, peer) || isThroughBalancer(snapshot, eni, tuple);
  const backAutomatic = isAutomaticPath(snapshot, returnRoute, eni);
  return {
    attached: true,
    local: hopOf(snapshot, eni, tuple, peer, automatic),
    peer:
      peer === null ? null : hopOf(snapshot, peer, back, eni, backAutomatic || isThroughBalancer(snapshot, peer, back)),
    localAcl: sameSubnet ? BOTH : aclOf(snapshot, eni.subnetId, tuple),
    peerAcl: sameSubnet || peerSubnet === null ? BOTH : aclOf(snapshot, peerSubnet, back),
    routeOut: route?.blackhole !== true,
    routeBack: returnRoute?.blackhole !== true,
  };
}

function hopOf(snapshot: Snapshot, eni: Eni, tuple: Tuple, peer: Eni | null, automatic: boolean): Hop {
  return {
    eniId: eni.id,
    allows: {
      in: groupsAllow(snapshot, eni, tuple, 'in', peer),
      out: groupsAllow(snapshot, eni, tuple, 'out', peer),
    },
    untracked: {
      in: isUntracked(eni, tuple, 'in', automatic),
      out: isUntracked(eni, tuple, 'out', automatic),
    },
    opening: tuple.openedBy === 'local' ? 'out' : 'in',
    timers: peer?.interfaceType === 'network_load_balancer' ? LOAD_BALANCER_TIMERS : eni.timers,
  };
}

/** Fixed for flows through a Network Load Balancer, whatever the ENI says. */
const LOAD_BALANCER_TIMERS: Timers = { tcp: 350, udp: 120, udpStream: 120, other: OTHER_TIMER };

const isDefaultRoute = (route: RouteRow | null): boolean =>
  route !== null && (route.destination === '0.0.0.0/0' || route.destination === '::/0');

function aclOf(snapshot: Snapshot, subnetId: string, tuple: Tuple): Record<Direction, boolean> {
  const rules = snapshot.acls.get(subnetId);
  return { in: aclAllows(rules, tuple, 'in'), out: aclAllows(rules, tuple, 'out') };
}
