import { forgetDeny, joinDeny, leaveDeny, ledgerOf, renumberDeny, reserveDeny, updateCase } from '../aws/cases.ts';
import { errorCode, errorText } from '../aws/errors.ts';
import { aclsById, createDeny } from '../aws/network-acls.ts';
import { denyEntry, planDeny, sameEntry } from '../core/acl-numbers.ts';
import type { DenyRefusal, WantedDeny } from '../core/case.ts';
import type { Denying, DenyResult } from '../core/record.ts';
import type { Tools } from '../shared/toolbox.ts';

/** Which denies are wanted now: the newest list in the record. */
function wanted(record: Denying): readonly WantedDeny[] {
  if (record.verdict !== undefined) return record.verdict.denies;
  if (record.host?.kind === 'answered') return record.host.denies;
  return record.assessment.kind === 'contain' ? record.assessment.denies : [];
}

/**
 * Deny at the subnet: one entry per peer and direction, recorded in the ledger before it is made. One that cannot be made
 * is refused with the reason; the others go on.
 */
export async function denyAtNacl(tools: Tools<'ec2' | 'cases'>, record: Denying): Promise<DenyResult> {
  const denies = wanted(record);
  const { caseId } = record.case;
  const outcomes = await Promise.all(denies.map((deny) => makeDeny(tools, deny, caseId)));
  const refusals = outcomes.filter((outcome) => outcome !== null);
  if (refusals.length > 0) {
    await updateCase(tools.cases, caseId, (stored) => {
      const fresh = refusals.filter(
        (next) =>
          !stored.denyRefusals.some(
            (known) => known.aclId === next.aclId && known.address === next.address && known.reason === next.reason,
          ),
      );
      return fresh.length === 0 ? stored : { ...stored, denyRefusals: [...stored.denyRefusals, ...fresh] };
    });
  }
  return { kind: 'done', made: denies.length - refusals.length, refused: refusals.length };
}

/** Numbers tried for one deny: others take the lowest ones at the same time, and each time one of them has its turn. */
const NUMBER_ATTEMPTS = 40;

async function makeDeny(tools: Tools<'ec2' | 'cases'>, deny: WantedDeny, caseId: string): Promise<DenyRefusal | null> {
  const refuse = (reason: string): DenyRefusal => ({
    address: deny.cidr.replace(/\/\d+$/, ''),
    aclId: deny.aclId,
    reason,
  });
  const unavailable: { egress: boolean; ruleNumber: number }[] = [];
  let ruleNumber = deny.ruleNumber ?? null;
  try {
    for (let attempt = 1; attempt <= NUMBER_ATTEMPTS; attempt += 1) {
      if (ruleNumber === null) {
        const plan = await planAgain(tools, deny, unavailable);
        if (typeof plan === 'string') return refuse(plan);
        if (plan.covered) {
          if (await joinIfOurs(tools, deny, caseId)) return null;
          continue;
        }
        ruleNumber = plan.ruleNumber;
      }
      const reservation = await reserveDeny(tools.cases, { ...deny, ruleNumber }, caseId);
      if (reservation.kind === 'number-taken') {
        unavailable.push({ egress: deny.egress, ruleNumber });
        ruleNumber = null;
        continue;
      }
      const made = await createOrAdopt(tools, deny, reservation.ruleNumber);
      if (made === 'in-place') return null;
      if (made !== 'foreign') {
        await release(tools, deny, caseId);
        return refuse(made.reason);
      }
      const moved = await moveAway(tools, deny, caseId, { unavailable, from: reservation.ruleNumber, refuse });
      if (moved.kind === 'ended') return moved.refusal;
      ruleNumber = moved.ruleNumber;
    }
    return refuse('the rule numbers were taken by others faster than this run could use them');
  } catch (error) {
    return refuse(errorText(error));
  }
}

