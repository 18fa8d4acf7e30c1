import { ledgerOf } from '../aws/case-table/deny-ledger.ts';
import { planDenies } from '../core/case/assess.ts';
import { askedAddresses, type CaseDocument, placeOf, type WantedDeny } from '../core/case/case.ts';
import type { Facts } from '../core/case/facts.ts';
import type { Tools } from './toolbox.ts';

/**
 * Denies that the flows of a case want, that there is room for, and that do not stand: of peers seen late, refused while the ACL
 * was full, or removed by somebody since. One that stands for another case alone is wanted too: this case has to be put on it.
 */
export async function missingDenies(
  tools: Tools<'cases'>,
  document: CaseDocument,
  facts: Facts,
): Promise<readonly WantedDeny[]> {
  const { denies } = planDenies(document.flows, facts, tools.config, askedAddresses(document.request));
  const aclIds = [...new Set(denies.filter((deny) => deny.ruleNumber === null).map((deny) => deny.aclId))];
  const ledger = (await Promise.all(aclIds.map((aclId) => ledgerOf(tools.cases, aclId)))).flat();
  const isOthers = (deny: WantedDeny): boolean =>
    ledger.some((entry) => placeOf(entry) === placeOf(deny) && !entry.cases.includes(document.caseId));
  return denies.filter((deny) => deny.ruleNumber !== null || isOthers(deny));
}
