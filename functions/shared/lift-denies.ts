import { beginLifting, endLifting, forgetDeny, leaveDeny, ledgerOf } from '../aws/case-table/deny-ledger.ts';
import { errorCode, errorText, isDenied, orDenied } from '../aws/errors.ts';
import { aclsById, createDeny, deleteEntry } from '../aws/network-acls.ts';
import { type LedgerDeny, placeOf } from '../core/case/case.ts';
import type { RestoreItem } from '../core/case/record.ts';
import { NEEDED, TAKEN_UP } from '../core/case/restore-items.ts';
import type { AclEntry, AclFacts } from '../core/model.ts';
import { denyEntry, sameEntry, stands } from '../core/network/acl-numbers.ts';
import { readBack } from './read-back.ts';
import type { Tools } from './toolbox.ts';

/**
 * Takes a case off its denies and removes those that no other case needs. Only entries that the ledger owns and that
 * still hold what we wrote are removed, and the ledger forgets them when they are seen gone; one that somebody changed is
 * reported as drifted and left. `isWanted` is asked when all has been read, before anything is changed: a response may have
 * taken the case up again.
 */
export async function liftDenies(
  tools: Tools<'ec2' | 'cases'>,
  caseId: string,
  aclIds: readonly string[],
  isWanted: () => Promise<boolean> = () => Promise.resolve(true),
): Promise<readonly RestoreItem[]> {
  const acls = await orDenied(() => aclsById(tools.ec2, aclIds));
  const ledgers = await Promise.all(aclIds.map((aclId) => ledgerOf(tools.cases, aclId)));
  const ours = ledgers.flat().filter((deny) => concerns(deny, caseId));
  if (!(await isWanted())) return ours.map((deny) => ({ item: denyName(deny), ...TAKEN_UP }));
  if (isDenied(acls)) return ours.map((deny) => ({ item: denyName(deny), outcome: 'failed', detail: acls.denied }));
  const begun = await Promise.all(
    ours.map(async (deny) => ({ deny, outcome: await orFailed(beginToLift(tools, caseId, deny, acls)) })),
  );
  const deleted = begun.filter(({ outcome }) => outcome === DELETED).map(({ deny }) => deny);
  const after = seenAfter(tools, deleted);
  return Promise.all(
    begun.map(async ({ deny, outcome }) => ({
      item: denyName(deny),
      ...(outcome === DELETED ? await orFailed(endLift(tools, caseId, deny, after)) : outcome),
    })),
  );
}

/** Denies of the case, those that nobody needs, and those that an interrupted run of this case was about to remove. */
const concerns = (deny: LedgerDeny, caseId: string): boolean => isOfCase(deny, caseId) || deny.cases.length === 0;

/** The case needs the deny, or was about to remove it. */
export const isOfCase = ({ cases, liftedBy }: LedgerDeny, caseId: string): boolean =>
  cases.includes(caseId) || liftedBy === caseId;

export const denyName = (deny: Pick<LedgerDeny, 'aclId' | 'ruleNumber' | 'egress' | 'cidr'>): string =>
  `${deny.aclId} rule ${deny.ruleNumber} ${deny.egress ? 'outbound' : 'inbound'} deny ${deny.cidr}`;

const OTHERS = 'another case needs the deny';

type Outcome = Pick<RestoreItem, 'outcome' | 'detail'>;

const foundText = ({ action, cidr, protocol }: AclEntry): string => `found ${action} ${cidr}, protocol ${protocol}`;

/** What becomes of a deny that another case needs is that one's to say; here is told how it stands. */
function leftToOthers(deny: LedgerDeny, standing: AclEntry | undefined): Outcome {
  if (standing === undefined) return { outcome: 'gone', detail: OTHERS };
  if (sameEntry(standing, denyEntry(deny))) return NEEDED;
  return { outcome: 'drifted', detail: `${foundText(standing)}; ${OTHERS}` };
}

/** The entry was deleted, and is to be seen gone. */
const DELETED = 'deleted';

const orFailed = async <T>(work: Promise<T>): Promise<T | Outcome> => {
  try {
    return await work;
  } catch (error) {
    return { outcome: 'failed', detail: errorText(error) };
  }
};

