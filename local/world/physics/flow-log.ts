import type { WorldFile } from '../parse-world.ts';
import type { Tuple } from './judge.ts';
import type { Direction, Snapshot } from './snapshot.ts';

/** Equal packets at equal distances: `count` of them, the first at `start`. */
interface Run {
  readonly tuple: Tuple;
  readonly direction: Direction;
  readonly accepted: boolean;
  readonly start: number;
  period: number;
  count: number;
}

export interface FlowLog {
  /** `count` packets of one kind at the ENI, `period` apart (any value for one). */
  record(
    eniId: string,
    tuple: Tuple,
    direction: Direction,
    accepted: boolean,
    start: number,
    period: number,
    count: number,
  ): void;
  lines(eniId: string, from: number, to: number, at: number): string[];
}

const WINDOW = 60;
/** Asked for more than this many seconds, empty windows are told by one NODATA line per hour at most. */
const FINE_RANGE = 3600;
/** A packet size; nothing is made of it. */
const BYTES_PER_PACKET = 64;
const PROTOCOL_NUMBERS: Readonly<Record<string, string>> = { tcp: '6', udp: '17', icmp: '1', icmpv6: '58' };

interface Coverage {
  readonly deliverySeconds: number;
  readonly trafficType: unknown;
}

/**
 * Remembers the packets at ENIs that have a flow log, as runs of equal packets, and prints them as records of version 2.
 * `current` gives the network now (an ENI's subnet and VPC decide which flow log covers it).
 */
export function createFlowLog(world: WorldFile, current: () => Snapshot): FlowLog {
  const runs = new Map<string, Run[]>();
  const latest = new Map<string, Run>();
  const epoch = Math.floor(Date.parse(world.Now) / 1000);
  const isLogged = world.FlowLogs.length > 0;

  return {
    record(eniId, tuple, direction, accepted, start, period, count) {
      if (!isLogged) return;
      const key = `${eniId} ${direction} ${accepted} ${tuple.protocol} ${tuple.localPort} ${tuple.remoteAddress} ${tuple.remotePort} ${tuple.localAddress}`;
      const last = latest.get(key);
      if (last !== undefined && extend(last, start, period, count)) return;
      const run: Run = { tuple, direction, accepted, start, period, count };
      latest.set(key, run);
      const list = runs.get(eniId);
      if (list === undefined) runs.set(eniId, [run]);
      else list.push(run);
    },
    lines(eniId, from, to, at) {
      const coverage = coverageOf(world, current(), eniId);
      if (coverage === null) return [];
      const first = Math.max(0, Math.ceil(from / WINDOW));
      const last = Math.min(Math.floor(to / WINDOW), Math.floor((at - coverage.deliverySeconds) / WINDOW) - 1);
      const primary = primaryAddressOf(world, eniId);
      const seen = (runs.get(eniId) ?? []).map((run) => ({ ...run, tuple: asLogged(run.tuple, primary) }));
      const packets = packetsByWindow(seen, first, last, coverage.trafficType);
      const line = (fields: string, [start, end]: readonly [number, number], rest: string): string =>
        `2 ${world.AccountId} ${eniId} ${fields} ${epoch + start * WINDOW} ${epoch + end * WINDOW} ${rest}`;
      const longestGap = to - from > FINE_RANGE ? FINE_RANGE / WINDOW : 1;
      return inOrder(packets, first, last, longestGap).map(({ span, fields, accepted }) =>
        fields === null
          ? line('- - - - - - -', span, '- NODATA')
          : line(fields, span, accepted ? 'ACCEPT OK' : 'REJECT OK'),
      );
    },
  };
}

/**
 * The default format has the primary private IPv4 address of the interface in the place of its other ones, and of those of
 * containers behind it. https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-limitations.html
 */
function asLogged(tuple: Tuple, primary: string | undefined): Tuple {
  const isIpv4 = !tuple.remoteAddress.includes(':');
  return isIpv4 && primary !== undefined ? { ...tuple, localAddress: primary } : tuple;
}

function primaryAddressOf(world: WorldFile, eniId: string): string | undefined {
  const eni = world.NetworkInterfaces.find(({ NetworkInterfaceId }) => NetworkInterfaceId === eniId);
  return eni?.PrivateIpAddresses?.find((one) => one.Primary === true)?.PrivateIpAddress;
}

