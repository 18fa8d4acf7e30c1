import { ledgerOf } from '../aws/case-table/deny-ledger.ts';
import { isDenied, orDenied } from '../aws/errors.ts';
import { aclsById, aclsOfSubnets } from '../aws/network-acls.ts';
import { interfacesOf } from '../aws/network-interfaces.ts';
import { groupsThatIsolated } from '../aws/security-groups.ts';
import { type BeforeInterface, type CaseDocument, placeOf } from '../core/case/case.ts';
import { vpcIdsOf } from '../core/case/facts.ts';
import { nameSome } from '../core/case/name-some.ts';
import type { RestoreItem } from '../core/case/record.ts';
import { groupsItem } from '../core/case/restore-items.ts';
import type { NetworkInterfaceFacts } from '../core/model.ts';
import { denyEntry, sameEntry } from '../core/network/acl-numbers.ts';
import { hostCidr } from '../core/network/addresses.ts';
import { denyName, isOfCase } from './lift-denies.ts';
import { leftTo } from './successor.ts';
import type { Tools } from './toolbox.ts';

const NOT_RECORDED = 'how it was found is not recorded any more';

/** The case has changed something, or has begun to: then it has recorded what it found. */
export async function hasLeftTraces(
  { ec2, cases }: Tools<'ec2' | 'cases'>,
  { caseId, instanceId, isolatedAt, hostAsked, aclIds }: CaseDocument,
): Promise<boolean> {
  if (isolatedAt !== null || hostAsked !== undefined) return true;
  const ledgers = await Promise.all(aclIds.map((aclId) => ledgerOf(cases, aclId)));
  if (ledgers.flat().some((deny) => isOfCase(deny, caseId))) return true;
  const isolated = await orDenied(async () => {
    const attached = await interfacesOf(ec2, instanceId);
    return isolatedOf(attached, await groupsThatIsolated(ec2, vpcIdsOf(attached)));
  });
  return !isDenied(isolated) && isolated.length > 0;
}

const isolatedOf = (interfaces: readonly NetworkInterfaceFacts[], isolation: readonly string[]) =>
  interfaces.filter(({ groupIds }) => groupIds.some((id) => isolation.includes(id)));

interface Seen {
  /** Interfaces of the instance, as they are now. */
  readonly attached: readonly NetworkInterfaceFacts[];
  /** Groups with which interfaces were isolated. */
  readonly isolation: readonly string[];
  /** Why nothing may be read; null = it may. */
  readonly denied: string | null;
}

/** Interfaces that stand isolated and of which the case does not know how they were found; where it knows nothing, all of them. */
export function lostInterfaces(
  { attached, isolation, denied }: Seen,
  before: readonly BeforeInterface[],
  { instanceId }: CaseDocument,
  successor: string | null,
): readonly RestoreItem[] {
  const isLost = before.length === 0;
  const unknown = attached.filter(({ id }) => !before.some(({ networkInterfaceId }) => networkInterfaceId === id));
  const isolated = isolatedOf(unknown, isolation);
  // A newer case has isolated it, and knows how it was found.
  if (successor !== null && !isLost) return [];
  const items = (isLost ? unknown : isolated).map(({ id, groupIds }): RestoreItem => {
    const item = groupsItem(id);
    if (successor !== null) return { item, ...leftTo(successor) };
    const holds = groupIds.join(', ');
    return isolated.some((eni) => eni.id === id)
      ? {
          item,
          outcome: 'failed',
          detail: `${NOT_RECORDED}; it stands on the isolation group ${holds}: give it its groups and timeouts by hand`,
        }
      : { item, outcome: 'drifted', detail: `${NOT_RECORDED}; it holds ${holds}` };
  });
  if (!isLost || items.length > 0) return items;
  const item = groupsItem(instanceId);
  return denied === null
    ? [{ item, outcome: 'gone', detail: `${NOT_RECORDED}, and no interface is attached` }]
    : [{ item, outcome: 'failed', detail: denied }];
}

/** Denies of the peers of the case that the ledger does not know: whoever made them, this restore does not remove them. */
export async function strayDenies(
  { ec2, cases, config }: Tools<'ec2' | 'cases'>,
  { aclIds, flows }: CaseDocument,
  attached: readonly NetworkInterfaceFacts[],
): Promise<readonly RestoreItem[]> {
  const { first, last } = config.aclRuleNumbers;
  const acls = await orDenied(async () => {
    const ofSubnets = await aclsOfSubnets(ec2, [...new Set(attached.map(({ subnetId }) => subnetId))]);
    const others = aclIds.filter((id) => !ofSubnets.some((acl) => acl.id === id));
    return [...ofSubnets, ...(await aclsById(ec2, others))];
  });
  if (isDenied(acls)) return [];
  const ledger = (await Promise.all(acls.map(({ id }) => ledgerOf(cases, id)))).flat().map(placeOf);
  const peers = new Set(flows.map(({ remoteAddress }) => hostCidr(remoteAddress)));
  return acls.flatMap(({ id: aclId, entries }) =>
    entries
      .filter((entry) => peers.has(entry.cidr) && entry.ruleNumber >= first && entry.ruleNumber <= last)
      .filter((entry) => sameEntry(entry, denyEntry(entry)) && !ledger.includes(placeOf({ ...entry, aclId })))
      .map((entry) => ({
        item: denyName({ ...entry, aclId }),
        outcome: 'drifted',
        detail: 'the ledger does not know whose it is: remove it by hand where nobody needs it',
      })),
  );
}

const named = (items: readonly RestoreItem[]): string => nameSome(items.map(({ item }) => item));

/** What is lost and what stands, in a sentence; absent = nothing is lost. */
export function lostText(lost: readonly RestoreItem[], denies: readonly RestoreItem[]): { readonly lost?: string } {
  if (lost.length === 0) return {};
  const isolated = lost.filter(({ outcome }) => outcome === 'failed');
  const standing = denies.filter(({ outcome }) => outcome === 'failed' || outcome === 'drifted');
  const parts = [
    `the case table has lost what was found first: ${named(lost)}`,
    isolated.length === 0
      ? 'nothing is seen on the isolation group'
      : `still on the isolation group: ${named(isolated)}`,
    standing.length === 0 ? 'no deny of its peers stands' : `denies that stand: ${named(standing)}`,
  ];
  return { lost: parts.join('; ') };
}
