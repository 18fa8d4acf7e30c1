import { needCase, updateCase } from '../aws/case-table/cases.ts';
import { notePutBack, type PreservedRecord, readPreserved } from '../aws/case-table/preserved.ts';
import { errorCode, errorText, isDenied, orDenied } from '../aws/errors.ts';
import {
  readProtection,
  readShutdownBehavior,
  setDeleteOnTermination,
  setProtection,
  setShutdownBehavior,
  untag,
} from '../aws/instance-attributes.ts';
import { getInstance } from '../aws/instances.ts';
import { classicBalancersOf, joinClassic, register, targetsIn } from '../aws/load-balancers.ts';
import { attach, exitStandby, type Membership, membershipOf } from '../aws/scaling.ts';
import { type CaseDocument, caseIdOf, isClosing } from '../core/case/case.ts';
import { CASE_TAG, type EvidenceItem, type Preserved, preservedName } from '../core/case/evidence.ts';
import type { InstanceFacts } from '../core/case/facts.ts';
import type { EvidenceRestored, RestoreItem, Restoring } from '../core/case/record.ts';
import { isStillHeld, isStillIsolated, KEPT, shortItems, TAKEN_UP } from '../core/case/restore-items.ts';
import { quote } from '../core/errors.ts';
import { readBack } from '../shared/read-back.ts';
import { leftTo, successorOf } from '../shared/successor.ts';
import { restoredText, tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

type EvidenceTools = Tools<'ec2' | 'scaling' | 'elb' | 'classicElb' | 'cases'>;

/**
 * Undoes what was done to keep the evidence, each item compared with what we wrote first. Protection goes back before
 * the Auto Scaling group gets the instance again. Snapshots stay: they are the evidence. Then the case is closed, if all
 * groups and denies were put back: what failed here is tried again when the case is restored again. Where a response takes it
 * up meanwhile, what is left is that one's to keep.
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
  const [preserved, left] = await Promise.all([
    readPreserved(tools.cases, caseId),
    successor === null ? leftByEarlier(tools, document) : [],
  ]);
  const instance = await orDenied(() => getInstance(tools.ec2, instanceId));
  const records = [...preserved.map((record) => ({ ...record, caseId })), ...left];
  const inOrder = records.sort((a, b) => ORDER[a.preserved.kind] - ORDER[b.preserved.kind]);
  const taken = records.map((record) => record.preserved);
  const giveBack = async (record: Taken): Promise<RestoreItem> => {
    const { preserved: entry } = record;
    const item = preservedName(entry);
    if (record.undone) return { item, outcome: 'already' };
    if (isKept(restore.items, entry)) return { item, ...KEPT };
    if (isDenied(instance))
      return {
        item,
        ...(entry.kind === 'snapshots' ? SNAPSHOTS_STAY : { outcome: 'failed', detail: instance.denied }),
      };
    if (instance === null || instance.state === 'terminated') return { item, outcome: 'gone' };
    const claimed = successor === null ? await claimedBy(tools, caseId) : leftTo(successor);
    if (claimed !== null) return { item, ...claimed };
    const undoing = { entry, instance, caseId, wasDone: isDone(item), taken };
    return { item, ...(await putBackOnce(tools, record, undoing)) };
  };
  const items: RestoreItem[] = [];
  for (let at = 0; at < inOrder.length; ) {
    const batch = sideBySide(inOrder.slice(at));
    items.push(...(await Promise.all(batch.map(giveBack))));
    at += batch.length;
  }
  if (restore.kind === 'restored') await close(tools, caseId);
  await tell(tools, caseId, STEP, restoredText(items) || 'nothing to give back');
  return { items: shortItems(items) };
}

/** An instance that is still isolated stays protected and out of service, and marked as long as anything of the case is in force. */
const isKept = (items: readonly RestoreItem[], { kind }: Preserved): boolean =>
  kind !== 'snapshots' && (isStillIsolated(items) || (kind === 'tags' && isStillHeld(items)));

type Taken = PreservedRecord & { readonly caseId: string };

/** Target groups that are asked at the same time: one instance may be in 200, and the step has two minutes. */
const TARGETS_AT_ONCE = 10;

/** What is put back at once: targets, and of anything else one, for EC2 refuses changes of one instance that race. */
function sideBySide(records: readonly Taken[]): readonly Taken[] {
  const other = records.findIndex(({ preserved }) => preserved.kind !== 'target');
  return records.slice(0, Math.max(1, Math.min(TARGETS_AT_ONCE, other === -1 ? records.length : other)));
}

/** Puts one thing back and notes that it is, so that no later restore does it again. */
async function putBackOnce(tools: EvidenceTools, record: Taken, undoing: Undoing): Promise<Outcome> {
  try {
    const result = await undo(tools, undoing).catch((error: unknown) => {
      if (isGone(error)) return { outcome: 'gone' } as const;
      throw error;
    });
    if ('isLeft' in result) return result.isLeft;
    if (result.outcome === 'failed') return result;
    return (await notePutBack(tools.cases, record.caseId, record)) ? result : TAKEN_UP;
  } catch (error) {
    return { outcome: 'failed', detail: errorText(error) };
  }
}

/**
 * The target group, load balancer or Auto Scaling group is there no more. Auto Scaling has no code of its own for that.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html
 * https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_RegisterInstancesWithLoadBalancer.html
 */
const isGone = (error: unknown): boolean =>
  /^(TargetGroup|LoadBalancer|AccessPoint)NotFound(Exception)?$/.test(errorCode(error)) ||
  (error instanceof Error && error.message.startsWith('AutoScalingGroup name not found'));

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
  return records.flat().filter(({ undone, preserved: { kind } }) => !undone && kind !== 'tags' && kind !== 'snapshots');
}

