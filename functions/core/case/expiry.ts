import type { Protocol, TrackingTimeouts } from '../model.ts';
import { normalProtocol, type TrackingVerdict } from '../network/tracking.ts';

/** Changes of groups and ACLs take effect "after a short period"; a minute and a half is our margin. */
export const SETTLE_SECONDS = 90;

/** How late a flow log may deliver what it saw, in seconds: ten minutes at the longest aggregation, delivery, a margin. */
export const FLOW_LOG_DELAY_SECONDS = 1200;

/**
 * The shortest timers that EC2 takes. Whether entries that exist get them is not documented: nothing rests on it.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html
 */
export const SHORTEST_TIMEOUTS: TrackingTimeouts = { tcpEstablishedSeconds: 60, udpStreamSeconds: 60, udpSeconds: 30 };

/**
 * How long an honest Linux kernel goes on retransmitting into the void: 15 times with back-off, 924.6 s (`tcp_retries2`).
 * Packets that an ACL drops on their way out have passed the group before and may refresh its entry, so the timer may
 * start only then. Keepalives (2 h 11 min at the defaults) add nothing: they start on a socket that was silent for 2 h,
 * find no answer, and the kernel closes the socket itself.
 * https://docs.kernel.org/networking/ip-sysctl.html
 */
export const TCP_RETRANSMIT_SECONDS = 925;

/** Step Functions' longest wait is a year. https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html */
export const LONGEST_WAIT_SECONDS = 365 * 24 * 3600;

export interface ExpiringFlow {
  readonly protocol: Protocol;
  readonly tracking: TrackingVerdict;
  /** `host`: gone from the host's own lists. Anything less is `none`: silence proves nothing. */
  readonly evidence: 'host' | 'none';
}

/** Seconds until the entry of the flow would be gone on an honest host; nothing to wait for where a swap cuts it. */
function expiryOf({ protocol, tracking }: ExpiringFlow): number {
  if (tracking.kind === 'untracked') return 0;
  const name = normalProtocol(protocol);
  return tracking.timeoutSeconds + (name === 'tcp' || name === 'unknown' ? TCP_RETRANSMIT_SECONDS : 0);
}

/**
 * How long to wait until the flows have expired, from the timers that were in force *before* anything was lowered: whether
 * a lowered timer reaches entries that exist is not documented. Short on the host's word. For UDP, ICMP and a host whose
 * root is the attacker's the wait proves nothing: their packets may refresh the entry for as long as they are sent.
 */
export function computeWait({
  flows,
  establishedTimeoutSeconds,
}: {
  readonly flows: readonly ExpiringFlow[];
  /** TCP established timer in force before, the longest of the ENIs: taken when no flow is known. */
  readonly establishedTimeoutSeconds: number;
}): { readonly seconds: number; readonly because: string } {
  const capped = (seconds: number) => Math.min(Math.ceil(seconds) + SETTLE_SECONDS, LONGEST_WAIT_SECONDS);
  if (flows.length === 0) {
    const because = `no flow is known, so any may be open: TCP timer of ${establishedTimeoutSeconds} s, retransmissions and a margin`;
    return { seconds: capped(establishedTimeoutSeconds + TCP_RETRANSMIT_SECONDS), because };
  }
  const unproven = flows.filter(({ evidence }) => evidence !== 'host');
  const seconds = Math.max(0, ...unproven.map(expiryOf));
  if (unproven.length === 0)
    return {
      seconds: capped(0),
      because: 'the host lists none of the flows any more: a margin for the changes to take effect',
    };
  if (seconds === 0)
    return {
      seconds: capped(0),
      because:
        'every flow without host evidence is untracked and ends with the group swap: a margin for the changes to take effect',
    };
  const longest = unproven.find((flow) => expiryOf(flow) === seconds);
  const horizon = seconds === longest?.tracking.timeoutSeconds ? '' : ', retransmissions';
  return {
    seconds: capped(seconds),
    because: `${unproven.length} of ${flows.length} flows ${unproven.length === 1 ? 'has' : 'have'} no host evidence: idle timer of ${longest?.tracking.timeoutSeconds} s in force before${horizon} and a margin`,
  };
}
