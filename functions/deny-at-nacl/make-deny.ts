import { forgetDeny, joinDeny, leaveDeny, ledgerOf, renumberDeny, reserveDeny } from '../aws/case-table/deny-ledger.ts';
import { errorCode, errorText, isThrottle } from '../aws/errors.ts';
import { aclsById, createDeny } from '../aws/network-acls.ts';
import type { DenyRefusal, LedgerDeny, WantedDeny } from '../core/case/case.ts';
import type { AclFacts } from '../core/model.ts';
import { freeNumbers, planDeny, stands } from '../core/network/acl-numbers.ts';
import { hostAddress } from '../core/network/addresses.ts';
import { DeadlineError } from '../shared/deadline.ts';
import { NoTurnError, type PacedCall, paced, type Turn } from '../shared/paced.ts';
import { readBack } from '../shared/read-back.ts';
import type { Tools } from '../shared/toolbox.ts';

type DenyTools = Tools<'ec2' | 'cases'>;

export type DenyOutcome =
  | { readonly kind: 'stands' }
  | { readonly kind: 'refused'; readonly refusal: DenyRefusal }
  | { readonly kind: 'waiting'; readonly deny: WantedDeny };

/** The API that the denies take turns for. */
export const DENY_API = 'CreateNetworkAclEntry';

export interface DenyFor {
  readonly caseId: string;
  readonly urgency: number;
  /** A turn for all the denies of this run, asked for while their numbers are reserved, so that it costs no time. */
  readonly turn: Turn;
  /** How long this run may wait for a turn, as a moment in ms. */
  readonly until: number;
  /** ISO; after it a deny without a turn is refused. */
  readonly deadline: string;
}

/** Numbers tried for one deny: others take the lowest ones at the same time, and each time one of them has its turn. */
const NUMBER_ATTEMPTS = 40;

const STANDS: DenyOutcome = { kind: 'stands' };

/** A number and a direction that the deny cannot have. */
interface Place {
  readonly egress: boolean;
  readonly ruleNumber: number;
}

/** Pause before another try where EC2 or the table had no room for something else than the entry, in seconds. */
const THROTTLE_PAUSE_SECONDS = 2;

/** Makes one deny, or finds it made. Throws nothing: what cannot be done is refused with the reason. */
export async function makeDeny(tools: DenyTools, deny: WantedDeny, asked: DenyFor): Promise<DenyOutcome> {
  const refuse = (reason: string): DenyOutcome => ({
    kind: 'refused',
    refusal: { address: hostAddress(deny.cidr), aclId: deny.aclId, reason },
  });
  let { turn } = asked;
  for (;;) {
    try {
      const outcome = await takeNumberAndMake(tools, deny, { ...asked, turn });
      return typeof outcome === 'string' ? refuse(outcome) : outcome;
    } catch (error) {
      // What this run had no time for the next one looks for first: it may stand.
      const isNoTurn = error instanceof NoTurnError || error instanceof DeadlineError;
      if (!isNoTurn && !isThrottle(error)) return refuse(errorText(error));
      const hasTime = tools.now().getTime() + THROTTLE_PAUSE_SECONDS * 1000 < asked.until;
      if (isNoTurn || !hasTime) return giveUp(tools, deny, asked, refuse(isNoTurn ? error.message : errorText(error)));
      turn = Promise.resolve(false);
      await tools.sleep(THROTTLE_PAUSE_SECONDS);
    }
  }
}

/** There was no turn in this run: it waits for a later one, unless its time is over. */
async function giveUp(
  tools: DenyTools,
  deny: WantedDeny,
  { caseId, deadline }: DenyFor,
  refused: DenyOutcome,
): Promise<DenyOutcome> {
  if (tools.now() < new Date(deadline)) return { kind: 'waiting', deny };
  try {
    // A run that died, or whose answer was lost, may have made the entry: then it is not let go of.
    const ours = await joinDeny(tools.cases, deny, caseId);
    if (ours !== null && (await isInPlace(tools, ours))) return STANDS;
    await release(tools, deny, caseId);
  } catch {
    // Still in the ledger: a restore looks what stands at its number, and forgets it.
  }
  return refused;
}

/** One deny on its way: what was learnt in the attempts so far. */
interface Attempt {
  readonly caseId: string;
  readonly call: PacedCall;
  readonly unavailable: Place[];
  /** Used up by the first call. */
  turn: Turn | undefined;
  /** The last look found the address denied by an entry that the ledger does not know. */
  isForeignCover: boolean;
}

/** How an attempt ended: a string = refused, with the reason; `next` = go on with this number, or null: plan again. */
type Step = { readonly ended: DenyOutcome | string } | { readonly next: number | null };

