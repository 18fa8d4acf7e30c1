import { mayBeSameFlow } from '../case/case.ts';
import { FLOW_LOG_DELAY_SECONDS } from '../case/expiry.ts';
import type { KnownFlow } from '../model.ts';
import { parseAddress } from '../network/addresses.ts';
import { ADDRESS_FIELDS, DEFAULT_LOG_FORMAT, type LogFormat } from './log-format.ts';

/** One line of a flow log. Times in epoch seconds; null = the format has no such field, or the line no such value. */
export type FlowLogLine =
  | {
      readonly kind: 'record';
      readonly networkInterfaceId: string;
      readonly source: string;
      readonly destination: string;
      readonly sourcePort: number | null;
      readonly destinationPort: number | null;
      readonly protocol: number | null;
      readonly start: number;
      readonly end: number;
      readonly action: 'ACCEPT' | 'REJECT';
      /** As the interface sees it; absent where the format does not say. */
      readonly direction?: 'in' | 'out';
    }
  | {
      readonly kind: 'no-data' | 'skipped';
      readonly networkInterfaceId: string;
      readonly start: number;
      readonly end: number;
    };

const PROTOCOLS: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6' };

const DIRECTIONS: Readonly<Record<string, 'in' | 'out'>> = { ingress: 'in', egress: 'out' };

function numberIn(text: string | undefined, most: number): number | null {
  return text !== undefined && /^\d+$/.test(text) && Number(text) <= most ? Number(text) : null;
}

/** Where the format says the version, it is 2 for the default one, and "the highest version among the specified fields". */
const isVersion = (version: string | undefined, format: LogFormat): boolean =>
  version === undefined || (format === DEFAULT_LOG_FORMAT ? version === '2' : /^\d+$/.test(version));

/**
 * Reads a line by the format of its flow log; null = it is none of that format. Whoever may write into the log group may have
 * written the line.
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
 */
export function parseFlowLogLine(line: string, format: LogFormat = DEFAULT_LOG_FORMAT): FlowLogLine | null {
  const fields = line.trim().split(/\s+/);
  const fieldOf = (name: string): string | undefined => fields[format.placeOf.get(name) ?? -1];
  if (fields.length !== format.count || !isVersion(fieldOf('version'), format)) return null;
  const start = numberIn(fieldOf('start'), Number.MAX_SAFE_INTEGER);
  const end = numberIn(fieldOf('end'), Number.MAX_SAFE_INTEGER);
  const networkInterfaceId = fieldOf('interface-id');
  if (start === null || end === null || end < start || networkInterfaceId === undefined) return null;
  const common = { networkInterfaceId, start, end };
  const status = fieldOf('log-status');
  if (status === 'NODATA') return { kind: 'no-data', ...common };
  if (status === 'SKIPDATA') return { kind: 'skipped', ...common };
  const [source, destination] = addressesIn(fieldOf);
  const action = fieldOf('action');
  if (status !== 'OK' || source === undefined || destination === undefined) return null;
  if (action !== 'ACCEPT' && action !== 'REJECT') return null;
  const direction = DIRECTIONS[fieldOf('flow-direction') ?? ''];
  return {
    kind: 'record',
    ...common,
    source,
    destination,
    sourcePort: numberIn(fieldOf('srcport'), 65_535),
    destinationPort: numberIn(fieldOf('dstport'), 65_535),
    protocol: numberIn(fieldOf('protocol'), 255),
    action,
    ...(direction !== undefined && { direction }),
  };
}

/** Both ends of the first pair of fields that holds two addresses. */
function addressesIn(fieldOf: (name: string) => string | undefined): readonly string[] {
  for (const pair of ADDRESS_FIELDS) {
    const addresses = pair.flatMap((name) => parseAddress(fieldOf(name))?.address ?? []);
    if (addresses.length === pair.length) return addresses;
  }
  return [];
}

type FlowRecord = Extract<FlowLogLine, { kind: 'record' }>;

/** Packets of one flow, one way, that were accepted or rejected, from the first record of them to the last. */
export interface SeenFlow extends KnownFlow {
  readonly action: 'ACCEPT' | 'REJECT';
  /** `out`: the instance sent them. */
  readonly direction: 'in' | 'out';
  readonly at: number;
  readonly until: number;
}

/** What the flow logs prove, over a window that begins when isolation was in force. Times in epoch seconds. */
export interface FlowLogFindings {
  /** Every ENI has a log without a hole from `since` to this moment; null = some ENI has none. */
  readonly coveredUntil: number | null;
  /** Why they prove nothing, in words; absent where they cover something, or have had no time to speak yet. */
  readonly unheard?: string;
  /** They could not be read just now: another look may hear them. */
  readonly passing?: true;
  /** The window begins with the first record, where that is later. Absent = it does not. */
  readonly from?: number;
  /** Traffic of any remote end in the window. */
  readonly records: readonly SeenFlow[];
}

