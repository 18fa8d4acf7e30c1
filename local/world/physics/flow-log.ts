import type { FlowLog } from '../api/shapes.ts';
import type { WorldFile } from '../parse-world.ts';
import type { PacketRecord } from './conversation.ts';
import { addressAsLogged, type LogRecord, recordPrinter, type Surface, type Tally } from './flow-log-lines.ts';
import { DEFAULT_FORMAT, fieldsOfFormat } from './log-format.ts';
import { isNitro } from './nitro.ts';
import { extend, firstFrom, lastOf, packetsBefore, type Run, type Times } from './packet-runs.ts';
import type { Snapshot } from './snapshot.ts';

/** Seconds: the records that start from `from` to `to`, as far as they are delivered at `at`. */
interface Query {
  readonly from: number;
  readonly to: number;
  readonly at: number;
}

export interface FlowLogRecorder {
  record(packet: PacketRecord, times: Times): void;
  /** Lines of a flow log about an interface; without one, of that which delivers soonest and covers the interface. */
  lines(eniId: string, query: Query, log?: FlowLog): string[];
}

/** Asked for more than this many seconds, empty intervals are told by one NODATA line per hour at most. */
const FINE_RANGE = 3600;

/**
 * Remembers the packets at ENIs while the world has a flow log, as runs of equal packets, and prints them as records.
 * `current` gives the network now (an ENI's subnet and VPC decide which flow log covers it).
 */
export function createFlowLog(world: WorldFile, current: () => Snapshot): FlowLogRecorder {
  const runs = new Map<string, Run[]>();
  const latest = new Map<string, Run>();
  return {
    record(packet, times) {
      if (world.FlowLogs.length === 0) return;
      const key = keyOf(packet);
      const last = latest.get(key);
      if (last !== undefined && extend(last, times)) return;
      const run: Run = { packet, ...times };
      latest.set(key, run);
      const list = runs.get(packet.eniId);
      if (list === undefined) runs.set(packet.eniId, [run]);
      else list.push(run);
    },
    lines(eniId, query, log) {
      const network = current();
      const from = log ?? fastestLogOn(world, network, eniId);
      if (from === undefined) return [];
      const surface: Surface = { world, network, eniId, primaryAddress: primaryAddressOf(world, eniId) };
      const fields = fieldsOfFormat(from.LogFormat ?? DEFAULT_FORMAT) ?? [];
      const records = recordsOf(from, runs.get(eniId) ?? [], query, { surface, fields });
      return records.map(recordPrinter(fields, surface));
    },
  };
}

function keyOf({ eniId, tuple, direction, accepted, tcpFlags }: PacketRecord): string {
  const { protocol, localAddress, localPort, remoteAddress, remotePort } = tuple;
  return [eniId, direction, accepted, tcpFlags, protocol, localPort, remoteAddress, remotePort, localAddress].join(' ');
}

function primaryAddressOf(world: WorldFile, eniId: string): string | undefined {
  const eni = world.NetworkInterfaces.find(({ NetworkInterfaceId }) => NetworkInterfaceId === eniId);
  return eni?.PrivateIpAddresses?.find((one) => one.Primary === true)?.PrivateIpAddress;
}

const DELIVERY_SECONDS = 300;

function fastestLogOn(world: WorldFile, network: Snapshot, eniId: string): FlowLog | undefined {
  const eni = network.enis.get(eniId);
  return world.FlowLogs.filter((one) => [eniId, eni?.subnetId, eni?.vpcId].includes(one.ResourceId)).sort(
    (a, b) => (a.DeliverySeconds ?? DELIVERY_SECONDS) - (b.DeliverySeconds ?? DELIVERY_SECONDS),
  )[0];
}

interface Printing {
  readonly surface: Surface;
  readonly fields: readonly string[];
}

/** The records of one log about one interface, ascending. */
function recordsOf(log: FlowLog, all: readonly Run[], query: Query, printing: Printing): LogRecord[] {
  const { world, network, eniId } = printing.surface;
  const { from, to, at } = query;
  const width = intervalOf(log, world, network, eniId);
  const startsAt = log.StartsAtSeconds ?? 0;
  const firstInterval = Math.max(0, Math.ceil(startsAt / width - 1e-9));
  const first = Math.max(firstInterval, Math.ceil(from / width));
  const delivered = Math.min(at - (log.DeliverySeconds ?? DELIVERY_SECONDS), log.EndsAtSeconds ?? at);
  const last = Math.min(Math.floor(to / width), Math.floor(delivered / width) - 1);
  const seen = all.filter((run) => log['TrafficType'] !== (run.packet.accepted ? 'REJECT' : 'ACCEPT'));
  const speaks = firstWord(log, seen, firstInterval * width, world.Assumptions.QuietFlowLogSpeaks);
  const tallies = talliesByInterval(seen, { first, last, width }, printing);
  const longestGap = to - from > FINE_RANGE ? FINE_RANGE / width : 1;
  const epoch = Math.floor(Date.parse(world.Now) / 1000);
  const record = (start: number, end: number, content: LogRecord['content']): LogRecord => ({
    start: epoch + start * width,
    end: epoch + end * width,
    content,
  });
  return spansOf(log, { first, last, width, longestGap, speaks }, tallies).flatMap(({ start, end, kind }) =>
    kind === 'data' ? (tallies.get(start) ?? []).map((one) => record(start, end, one)) : [record(start, end, kind)],
  );
}

