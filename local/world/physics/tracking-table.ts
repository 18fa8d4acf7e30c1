import type { WorldAssumptions } from '../parse-world.ts';
import type { Hop } from './path.ts';
import type { Direction } from './snapshot.ts';
import { CLOSE_TIMER, type Timers } from './timers.ts';

/** What one ENI remembers of one flow. */
export interface Entry {
  lastSeen: number;
  expiresAt: number;
  closing: boolean;
  /** Those in force when the entry was made, or the ENI's present ones where a lowered timeout applies to old entries. */
  timers: Timers;
  /** Packets seen each way, counted to two: more than one exchange makes UDP a stream. */
  seen: Record<Direction, number>;
}

/** The connection tracking of one ENI for one flow. */
export interface Table {
  readonly protocol: string;
  entry: Entry | null;
}

function timeoutOf(table: Table, entry: Entry): number {
  if (entry.closing) return CLOSE_TIMER;
  if (table.protocol === 'tcp') return entry.timers.tcp;
  if (table.protocol !== 'udp') return entry.timers.other;
  return entry.seen.in > 1 && entry.seen.out > 1 ? entry.timers.udpStream : entry.timers.udp;
}

function touch(table: Table, entry: Entry, at: number): void {
  entry.lastSeen = at;
  entry.expiresAt = at + timeoutOf(table, entry);
}

/**
 * A table at 0, where the flow is established: it has an entry unless the rules leave it untracked. `givenTimeout` is the
 * idle timer that the entry got when it was opened; null = what the interface has now.
 */
export function establishedTable(
  protocol: string,
  hop: Hop,
  givenTimeout: number | null,
  assumptions: WorldAssumptions,
): Table {
  const table: Table = { protocol, entry: null };
  if (!hop.untracked[hop.opening]) {
    const timers = openedWith(protocol, hop.timers, givenTimeout, assumptions);
    table.entry = { lastSeen: 0, expiresAt: 0, closing: false, timers, seen: { in: 2, out: 2 } };
    touch(table, table.entry, 0);
  }
  return table;
}

function openedWith(protocol: string, now: Timers, given: number | null, assumptions: WorldAssumptions): Timers {
  if (given === null) return now;
  const timer = { tcp: 'tcp', udp: 'udpStream' }[protocol] ?? 'other';
  const present = now[timer as keyof Timers];
  return { ...now, [timer]: assumptions.LoweredTimeoutAppliesToExisting ? Math.min(given, present) : given };
}

export const groupPasses = (table: Table, hop: Hop, direction: Direction): boolean =>
  table.entry !== null || hop.allows[direction];

/**
 * What a packet does to the table that the ENI's groups let through. `refreshes` is false for a packet that the subnet's
 * ACL drops next, where such packets are assumed to leave no trace.
 */
export function packetPassed(
  table: Table,
  hop: Hop,
  packet: { direction: Direction; at: number; refreshes: boolean },
  assumptions: WorldAssumptions,
): void {
  const { direction, at, refreshes } = packet;
  const isUntracked = hop.untracked[hop.opening] || hop.untracked[direction];
  if (table.entry !== null && hop.untracked[hop.opening] && assumptions.UntrackDwellConverts === 'active') {
    table.entry = null;
    return;
  }
  if (!refreshes || (table.entry === null && isUntracked)) return;
  table.entry ??= { lastSeen: at, expiresAt: at, closing: false, timers: hop.timers, seen: { in: 0, out: 0 } };
  if (assumptions.LoweredTimeoutAppliesToExisting) table.entry.timers = hop.timers;
  table.entry.seen[direction] = Math.min(2, table.entry.seen[direction] + 1);
  touch(table, table.entry, at);
}

/** A RST went through: what is left of the entry lives ten seconds. */
export function resetPassed(table: Table, at: number): void {
  if (table.entry === null) return;
  table.entry.closing = true;
  touch(table, table.entry, at);
}

/** The network changed: what that does to an entry by itself, without a packet. */
export function rulesChanged(table: Table, hop: Hop, at: number, assumptions: WorldAssumptions): void {
  const { entry } = table;
  if (entry === null) return;
  if (assumptions.UntrackDwellConverts === 'all' && hop.untracked[hop.opening]) {
    table.entry = null;
    return;
  }
  if (assumptions.LoweredTimeoutAppliesToExisting) {
    entry.timers = hop.timers;
    entry.expiresAt = Math.max(at, entry.lastSeen + timeoutOf(table, entry));
  }
}

/** Moves the entry in time, for packets that are not simulated one by one. */
export function shiftEntry(table: Table, seconds: number): void {
  if (table.entry === null) return;
  table.entry.lastSeen += seconds;
  table.entry.expiresAt += seconds;
}

/** The entry in a form that is equal whenever it will behave equally, relative to `at`. */
export function entrySignature(table: Table | null, at: number): string {
  if (table?.entry == null) return '-';
  const { expiresAt, closing, seen, timers } = table.entry;
  return `${(expiresAt - at).toFixed(3)} ${closing} ${seen.in} ${seen.out} ${timers.tcp} ${timers.udp} ${timers.udpStream} ${timers.other}`;
}
