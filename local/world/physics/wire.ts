import type { Conversation, Side } from './conversation.ts';
import { mirrored } from './judge.ts';
import type { Hop } from './path.ts';
import type { Direction } from './snapshot.ts';
import { groupPasses, packetPassed, resetPassed, type Table } from './tracking-table.ts';
import type { Cause } from './truth-tracker.ts';

type Kind = 'data' | 'reset';

/** One ENI with its subnet's ACL, as a packet crosses them. */
interface Gate {
  readonly hop: Hop;
  readonly table: Table;
  readonly direction: Direction;
  readonly aclAllows: boolean;
  readonly isPeer: boolean;
}

/** Sends one packet; null = it reached the other host, otherwise what dropped it. Tables and flow logs are updated. */
export function transmit(talk: Conversation, from: Side, kind: Kind, at: number): Cause | null {
  const { path } = talk;
  const atHost = hostDrops(talk);
  if (from === 'local') {
    return (
      atHost ??
      cross(talk, localGate(talk, 'out'), kind, at) ??
      (path.routeOut ? null : 'route') ??
      peerCross(talk, 'in', kind, at)
    );
  }
  return (
    peerCross(talk, 'out', kind, at) ??
    (path.routeBack ? null : 'route') ??
    cross(talk, localGate(talk, 'in'), kind, at) ??
    atHost
  );
}

/**
 * Everything that would stop a packet of this side, by where it stands; nothing = it would reach a live socket. Nothing
 * is changed. `groupCause`: on whose account a group drops it, if one would.
 */
export function obstacles(talk: Conversation, from: Side, groupCause: 'security-group' | 'expiry'): Map<string, Cause> {
  const { path, sockets, tables } = talk;
  const found = new Map<string, Cause>();
  for (const side of ['local', 'remote'] as const) {
    if (!sockets[side].open) found.set(`${side} socket`, sockets[side].closedBy ?? 'host');
  }
  const here: Direction = from === 'local' ? 'out' : 'in';
  const there: Direction = from === 'local' ? 'in' : 'out';
  if (hostDrops(talk) !== null) found.set('host', 'host');
  if (path.local !== null && !groupPasses(tables.local, path.local, here)) found.set('groups', groupCause);
  if (path.peer !== null && !groupPasses(peerTable(talk), path.peer, there))
    found.set('groups of the peer', groupCause);
  if (!path.localAcl[here]) found.set('ACL', 'nacl');
  if (!path.peerAcl[there]) found.set('ACL of the peer', 'nacl');
  if (!(from === 'local' ? path.routeOut : path.routeBack)) found.set('route', 'route');
  return found;
}

/** A peer may get an ENI in the world later than the flow began. */
function peerTable(talk: Conversation): Table {
  talk.tables.peer ??= { protocol: talk.tuple.protocol, entry: null };
  return talk.tables.peer;
}

/** The host's firewall, or no interface any more to send through. */
const hostDrops = (talk: Conversation): Cause | null =>
  !talk.path.attached || talk.around.firewallDrops() ? 'host' : null;

function localGate(talk: Conversation, direction: Direction): Gate | null {
  const { path, tables } = talk;
  if (path.local === null) return null;
  return { hop: path.local, table: tables.local, direction, aclAllows: path.localAcl[direction], isPeer: false };
}

function peerGate(talk: Conversation, direction: Direction): Gate | null {
  const { path } = talk;
  if (path.peer === null) return null;
  return { hop: path.peer, table: peerTable(talk), direction, aclAllows: path.peerAcl[direction], isPeer: true };
}

/** The peer's side of the way; where it has no ENI in the world, its subnet's ACL may still be known. */
function peerCross(talk: Conversation, direction: Direction, kind: Kind, at: number): Cause | null {
  if (talk.path.peer === null) return talk.path.peerAcl[direction] ? null : 'nacl';
  return cross(talk, peerGate(talk, direction), kind, at);
}

/** Outbound the groups come first, then the ACL; inbound the ACL comes first, and what it drops the groups never see. */
function cross(talk: Conversation, gate: Gate | null, kind: Kind, at: number): Cause | null {
  if (gate === null) return null;
  const cause = passGate(talk, gate, kind, at);
  const tuple = gate.isPeer ? mirrored(talk.tuple) : talk.tuple;
  const isOutbound = (gate.direction === 'out') !== gate.isPeer;
  const tcpFlags = flagsOf(talk, kind, isOutbound ? 'local' : 'remote');
  talk.records.push({ eniId: gate.hop.eniId, tuple, direction: gate.direction, accepted: cause === null, tcpFlags });
  return cause;
}

const FLAGS = { none: 0, syn: 2, rst: 4, synAck: 18 } as const;

/** https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html */
function flagsOf(talk: Conversation, kind: Kind, from: Side): number {
  if (talk.tuple.protocol !== 'tcp') return FLAGS.none;
  if (kind === 'reset') return FLAGS.rst;
  if (talk.phase !== 'connecting') return FLAGS.none;
  return from === talk.tuple.openedBy ? FLAGS.syn : FLAGS.synAck;
}

function passGate(talk: Conversation, gate: Gate, kind: Kind, at: number): Cause | null {
  const { hop, table, direction, aclAllows } = gate;
  const { assumptions } = talk.around;
  if (direction === 'in' && !aclAllows) {
    const refreshes = assumptions.NaclDroppedIngressRefreshes && kind === 'data' && table.entry !== null;
    if (refreshes) packetPassed(table, hop, { direction, at, refreshes }, assumptions);
    return 'nacl';
  }
  if (!groupPasses(table, hop, direction)) return 'security-group';
  const clears = kind === 'reset' && (aclAllows || assumptions.RstDroppedByNaclClears);
  if (clears) resetPassed(table, at);
  else if (kind === 'data' || table.entry !== null) {
    const refreshes = aclAllows || assumptions.NaclDroppedEgressRefreshes;
    packetPassed(table, hop, { direction, at, refreshes }, assumptions);
  }
  return aclAllows ? null : 'nacl';
}