/** A response that has taken the case up again, or a newer case, since the restore began; null = there is neither. */
async function claimedBy(tools: EvidenceTools, caseId: string): Promise<Outcome | null> {
  const document = await needCase(tools.cases, caseId);
  if (!isClosing(document)) return TAKEN_UP;
  // A case that is still being restored has none.
  const successor = document.status === 'restored' ? await successorOf(tools, document) : null;
  return successor === null ? null : leftTo(successor);
}

/** The next finding opens a case of its own, with a before-state of its own. */
async function close({ cases }: EvidenceTools, caseId: string): Promise<void> {
  await updateCase(cases, caseId, (stored) =>
    stored.status === 'restoring' ? { ...stored, status: 'restored' } : stored,
  );
}

const STEP = 'restore-evidence';

/**
 * Notes that the evidence is being put back. `isDone` says of a thing whether it is known to be as the response made it,
 * unless somebody has changed it: not once an earlier run has begun, for what is as it was found may be that one's work.
 */
async function begin(
  { cases }: EvidenceTools,
  caseId: string,
): Promise<{ readonly document: CaseDocument; readonly isDone: (item: string) => boolean }> {
  let done: readonly EvidenceItem[] = [];
  const document = await updateCase(cases, caseId, (stored) => {
    const hasBegun = stored.evidenceReturning === true;
    done = hasBegun ? [] : stored.evidence.filter(({ outcome }) => outcome === 'done');
    return hasBegun ? stored : { ...stored, evidenceReturning: true };
  });
  return { document, isDone: (item) => done.some((entry) => entry.item === item) };
}

const ORDER: Record<Preserved['kind'], number> = {
  tags: 0,
  protection: 1,
  'shutdown-behavior': 2,
  'delete-on-termination': 3,
  target: 4,
  'classic-load-balancer': 5,
  'auto-scaling': 6,
  snapshots: 7,
};

type Outcome = Pick<RestoreItem, 'outcome' | 'detail'>;

/** It was not touched, and is not put back: what is said of it. */
interface Left {
  readonly isLeft: Outcome;
}

interface Undoing<P extends Preserved = Preserved> {
  readonly entry: P;
  readonly instance: InstanceFacts;
  readonly caseId: string;
  /** The response has done it, and no restore has begun to undo it. */
  readonly wasDone: boolean;
  /** All that is to be put back. */
  readonly taken: readonly Preserved[];
}

/** What is as the response found it: nobody's doing but ours, or somebody has changed what we wrote. */
const unchanged = ({ wasDone }: Pick<Undoing, 'wasDone'>, found: string, expected: string): Outcome =>
  wasDone ? drifted(found, expected) : { outcome: 'already' };

const drifted = (found: string, expected: string): Outcome => ({
  outcome: 'drifted',
  detail: `found ${found}, expected ${expected}`,
});