interface LogRecord {
  /** First window and the one after the last. */
  readonly span: readonly [number, number];
  /** Null = no packets. */
  readonly fields: string | null;
  readonly accepted: boolean;
}

/** The records of all windows, ascending; windows without packets are told together, `longestGap` at most. */
function inOrder(packets: Map<number, Counts>, first: number, last: number, longestGap: number): LogRecord[] {
  const records: LogRecord[] = [];
  const noData = (start: number, end: number): void => {
    if (start < end) records.push({ span: [start, end], fields: null, accepted: true });
  };
  let gapStart = first;
  for (let window = first; window <= last; window += 1) {
    const counts = packets.get(window);
    if (counts === undefined) {
      if (window - gapStart + 1 < longestGap && window < last) continue;
      noData(gapStart, window + 1);
    } else {
      noData(gapStart, window);
      const ofWindow = [...counts.values()].map(({ run, count }) => ({
        span: [window, window + 1] as const,
        fields: fieldsOf(run, count),
        accepted: run.accepted,
      }));
      records.push(...ofWindow.sort((a, b) => (a.fields < b.fields ? -1 : 1)));
    }
    gapStart = window + 1;
  }
  return records;
}

function extend(run: Run, start: number, period: number, count: number): boolean {
  const step = run.count === 1 ? start - run.start : run.period;
  if (step <= 0 || (count > 1 && Math.abs(period - step) > 1e-6)) return false;
  if (Math.abs(run.start + run.count * step - start) > 1e-6) return false;
  run.period = step;
  run.count += count;
  return true;
}

function coverageOf(world: WorldFile, snapshot: Snapshot, eniId: string): Coverage | null {
  const eni = snapshot.enis.get(eniId);
  const covering = world.FlowLogs.filter((one) => [eniId, eni?.subnetId, eni?.vpcId].includes(one.ResourceId));
  const fastest = covering.sort((a, b) => (a.DeliverySeconds ?? 300) - (b.DeliverySeconds ?? 300))[0];
  if (fastest === undefined) return null;
  return { deliverySeconds: fastest.DeliverySeconds ?? 300, trafficType: fastest['TrafficType'] };
}

type Counts = Map<string, { run: Run; count: number }>;

/** A flow log of one traffic type has no record of the other. */
function packetsByWindow(runs: readonly Run[], first: number, last: number, trafficType: unknown): Map<number, Counts> {
  const windows = new Map<number, Counts>();
  for (const run of runs) {
    if (trafficType === (run.accepted ? 'REJECT' : 'ACCEPT')) continue;
    const end = run.start + (run.count - 1) * run.period;
    const to = Math.min(last, Math.floor(end / WINDOW));
    for (let window = Math.max(first, Math.floor(run.start / WINDOW)); window <= to; window += 1) {
      const count = packetsBefore(run, (window + 1) * WINDOW) - packetsBefore(run, window * WINDOW);
      if (count > 0) add(windows, window, run, count);
    }
  }
  return windows;
}

function packetsBefore(run: Run, time: number): number {
  if (time <= run.start) return 0;
  return run.count === 1 ? 1 : Math.min(run.count, Math.ceil((time - run.start) / run.period - 1e-9));
}

function add(windows: Map<number, Counts>, window: number, run: Run, count: number): void {
  let counts = windows.get(window);
  if (counts === undefined) {
    counts = new Map();
    windows.set(window, counts);
  }
  const key = fieldsOf(run, 0) + run.accepted;
  const known = counts.get(key);
  if (known === undefined) counts.set(key, { run, count });
  else known.count += count;
}

function fieldsOf({ tuple, direction }: Run, packets: number): string {
  const number = PROTOCOL_NUMBERS[tuple.protocol] ?? tuple.protocol;
  const local = [tuple.localAddress, tuple.localPort ?? 0] as const;
  const remote = [tuple.remoteAddress, tuple.remotePort ?? 0] as const;
  const [source, target] = direction === 'out' ? [local, remote] : [remote, local];
  return `${source[0]} ${target[0]} ${source[1]} ${target[1]} ${number} ${packets} ${packets * BYTES_PER_PACKET}`;
}
