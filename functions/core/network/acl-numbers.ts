import type { AclEntry, AclFacts, Family } from '../model.ts';
import { addressClass, canonicalCidr, contains, hostCidr } from './addresses.ts';
import { normalProtocol } from './tracking.ts';

/** What is to be done in one direction so that an ACL denies one address entirely. */
export type PlannedEntry =
  | { readonly kind: 'exists'; readonly entry: AclEntry }
  | {
      readonly kind: 'create';
      readonly ruleNumber: number;
      /** The highest number that is still below every allow that matches, within the range. */
      readonly highestNumber: number;
      readonly egress: boolean;
      readonly cidr: string;
      readonly family: Family;
    }
  | { readonly kind: 'refused'; readonly why: 'full' | 'no-number' | 'address'; readonly reason: string };

export interface DenyQuestion {
  readonly acl: AclFacts;
  readonly address: string;
  readonly family: Family;
  /** Rule numbers that denies may take. */
  readonly range: { readonly first: number; readonly last: number };
  /** AWS's quota of one family; the default deny (`*`) is not listed and counts as one. */
  readonly entriesPerDirection: number;
  /** Default false: private peers are refused. */
  readonly privateAllowed?: boolean;
  /** Numbers that other cases have claimed and may be about to use. */
  readonly reserved?: readonly { readonly egress: boolean; readonly ruleNumber: number }[];
}

const isAll = (protocol: string): boolean => protocol === '-1' || protocol === 'all';

/** An entry that denies every packet of the networks it covers. ICMP types, ports and protocols narrow an entry. */
function deniesEverything(entry: AclEntry): boolean {
  return entry.action === 'deny' && isAll(normalProtocol(entry.protocol));
}

/** Entries of one direction that match packets of the address, in the order in which AWS evaluates them. */
function matching(entries: readonly AclEntry[], address: string, egress: boolean): readonly AclEntry[] {
  return entries
    .filter((entry) => entry.egress === egress && contains(entry.cidr, address))
    .sort((a, b) => a.ruleNumber - b.ruleNumber);
}

/**
 * "Rules are evaluated starting with the lowest numbered rule. As soon as a rule matches traffic, it's applied regardless
 * of any higher-numbered rule that might contradict it." So an address is denied entirely when no entry that allows any
 * packet of it comes before an entry that denies all of them. The default deny, which is not listed, comes last.
 * https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html
 */
export function protects(entries: readonly AclEntry[], address: string, egress: boolean): boolean {
  const first = matching(entries, address, egress).find((entry) => entry.action === 'allow' || deniesEverything(entry));
  return first === undefined || first.action === 'deny';
}

/**
 * May an entry of one direction drop a packet of the address, of whatever protocol and port? The opposite caution of
 * {@link protects}: one entry that denies some of its packets is enough.
 */
export function mayDrop(entries: readonly AclEntry[], address: string, egress: boolean): boolean {
  const first = matching(entries, address, egress).find(
    (entry) => entry.action === 'deny' || isAll(normalProtocol(entry.protocol)),
  );
  return first === undefined || first.action === 'deny';
}

/**
 * The quota counts the entries of one direction, IPv4 and IPv6 apart, and the default deny is one of them.
 * https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-nacls
 */
function room(question: DenyQuestion, egress: boolean): number {
  const listed = question.acl.entries.filter((entry) => entry.egress === egress && entry.family === question.family);
  return question.entriesPerDirection - 1 - listed.length;
}

/** The lowest numbers of a range that nothing holds, `count` at most. */
export function freeNumbers(
  { first, last }: { readonly first: number; readonly last: number },
  taken: ReadonlySet<number>,
  count: number,
): readonly number[] {
  const free: number[] = [];
  for (let ruleNumber = first; ruleNumber <= last && free.length < count; ruleNumber += 1) {
    if (!taken.has(ruleNumber)) free.push(ruleNumber);
  }
  return free;
}

