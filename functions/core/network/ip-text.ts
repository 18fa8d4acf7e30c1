import type { Family } from '../model.ts';

/** One address as a number. */
export interface Ip {
  readonly family: Family;
  readonly value: bigint;
}

/** A byte without leading zeros, which some readers take for octal. */
const BYTE = '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const IPV4 = new RegExp(`^${BYTE}\\.${BYTE}\\.${BYTE}\\.${BYTE}$`);
const GROUP = /^[0-9a-fA-F]{1,4}$/;

function readIpv4(text: string): number | null {
  const bytes = IPV4.exec(text)?.slice(1);
  return bytes === undefined ? null : bytes.reduce((value, byte) => value * 256 + Number(byte), 0);
}

/** The 16-bit groups of one side of `::`; null = it is no such text. */
function readGroups(text: string): readonly number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  for (const part of text.split(':')) {
    if (!GROUP.test(part)) return null;
    groups.push(Number.parseInt(part, 16));
  }
  return groups;
}

/** The last 32 bits may be written as an IPv4 address. */
function withoutDots(text: string): string | null {
  if (!text.includes('.')) return text;
  const start = text.lastIndexOf(':') + 1;
  const low = readIpv4(text.slice(start));
  return low === null
    ? null
    : `${text.slice(0, start)}${Math.floor(low / 65_536).toString(16)}:${(low % 65_536).toString(16)}`;
}

function readIpv6(text: string): bigint | null {
  const plain = withoutDots(text);
  if (plain === null) return null;
  const [before = '', after, ...more] = plain.split('::');
  const [high, low] = [readGroups(before), readGroups(after ?? '')];
  if (high === null || low === null || more.length > 0) return null;
  const missing = 8 - high.length - low.length;
  if (after === undefined ? missing !== 0 : missing < 1) return null;
  return [...high, ...Array<number>(missing).fill(0), ...low].reduce(
    (value, group) => (value << 16n) | BigInt(group),
    0n,
  );
}

/** An address as RFC 4291, section 2.2, and dotted decimals without leading zeros write it; null = anything else. */
export function readIp(text: string): Ip | null {
  const family = text.includes(':') ? 'ipv6' : 'ipv4';
  const value = family === 'ipv6' ? readIpv6(text) : readIpv4(text);
  return value === null ? null : { family, value: BigInt(value) };
}

/** The longest run of zeros, the first of several, and no single one. https://www.rfc-editor.org/rfc/rfc5952#section-4.2 */
function shortened(groups: readonly string[]): string {
  let [from, length] = [0, 1];
  for (let start = 0; start < groups.length; start += 1) {
    let end = start;
    while (groups[end] === '0') end += 1;
    if (end - start > length) [from, length] = [start, end - start];
  }
  if (length === 1) return groups.join(':');
  return `${groups.slice(0, from).join(':')}::${groups.slice(from + length).join(':')}`;
}

/** The canonical text of an address. */
export function writeIp({ family, value }: Ip): string {
  const [count, bits, radix] = family === 'ipv4' ? [4, 8, 10] : [8, 16, 16];
  const parts = Array.from({ length: count }, (_, index) =>
    BigInt.asUintN(bits, value >> BigInt(bits * (count - 1 - index))).toString(radix),
  );
  return family === 'ipv4' ? parts.join('.') : shortened(parts);
}