/** Reads the ACL again and plans this one entry anew; a string = refused, with the reason. */
async function planAgain(
  tools: Tools<'ec2' | 'cases'>,
  deny: WantedDeny,
  reserved: readonly { egress: boolean; ruleNumber: number }[],
): Promise<string | { covered: true } | { covered: false; ruleNumber: number }> {
  // Numbers of the ledger are taken, though their entries may not have been made yet.
  const [[acl], ledger] = await Promise.all([aclsById(tools.ec2, [deny.aclId]), ledgerOf(tools.cases, deny.aclId)]);
  if (acl === undefined) return `network ACL ${deny.aclId} cannot be read`;
  const address = deny.cidr.replace(/\/\d+$/, '');
  const plan = planDeny({
    acl,
    address,
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
 * The address is denied already. Where that is by an entry of our ledger, the case needs it from now on too. false = the
 * entry was ours and is being removed: plan again.
 */
async function joinIfOurs(tools: Tools<'ec2' | 'cases'>, deny: WantedDeny, caseId: string): Promise<boolean> {
  const ours = (await ledgerOf(tools.cases, deny.aclId)).find(
    (entry) => entry.egress === deny.egress && entry.cidr === deny.cidr,
  );
  return ours === undefined || (await joinDeny(tools.cases, ours, caseId)) !== null;
}

/**
 * What stands at the number of our deny is not ours: the deny moves to another, for every case that needs it. `ended` = there
 * is no other (a sentence says why), or somebody denies the address already.
 */
async function moveAway(
  tools: Tools<'ec2' | 'cases'>,
  deny: WantedDeny,
  caseId: string,
  {
    unavailable,
    from,
    refuse,
  }: {
    readonly unavailable: { egress: boolean; ruleNumber: number }[];
    readonly from: number;
    readonly refuse: (reason: string) => DenyRefusal;
  },
): Promise<{ kind: 'moved'; ruleNumber: number | null } | { kind: 'ended'; refusal: DenyRefusal | null }> {
  const { egress } = deny;
  unavailable.push({ egress, ruleNumber: from });
  const plan = await planAgain(tools, deny, unavailable);
  if (typeof plan === 'string' || plan.covered) {
    await release(tools, deny, caseId);
    return { kind: 'ended', refusal: typeof plan === 'string' ? refuse(plan) : null };
  }
  if (await renumberDeny(tools.cases, { ...deny, ruleNumber: from }, plan.ruleNumber)) {
    return { kind: 'moved', ruleNumber: plan.ruleNumber };
  }
  unavailable.push({ egress, ruleNumber: plan.ruleNumber });
  return { kind: 'moved', ruleNumber: null };
}

async function release(tools: Tools<'ec2' | 'cases'>, deny: WantedDeny, caseId: string): Promise<void> {
  const ours = (await ledgerOf(tools.cases, deny.aclId)).find(
    (entry) => entry.egress === deny.egress && entry.cidr === deny.cidr,
  );
  if (ours === undefined) return;
  const left = await leaveDeny(tools.cases, ours, caseId);
  if (left.length === 0) await forgetDeny(tools.cases, ours);
}

/**
 * Makes the entry, or finds it made: whatever the call answers, what stands in the ACL decides. `foreign` = the number
 * holds somebody else's entry.
 */
async function createOrAdopt(
  tools: Tools<'ec2' | 'cases'>,
  deny: WantedDeny,
  ruleNumber: number,
): Promise<'in-place' | 'foreign' | { reason: string }> {
  let failure: unknown = null;
  try {
    await createDeny(tools.ec2, { aclId: deny.aclId, egress: deny.egress, ruleNumber }, deny.cidr);
  } catch (error) {
    failure = error;
  }
  if (failure === null) return 'in-place';
  const ours = denyEntry({ ...deny, ruleNumber });
  const [acl] = await aclsById(tools.ec2, [deny.aclId]);
  const standing = acl?.entries.find((entry) => entry.ruleNumber === ruleNumber && entry.egress === deny.egress);
  if (standing !== undefined && sameEntry(standing, ours)) return 'in-place';
  if (errorCode(failure) === 'NetworkAclEntryAlreadyExists') return 'foreign';
  return { reason: errorText(failure) };
}
