import type { TrackingTimeouts } from '../model.ts';

/** Changes of groups and ACLs take effect "after a short period"; a minute and a half is our margin. */
export const SETTLE_SECONDS = 90;

/** The same where the subnet is sealed: nothing is asked of the time before the verdict but that the change shows. */
export const SEAL_SETTLE_SECONDS = 5;

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