/** A string = refused, with the reason. */
async function takeNumberAndMake(
  tools: DenyTools,
  deny: WantedDeny,
  { caseId, urgency, until, turn }: DenyFor,
): Promise<DenyOutcome | string> {
  // The first entry of a pair stops the packets of the instance; the other one can wait for the first cuts of others.
  const call: PacedCall = { api: DENY_API, urgency, canWait: !deny.egress, until };
  const attempt: Attempt = { caseId, call, unavailable: [], turn, isForeignCover: false };
  let { ruleNumber } = deny;
  for (let count = 1; count <= NUMBER_ATTEMPTS; count += 1) {
    const step: Step =
      ruleNumber === null ? await findNumber(tools, deny, attempt) : await tryNumber(tools, deny, ruleNumber, attempt);
    if ('ended' in step) return step.ended;
    ruleNumber = step.next;
  }
  return 'the rule numbers were taken by others faster than this run could use them';
}

async function findNumber(tools: DenyTools, deny: WantedDeny, attempt: Attempt): Promise<Step> {
  const plan = await planAgain(tools, deny, attempt.unavailable);
  if (typeof plan === 'string') return { ended: plan };
  if (!plan.covered) return { next: plan.ruleNumber };
  const cover = await joinIfOurs(tools, deny, attempt.caseId);
  // Seen once it may be an entry of ours that was just being removed, and is forgotten by now: look again.
  if (cover === 'joined' || (cover === 'not-ours' && attempt.isForeignCover)) return { ended: STANDS };
  attempt.isForeignCover = cover === 'not-ours';
  return { next: null };
}

async function tryNumber(tools: DenyTools, deny: WantedDeny, ruleNumber: number, attempt: Attempt): Promise<Step> {
  const { caseId, call, unavailable, turn } = attempt;
  const reservation = await reserveDeny(tools.cases, { ...deny, ruleNumber }, caseId);
  if (reservation.kind === 'number-taken') {
    unavailable.push({ egress: deny.egress, ruleNumber });
    return { next: await nextNumber(tools, deny, unavailable) };
  }
  const place = { ...deny, ruleNumber: reservation.ruleNumber };
  // Where another case needs it, it stands in all likelihood: to look is cheaper than to make it.
  if (reservation.shared && (await isInPlace(tools, place))) return { ended: STANDS };
  attempt.turn = undefined;
  const made = await createOrAdopt(tools, place, call, turn);
  if (made === 'in-place') {
    // A restore of the case may have looked before the entry was made, found nothing at the number, and forgotten it.
    const kept = await joinDeny(tools.cases, deny, caseId);
    return kept?.ruleNumber === place.ruleNumber ? { ended: STANDS } : { next: place.ruleNumber };
  }
  if (made === 'foreign') return moveAway(tools, deny, caseId, { unavailable, from: place.ruleNumber });
  await release(tools, deny, caseId);
  return { ended: made.reason };
}

/**
 * The next number to try, from the ledger alone: what EC2 lists was looked at when the deny was planned, and what stands
 * there since is found out by the attempt. null = none is left, or the plan does not say how high they go: plan again.
 */
async function nextNumber(
  tools: DenyTools,
  { aclId, egress, ruleNumber: first, highestNumber: last }: WantedDeny,
  unavailable: readonly Place[],
): Promise<number | null> {
  if (first === null || last === undefined) return null;
  const taken = [...(await ledgerOf(tools.cases, aclId)), ...unavailable].filter((place) => place.egress === egress);
  const free = freeNumbers({ first, last }, new Set(taken.map((place) => place.ruleNumber)), unavailable.length + 1);
  // Others look at the same list at the same time: the more often that has cost the number, the wider the choice.
  return free[Math.floor(Math.random() * free.length)] ?? null;
}

/** Reads the ACL again and plans this one entry anew; a string = refused, with the reason. */
async function planAgain(
  tools: DenyTools,
  deny: WantedDeny,
  reserved: readonly Place[],
): Promise<string | { covered: true } | { covered: false; ruleNumber: number }> {
  // Numbers of the ledger are taken, though their entries may not have been made yet.
  const [[acl], ledger] = await Promise.all([aclsById(tools.ec2, [deny.aclId]), ledgerOf(tools.cases, deny.aclId)]);
  if (acl === undefined) return `network ACL ${deny.aclId} cannot be read`;
  const plan = planDeny({
    acl,
    address: hostAddress(deny.cidr),
    family: deny.cidr.includes(':') ? 'ipv6' : 'ipv4',
    range: tools.config.aclRuleNumbers,
    entriesPerDirection: tools.config.aclEntriesPerDirection,
    privateAllowed: true,
    reserved: [...reserved, ...ledger.filter((entry) => entry.cidr !== deny.cidr)],
  });
  const entry = deny.egress ? plan.egress : plan.ingress;
  if (entry.kind === 'refused') return entry.reason;
  return entry.kind === 'exists' ? { covered: true } : { covered: false, ruleNumber: entry.ruleNumber };
}

