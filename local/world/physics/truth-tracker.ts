/** Why packets of a flow stop; `route` (a blackhole) is no cause that the truth names. */
export type Cause = 'host' | 'nacl' | 'security-group' | 'expiry' | 'route';

export interface PacketTruth {
  /** The last packet that reached a live socket, in either direction, after 0. */
  lastPacketAt: number | null;
  /**
   * The flow is stopped while no packet of it could reach a live socket in either direction. This is what stopped the
   * direction that was open to the last, at the moment when the stop that still lasts began; null while the flow could
   * still pass a packet. What happens to a stopped flow later (its sockets give up, its entry expires) is not a new cause.
   */
  stoppedBy: 'host' | 'nacl' | 'security-group' | 'expiry' | null;
  /** The first packet that reached a live socket after the flow had been stopped. */
  revivedAt: number | null;
}

export interface TruthTracker {
  readonly truth: PacketTruth;
  /** A packet (no RST) reached a live socket. */
  delivered(at: number): void;
  /** What would stop a packet now, for each sender; null = it would get through. */
  judged(obstacles: { local: Cause | null; remote: Cause | null }): void;
}

export function createTruthTracker(): TruthTracker {
  const truth: PacketTruth = { lastPacketAt: null, stoppedBy: null, revivedAt: null };
  let before: { local: Cause | null; remote: Cause | null } = { local: null, remote: null };
  let stopped = false;
  let everStopped = false;
  return {
    truth,
    delivered(at) {
      truth.lastPacketAt = at;
      if (everStopped) truth.revivedAt ??= at;
    },
    judged(obstacles) {
      const { local, remote } = obstacles;
      if (local === null || remote === null) {
        stopped = false;
        truth.stoppedBy = null;
      } else if (!stopped) {
        stopped = true;
        everStopped = true;
        const cause = before.local === null ? local : remote;
        truth.stoppedBy = cause === 'route' ? null : cause;
      }
      before = obstacles;
    },
  };
}
