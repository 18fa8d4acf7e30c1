import { Address4, Address6 } from 'ip-address';

/** The world judges addresses with its own few lines, so that a slip in the responder's does not excuse itself. */

export type IpVersion = 4 | 6;

/** A network, or with all bits in the prefix one address. */
export interface Net {
  readonly version: IpVersion;
  readonly base: bigint;
  readonly prefix: number;
}

const WIDTH = { 4: 32, 6: 128 } as const;
const PLAIN = /^[0-9a-fA-F.:]+$/;

function readIp(text: string): Address4 | Address6 | null {
  const Ip = text.includes(':') ? Address6 : Address4;
  return Ip.isValid(text) ? new Ip(text) : null;
}

function toNet(ip: Address4 | Address6): Net {
  if (ip instanceof Address6 && ip.subnetMask === WIDTH[6] && ip.isMapped4()) return toNet(ip.to4());
  const version: IpVersion = ip instanceof Address4 ? 4 : 6;
  const hostBits = BigInt(WIDTH[version] - ip.subnetMask);
  return { version, base: (ip.bigInt() >> hostBits) << hostBits, prefix: ip.subnetMask };
}

/** One address in canonical text (IPv4-mapped IPv6 is the IPv4 address that is on the wire), or null. */
export function canonicalAddress(text: string): string | null {
  const ip = PLAIN.test(text) ? readIp(text) : null;
  if (ip === null) return null;
  return ip instanceof Address6 && ip.isMapped4() ? ip.to4().correctForm() : ip.correctForm();
}

export function isCidr(text: string, version?: IpVersion): boolean {
  const [address, prefix, ...rest] = text.split('/');
  if (rest.length > 0 || !PLAIN.test(address ?? '') || !/^(0|[1-9]\d{0,2})$/.test(prefix ?? '')) return false;
  const ip = readIp(text);
  return ip !== null && (version === undefined || (ip instanceof Address4 ? 4 : 6) === version);
}

const known = new Map<string, Net | null>();

/** A network or address as numbers; null when it is neither. Remembered, since the same few texts come again and again. */
export function net(text: string): Net | null {
  let found = known.get(text);
  if (found === undefined) {
    const ip = readIp(text);
    found = ip === null ? null : toNet(ip);
    known.set(text, found);
  }
  return found;
}

/** Whether the network holds the address. A text that is no network holds nothing. */
export function holds(cidr: string, address: string): boolean {
  const outer = net(cidr);
  const inner = net(address);
  if (outer === null || inner === null || outer.version !== inner.version || inner.prefix < outer.prefix) return false;
  const hostBits = BigInt(WIDTH[outer.version] - outer.prefix);
  return inner.base >> hostBits === outer.base >> hostBits;
}

export const isIpv6 = (address: string): boolean => address.includes(':');

/** `0.0.0.0/0` or `::/0`: the networks, whatever their spelling, that mean every address of a family. */
export function isEverywhere(cidr: string, version: IpVersion): boolean {
  const found = net(cidr);
  return found !== null && found.version === version && found.prefix === 0;
}

/** An address inside a network, for a host of which only the network is known. */
export function addressInside(cidr: string): string | null {
  const found = net(cidr);
  if (found === null) return null;
  const inside = found.base + (found.prefix >= WIDTH[found.version] - 3 ? 0n : 5n);
  return (found.version === 4 ? Address4.fromBigInt(inside) : Address6.fromBigInt(inside)).correctForm();
}

/** Addresses at the beginning of a subnet, and the last one, are AWS's own. https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html */
const RESERVED = 4n;

/** The first address of a network that is not taken; null when it is full. */
export function freeAddress(cidr: string, isTaken: (address: string) => boolean): string | null {
  const found = net(cidr);
  if (found === null) return null;
  const last = found.base + (1n << BigInt(WIDTH[found.version] - found.prefix)) - 1n;
  for (let one = found.base + RESERVED; one < last; one += 1n) {
    const address = (found.version === 4 ? Address4.fromBigInt(one) : Address6.fromBigInt(one)).correctForm();
    if (!isTaken(address)) return address;
  }
  return null;
}
