import * as z from 'zod/mini';

/**
 * What our SSM documents print, version 1: one line of JSON per flow, then perhaps one for each process behind them, and one
 * verdict object as the last line. Anything else is "no evidence" (a host may be broken, or its root may be an attacker's).
 *
 * The Linux document is called with these parameters, all strings:
 * - `Verb`: `list`, `cut`, `verify`, `undo` or `close-agent`;
 * - `CaseId`: the case id, `^[a-z0-9-]{1,64}$`; names the host firewall table or rules, so that `undo` removes exactly those;
 * - `RemoteAddresses`: comma-separated single addresses, or `none`. `cut` closes *every* established TCP and UDP flow and every
 *   ping or raw socket, but loopback and the agent's own, and denies these addresses in the host firewall;
 * - `Pids`: comma-separated process ids that the finding names, or `none` (reported, not killed).
 *
 * More parameters, all with defaults, are in the document.
 */
export const HOST_PROTOCOL_VERSION = 1;

/** Longest output that is believed to be whole, in characters; SSM cuts at 24,000. */
export const HOST_OUTPUT_LIMIT = 20_000;

const port = z.nullable(z.int().check(z.minimum(0), z.maximum(65_535)));
const count = z.number().check(z.minimum(0));
const shortText = z.string().check(z.maxLength(256));

/**
 * The process ids that Linux gives, 1 to 2^22, and how many stopped ones are kept of a case: each 64 of them are one command
 * of the undo. "On 64-bit systems, pid_max can be set to any value up to 2^22."
 * https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html
 */
const HIGHEST_PID = 4_194_304;
export const STOPPED_LIMIT = 1024;

export const isStoppable = (pid: number): boolean => Number.isInteger(pid) && pid >= 1 && pid <= HIGHEST_PID;

const stoppedPids = z.array(z.int().check(z.minimum(1), z.maximum(HIGHEST_PID))).check(z.maxLength(STOPPED_LIMIT));
/** Windows gives its own, of 32 bits. */
const killedPids = z.array(z.int().check(z.minimum(1), z.maximum(0xff_ff_ff_ff))).check(z.maxLength(STOPPED_LIMIT));

/** One flow that the host listed before (`list`) or around (`cut`, `verify`) its change. */
export const hostFlowLine = z.object({
  v: z.literal(HOST_PROTOCOL_VERSION),
  kind: z.literal('flow'),
  /** `icmp` and `raw`: ping and raw sockets, whose ports are null. A raw or UDP socket's peer may be `0.0.0.0` or `::` (any). */
  protocol: z.enum(['tcp', 'udp', 'icmp', 'raw']),
  localAddress: shortText,
  localPort: port,
  remoteAddress: shortText,
  remotePort: port,
  openedBy: z.enum(['instance', 'remote', 'unknown']),
  pid: z.nullable(z.int()),
  process: z.nullable(shortText),
  /** Name of the network namespace or container that holds the socket; null = the host's own. */
  namespace: z.nullable(shortText),
  /**
   * `list`: always `open`. `cut` and `verify`: `gone` = in no source's list any more, `open` = still in one,
   * `unknown` = could not be listed again, or a UDP socket without a peer, whose datagrams are in no list (in every verb).
   */
  after: z.enum(['gone', 'open', 'unknown']),
  /** What a host may add; all of it optional. */
  executable: z.optional(z.nullable(shortText)),
  timer: z.optional(z.nullable(z.enum(['keepalive', 'retransmission', 'probe']))),
  bytesSent: z.optional(z.nullable(count)),
  bytesReceived: z.optional(z.nullable(count)),
  lastActivitySeconds: z.optional(z.nullable(count)),
  /** Why the flow belongs to what was asked for: its peer, its process (or an ancestor of it) or its port was named. */
  asked: z.optional(z.nullable(z.enum(['peer', 'pid', 'port']))),
  /** The lists that showed it. */
  seenBy: z.optional(z.array(z.enum(['ss', 'proc']))),
  /** A raw socket's IP protocol; null = a packet socket (AF_PACKET), which is below IP and passes the host firewall by. */
  ipProtocol: z.optional(z.nullable(z.int().check(z.minimum(0), z.maximum(511)))),
});

/**
 * A process behind a flow, as it was before anything was closed or killed: what the finding named, who held a flow, and their
 * ancestors and descendants. All of it is the host's word, and a command line may hold a secret.
 */