async function beginToLift(
  tools: Tools<'ec2' | 'cases'>,
  caseId: string,
  deny: LedgerDeny,
  acls: readonly AclFacts[],
): Promise<Outcome | typeof DELETED> {
  const left = await leaveDeny(tools.cases, deny, caseId);
  if (left.length > 0 && deny.liftedBy === caseId) {
    await standAgain(tools, deny, caseId);
    return NEEDED;
  }
  // A response that still runs may have made the entry since: looked at now, it comes before the look or puts its case back.
  const standing = standingOf(deny, acls) ?? standingOf(deny, await aclsById(tools.ec2, [deny.aclId]));
  if (left.length > 0) return leftToOthers(deny, standing);
  if (standing === undefined) {
    await forgetDeny(tools.cases, deny);
    // Removed by an earlier run of ours, or by somebody else while the case still needed it.
    return { outcome: deny.cases.length === 0 ? 'already' : 'gone' };
  }
  if (!sameEntry(standing, denyEntry(deny))) {
    await forgetDeny(tools.cases, deny);
    return { outcome: 'drifted', detail: foundText(standing) };
  }
  return deleteIt(tools, caseId, deny);
}

/** What stands at the number of a deny. */
const standingOf = ({ aclId, egress, ruleNumber }: LedgerDeny, acls: readonly AclFacts[]): AclEntry | undefined =>
  acls
    .find((acl) => acl.id === aclId)
    ?.entries.find((entry) => entry.ruleNumber === ruleNumber && entry.egress === egress);

async function deleteIt(
  tools: Tools<'ec2' | 'cases'>,
  caseId: string,
  deny: LedgerDeny,
): Promise<Outcome | typeof DELETED> {
  // A case that joined since keeps it; one that joins from here on is found by the mark, whoever dies on the way.
  if (!(await beginLifting(tools.cases, deny, caseId))) return NEEDED;
  try {
    await deleteEntry(tools.ec2, deny);
  } catch (error) {
    // Done already, by a run whose answer was lost.
    if (errorCode(error) !== 'InvalidNetworkAclEntry.NotFound') throw error;
  }
  return DELETED;
}

/** The ACLs once the denies are seen gone from them, or as they were seen last. */
function seenAfter({ ec2, sleep }: Tools<'ec2'>, deleted: readonly LedgerDeny[]): Promise<readonly AclFacts[]> {
  const aclIds = [...new Set(deleted.map(({ aclId }) => aclId))];
  const areGone = (acls: readonly AclFacts[]): boolean => !deleted.some((deny) => stands(deny, acls));
  return readBack({ sleep }, () => aclsById(ec2, aclIds), areGone);
}

/** Forgets a deny that is seen gone. One that is not stays in the ledger, for the next restore. */
async function endLift(
  tools: Tools<'ec2' | 'cases'>,
  caseId: string,
  deny: LedgerDeny,
  after: Promise<readonly AclFacts[]>,
): Promise<Outcome> {
  const isGone = !stands(deny, await after);
  if (isGone && (await forgetDeny(tools.cases, deny))) {
    await giveBack(tools, deny);
    return { outcome: 'restored' };
  }
  // Whoever joined meanwhile may have made it again.
  if (!isGone && !(await isNeeded(tools, deny))) {
    return { outcome: 'failed', detail: 'EC2 has accepted its deletion and shows it still' };
  }
  await standAgain(tools, deny, caseId);
  return NEEDED;
}

async function isNeeded({ cases }: Tools<'cases'>, deny: LedgerDeny): Promise<boolean> {
  const ledger = await ledgerOf(cases, deny.aclId);
  return ledger.some((one) => placeOf(one) === placeOf(deny) && one.cases.length > 0);
}

/**
 * Where another run of this restore, or of another case's, was faster, the number may have become another deny's by the time
 * the deletion took effect: that one is made again.
 */
async function giveBack(tools: Tools<'ec2' | 'cases'>, { aclId, egress, ruleNumber }: LedgerDeny): Promise<void> {
  const ledger = await ledgerOf(tools.cases, aclId);
  const next = ledger.find((deny) => deny.egress === egress && deny.ruleNumber === ruleNumber);
  if (next !== undefined) await makeAgain(tools, next);
}

async function makeAgain({ ec2 }: Tools<'ec2'>, deny: LedgerDeny): Promise<void> {
  try {
    await createDeny(ec2, deny, deny.cidr);
  } catch (error) {
    // It was not removed, or the one that needs it has made it: what stands at the number is its to judge.
    if (errorCode(error) !== 'NetworkAclEntryAlreadyExists') throw error;
  }
}

/** A case that joined while the entry was being removed must not lose it. */
async function standAgain(tools: Tools<'ec2' | 'cases'>, deny: LedgerDeny, caseId: string): Promise<void> {
  await makeAgain(tools, deny);
  await endLifting(tools.cases, deny, caseId);
}
