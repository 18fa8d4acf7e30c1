import { needCase, recordEvent } from '../aws/case-table/cases.ts';
import { notePutBack, type PreservedRecord, readPreserved } from '../aws/case-table/preserved.ts';
import { sharedLedger } from '../aws/case-table/shared-things.ts';
import { isDenied, orDenied } from '../aws/errors.ts';
import { CONTROLS, placeInList } from '../controls/index.ts';
import { type AnyControl, type ControlTools, subjectOf } from '../controls/subject.ts';
import { type CaseDocument, caseIdOf, isClosing } from '../core/case/case.ts';
import type { EvidenceRestored, RestoreItem, Restoring } from '../core/case/record.ts';
import { isStillHeld, isStillIsolated, KEPT, shortItems, TAKEN_UP } from '../core/case/restore-items.ts';
import type { UndoOutcome } from '../core/control.ts';
import { giveBack } from '../shared/control-runner.ts';
import { leftTo, successorOf } from '../shared/successor.ts';
import { restoredText, tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

type EvidenceTools = Tools<'ec2' | 'scaling' | 'elb' | 'classicElb' | 'cases'>;

const STEP = 'restore-evidence';

/**
 * Undoes what was done to keep the evidence, in the reverse of the order in which it is taken, each item compared with what we
 * wrote first. An instance that is still isolated keeps all of it, and its tag as long as anything of the case is in force. Then the case is closed:
 * what failed here is tried again when the case is restored again. Where a response takes it up meanwhile, what is left is
 * that one's to keep.
 */
export async function restoreEvidence(tools: EvidenceTools, restoring: Restoring): Promise<EvidenceRestored> {
  const { restore } = restoring;
  const { caseId, instanceId } = restore;
  if (restore.kind === 'refused') {
    await tell(tools, caseId, STEP, 'nothing is given back: the restore was refused');
    return { items: [] };
  }
  const { document, isDone } = await begin(tools, caseId);
  const successor = await successorOf(tools, document);
  const [own, left] = await Promise.all([
    readPreserved(tools.cases, caseId),
    successor === null ? leftByEarlier(tools, document) : [],
  ]);
  const records = [...own.map((record) => ({ ...record, caseId })), ...left];
  const subject = subjectOf(tools, { caseId, instanceId, taken: records.map(({ preserved }) => preserved) });
  const instance = await orDenied(subject.instance);
  const isGone = instance === null || (!isDenied(instance) && instance.state === 'terminated');
  const claimed = async (): Promise<UndoOutcome | null> =>
    successor === null ? claimedBy(tools, caseId) : leftTo(successor);
  const giveOneBack = async (record: Taken): Promise<RestoreItem> => {
    const { item } = record;
    const control = CONTROLS[placeInList(record.preserved)];
    if (record.undone) return { item, outcome: 'already' };
    if (isKept(restore.items, control)) return { item, ...KEPT };
    if (isDenied(instance) && control?.stays === undefined) {
      return { item, outcome: 'failed', detail: instance.denied };
    }
    if (control === undefined) return { item, ...(isGone ? GONE : UNKNOWN) };
    if (isGone && control.outlivesInstance !== true) return { item, ...GONE };
    const others = await claimed();
    if (others !== null) return { item, ...others };
    const note = (): Promise<boolean> => notePutBack(tools.cases, record.caseId, record);
    const whole: ControlTools = { ...tools, subject, ledger: sharedLedger(tools.cases, record.caseId) };
    return giveBack(control, whole, record.preserved, { wasDone: isDone(item), claimed, note });
  };
  const items: RestoreItem[] = [];
  for (const batch of inOrder(records)) items.push(...(await Promise.all(batch.map(giveOneBack))));
  if (restore.kind === 'restored') await close(tools, caseId);
  await tell(tools, caseId, STEP, restoredText(items) || 'nothing to give back');
  return { items: shortItems(items) };
}

/**
 * An instance that is still isolated stays protected and out of service; marked it stays as long as anything of the case is in
 * force.
 */
const isKept = (items: readonly RestoreItem[], control: AnyControl | undefined): boolean =>
  control?.stays === undefined && (isStillIsolated(items) || (control?.waitsForTheRest === true && isStillHeld(items)));

const GONE = { outcome: 'gone' } as const satisfies UndoOutcome;

const UNKNOWN = {
  outcome: 'failed',
  detail: 'another version of flowcut has taken it, and only that one can give it back',
} as const satisfies UndoOutcome;

type Taken = PreservedRecord & { readonly caseId: string };

/** The last of the list first; of one control, as many side by side as it allows. */
function inOrder(records: readonly Taken[]): readonly (readonly Taken[])[] {
  const places: readonly (readonly [AnyControl | undefined, readonly Taken[]])[] = [...CONTROLS.keys(), -1]
    .reverse()
    .map((place) => [CONTROLS[place], records.filter(({ preserved }) => placeInList(preserved) === place)]);
  return places.flatMap(([control, ofControl]) => {
    const atOnce = control?.atOnce ?? 1;
    return Array.from({ length: Math.ceil(ofControl.length / atOnce) }, (_, index) =>
      ofControl.slice(index * atOnce, (index + 1) * atOnce),
    );
  });
}

/**
 * What earlier cases of the instance took and their restores could not give back: the response of this case found it as it is
 * now, and recorded nothing. What people are told by, and the snapshots, are each case's own.
 */
async function leftByEarlier(
  { cases }: EvidenceTools,
  { accountId, region, instanceId, generation }: CaseDocument,
): Promise<readonly Taken[]> {
  const earlier = Array.from({ length: generation - 1 }, (_, index) =>
    caseIdOf({ accountId, region, instanceId, generation: index + 1 }),
  );
  const records = await Promise.all(
    earlier.map(async (id) => (await readPreserved(cases, id)).map((record) => ({ ...record, caseId: id }))),
  );
  return records
    .flat()
    .filter(({ undone, preserved }) => !undone && CONTROLS[placeInList(preserved)]?.ownOfCase !== true);
}

/** A response that has taken the case up again, or a newer case, since the restore began; null = there is neither. */
async function claimedBy(tools: EvidenceTools, caseId: string): Promise<UndoOutcome | null> {
  const document = await needCase(tools.cases, caseId);
  if (!isClosing(document)) return TAKEN_UP;
  // A case that is still being restored has none.
  const successor = document.status === 'restored' ? await successorOf(tools, document) : null;
  return successor === null ? null : leftTo(successor);
}

/** The next finding opens a case of its own, with a before-state of its own. */
async function close({ cases }: EvidenceTools, caseId: string): Promise<void> {
  await recordEvent(cases, caseId, { kind: 'restored' });
}

/**
 * Notes that the evidence is being put back. `isDone` says of a thing whether it is known to be as the response made it,
 * unless somebody has changed it: not once an earlier run has begun, for what is as it was found may be that one's work.
 */
async function begin(
  { cases }: EvidenceTools,
  caseId: string,
): Promise<{ readonly document: CaseDocument; readonly isDone: (item: string) => boolean }> {
  const { before, after } = await recordEvent(cases, caseId, { kind: 'evidenceReturning' });
  const done = before.evidenceReturning === true ? [] : before.evidence.filter(({ outcome }) => outcome === 'done');
  return { document: after, isDone: (item) => done.some((entry) => entry.item === item) };
}