/** Seen from the instance: which end is remote? */
function asFlow(record: FlowRecord, localAddresses: readonly string[]): SeenFlow | null {
  const isSource = localAddresses.includes(record.source);
  const isLocal = isSource || localAddresses.includes(record.destination);
  const byAddress = isSource ? 'out' : 'in';
  const direction = isLocal ? byAddress : record.direction;
  if (direction === undefined) return null;
  const outbound = direction === 'out';
  const remote = outbound ? record.destination : record.source;
  const ported = record.protocol === 6 || record.protocol === 17;
  const port = (value: number | null): number | null => (ported ? value : null);
  return {
    protocol: record.protocol === null ? 'unknown' : (PROTOCOLS[record.protocol] ?? String(record.protocol)),
    family: remote.includes(':') ? 'ipv6' : 'ipv4',
    remoteAddress: remote,
    remotePort: port(outbound ? record.destinationPort : record.sourcePort),
    localAddress: outbound ? record.source : record.destination,
    localPort: port(outbound ? record.sourcePort : record.destinationPort),
    openedBy: 'unknown',
    networkInterfaceId: record.networkInterfaceId,
    source: 'flow-log',
    action: record.action,
    direction,
    at: record.start,
    until: record.end,
  };
}

/**
 * Could the record be of the flow? For IPv4 the default format has the primary private address of the interface in the place
 * of whichever of its addresses, or of those behind it, the packet had.
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-limitations.html
 */
export const mayBeRecordOf = (record: KnownFlow, flow: KnownFlow): boolean =>
  mayBeSameFlow(record, flow.family === 'ipv4' ? { ...flow, localAddress: null } : flow);

/** What is listened for in the flow log of one ENI. */
export interface Listening {
  readonly networkInterfaceId: string;
  readonly localAddresses: readonly string[];
  /** Formats of the flow logs that may write into its stream: "it has one combined log stream". */
  readonly formats: readonly LogFormat[];
  /** Longest span of a record, in seconds. */
  readonly intervalSeconds: number;
  /** Peers of the case. What is rejected on its way in is remembered for these alone: a public address is scanned all day. */
  readonly peers: ReadonlySet<string>;
  readonly since: number;
  /** The log was made about then, or since: it is heard from its first record on. */
  readonly isYoung: boolean;
  /** Now: a line that tells of later is none of AWS's. */
  readonly until: number;
}

/** What was heard of one ENI. */
export interface Hearing {
  readonly networkInterfaceId: string;
  /** The first record that ends after `since`, or `since` itself where it spans that. */
  readonly coveredFrom: number;
  readonly coveredUntil: number | null;
  /** Why it is not covered, in words; null where it is, and where it has had no time to speak yet. */
  readonly unheard: string | null;
  /** It could not be read just now, or may speak later. */
  readonly passing?: boolean;
  /** Not a line of the window was heard. */
  readonly isMute?: boolean;
  /** Where a hole begins that nothing else speaks against. */
  readonly brokenAt?: number;
  readonly records: readonly SeenFlow[];
}

/** An ear for one ENI: it takes line after line, in any order, and keeps no line. */
export interface Ear {
  take(line: string): void;
  heard(): Hearing;
}

/** Flows of one ENI that are told apart: a log that shows more shows a flood, in which one would not be found. */
const MOST_FLOWS = 20_000;

/** Clocks differ by so much, in seconds; "start" and "end" may be off by as much as a minute. */
const CLOCK_SECONDS = 60;

/**
 * Longest time between two records of a healthy log: each interval has a record, be it one without data, and within the
 * interval a record begins with its first packet and ends with its last.
 */
export const longestPause = (intervalSeconds: number): number => pauseBetween(intervalSeconds, 2);

/** The same, where so many of the two records have packets: one without data spans its interval from end to end. */
const pauseBetween = (intervalSeconds: number, withPackets: 0 | 1 | 2): number =>
  withPackets === 0 ? intervalSeconds / 2 : withPackets * intervalSeconds + CLOCK_SECONDS;

const momentOf = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000', '');

/** A time that records cover. A record without data is idle at both ends. */
interface Span {
  readonly start: number;
  readonly end: number;
  readonly startsIdle: boolean;
  readonly endsIdle: boolean;
}

/** Joins what touches or has no longer pause between than a healthy log has there; in order of time. */
function joined(spans: readonly Span[], intervalSeconds: number): readonly Span[] {
  const result: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    const withPackets = last === undefined ? 2 : ((Number(!last.endsIdle) + Number(!span.startsIdle)) as 0 | 1 | 2);
    if (last === undefined || span.start > last.end + pauseBetween(intervalSeconds, withPackets)) result.push(span);
    else if (span.end > last.end) result[result.length - 1] = { ...last, end: span.end, endsIdle: span.endsIdle };
  }
  return result;
}

const spanOf = (start: number, end: number, isIdle: boolean): Span => ({
  start,
  end,
  startsIdle: isIdle,
  endsIdle: isIdle,
});

const keyOf = ({ protocol, remoteAddress, remotePort, localAddress, localPort, action, direction }: SeenFlow): string =>
  [protocol, remoteAddress, remotePort, localAddress, localPort, action, direction].join(' ');

const bothOf = (one: SeenFlow, other: SeenFlow): SeenFlow => ({
  ...one,
  at: Math.min(one.at, other.at),
  until: Math.max(one.until, other.until),
});

