import { InputError, quote } from '../errors.ts';
import type { Family } from '../model.ts';
import { type Ip, readIp, writeIp } from './ip-text.ts';

/** An address or network as numbers. `length` is the prefix length; a single address has 32 or 128. */
export interface Network {
  readonly family: Family;
  readonly base: bigint;
  readonly length: number;
}

const BITS = { ipv4: 32, ipv6: 128 } as const satisfies Record<Family, number>;

/** A zone (`%eth0`) names an interface of one host; a prefix length with a leading zero is ambiguous. */
const PLAIN_CIDR = /^([0-9a-fA-F.:]+)\/(0|[1-9][0-9]{0,2})$/;
const PLAIN_ADDRESS = /^[0-9a-fA-F.:]{2,45}$/;

/** IPv4-mapped IPv6, `::ffff:0:0/96`: on the wire it is the IPv4 address. */
const unmapped = (ip: Ip): Ip =>
  ip.family === 'ipv6' && ip.value >> 32n === 0xffffn ? { family: 'ipv4', value: BigInt.asUintN(32, ip.value) } : ip;

function readHost(text: string): Ip | null {
  const ip = PLAIN_ADDRESS.test(text) ? readIp(text) : null;
  return ip && unmapped(ip);
}

function readNetwork(text: string): Network | null {
  const [, address = '', digits = ''] = PLAIN_CIDR.exec(text) ?? [];
  const ip = readIp(address);
  const length = Number(digits);
  if (ip === null || length > BITS[ip.family]) return null;
  const hostBits = BigInt(BITS[ip.family] - length);
  return { family: ip.family, base: (ip.value >> hostBits) << hostBits, length };
}

/** Texts whose reading is remembered; then all are forgotten, so that no input makes the memory grow. */
const REMEMBERED = 20_000;
/** The longest address or network in characters: what is longer is neither, and is not kept. */
const LONGEST = 49;

/** The same addresses are read and compared again and again, and reading one costs more than the rest. */
function remembered<T extends object | null>(read: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const value = read(text);
    if (text.length > LONGEST) return value;
    if (known.size >= REMEMBERED) known.clear();
    known.set(text, value);
    return value;
  };
}

interface HostAddress {
  readonly address: string;
  readonly family: Family;
}

const canonicalHost = remembered((text): HostAddress | null => {
  const ip = readHost(text);
  return ip && { address: writeIp(ip), family: ip.family };
});

/**
 * One address in canonical text, or null. Nothing is guessed: ranges, zones, leading zeros, short forms (`10.1`) and
 * white space are refused. IPv4-mapped IPv6 (`::ffff:192.0.2.1`) is the IPv4 address that is on the wire.
 */
export function parseAddress(text: unknown): HostAddress | null {
  return typeof text === 'string' ? canonicalHost(text) : null;
}

/**
 * A network as EC2 stores it, or null: host bits cleared, canonical text, `203.0.113.9/24` becomes `203.0.113.0/24`.
 * A network of IPv4-mapped addresses stays IPv6: read as IPv4, `::ffff:0:0/96` would pass for "all IPv4 addresses".
 */
export function canonicalCidr(text: unknown): { readonly cidr: string; readonly family: Family } | null {
  const net = typeof text === 'string' ? readNetwork(text) : null;
  if (net === null) return null;
  const { family, base: value, length } = net;
  return { cidr: `${writeIp({ family, value })}/${length}`, family };
}

function unreadable(what: string, text: string): InputError {
  return new InputError(
    what,
    `${quote(text)} is not ${what === 'cidr' ? 'a network in CIDR notation' : 'a single IP address'}`,
  );
}

/** The network of one address: `/32` or `/128`. */
export function hostCidr(address: string): string {
  const parsed = parseAddress(address);
  if (parsed === null) throw unreadable('address', address);
  return `${parsed.address}/${BITS[parsed.family]}`;
}

/** The address of a {@link hostCidr}. */
export const hostAddress = (cidr: string): string => cidr.slice(0, cidr.lastIndexOf('/'));

/** A single address as numbers, for comparing it with many networks. */
export const hostNetwork = remembered((address) => {
  const ip = readHost(address);
  if (ip === null) throw unreadable('address', address);
  return { family: ip.family, base: ip.value, length: BITS[ip.family] };
});

