import type { WorldFile } from '../parse-world.ts';
import { routeTo } from './judge.ts';
import { versionOf } from './log-format.ts';
import type { Run } from './packet-runs.ts';
import type { Eni, Snapshot } from './snapshot.ts';

/** Packets of one flow, one direction and one fate within one interval. */
export interface Tally {
  readonly run: Run;
  packets: number;
  tcpFlags: number;
}

/** One record: an interval, and what there is to say of it. */
export interface LogRecord {
  /** Epoch seconds. */
  readonly start: number;
  readonly end: number;
  readonly content: Tally | 'NODATA' | 'SKIPDATA';
}

/** What a record says beside its packets. */
export interface Surface {
  readonly world: WorldFile;
  readonly network: Snapshot;
  readonly eniId: string;
  readonly primaryAddress: string | undefined;
}

/** A packet size; nothing is made of it. */
const BYTES_PER_PACKET = 64;
const PROTOCOL_NUMBERS: Readonly<Record<string, string>> = { tcp: '6', udp: '17', icmp: '1', icmpv6: '58' };

const NOTHING = '-';

/** Prints records of one interface in the fields of a format; what does not apply is `-`. */
export function recordPrinter(fields: readonly string[], surface: Surface): (record: LogRecord) => string {
  const always = placeFields(surface, versionOf(fields));
  const hasPath = fields.includes('traffic-path');
  return ({ start, end, content }) => {
    const packets = typeof content === 'string' ? { 'log-status': content } : packetFields(content, surface);
    const path = hasPath && typeof content !== 'string' ? { 'traffic-path': trafficPath(content.run, surface) } : {};
    const values: Readonly<Record<string, string | number>> = { ...always, start, end, ...packets, ...path };
    return fields.map((name) => values[name] ?? NOTHING).join(' ');
  };
}

function placeFields({ world, network, eniId }: Surface, version: number): Record<string, string | number> {
  const eni = network.enis.get(eniId);
  const subnet = world.Subnets.find((one) => one.SubnetId === eni?.subnetId);
  const zone = subnet?.['AvailabilityZoneId'];
  return {
    version,
    'account-id': world.AccountId,
    'interface-id': eniId,
    'vpc-id': eni?.vpcId ?? NOTHING,
    'subnet-id': eni?.subnetId ?? NOTHING,
    'instance-id': eni?.instanceId ?? NOTHING,
    region: world.Region,
    'az-id': typeof zone === 'string' ? zone : NOTHING,
  };
}

function packetFields({ run, packets, tcpFlags }: Tally, surface: Surface): Record<string, string | number> {
  const { tuple, direction, accepted } = run.packet;
  const local = [tuple.localAddress, tuple.localPort ?? 0] as const;
  const remote = [tuple.remoteAddress, tuple.remotePort ?? 0] as const;
  const [source, target] = direction === 'out' ? [local, remote] : [remote, local];
  const shown = (address: string): string => (address === tuple.localAddress ? addressAsLogged(run, surface) : address);
  return {
    srcaddr: shown(source[0]),
    dstaddr: shown(target[0]),
    srcport: source[1],
    dstport: target[1],
    protocol: PROTOCOL_NUMBERS[tuple.protocol] ?? tuple.protocol,
    packets,
    bytes: packets * BYTES_PER_PACKET,
    action: accepted ? 'ACCEPT' : 'REJECT',
    'log-status': 'OK',
    'tcp-flags': tcpFlags,
    type: tuple.remoteAddress.includes(':') ? 'IPv6' : 'IPv4',
    'pkt-srcaddr': source[0],
    'pkt-dstaddr': target[0],
    'flow-direction': direction === 'out' ? 'egress' : 'ingress',
  };
}

/**
 * `srcaddr` and `dstaddr` have the primary private IPv4 address of the interface in the place of its other ones, and of
 * those of containers behind it; only the `pkt-` fields have the packet's own.
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html
 */
export function addressAsLogged({ packet }: Run, { primaryAddress }: Surface): string {
  const isIpv4 = !packet.tuple.remoteAddress.includes(':');
  return isIpv4 && primaryAddress !== undefined ? primaryAddress : packet.tuple.localAddress;
}

/** Outbound only: 1 = within the VPC, 8 = over an internet gateway, 4 = over a peering. */
function trafficPath({ packet }: Run, { network, eniId }: Surface): string | number {
  const eni = network.enis.get(eniId);
  if (packet.direction === 'in' || eni === undefined) return NOTHING;
  if (isInVpc(network, eni, packet.tuple.remoteAddress)) return 1;
  const target = routeTo(network, eni.subnetId, packet.tuple.remoteAddress)?.target ?? '';
  if (target.startsWith('igw-')) return 8;
  return target.startsWith('pcx-') ? 4 : NOTHING;
}

const isInVpc = (network: Snapshot, { vpcId }: Eni, address: string): boolean =>
  [...network.enis.values()].some((one) => one.vpcId === vpcId && one.addresses.includes(address));