/** What several readings have shown, each flow once. */
export function seenTogether(flows: readonly SeenFlow[]): readonly SeenFlow[] {
  const byKey = new Map<string, SeenFlow>();
  for (const flow of flows) {
    const key = `${flow.networkInterfaceId} ${keyOf(flow)}`;
    const known = byKey.get(key);
    byKey.set(key, known === undefined ? flow : bothOf(known, flow));
  }
  return [...byKey.values()];
}

/** Spans that are kept before they are joined. */
const SPANS_AT_ONCE = 4096;

export function earFor(listening: Listening): Ear {
  const { networkInterfaceId, localAddresses, formats, peers, since, isYoung, until } = listening;
  const { intervalSeconds } = listening;
  const flows = new Map<string, SeenFlow>();
  let spans: Span[] = [];
  let skippedAt: number | null = null;
  let isStrange = false;
  let isFlood = false;

  function remember(flow: SeenFlow): void {
    if (flow.action === 'REJECT' && flow.direction === 'in' && !peers.has(flow.remoteAddress)) return;
    const key = keyOf(flow);
    const known = flows.get(key);
    if (known === undefined && flows.size >= MOST_FLOWS) isFlood = true;
    else if (known === undefined) flows.set(key, flow);
    else flows.set(key, bothOf(known, flow));
  }

  function read(text: string): FlowLogLine | null {
    for (const format of formats) {
      const line = parseFlowLogLine(text, format);
      if (line?.networkInterfaceId === networkInterfaceId) return line;
    }
    return null;
  }

  function take(text: string): void {
    const line = read(text);
    if (line === null || line.end <= since || line.end > until + CLOCK_SECONDS) return;
    if (line.kind === 'skipped') skippedAt = Math.min(skippedAt ?? line.start, line.start);
    else spans.push(spanOf(line.start, line.end, line.kind === 'no-data'));
    if (spans.length > SPANS_AT_ONCE) spans = [...joined(spans, intervalSeconds)];
    if (line.kind !== 'record' || line.start < since) return;
    const flow = asFlow(line, localAddresses);
    if (flow === null) isStrange = true;
    else remember(flow);
  }

  function heard(): Hearing {
    const [first, second] = joined(isYoung ? spans : [spanOf(since, since, false), ...spans], intervalSeconds);
    const unheard = why(first?.end ?? since, second?.start ?? null);
    const hasSpoken = spans.length > 0;
    const coveredUntil = unheard === null && hasSpoken ? Math.min(first?.end ?? since, until) : null;
    // What passed between the beginning of the window and the first record is not known.
    const coveredFrom = Math.max(since, Math.min(...spans.map(({ start }) => start), first?.end ?? since));
    return {
      networkInterfaceId,
      coveredFrom,
      coveredUntil,
      unheard,
      ...(!hasSpoken && skippedAt === null && { isMute: true }),
      ...(first !== undefined && second !== undefined && skippedAt === null && { brokenAt: first.end }),
      records: [...flows.values()],
    };
  }

  function why(end: number, next: number | null): string | null {
    const of = `of ${networkInterfaceId}`;
    if (skippedAt !== null) return `the flow log ${of} skipped records at ${momentOf(skippedAt)}`;
    if (next !== null) return `the flow log ${of} has a hole from ${momentOf(end)} to ${momentOf(next)}`;
    if (spans.length === 0) {
      const isLate = until - since > longestPause(intervalSeconds) + FLOW_LOG_DELAY_SECONDS;
      return isLate ? `the flow log ${of} has said nothing since ${momentOf(since)}` : null;
    }
    if (isFlood) return `the flow log ${of} shows more than ${MOST_FLOWS} flows`;
    if (isStrange) return `the flow log ${of} shows packets of which neither end is an address of it`;
    return null;
  }

  return { take, heard };
}

/** Puts together what was heard of every ENI of the instance: it is covered as far as the worst of them is. */
export function findingsOf(hearings: readonly Hearing[], interfaceIds: readonly string[]): FlowLogFindings {
  const records = hearings.flatMap((hearing) => hearing.records);
  const all = interfaceIds.map((id) => hearings.find((hearing) => hearing.networkInterfaceId === id) ?? null);
  const silent = all.indexOf(null);
  const missing = silent === -1 ? [] : [`no flow log covers ${interfaceIds[silent]}`];
  const reasons = [...missing, ...hearings.flatMap((hearing) => hearing.unheard ?? [])];
  const [unheard] = reasons;
  const ends = all.flatMap((hearing) => hearing?.coveredUntil ?? []);
  if (unheard !== undefined) {
    const isPassing =
      silent === -1 && hearings.every((hearing) => hearing.unheard === null || hearing.passing === true);
    return { coveredUntil: null, records, unheard, ...(isPassing && { passing: true }) };
  }
  // Covered only as far as every interface is: one whose log has not spoken yet is not.
  if (ends.length === 0 || ends.length < all.length) return { coveredUntil: null, records };
  const from = Math.max(...hearings.map((hearing) => hearing.coveredFrom));
  return { coveredUntil: Math.min(...ends), from, records };
}
