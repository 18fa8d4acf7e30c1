import type { WantedDeny } from '../case/case.ts';
import type { Cuts, DenyWaiting } from '../case/record.ts';

/** `[index of the cidr, rule number, highest number]`; the last is left out where the deny has none. */
type PackedRow = readonly [cidr: number, ruleNumber: number | null, highestNumber?: number];

/**
 * Denies as the record of the state machine carries them. A list of them names the same few addresses and ACLs over and
 * over, so each address stands here once, each ACL once, and ACLs that want the same share their rows:
 * `{"cidrs": ["198.51.100.7/32"], "acls": [{"ids": ["acl-1", "acl-2"], "in": [[0, 1, 99]], "out": [[0, 1, 99]]}]}`.
 */
export interface PackedDenies {
  readonly cidrs: readonly string[];
  readonly acls: readonly {
    readonly ids: readonly string[];
    readonly in: readonly PackedRow[];
    readonly out: readonly PackedRow[];
  }[];
}

interface Rows {
  readonly in: PackedRow[];
  readonly out: PackedRow[];
}

export function packDenies(denies: readonly WantedDeny[]): PackedDenies {
  const cidrs = [...new Set(denies.map(({ cidr }) => cidr))];
  const indexes = new Map(cidrs.map((cidr, index) => [cidr, index] as const));
  const byAcl = new Map<string, Rows>();
  for (const { aclId, egress, cidr, ruleNumber, highestNumber } of denies) {
    const rows = byAcl.get(aclId) ?? { in: [], out: [] };
    byAcl.set(aclId, rows);
    const index = indexes.get(cidr) ?? 0;
    rows[egress ? 'out' : 'in'].push(
      highestNumber === undefined ? [index, ruleNumber] : [index, ruleNumber, highestNumber],
    );
  }
  const alike = Map.groupBy(byAcl, ([, rows]) => JSON.stringify(rows));
  return {
    cidrs,
    acls: [...alike.values()].flatMap((acls) => {
      const [first] = acls;
      return first === undefined ? [] : [{ ids: acls.map(([id]) => id), ...first[1] }];
    }),
  };
}

/**
 * The denies again, in the order in which they are to be made: the first address on every ACL, both ways, then the next.
 * A flat list is taken as it is: executions that began before denies were packed carry one.
 */
export function unpackDenies(packed: PackedDenies | readonly WantedDeny[]): readonly WantedDeny[] {
  if (isFlat(packed)) return packed;
  const { cidrs, acls } = packed;
  const byCidr = cidrs.map((): WantedDeny[] => []);
  for (const { ids, in: ingress, out: egress } of acls) {
    for (const aclId of ids) {
      for (const row of ingress) add(aclId, false, row);
      for (const row of egress) add(aclId, true, row);
    }
  }
  return byCidr.flat();

  function add(aclId: string, egress: boolean, [index, ruleNumber, highestNumber]: PackedRow): void {
    const cidr = cidrs[index];
    if (cidr === undefined) throw new Error(`a packed deny of ${aclId} names address ${index}, which is not there`);
    byCidr[index]?.push({
      aclId,
      egress,
      cidr,
      ruleNumber,
      ...(highestNumber !== undefined && { highestNumber }),
    });
  }
}

const isFlat = (denies: PackedDenies | readonly WantedDeny[]): denies is readonly WantedDeny[] => Array.isArray(denies);

/** Denies that wait for their turn, and until when. */
export interface Waiting {
  readonly denies: readonly WantedDeny[];
  readonly deadline: string;
}

export const leftOf = ({ denies, deadline }: DenyWaiting): Waiting => ({ denies: unpackDenies(denies), deadline });

/** What waits of the denies of the cut: of the first ones, and of those whose peers the host has listed. */
export function waitingAfter(cut: Cuts | undefined): readonly Waiting[] {
  const results = [cut?.deny, cut?.hostDenies];
  return results.flatMap((result) => (result?.kind === 'waiting' ? [leftOf(result)] : []));
}