export const hostEvidenceLine = z.object({
  v: z.literal(HOST_PROTOCOL_VERSION),
  kind: z.literal('evidence'),
  pid: z.int(),
  parentPid: z.nullable(z.int()),
  userId: z.nullable(z.int()),
  role: z.enum(['named', 'owner', 'ancestor', 'descendant']),
  process: z.nullable(shortText),
  executable: z.nullable(shortText),
  /** Of the executable that ran, also where its file was deleted; null = it could not be read in time. */
  sha256: z.nullable(z.string().check(z.regex(/^[0-9a-f]{64}$/))),
  commandLine: z.nullable(shortText),
  directory: z.nullable(shortText),
  /** How many descriptors it had open, and the first files among them. */
  descriptors: z.nullable(z.int().check(z.minimum(0))),
  openFiles: z.array(shortText).check(z.maxLength(16)),
});

const bodyLine = z.discriminatedUnion('kind', [hostFlowLine, hostEvidenceLine]);

/** The last line. */
export const hostVerdictLine = z.object({
  v: z.literal(HOST_PROTOCOL_VERSION),
  kind: z.literal('verdict'),
  verb: z.enum(['list', 'cut', 'verify', 'undo', 'close-agent']),
  caseId: shortText,
  /** Flows listed, and how many of them were left out of the output to keep it short. */
  listed: z.int().check(z.minimum(0)),
  omitted: z.int().check(z.minimum(0)),
  closed: z.int().check(z.minimum(0)),
  survived: z.int().check(z.minimum(0)),
  /** The lists that agreed, e.g. `["ss","proc"]`; two are needed for "gone". */
  sources: z.array(z.enum(['ss', 'proc', 'netstat', 'powershell'])),
  /** How the host firewall holds the addresses, `none` = it does not. */
  firewall: z.enum(['nftables', 'iptables', 'windows', 'none']),
  errors: z.array(shortText),
  /** Remarks that weaken nothing. */
  notes: z.optional(z.array(shortText)),
  /** Processes that were stopped (SIGSTOP), or killed: their socket could not be closed, or their remote session was to end. */
  stopped: z.optional(stoppedPids),
  killed: z.optional(killedPids),
  /** Addresses that the host firewall was told to deny: those asked for, less the agent's own, and those dialled again. */
  denied: z.optional(z.array(shortText)),
  /** Evidence lines, and processes that were left out to keep the output short; none where it says nothing. */
  processes: z.optional(z.int().check(z.minimum(0))),
  processesOmitted: z.optional(z.int().check(z.minimum(0))),
  /** Remote sessions that were ended, where that was asked for. */
  sessionsEnded: z.optional(z.int().check(z.minimum(0))),
  /**
   * One new connection each after the cut: to a denied peer, which must fail, and to the agent's endpoint, which must not.
   * `skipped` = there was nobody to dial, or nothing to dial with.
   */
  probes: z.optional(
    z.object({
      peer: z.enum(['unreachable', 'reachable', 'skipped']),
      agent: z.enum(['unreachable', 'reachable', 'skipped']),
    }),
  ),
});

export type HostFlowLine = z.infer<typeof hostFlowLine>;
export type HostEvidenceLine = z.infer<typeof hostEvidenceLine>;
export type HostVerdictLine = z.infer<typeof hostVerdictLine>;

export type HostReport =
  | {
      readonly kind: 'evidence';
      readonly flows: readonly HostFlowLine[];
      /** Absent where the host sent none. */
      readonly processes?: readonly HostEvidenceLine[];
      readonly verdict: HostVerdictLine;
    }
  | { readonly kind: 'no-evidence'; readonly reason: string };

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Reads a host's output; strict: one odd line and the whole output is no evidence. */
export function parseHostOutput(
  output: string,
  expected: { verb: HostVerdictLine['verb']; caseId: string },
): HostReport {
  const none = (reason: string): HostReport => ({ kind: 'no-evidence', reason });
  if (output.length > HOST_OUTPUT_LIMIT) return none('the output is longer than the script ever prints');
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const last = lines.pop();
  if (last === undefined) return none('the host printed nothing');
  const verdict = hostVerdictLine.safeParse(parseLine(last));
  if (!verdict.success) return none('the last line is not a verdict of this version');
  if (verdict.data.verb !== expected.verb || verdict.data.caseId !== expected.caseId) {
    return none('the verdict belongs to another command or case');
  }
  const flows: HostFlowLine[] = [];
  const processes: HostEvidenceLine[] = [];
  for (const line of lines) {
    const parsed = bodyLine.safeParse(parseLine(line));
    if (!parsed.success) return none('a line is not a flow of this version');
    if (parsed.data.kind === 'flow') flows.push(parsed.data);
    else processes.push(parsed.data);
  }
  if (flows.length + verdict.data.omitted !== verdict.data.listed)
    return none('the flow lines do not add up to the count');
  if (processes.length !== (verdict.data.processes ?? 0)) return none('the evidence lines do not add up to the count');
  return { kind: 'evidence', flows, ...(processes.length > 0 && { processes }), verdict: verdict.data };
}