const SNAPSHOTS_STAY = { outcome: 'already', detail: 'kept: they are the evidence' } as const;

const RESTORED = { outcome: 'restored' } as const;

const unseen = (found: string): Outcome => ({
  outcome: 'failed',
  detail: `AWS has accepted the change and shows ${found}`,
});

/** One thing of the instance: how it is read and written, and how it was before us. */
interface Thing<T> {
  readonly read: () => Promise<T>;
  readonly isBack: (found: T) => boolean;
  /** What we made of it, in words. */
  readonly ours: string;
  readonly text: (found: T) => string;
  /** What is neither as it was before us nor as we made it, and is left; null = it is one of the two. */
  readonly foreign?: (found: T) => Outcome | null;
  /** There is nothing any more that could be put back. */
  readonly isGone?: (found: T) => boolean;
  readonly write: () => Promise<unknown>;
}

/** Puts one thing back and sees that it is; failed where AWS accepts that and goes on showing something else. */
async function putBack<T>(tools: EvidenceTools, undoing: Undoing, thing: Thing<T>): Promise<Outcome> {
  const { read, isBack, text, ours } = thing;
  const found = await read();
  if (thing.isGone?.(found) === true) return { outcome: 'gone' };
  if (isBack(found)) return unchanged(undoing, text(found), ours);
  const foreign = thing.foreign?.(found) ?? null;
  if (foreign !== null) return foreign;
  await thing.write();
  const seen = await readBack(tools, read, isBack);
  return isBack(seen) ? RESTORED : unseen(text(seen));
}

function undo(tools: EvidenceTools, undoing: Undoing): Promise<Outcome | Left> {
  const { entry, instance, caseId } = undoing;
  const { ec2, classicElb } = tools;
  switch (entry.kind) {
    case 'tags':
      return putBack(tools, undoing, {
        read: async () => (await getInstance(ec2, instance.id))?.tags[CASE_TAG],
        isBack: (found) => found === undefined,
        ours: quote(caseId),
        text: (found) => (found === undefined ? 'no tag' : quote(found)),
        foreign: (found) => (found === undefined || found === caseId ? null : drifted(quote(found), quote(caseId))),
        write: () => untag(ec2, instance.id, { [CASE_TAG]: caseId }),
      });
    case 'protection':
      return putBack(tools, undoing, {
        read: () => readProtection(ec2, instance.id, entry.attribute),
        isBack: (found) => found === entry.before,
        ours: 'on',
        text: onOrOff,
        write: () => setProtection(ec2, instance.id, entry.attribute, entry.before),
      });
    case 'shutdown-behavior':
      return putBack(tools, undoing, {
        read: () => readShutdownBehavior(ec2, instance.id),
        isBack: (found) => found === entry.before,
        ours: 'stop',
        text: (found) => found,
        write: () => setShutdownBehavior(ec2, instance.id, entry.before),
      });
    case 'delete-on-termination':
      return putBack(tools, undoing, {
        read: async () =>
          (await getInstance(ec2, instance.id))?.volumes.find((volume) => volume.deviceName === entry.deviceName),
        isGone: (found) => found === undefined,
        isBack: (found) => found?.volumeId === entry.volumeId && found.isDoomed,
        // Another volume stands at the device since: whether that one is kept is not ours to say.
        foreign: (found) =>
          found === undefined || found.volumeId === entry.volumeId ? null : drifted(found.volumeId, entry.volumeId),
        ours: 'off',
        text: (found) => onOrOff(found?.isDoomed ?? false),
        write: () => setDeleteOnTermination(ec2, instance.id, entry.deviceName, true),
      });
    case 'target':
      return registerAgain(tools, { ...undoing, entry });
    case 'classic-load-balancer':
      return putBack(tools, undoing, {
        read: async () => (await classicBalancersOf(classicElb, instance.id)).includes(entry.loadBalancerName),
        isBack: (found) => found,
        ours: 'it out of it',
        text: (found) => (found ? 'the instance in it' : 'it out of it'),
        write: () => joinClassic(classicElb, entry.loadBalancerName, instance.id),
      });
    case 'auto-scaling':
      return returnToGroup(tools, { ...undoing, entry });
    case 'snapshots':
      return Promise.resolve(SNAPSHOTS_STAY);
    default:
      return entry satisfies never;
  }
}

