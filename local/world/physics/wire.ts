import { type Conversation, other, type Side } from './conversation.ts';
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

/** What would stop a packet of this side; null = it would reach a live socket. Nothing is changed. */
export function obstacle(talk: Conversation, from: Side, groupCause: 'security-group' | 'expiry'): Cause | null {
  const { path, sockets } = talk;
  const closed = [sockets[from], sockets[other(from)]].find((one) => !one.open);
  if (closed !== undefined) return closed.closedBy ?? 'host';
  const route = from === 'local' ? path.routeOut : path.routeBack;
  const [mine, theirs]: [Direction, Direction] = from === 'local' ? ['out', 'in'] : ['in', 'out'];
  return (
    hostDrops(talk) ??
    gateObstacle(localGate(talk, mine), groupCause) ??
    gateObstacle(peerGate(talk, theirs), groupCause) ??
    (path.peerAcl[theirs] ? null : 'nacl') ??
    (route ? null : 'route')
  );
}

/** The host's firewall, or no interface any more to send through. */
const hostDrops = (talk: Conversation): Cause | null =>
  talk.path.local === null || talk.around.firewallDrops() ? 'host' : null;

function localGate(talk: Conversation, direction: Direction): Gate | null {
  const { path, tables } = talk;
  if (path.local === null) return null;
  return { hop: path.local, table: tables.local, direction, aclAllows: path.localAcl[direction], isPeer: false };
}

function peerGate(talk: Conversation, direction: Direction): Gate | null {
  const { path, tables } = talk;
  if (path.peer === null) return null;
  tables.peer ??= { protocol: talk.tuple.protocol, entry: null };
  return { hop: path.peer, table: tables.peer, direction, aclAllows: path.peerAcl[direction], isPeer: true };
}

/** The peer's side of the way; where it has no ENI in the world, its subnet's ACL may still be known. */
function peerCross(talk: Conversation, direction: Direction, kind: Kind, at: number): Cause | null {
  if (talk.path.peer === null) return talk.path.peerAcl[direction] ? null : 'nacl';
  return cross(talk, peerGate(talk, direction), kind, at);
}

function gateObstacle(gate: Gate | null, groupCause: 'security-group' | 'expiry'): Cause | null {
  if (gate === null) return null;
  if (!groupPasses(gate.table, gate.hop, gate.direction)) return groupCause;
  return gate.aclAllows ? null : 'nacl';
}

/** Outbound the groups come first, then the ACL; inbound the ACL comes first, and what it drops the groups never see. */
function cross(talk: Conversation, gate: Gate | null, kind: Kind, at: number): Cause | null {
  if (gate === null) return null;
  const cause = passGate(talk, gate, kind, at);
  const tuple = gate.isPeer ? mirrored(talk.tuple) : talk.tuple;
  talk.records.push({ eniId: gate.hop.eniId, tuple, direction: gate.direction, accepted: cause === null });
  return cause;
}

function passGate(talk: Conversation, gate: Gate, kind: Kind, at: number): Cause | null {
  const { hop, table, direction, aclAllows } = gate;
  const { assumptions } = talk.around;
  if (direction === 'in' && !aclAllows) return 'nacl';
  if (!groupPasses(table, hop, direction)) return 'security-group';
  const clears = kind === 'reset' && (aclAllows || assumptions.RstDroppedByNaclClears);
  if (clears) resetPassed(table, at);
  else if (kind === 'data' || table.entry !== null) {
    const refreshes = aclAllows || assumptions.NaclDroppedEgressRefreshes;
    packetPassed(table, hop, { direction, at, refreshes }, assumptions);
  }
  return aclAllows ? null : 'nacl';
}
