import { type Conversation, other, type Side, type Socket } from './conversation.ts';
import type { Cause } from './truth-tracker.ts';
import { obstacles, transmit } from './wire.ts';

/** Linux: the first wait on a connection with a short round trip, and the longest. Each wait doubles the one before. */
const FIRST_WAIT = 0.2;
const LONGEST_WAIT = 120;
/** Linux: a SYN is sent again after 1, 3, 7, 15, 31 and 63 s (tcp_syn_retries 6), and given up after 127 s. */
const FIRST_SYN_WAIT = 1;
const SYN_HORIZON = 127;

/** Each side in `due` sends one packet, the opener first; answers, resets, acknowledgements and what follows from them. */
export function exchange(talk: Conversation, due: readonly Side[], at: number): void {
  const opener: Side = talk.tuple.openedBy;
  const order = [opener, other(opener)].filter((side) => due.includes(side));
  const arrived = { local: false, remote: false };
  for (const side of order) if (talk.sockets[side].open) arrived[side] = send(talk, side, at);
  for (const side of order) settle(talk, side, arrived, due, at);
}

/** Sends one packet; true = a live socket has it. A closed TCP socket answers with a RST. */
function send(talk: Conversation, side: Side, at: number): boolean {
  const receiver = talk.sockets[other(side)];
  const dropped = transmit(talk, side, 'data', at);
  if (dropped !== null) {
    talk.sockets[side].lastDrop = dropped;
    return false;
  }
  if (receiver.open) {
    talk.deliveredInStep = true;
    talk.tracker.delivered(at);
    return true;
  }
  if (talk.tuple.protocol === 'tcp' && transmit(talk, other(side), 'reset', at) === null) {
    close(talk.sockets[side], receiver.closedBy);
  }
  return false;
}

/** What the sender makes of the answer, or of its absence. A peer that sends by itself answers with that packet. */
function settle(
  talk: Conversation,
  side: Side,
  arrived: Readonly<Record<Side, boolean>>,
  due: readonly Side[],
  at: number,
): void {
  const socket = talk.sockets[side];
  if (!socket.open) return;
  const peer = other(side);
  const answered = arrived[side] && (due.includes(peer) ? arrived[peer] : answer(talk, peer, at));
  if (answered && talk.phase !== 'ticking') startTicking(talk, at);
  if (talk.tuple.protocol !== 'tcp') return;
  if (answered) {
    socket.retransmission = null;
    skipMissedTicks(talk, at);
  } else waitForAnswer(talk, socket, at);
}

function answer(talk: Conversation, from: Side, at: number): boolean {
  const dropped = transmit(talk, from, 'data', at);
  if (dropped !== null) {
    talk.sockets[other(from)].lastDrop = dropped;
    return false;
  }
  talk.deliveredInStep = true;
  talk.tracker.delivered(at);
  return true;
}

function startTicking(talk: Conversation, at: number): void {
  talk.phase = 'ticking';
  talk.gridStart = at;
  talk.tick = 1;
}

/** What was to be sent while a packet went unanswered is not sent later; ticks go on where they would be now. */
export function skipMissedTicks(talk: Conversation, at: number): void {
  talk.tick = Math.max(talk.tick, Math.floor((at - talk.gridStart) / talk.period + 1e-9) + 1);
}

function waitForAnswer(talk: Conversation, socket: Socket, at: number): void {
  const { retransmission } = socket;
  if (retransmission !== null) {
    retransmission.wait = Math.min(LONGEST_WAIT, retransmission.wait * 2);
    retransmission.nextAt = at + retransmission.wait;
    return;
  }
  const isSyn = talk.phase === 'connecting';
  const wait = isSyn ? FIRST_SYN_WAIT : FIRST_WAIT;
  const horizon = isSyn ? SYN_HORIZON : talk.around.assumptions.TcpRetransmitSeconds;
  socket.retransmission = { wait, nextAt: at + wait, givesUpAt: at + horizon };
}

/** A socket whose packet was never acknowledged closes without a word. */
export function giveUp(talk: Conversation, side: Side): void {
  close(talk.sockets[side], talk.sockets[side].lastDrop);
}

/** The host closes the local socket. With `withReset` (a kill, not a power-off) TCP says so on the wire. */
export function closeLocalSocket(talk: Conversation, at: number, withReset: boolean): void {
  const { local, remote } = talk.sockets;
  if (!local.open) return;
  close(local, 'host');
  if (!withReset || talk.tuple.protocol !== 'tcp') return;
  talk.records = [];
  if (transmit(talk, 'local', 'reset', at) === null) close(remote, 'host');
  for (const record of talk.records) talk.around.record(record, at, 0, 1);
}

/** The peer's host is gone, without a word. */
export function closeRemoteSocket(talk: Conversation): void {
  close(talk.sockets.remote, 'host');
}

function close(socket: Socket, cause: Cause | null): void {
  if (!socket.open) return;
  socket.open = false;
  socket.closedBy = cause ?? 'host';
  socket.retransmission = null;
}

/** Tells the truth what would stop a packet now. `groupCause`: why a group would, if one would. */
export function judge(talk: Conversation, groupCause: 'security-group' | 'expiry'): void {
  if (!talk.current) return;
  const local = obstacles(talk, 'local', groupCause);
  // Before a connection stands, the remote side has nothing to send.
  talk.tracker.judged(local, talk.phase === 'connecting' ? local : obstacles(talk, 'remote', groupCause));
}
