/** Why packets of a flow stop; `route` (a blackhole) is no cause that the truth names. */
export type Cause = 'host' | 'nacl' | 'security-group' | 'expiry' | 'route';

export interface PacketTruth {
  /** The last packet that reached a live socket, in either direction, after 0. */
  lastPacketAt: number | null;
  /**
   * The first lasting cause of a stop that lasts; null while the flow could still pass a packet.
   *
   * The flow is stopped while something stands in the way of every packet in both directions. Of what stands in the way
   * *now*, each direction has something that came first; of the two, the one that came last made the stop. A socket that
   * gave up because its packets were dropped stands in the way on behalf of what dropped them. So a flow that died under a
   * deny is stopped by `nacl` even when the deny is lifted afterwards, but one that the host killed under a deny is
   * stopped by `host` from the lifting on. An entry that runs out while no rule lets the packets pass is `expiry`; a group
   * that drops packets without any entry having run out is `security-group`.
   */
  stoppedBy: 'host' | 'nacl' | 'security-group' | 'expiry' | null;
  /** The first packet that reached a live socket after the flow had been stopped. */
  revivedAt: number | null;
}

/** What stands in the way of one direction, by the place where it stands. */
export type Obstacles = ReadonlyMap<string, Cause>;

export interface TruthTracker {
  readonly truth: PacketTruth;
  /** A packet (no RST) reached a live socket. */
  delivered(at: number): void;
  /** What would stop a packet of each side now; nothing = it would get through. */
  judged(local: Obstacles, remote: Obstacles): void;
}

type Standing = Map<string, { readonly cause: Cause; readonly since: number }>;

export function createTruthTracker(): TruthTracker {
  const truth: PacketTruth = { lastPacketAt: null, stoppedBy: null, revivedAt: null };
  const standing = { local: new Map() as Standing, remote: new Map() as Standing };
  let judgements = 0;
  let everStopped = false;
  return {
    truth,
    delivered(at) {
      truth.lastPacketAt = at;
      if (everStopped) truth.revivedAt ??= at;
    },
    judged(local, remote) {
      judgements += 1;
      update(standing.local, local, judgements);
      update(standing.remote, remote, judgements);
      truth.stoppedBy = null;
      const first = [oldest(standing.local), oldest(standing.remote)] as const;
      if (first[0] === null || first[1] === null) return;
      everStopped = true;
      const { cause } = first[1].since > first[0].since ? first[1] : first[0];
      truth.stoppedBy = cause === 'route' ? null : cause;
    },
  };
}

/** What stands keeps its cause and its age; what is gone is forgotten. */
function update(standing: Standing, obstacles: Obstacles, since: number): void {
  for (const place of standing.keys()) if (!obstacles.has(place)) standing.delete(place);
  for (const [place, cause] of obstacles) if (!standing.has(place)) standing.set(place, { cause, since });
}

function oldest(standing: Standing): { cause: Cause; since: number } | null {
  let first: { cause: Cause; since: number } | null = null;
  for (const one of standing.values()) if (first === null || one.since < first.since) first = one;
  return first;
}