/** A network as numbers, for comparing it with many addresses. */
export const network = remembered((cidr) => {
  const net = readNetwork(cidr);
  if (net === null) throw unreadable('cidr', cidr);
  return net;
});

/** Whether every address of `inner` is in `outer`. Families never hold each other. */
export function covers(outer: Network, inner: Network): boolean {
  if (outer.family !== inner.family || outer.length > inner.length) return false;
  const shift = BigInt(BITS[outer.family] - outer.length);
  return outer.base >> shift === inner.base >> shift;
}

/** {@link covers} for text: whether the network holds the address. */
export function contains(cidr: string, address: string): boolean {
  return covers(network(cidr), hostNetwork(address));
}

/**
 * What an address is to a responder:
 * - `public`: a peer out there; may be denied;
 * - `private`: may be one of ours (a load balancer, a proxy, an office); denied only when a person says so;
 * - `reserved`: no peer at all, or a service that the instance needs; never denied.
 */
export type AddressKind = 'public' | 'private' | 'reserved';

interface AddressRow {
  readonly cidr: string;
  readonly kind: AddressKind;
  readonly because: string;
}

/**
 * The most specific row decides. The documentation ranges are ordinary public addresses here: AWS's own samples use them.
 * https://www.iana.org/assignments/iana-ipv4-special-registry/
 * https://www.iana.org/assignments/iana-ipv6-special-registry/
 */
const ADDRESS_ROWS = [
  { cidr: '0.0.0.0/0', kind: 'public', because: 'an ordinary public IPv4 address' },
  { cidr: '0.0.0.0/8', kind: 'reserved', because: '"this network" (RFC 1122)' },
  { cidr: '0.0.0.0/32', kind: 'reserved', because: 'the unspecified address (RFC 1122)' },
  { cidr: '10.0.0.0/8', kind: 'private', because: 'a private address (RFC 1918)' },
  { cidr: '100.64.0.0/10', kind: 'private', because: 'shared address space (RFC 6598)' },
  { cidr: '127.0.0.0/8', kind: 'reserved', because: 'loopback (RFC 1122)' },
  { cidr: '169.254.0.0/16', kind: 'reserved', because: 'link-local (RFC 3927)' },
  // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configure-ec2-ntp.html
  {
    cidr: '169.254.169.123/32',
    kind: 'reserved',
    because: 'the Amazon Time Sync Service',
  },
  // https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
  {
    cidr: '169.254.169.253/32',
    kind: 'reserved',
    because: 'the Route 53 Resolver',
  },
  // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
  {
    cidr: '169.254.169.254/32',
    kind: 'reserved',
    because: 'the instance metadata service',
  },
  { cidr: '172.16.0.0/12', kind: 'private', because: 'a private address (RFC 1918)' },
  { cidr: '192.0.0.0/24', kind: 'reserved', because: 'IETF protocol assignments (RFC 6890)' },
  {
    cidr: '192.0.2.0/24',
    kind: 'public',
    because: 'a documentation address, taken as public (RFC 5737)',
  },
  { cidr: '192.88.99.0/24', kind: 'reserved', because: '6to4 relay anycast (RFC 7526)' },
  { cidr: '192.168.0.0/16', kind: 'private', because: 'a private address (RFC 1918)' },
  // A VPC may have it, and the two below, as a range of its own.
  { cidr: '198.18.0.0/15', kind: 'private', because: 'a benchmarking address, which a VPC may use (RFC 2544)' },
  {
    cidr: '198.51.100.0/24',
    kind: 'public',
    because: 'a documentation address, taken as public (RFC 5737)',
  },
  {
    cidr: '203.0.113.0/24',
    kind: 'public',
    because: 'a documentation address, taken as public (RFC 5737)',
  },
  { cidr: '224.0.0.0/4', kind: 'reserved', because: 'multicast (RFC 5771)' },
  { cidr: '240.0.0.0/4', kind: 'private', because: 'a reserved address, which a VPC may use (RFC 1112)' },
  { cidr: '255.255.255.255/32', kind: 'reserved', because: 'broadcast (RFC 919)' },
  { cidr: '::/0', kind: 'reserved', because: 'outside global unicast, 2000::/3 (RFC 4291)' },
  { cidr: '::/128', kind: 'reserved', because: 'the unspecified address (RFC 4291)' },
  { cidr: '::1/128', kind: 'reserved', because: 'loopback (RFC 4291)' },
  // An IPv6 subnet with DNS64 reaches every IPv4 peer under this prefix; the embedded address decides what the peer is.
  // https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-nat64-dns64.html
  { cidr: '64:ff9b::/96', kind: 'public', because: 'NAT64 (RFC 6052)' },
  { cidr: '64:ff9b:1::/48', kind: 'private', because: 'local-use NAT64 (RFC 8215)' },
  { cidr: '100::/64', kind: 'reserved', because: 'discard-only (RFC 6666)' },
  { cidr: '2000::/3', kind: 'public', because: 'an ordinary public IPv6 address' },
  { cidr: '2001::/23', kind: 'reserved', because: 'IETF protocol assignments (RFC 2928)' },
  { cidr: '2001::/32', kind: 'reserved', because: 'Teredo (RFC 4380)' },
  { cidr: '2001:2::/48', kind: 'reserved', because: 'benchmarking (RFC 5180)' },
  {
    cidr: '2001:db8::/32',
    kind: 'public',
    because: 'a documentation address, taken as public (RFC 3849)',
  },
  { cidr: '2002::/16', kind: 'reserved', because: '6to4 (RFC 3056)' },
  { cidr: '3fff::/20', kind: 'reserved', because: 'documentation (RFC 9637)' },
  { cidr: 'fc00::/7', kind: 'private', because: 'a unique local address (RFC 4193)' },
  // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
  {
    cidr: 'fd00:ec2::/32',
    kind: 'reserved',
    because: 'services of EC2: metadata, time, DNS',
  },
  { cidr: 'fe80::/10', kind: 'reserved', because: 'link-local (RFC 4291)' },
  { cidr: 'fec0::/10', kind: 'reserved', because: 'site-local, abolished (RFC 3879)' },
  { cidr: 'ff00::/8', kind: 'reserved', because: 'multicast (RFC 4291)' },
] as const satisfies readonly AddressRow[];

