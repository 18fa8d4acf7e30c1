import type { Conversation, Side } from './conversation.ts';
import { exchange, giveUp, judge } from './exchange.ts';
import { pathOf } from './path.ts';
import { entrySignature, rulesChanged, shiftEntry } from './tracking-table.ts';

const SIDES = ['local', 'remote'] as const;

/** At one moment the network changes first, then packets are sent, then sockets give up and entries expire. */
type Step =
  | { readonly kind: 'network'; readonly at: number }
  | { readonly kind: 'tick'; readonly at: number }
  | { readonly kind: 'wake'; readonly at: number }
  | { readonly kind: 'retransmit'; readonly at: number }
  | { readonly kind: 'give-up'; readonly at: number; readonly side: Side }
  | { readonly kind: 'expire'; readonly at: number; readonly table: 'local' | 'peer' };

/** Lets everything happen on the wire up to and including `to`. */
export function advance(talk: Conversation, to: number): void {
  for (let step = nextStep(talk); step !== null && step.at <= to; step = nextStep(talk)) {
    talk.around.counted();
    talk.now = step.at;
    take(talk, step, to);
  }
  talk.now = Math.max(talk.now, to);
}

/** The soonest step; of two at one moment, the first that was offered. */
function nextStep(talk: Conversation): Step | null {
  let next: Step | null = null;
  for (const step of steps(talk)) if (next === null || step.at < next.at) next = step;
  return next;
}

function steps(talk: Conversation): Step[] {
  const offered: Step[] = [];
  const network = talk.around.timeline[talk.snapshotIndex + 1];
  if (network !== undefined) offered.push({ kind: 'network', at: Math.max(talk.now, network.effectiveAt) });
  const { local, remote } = talk.sockets;
  if (!local.open && !remote.open) return offered;
  if (talk.wakesAt !== null && local.open && !talk.isPaused)
    offered.push({ kind: 'wake', at: Math.max(talk.wakesAt, talk.now) });
  if (tickers(talk).length > 0) {
    offered.push({ kind: 'tick', at: talk.gridStart + talk.tick * talk.period });
  }
  for (const side of SIDES) {
    const retransmission = talk.sockets[side].retransmission;
    if (retransmission === null) continue;
    if (retransmission.nextAt < retransmission.givesUpAt)
      offered.push({ kind: 'retransmit', at: retransmission.nextAt });
    else offered.push({ kind: 'give-up', at: retransmission.givesUpAt, side });
  }
  for (const table of ['local', 'peer'] as const) {
    const entry = talk.tables[table]?.entry;
    if (entry != null) offered.push({ kind: 'expire', at: entry.expiresAt, table });
  }
  return offered;
}

/**
 * The sides that send at the next tick: a TCP side with a packet unanswered only sends that one again. A flow that wakes
 * without TCP repeats its first datagram at every tick until there is an answer.
 */
function tickers(talk: Conversation): Side[] {
  const { phase, sockets, wakesAt } = talk;
  const repeatsFirst = phase === 'waking' && wakesAt === null && talk.tuple.protocol !== 'tcp';
  if (phase !== 'ticking' && !repeatsFirst) return [];
  const mayStart = (side: Side): boolean => (side === 'local' ? !talk.isPaused : phase === 'ticking');
  return SIDES.filter((side) => sockets[side].open && sockets[side].retransmission === null && mayStart(side));
}

function take(talk: Conversation, step: Step, to: number): void {
  switch (step.kind) {
    case 'network':
      changeNetwork(talk, step.at);
      return;
    case 'tick':
      takeTick(talk, step.at, to);
      return;
    case 'wake':
      wake(talk, step.at);
      return;
    case 'retransmit': {
      const due = SIDES.filter((side) => talk.sockets[side].retransmission?.nextAt === step.at);
      sendStep(talk, due, step.at);
      return;
    }
    case 'give-up':
      giveUp(talk, step.side);
      afterSomething(talk);
      return;
    case 'expire':
      expire(talk, step.table);
      return;
    default:
      step satisfies never;
  }
}

