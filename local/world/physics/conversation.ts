import type { WorldAssumptions } from '../parse-world.ts';
import type { Tuple } from './judge.ts';
import { type Path, pathOf } from './path.ts';
import type { Direction, Snapshot } from './snapshot.ts';
import { establishedTable, type Table } from './tracking-table.ts';
import type { Cause, TruthTracker } from './truth-tracker.ts';

export type Side = 'local' | 'remote';

export const other = (side: Side): Side => (side === 'local' ? 'remote' : 'local');

/** A packet that was not acknowledged, sent again with the waits of Linux. */
export interface Retransmission {
  readonly givesUpAt: number;
  nextAt: number;
  wait: number;
}

export interface Socket {
  open: boolean;
  closedBy: Cause | null;
  retransmission: Retransmission | null;
  /** What dropped the last packet that was lost on the way or back. */
  lastDrop: Cause | null;
}

/**
 * - `ticking`: one packet each way at every tick;
 * - `dormant`: silent until `wakesAt`;
 * - `waking`: the instance has sent one packet and waits for the first answer;
 * - `connecting`: a new connection whose SYN has no answer yet.
 */
export type Phase = 'ticking' | 'dormant' | 'waking' | 'connecting';

export interface PacketRecord {
  readonly eniId: string;
  readonly tuple: Tuple;
  readonly direction: Direction;
  readonly accepted: boolean;
  /** The bits of `tcp-flags` that a flow log shows: 1 FIN, 2 SYN, 4 RST, 18 SYN-ACK; an ACK alone is 0. */
  readonly tcpFlags: number;
}

/** What a conversation needs to know of the world around it. */
export interface Surroundings {
  readonly assumptions: WorldAssumptions;
  /** Snapshots of the network, ascending by `effectiveAt`; grows. */
  readonly timeline: readonly Snapshot[];
  /** Whether the firewall of the host that has the local socket drops packets of the flow. */
  firewallDrops(): boolean;
  record(packet: PacketRecord, start: number, period: number, count: number): void;
  /** One step of the simulation was done (for guarding its cost). */
  counted(): void;
}

/** One flow on the wire under one 5-tuple, and all that decides what becomes of its next packet. */
export interface Conversation {
  readonly around: Surroundings;
  readonly eniId: string;
  /** The instance that had the ENI when the conversation began. */
  readonly instanceId: string | null;
  readonly tuple: Tuple;
  readonly tracker: TruthTracker;
  /** False once a new conversation of the same flow has taken over. */
  current: boolean;
  now: number;
  phase: Phase;
  /** The process that has the local socket is stopped: the kernel acknowledges for it, and it sends nothing. */
  isPaused: boolean;
  sockets: Record<Side, Socket>;
  /** Ticks are at `gridStart + n * period`; `tick` is the number of the next one. */
  period: number;
  gridStart: number;
  tick: number;
  wakesAt: number | null;
  tables: { readonly local: Table; peer: Table | null };
  path: Path;
  /** Index of the snapshot that `path` was made from. */
  snapshotIndex: number;
  /** The last tick, if nothing but expiry has happened since: an equal one may be repeated without simulating it. */
  lastTick: { signature: string; records: readonly PacketRecord[]; delivered: boolean } | null;
  /** Packets of the step being simulated. */
  records: PacketRecord[];
  deliveredInStep: boolean;
}

const openSocket = (): Socket => ({ open: true, closedBy: null, retransmission: null, lastDrop: null });

/** Seconds between packets of a dormant flow that woke up. */
export const WOKEN_PERIOD = 5;

/** A flow that is established at 0. */
export function establishedConversation(options: {
  around: Surroundings;
  eniId: string;
  instanceId: string | null;
  tuple: Tuple;
  tracker: TruthTracker;
  packetEverySeconds: number | null;
  wakesAtSeconds: number | null;
  entryTimeoutSeconds: number | null;
}): Conversation {
  const { around, eniId, instanceId, tuple, tracker, packetEverySeconds, wakesAtSeconds } = options;
  const { assumptions } = around;
  const path = pathOf(around.timeline[0] as Snapshot, eniId, tuple, instanceId);
  const { protocol } = tuple;
  return {
    around,
    eniId,
    instanceId,
    tuple,
    tracker,
    current: true,
    now: 0,
    phase: packetEverySeconds === null ? 'dormant' : 'ticking',
    isPaused: false,
    sockets: { local: openSocket(), remote: openSocket() },
    period: packetEverySeconds ?? WOKEN_PERIOD,
    gridStart: 0,
    tick: 1,
    wakesAt: packetEverySeconds === null ? wakesAtSeconds : null,
    tables: {
      local:
        path.local === null
          ? { protocol, entry: null }
          : establishedTable(protocol, path.local, options.entryTimeoutSeconds, assumptions),
      peer: path.peer === null ? null : establishedTable(protocol, path.peer, null, assumptions),
    },
    path,
    snapshotIndex: 0,
    lastTick: null,
    records: [],
    deliveredInStep: false,
  };
}

/** The same flow opened anew by the instance at `at`, from another port: no entry anywhere, the SYN is still to be sent. */
export function reopenedConversation(
  old: Conversation,
  localPort: number | null,
  at: number,
  snapshotIndex: number,
): Conversation {
  const tuple: Tuple = { ...old.tuple, localPort, openedBy: 'local' };
  const { around, eniId, instanceId } = old;
  const path = pathOf(around.timeline[snapshotIndex] as Snapshot, eniId, tuple, instanceId);
  return {
    ...old,
    tuple,
    current: true,
    now: at,
    phase: 'connecting',
    isPaused: false,
    sockets: { local: openSocket(), remote: openSocket() },
    gridStart: at,
    tick: 0,
    wakesAt: at,
    tables: {
      local: { protocol: tuple.protocol, entry: null },
      peer: path.peer === null ? null : { protocol: tuple.protocol, entry: null },
    },
    path,
    snapshotIndex,
    lastTick: null,
    records: [],
    deliveredInStep: false,
  };
}