const onOrOff = (value: boolean): string => (value ? 'on' : 'off');

const portText = (port: number | null): string => (port === null ? 'the port of the group' : `port ${port}`);

function registerAgain(
  tools: EvidenceTools,
  undoing: Undoing<Extract<Preserved, { kind: 'target' }>>,
): Promise<Outcome> {
  const { targetGroupArn, targetId, port } = undoing.entry;
  // An instance may be a target at several ports; each is put back by itself.
  const ours = undoing.taken.flatMap((entry) =>
    entry.kind === 'target' && entry.targetGroupArn === targetGroupArn && entry.targetId === targetId
      ? [entry.port]
      : [],
  );
  const expected = `no registration (it was at ${portText(port)})`;
  const text = (found: readonly (number | null)[]) => found.map(portText).join(', ') || 'no registration';
  return putBack(tools, undoing, {
    read: async () => (await targetsIn(tools.elb, [targetGroupArn], [targetId])).map((target) => target.port),
    isBack: (found) => found.includes(port),
    foreign: (found) => (found.every((other) => ours.includes(other)) ? null : drifted(text(found), expected)),
    ours: expected,
    text: (found) => (found.includes(port) ? portText(port) : text(found)),
    write: () => register(tools.elb, { targetGroupArn, targetId, port }),
  });
}

/** Auto Scaling takes its time to move an instance; how long and how often it is looked for, in seconds. */
const MOVE_SECONDS = 60;
const LOOK_SECONDS = 5;

/** The membership once it has stopped changing; one that goes on changing is an error, for a later restore. */
async function settledMembership(tools: EvidenceTools, instanceId: string): Promise<Membership | null> {
  for (let waited = 0; ; waited += LOOK_SECONDS) {
    const member = await membershipOf(tools.scaling, instanceId);
    if (member === null || !LEAVING.includes(member.lifecycleState)) return member;
    if (waited >= MOVE_SECONDS) throw new Error(`the instance is still ${member.lifecycleState}; restore again later`);
    await tools.sleep(LOOK_SECONDS);
  }
}

const LEAVING = ['EnteringStandby', 'Detaching'];

/** Auto Scaling raises it with each instance that comes back; the one that replaced it stays. */
const ONE_HIGHER = "the group's desired capacity is one higher now";

/** What the group says afterwards counts, not the answer: a lost one is asked again, and refused the second time. */
async function move(
  tools: EvidenceTools,
  instanceId: string,
  change: () => Promise<void>,
  isMoved: (now: Membership | null) => boolean,
): Promise<Outcome> {
  const read = () => membershipOf(tools.scaling, instanceId);
  try {
    await change();
  } catch (error) {
    if (isMoved(await read())) return RESTORED;
    throw error;
  }
  const seen = await readBack(tools, read, isMoved);
  return isMoved(seen) ? RESTORED : unseen(seen?.lifecycleState ?? 'it in no group');
}

async function returnToGroup(
  tools: EvidenceTools,
  undoing: Undoing<Extract<Preserved, { kind: 'auto-scaling' }>>,
): Promise<Outcome | Left> {
  const { entry, instance } = undoing;
  const member = await settledMembership(tools, instance.id);
  if (entry.action === 'detach') {
    if (member !== null) return unchanged(undoing, `it in ${member.groupName}`, 'it in no group');
    const isIn = (now: Membership | null): boolean => now !== null;
    const moved = await move(tools, instance.id, () => attach(tools.scaling, entry.groupName, instance.id), isIn);
    return moved === RESTORED ? { ...moved, detail: ONE_HIGHER } : moved;
  }
  if (member === null) return { outcome: 'gone', detail: 'it is in no Auto Scaling group any more' };
  // To settle may have taken a minute.
  const claimed = await claimedBy(tools, undoing.caseId);
  if (claimed !== null) return { isLeft: claimed };
  if (member.lifecycleState !== 'Standby') return unchanged(undoing, member.lifecycleState, 'Standby');
  const isOut = (now: Membership | null): boolean => now !== null && now.lifecycleState !== 'Standby';
  const moved = await move(tools, instance.id, () => exitStandby(tools.scaling, entry.groupName, instance.id), isOut);
  return moved === RESTORED ? { ...moved, detail: ONE_HIGHER } : moved;
}