function planEntry(question: DenyQuestion, egress: boolean): PlannedEntry {
  const { acl, address, family, range, reserved = [] } = question;
  const matches = matching(acl.entries, address, egress);
  const lowestAllow = matches.find((entry) => entry.action === 'allow');
  const standing = matches.find((entry) => deniesEverything(entry));
  if (standing !== undefined && standing.ruleNumber < (lowestAllow?.ruleNumber ?? Number.POSITIVE_INFINITY)) {
    return { kind: 'exists', entry: standing };
  }
  const direction = egress ? 'outbound' : 'inbound';
  if (room(question, egress) <= 0) {
    const reason = `${acl.id} has no room for another ${direction} ${family} entry (quota ${question.entriesPerDirection}, the default deny included)`;
    return { kind: 'refused', why: 'full', reason };
  }
  // Numbers are one sequence for both families, and an entry that holds one is never replaced or moved.
  const taken = new Set(
    [...acl.entries, ...reserved].filter((entry) => entry.egress === egress).map((entry) => entry.ruleNumber),
  );
  const below = Math.min(range.last, lowestAllow === undefined ? range.last : lowestAllow.ruleNumber - 1);
  const [ruleNumber] = freeNumbers({ first: range.first, last: below }, taken, 1);
  if (ruleNumber !== undefined) {
    return { kind: 'create', ruleNumber, highestNumber: below, egress, cidr: hostCidr(address), family };
  }
  const reason =
    below === range.last
      ? `all numbers from ${range.first} to ${range.last} are taken for ${direction} entries of ${acl.id}`
      : `${direction} rule ${lowestAllow?.ruleNumber} of ${acl.id} allows ${lowestAllow?.cidr}, and no number below it is free from ${range.first} on; entries are never moved`;
  return { kind: 'refused', why: 'no-number', reason };
}

/** Why an address is no peer to deny; null = it is one. */
function addressObjection({ address, privateAllowed = false }: DenyQuestion): string | null {
  const { kind, because } = addressClass(address);
  if (kind === 'reserved') return `${address} is never denied: ${because}`;
  if (kind === 'private' && !privateAllowed) return `${address} is ${because} and denied only where a person names it`;
  return null;
}

/**
 * The two entries that keep one address out of the subnets of an ACL: both directions, all protocols, the single address.
 * Each is below every allow that matches the address, or it would never be reached.
 */
export function planDeny(question: DenyQuestion): { readonly ingress: PlannedEntry; readonly egress: PlannedEntry } {
  const objection = addressObjection(question);
  if (objection !== null) {
    const refused: PlannedEntry = { kind: 'refused', why: 'address', reason: objection };
    return { ingress: refused, egress: refused };
  }
  return { ingress: planEntry(question, false), egress: planEntry(question, true) };
}

const ports = ({ fromPort, toPort }: AclEntry): string => `${fromPort ?? 0}-${toPort ?? 65_535}`;

/** Whether two entries are the same to AWS, which stores CIDRs in canonical form and ignores ports under protocol -1. */
export function sameEntry(a: AclEntry, b: AclEntry): boolean {
  const [protocolA, protocolB] = [normalProtocol(a.protocol), normalProtocol(b.protocol)];
  const sameProtocol = protocolA === protocolB || (isAll(protocolA) && isAll(protocolB));
  return (
    a.ruleNumber === b.ruleNumber &&
    a.egress === b.egress &&
    a.action === b.action &&
    a.family === b.family &&
    sameProtocol &&
    (isAll(protocolA) || ports(a) === ports(b)) &&
    (canonicalCidr(a.cidr)?.cidr ?? a.cidr) === (canonicalCidr(b.cidr)?.cidr ?? b.cidr)
  );
}

/** The deny that we write for one network, as it reads in the ACL: everything, both families alike. */
export function denyEntry(deny: {
  readonly ruleNumber: number;
  readonly egress: boolean;
  readonly cidr: string;
}): AclEntry {
  const { ruleNumber, egress, cidr } = deny;
  const family = cidr.includes(':') ? 'ipv6' : 'ipv4';
  return { ruleNumber, egress, action: 'deny', protocol: '-1', cidr, family, fromPort: null, toPort: null };
}

/** Whether a deny of the ledger stands in its ACL as we wrote it. */
export const stands = (
  deny: Parameters<typeof denyEntry>[0] & { readonly aclId: string },
  acls: readonly AclFacts[],
): boolean =>
  acls.some((acl) => acl.id === deny.aclId && acl.entries.some((entry) => sameEntry(entry, denyEntry(deny))));
