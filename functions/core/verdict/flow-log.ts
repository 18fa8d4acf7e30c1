import { mayBeSameFlow } from '../case/case.ts';
import type { KnownFlow } from '../model.ts';
import { parseAddress } from '../network/addresses.ts';

/** One line of a flow log in the default format (version 2). Times in epoch seconds. */
export type FlowLogLine =
  | {
      readonly kind: 'record';
      readonly networkInterfaceId: string;
      readonly source: string;
      readonly destination: string;
      readonly sourcePort: number;
      readonly destinationPort: number;
      readonly protocol: number;
      readonly start: number;
      readonly end: number;
      readonly action: 'ACCEPT' | 'REJECT';
    }
  | {
      readonly kind: 'no-data' | 'skipped';
      readonly networkInterfaceId: string;
      readonly start: number;
      readonly end: number;
    };

const PROTOCOLS: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6' };

/**
 * Reads a line of the default format: `2 account eni src dst sport dport protocol packets bytes start end action status`.
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
 */
export function parseFlowLogLine(line: string): FlowLogLine | null {
  const fields = line.trim().split(/\s+/);
  if (fields.length !== 14 || fields[0] !== '2') return null;
  const [, , eni = '', src = '', dst = '', sport, dport, protocol, , , start, end, action, status] = fields;
  const times = { start: Number(start), end: Number(end) };
  if (!Number.isFinite(times.start) || !Number.isFinite(times.end)) return null;
  if (status === 'NODATA') return { kind: 'no-data', networkInterfaceId: eni, ...times };
  if (status === 'SKIPDATA') return { kind: 'skipped', networkInterfaceId: eni, ...times };
  const source = parseAddress(src);
  const destination = parseAddress(dst);
  if (status !== 'OK' || source === null || destination === null || (action !== 'ACCEPT' && action !== 'REJECT'))
    return null;
  return {
    kind: 'record',
    networkInterfaceId: eni,
    source: source.address,
    destination: destination.address,
    sourcePort: Number(sport),
    destinationPort: Number(dport),
    protocol: Number(protocol),
    ...times,
    action,
  };
}

type FlowRecord = Extract<FlowLogLine, { kind: 'record' }>;

/** What was asked of the flow log of one ENI after the change, and what came back. */
export interface FlowLogAnswer {
  readonly networkInterfaceId: string;
  readonly localAddresses: readonly string[];
  readonly lines: readonly string[];
}

/** What the flow logs prove, over a window that begins when isolation was in force. Times in epoch seconds. */
export interface FlowLogFindings {
  /** Every ENI has a log without a skipped interval from `since` to this moment; null = some ENI has none. */
  readonly coveredUntil: number | null;
  /** Traffic of any remote end in the window. */
  readonly records: readonly (KnownFlow & {
    readonly action: 'ACCEPT' | 'REJECT';
    readonly at: number;
    readonly until: number;
  })[];
}

/** Seen from the instance: which end is remote? */
function asFlow(record: FlowRecord, localAddresses: readonly string[]): FlowLogFindings['records'][number] | null {
  const outbound = localAddresses.includes(record.source);
  if (!outbound && !localAddresses.includes(record.destination)) return null;
  const remote = outbound ? record.destination : record.source;
  const ported = record.protocol === 6 || record.protocol === 17;
  const port = (value: number): number | null => (ported ? value : null);
  return {
    protocol: PROTOCOLS[record.protocol] ?? String(record.protocol),
    family: remote.includes(':') ? 'ipv6' : 'ipv4',
    remoteAddress: remote,
    remotePort: port(outbound ? record.destinationPort : record.sourcePort),
    localAddress: outbound ? record.source : record.destination,
    localPort: port(outbound ? record.sourcePort : record.destinationPort),
    openedBy: 'unknown',
    networkInterfaceId: record.networkInterfaceId,
    source: 'flow-log',
    action: record.action,
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

/** Longest silence of a healthy log at either end of the window: an interval without traffic is logged as NODATA. */
const HEARTBEAT_SECONDS = 3700;

/** Reads the answers of all ENIs of the instance. A skipped interval or a missing heartbeat makes the log prove nothing. */
export function readFlowLogs(
  answers: readonly FlowLogAnswer[],
  since: number,
  interfaceIds: readonly string[],
): FlowLogFindings {
  const records: FlowLogFindings['records'][number][] = [];
  let coveredUntil: number | null = interfaceIds.length === 0 ? null : Number.POSITIVE_INFINITY;
  for (const interfaceId of interfaceIds) {
    const answer = answers.find((candidate) => candidate.networkInterfaceId === interfaceId);
    const lines = (answer?.lines ?? [])
      .map(parseFlowLogLine)
      .filter(
        (line): line is FlowLogLine => line !== null && line.networkInterfaceId === interfaceId && line.end > since,
      );
    const first = Math.min(...lines.map((line) => line.start));
    const healthy =
      lines.length > 0 && first <= since + HEARTBEAT_SECONDS && lines.every((line) => line.kind !== 'skipped');
    coveredUntil =
      healthy && coveredUntil !== null ? Math.min(coveredUntil, Math.max(...lines.map((line) => line.end))) : null;
    for (const line of lines) {
      if (line.kind !== 'record' || line.start < since) continue;
      const flow = asFlow(line, answer?.localAddresses ?? []);
      if (flow === null) coveredUntil = null;
      else records.push(flow);
    }
  }
  return { coveredUntil, records };
}