/** https://datatracker.ietf.org/doc/html/rfc6052#section-2.1 */
const NAT64: Network = { family: 'ipv6', base: 0x64_ff9b_0000_0000_0000_0000_0000_0000n, length: 96 };

const readRows = () =>
  ADDRESS_ROWS.map((row) => ({ row, net: network(row.cidr) })).sort((a, b) => b.net.length - a.net.length);

/** Read when it is first needed: a function that classifies no address starts without. */
let mostSpecificFirst: ReturnType<typeof readRows> | null = null;

/** @example addressClass('169.254.169.254') // { kind: 'reserved', because: 'the instance metadata service' } */
export function addressClass(address: string): { readonly kind: AddressKind; readonly because: string } {
  const host = hostNetwork(address);
  const embedded = covers(NAT64, host) ? BigInt.asUintN(32, host.base) : null;
  if (embedded !== null) {
    const inside = addressClass(writeIp({ family: 'ipv4', value: embedded }));
    return { ...inside, because: `reached over NAT64, ${inside.because}` };
  }
  mostSpecificFirst ??= readRows();
  const hit = mostSpecificFirst.find(({ net }) => covers(net, host));
  // Both families end in a /0 row, so there is always a hit; an address that no row knows must not be denied.
  return { kind: hit?.row.kind ?? 'reserved', because: hit?.row.because ?? 'unknown' };
}

/**
 * Services that the VPC itself gives an instance at fixed addresses: metadata, time, DNS resolver, credentials of
 * containers. No group or ACL reaches them, and no peer can sit there.
 * https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
 */
const VPC_SERVICES: ReadonlySet<string> = new Set([
  '169.254.169.123',
  '169.254.169.253',
  '169.254.169.254',
  // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
  '169.254.170.2',
  // https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
  '169.254.170.23',
  'fd00:ec2::23',
  'fd00:ec2::123',
  'fd00:ec2::253',
  'fd00:ec2::254',
]);

/** The address, in canonical text, is exactly that of a service of the VPC. */
export const isVpcServiceAddress = (address: string): boolean => VPC_SERVICES.has(address);