/**
 * The address is denied already. Where that is by an entry of our ledger, the case needs it from now on too. `gone` = the
 * entry was ours and was just forgotten.
 */
async function joinIfOurs(tools: DenyTools, deny: WantedDeny, caseId: string): Promise<'joined' | 'not-ours' | 'gone'> {
  const ours = await ofLedger(tools, deny);
  if (ours === undefined) return 'not-ours';
  return (await joinDeny(tools.cases, ours, caseId)) === null ? 'gone' : 'joined';
}

const ofLedger = async (tools: DenyTools, { aclId, egress, cidr }: WantedDeny) =>
  (await ledgerOf(tools.cases, aclId)).find((entry) => entry.egress === egress && entry.cidr === cidr);

/**
 * What stands at the number of our deny is not ours: the deny moves to another, for every case that needs it. It ends where
 * there is no other (a sentence says why), or somebody denies the address already.
 */
async function moveAway(
  tools: DenyTools,
  deny: WantedDeny,
  caseId: string,
  { unavailable, from }: { readonly unavailable: Place[]; readonly from: number },
): Promise<Step> {
  const { egress } = deny;
  unavailable.push({ egress, ruleNumber: from });
  const plan = await planAgain(tools, deny, unavailable);
  if (typeof plan === 'string' || plan.covered) {
    await release(tools, deny, caseId);
    return { ended: typeof plan === 'string' ? plan : STANDS };
  }
  if (await renumberDeny(tools.cases, { ...deny, ruleNumber: from }, plan.ruleNumber)) {
    return { next: plan.ruleNumber };
  }
  unavailable.push({ egress, ruleNumber: plan.ruleNumber });
  return { next: null };
}

async function release(tools: DenyTools, deny: WantedDeny, caseId: string): Promise<void> {
  const ours = await ofLedger(tools, deny);
  if (ours === undefined) return;
  const left = await leaveDeny(tools.cases, ours, caseId);
  if (left.length === 0) await forgetDeny(tools.cases, ours);
}

/** A deny with its number in the ledger. */
type Placed = Pick<LedgerDeny, 'aclId' | 'egress' | 'cidr' | 'ruleNumber'>;

/** Whether the deny stands at its number. */
async function isInPlace(tools: DenyTools, deny: Placed): Promise<boolean> {
  return stands(deny, await aclsById(tools.ec2, [deny.aclId]));
}

/** Whether an entry is seen at the number. */
const isShown = ({ aclId, egress, ruleNumber }: Placed, acls: readonly AclFacts[]): boolean =>
  acls.some(
    ({ id, entries }) => id === aclId && entries.some((one) => one.egress === egress && one.ruleNumber === ruleNumber),
  );

/** Whose entry stands at the number; `unseen` = nothing is shown there, though EC2 has said that something is. */
async function ownerAt(tools: DenyTools, deny: Placed): Promise<'in-place' | 'foreign' | 'unseen'> {
  const look = () => aclsById(tools.ec2, [deny.aclId]);
  const acls = await readBack(tools, look, (seen) => isShown(deny, seen));
  if (stands(deny, acls)) return 'in-place';
  return isShown(deny, acls) ? 'foreign' : 'unseen';
}

/**
 * Makes the entry, or finds it made: whatever the call answers, what stands in the ACL decides. `foreign` = the number
 * holds somebody else's entry. One that EC2 refuses to make twice and does not show counts as made, for the ledger says that the
 * number is ours: moved, it would stand twice, and the verification reads it back. A call that EC2 had no room for is thrown on: it had
 * no effect.
 */
async function createOrAdopt(
  tools: DenyTools,
  deny: Placed,
  call: PacedCall,
  turn: Turn | undefined,
  isUnseen = false,
): Promise<'in-place' | 'foreign' | { reason: string }> {
  try {
    const { aclId, egress, ruleNumber } = deny;
    await paced(tools, call, () => createDeny(tools.ec2, { aclId, egress, ruleNumber }, deny.cidr, 'thrown'), turn);
    return 'in-place';
  } catch (failure) {
    if (failure instanceof NoTurnError || failure instanceof DeadlineError) throw failure;
    if (errorCode(failure) !== 'NetworkAclEntryAlreadyExists')
      return (await isInPlace(tools, deny)) ? 'in-place' : { reason: errorText(failure) };
    if (isUnseen) return 'in-place';
    const owner = await ownerAt(tools, deny);
    // What was in the way may be gone by now.
    return owner === 'unseen' ? createOrAdopt(tools, deny, call, undefined, true) : owner;
  }
}