/** Nitro instances aggregate over a minute, whatever the log allows. https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-basics.html */
function intervalOf(log: FlowLog, world: WorldFile, network: Snapshot, eniId: string): number {
  const instanceId = network.enis.get(eniId)?.instanceId;
  const instance = world.Reservations.flatMap((one) => one.Instances).find((one) => one.InstanceId === instanceId);
  return log['MaxAggregationInterval'] === 600 && !isNitro(instance?.InstanceType) ? 600 : 60;
}

/** The second from which the log tells of intervals without traffic too. */
function firstWord(log: FlowLog, seen: readonly Run[], start: number, quietSpeaks: boolean): number {
  if (quietSpeaks || log.StartsAtSeconds === undefined || log.StartsAtSeconds <= 0) return start;
  return Math.min(...seen.flatMap((run) => firstFrom(run, start) ?? []), Number.POSITIVE_INFINITY);
}

interface Intervals {
  readonly first: number;
  readonly last: number;
  readonly width: number;
}

function talliesByInterval(
  seen: readonly Run[],
  { first, last, width }: Intervals,
  { surface, fields }: Printing,
): Map<number, Tally[]> {
  const byInterval = new Map<number, Map<string, Tally>>();
  // Only the fields that show the packet's own address tell apart what the others show as one flow.
  const showsPacket = fields.includes('pkt-srcaddr') || fields.includes('pkt-dstaddr');
  for (const run of seen) {
    const key = flowKey(run, surface, showsPacket);
    const to = Math.min(last, Math.floor(lastOf(run) / width));
    for (let interval = Math.max(first, Math.floor(run.start / width)); interval <= to; interval += 1) {
      const packets = packetsBefore(run, (interval + 1) * width) - packetsBefore(run, interval * width);
      if (packets > 0) addTo(byInterval, interval, key, { run, packets, tcpFlags: run.packet.tcpFlags });
    }
  }
  const sorted = (tallies: Map<string, Tally>): Tally[] =>
    [...tallies].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, tally]) => tally);
  return new Map([...byInterval].map(([interval, tallies]) => [interval, sorted(tallies)]));
}

function addTo(all: Map<number, Map<string, Tally>>, interval: number, key: string, added: Tally): void {
  const tallies = all.get(interval) ?? new Map<string, Tally>();
  all.set(interval, tallies);
  const there = tallies.get(key);
  if (there === undefined) {
    tallies.set(key, added);
    return;
  }
  there.packets += added.packets;
  there.tcpFlags |= added.tcpFlags;
}

function flowKey(run: Run, surface: Surface, showsPacket: boolean): string {
  const { tuple, direction, accepted } = run.packet;
  const local = [addressAsLogged(run, surface), tuple.localPort ?? 0] as const;
  const remote = [tuple.remoteAddress, tuple.remotePort ?? 0] as const;
  const [source, target] = direction === 'out' ? [local, remote] : [remote, local];
  const own = showsPacket ? tuple.localAddress : '';
  return [source[0], target[0], source[1], target[1], tuple.protocol, accepted, direction, own].join(' ');
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly kind: 'data' | 'NODATA' | 'SKIPDATA';
}

/** What there is to tell, interval by interval; those without traffic are told together, `longestGap` at most. */
function spansOf(
  log: FlowLog,
  { first, last, width, longestGap, speaks }: Intervals & { longestGap: number; speaks: number },
  tallies: ReadonlyMap<number, unknown>,
): Span[] {
  const spans: Span[] = [];
  let silentFrom: number | null = null;
  const tellSilence = (end: number): void => {
    if (silentFrom !== null) spans.push({ start: silentFrom, end, kind: 'NODATA' });
    silentFrom = null;
  };
  for (let interval = first; interval <= last; interval += 1) {
    const isSilent = !tallies.has(interval);
    if (touches(log.Gaps, interval, width)) {
      tellSilence(interval);
    } else if (touches(log.SkipData, interval, width)) {
      tellSilence(interval);
      spans.push({ start: interval, end: interval + 1, kind: 'SKIPDATA' });
    } else if (isSilent && (interval + 1) * width > speaks) {
      silentFrom ??= interval;
      if (interval - silentFrom + 1 >= longestGap) tellSilence(interval + 1);
    } else if (!isSilent) {
      tellSilence(interval);
      spans.push({ start: interval, end: interval + 1, kind: 'data' });
    }
  }
  tellSilence(last + 1);
  return spans;
}

const touches = (spans: FlowLog['Gaps'], interval: number, width: number): boolean =>
  (spans ?? []).some(([from, to]) => from < (interval + 1) * width && to > interval * width);