function changeNetwork(talk: Conversation, at: number): void {
  talk.snapshotIndex += 1;
  const snapshot = talk.around.timeline[talk.snapshotIndex];
  if (snapshot === undefined) return;
  const { assumptions } = talk.around;
  talk.path = pathOf(snapshot, talk.eniId, talk.tuple, talk.instanceId);
  if (talk.path.local !== null) rulesChanged(talk.tables.local, talk.path.local, at, assumptions);
  if (talk.path.peer !== null && talk.tables.peer !== null)
    rulesChanged(talk.tables.peer, talk.path.peer, at, assumptions);
  afterSomething(talk);
}

/** Anything but a tick or an expiry: the next tick may differ from the last. */
export function afterSomething(talk: Conversation): void {
  talk.lastTick = null;
  judge(talk, 'security-group');
}

function expire(talk: Conversation, which: 'local' | 'peer'): void {
  const table = talk.tables[which];
  if (table !== null) table.entry = null;
  judge(talk, 'expiry');
}

function wake(talk: Conversation, at: number): void {
  talk.wakesAt = null;
  if (talk.tuple.protocol === 'tcp') {
    if (talk.phase === 'dormant') talk.phase = 'waking';
    sendStep(talk, ['local'], at);
    return;
  }
  talk.phase = 'waking';
  talk.gridStart = at;
  talk.tick = 0;
}

/** Simulates one exchange, writes its packets to the flow logs and tells the truth. */
function sendStep(talk: Conversation, due: readonly Side[], at: number): void {
  talk.lastTick = null;
  runExchange(talk, due, at);
  for (const record of talk.records) talk.around.record(record, at, 0, 1);
}

function runExchange(talk: Conversation, due: readonly Side[], at: number): void {
  talk.records = [];
  talk.deliveredInStep = false;
  exchange(talk, due, at);
  judge(talk, 'security-group');
}

/**
 * A tick. When it finds everything as the last tick did, it and all that follow go the same way until the network or the
 * host changes: all but the last of them are written down without being simulated.
 */
function takeTick(talk: Conversation, at: number, to: number): void {
  const signature = signatureOf(talk, at);
  if (talk.lastTick?.signature === signature) {
    const skipped = repeatable(talk, at, to);
    if (skipped > 0) {
      repeatTick(talk, talk.lastTick, at, skipped);
      return;
    }
  }
  const isUnhindered = SIDES.every((side) => talk.sockets[side].retransmission === null);
  talk.tick += 1;
  runExchange(talk, tickers(talk), at);
  for (const record of talk.records) talk.around.record(record, at, talk.period, 1);
  talk.lastTick = isUnhindered ? { signature, records: talk.records, delivered: talk.deliveredInStep } : null;
}

function signatureOf(talk: Conversation, at: number): string {
  const { local, remote } = talk.sockets;
  const socket = [local, remote].map((one) => `${one.open} ${one.retransmission === null}`).join(' ');
  return `${talk.phase} ${talk.isPaused} ${socket} ${entrySignature(talk.tables.local, at)} ${entrySignature(talk.tables.peer, at)}`;
}

/** How many ticks from `at` on can be skipped, with one left to simulate before `to` or the next change. */
function repeatable(talk: Conversation, at: number, to: number): number {
  const change = talk.around.timeline[talk.snapshotIndex + 1]?.effectiveAt ?? Number.POSITIVE_INFINITY;
  const ticks = Math.floor((to - at) / talk.period);
  const beforeChange = Math.ceil((change - at) / talk.period) - 1;
  return Math.min(ticks, beforeChange);
}

function repeatTick(talk: Conversation, last: NonNullable<Conversation['lastTick']>, at: number, count: number): void {
  for (const record of last.records) talk.around.record(record, at, talk.period, count);
  if (last.delivered) talk.tracker.delivered(at + (count - 1) * talk.period);
  shiftEntry(talk.tables.local, count * talk.period);
  if (talk.tables.peer !== null) shiftEntry(talk.tables.peer, count * talk.period);
  talk.tick += count;
}
