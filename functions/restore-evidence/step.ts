import { notePutBack, readPreserved } from '../aws/cases.ts';
import { errorText } from '../aws/errors.ts';
import {
  readProtection,
  readShutdownBehavior,
  setDeleteOnTermination,
  setProtection,
  setShutdownBehavior,
  untag,
} from '../aws/instance-attributes.ts';
import { getInstance } from '../aws/instances.ts';
import { classicBalancersOf, joinClassic, register, targetsOf } from '../aws/load-balancers.ts';
import { attach, exitStandby, type Membership, membershipOf } from '../aws/scaling.ts';
import { CASE_TAG, type Preserved, preservedName } from '../core/evidence.ts';
import type { InstanceFacts } from '../core/facts.ts';
import type { EvidenceRestored, RestoreItem, Restoring } from '../core/record.ts';
import { restoredText, tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

type EvidenceTools = Tools<'ec2' | 'scaling' | 'elb' | 'classicElb' | 'cases'>;

/**
 * Undoes what was done to keep the evidence, each item compared with what we wrote first. Protection goes back before
 * the Auto Scaling group gets the instance again. Snapshots stay: they are the evidence.
 */
export async function restoreEvidence(tools: EvidenceTools, restoring: Restoring): Promise<EvidenceRestored> {
  const { restore } = restoring;
  const { caseId, instanceId } = restore;
  if (restore.kind === 'refused') {
    await tell(tools, caseId, STEP, 'nothing is given back: the restore was refused');
    return { items: [] };
  }
  const preserved = await readPreserved(tools.cases, caseId);
  const instance = await getInstance(tools.ec2, instanceId);
  const items: RestoreItem[] = [];
  const inOrder = [...preserved].sort((a, b) => ORDER[a.preserved.kind] - ORDER[b.preserved.kind]);
  for (const record of inOrder) {
    const { preserved: entry } = record;
    const item = preservedName(entry);
    if (record.undone) {
      items.push({ item, outcome: 'already' });
      continue;
    }
    if (instance === null || instance.state === 'terminated') {
      items.push({ item, outcome: 'gone' });
      continue;
    }
    try {
      const result = await undo(tools, entry, instance, caseId);
      const isLast = await notePutBack(tools.cases, caseId, record);
      items.push(isLast ? { item, ...result } : { item, ...TAKEN_AGAIN });
    } catch (error) {
      items.push({ item, outcome: 'failed', detail: errorText(error) });
    }
  }
  await tell(tools, caseId, STEP, restoredText(items) || 'nothing to give back');
  return { items };
}

const STEP = 'restore-evidence';

const TAKEN_AGAIN = { outcome: 'drifted', detail: 'a response has taken it again meanwhile; restore again' } as const;

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

async function undo(tools: EvidenceTools, entry: Preserved, instance: InstanceFacts, caseId: string): Promise<Outcome> {
  const instanceId = instance.id;
  switch (entry.kind) {
    case 'tags':
      if (instance.tags[CASE_TAG] !== caseId) return { outcome: 'already' };
      await untag(tools.ec2, instanceId, { [CASE_TAG]: caseId });
      return { outcome: 'restored' };
    case 'protection':
      if ((await readProtection(tools.ec2, instanceId, entry.attribute)) === entry.before)
        return { outcome: 'already' };
      await setProtection(tools.ec2, instanceId, entry.attribute, entry.before);
      return { outcome: 'restored' };
    case 'shutdown-behavior':
      if ((await readShutdownBehavior(tools.ec2, instanceId)) === entry.before) return { outcome: 'already' };
      await setShutdownBehavior(tools.ec2, instanceId, entry.before);
      return { outcome: 'restored' };
    case 'delete-on-termination':
      if (instance.doomedDevices.includes(entry.deviceName)) return { outcome: 'already' };
      await setDeleteOnTermination(tools.ec2, instanceId, entry.deviceName, true);
      return { outcome: 'restored' };
    case 'target': {
      const { targetGroupArn, targetId, port } = entry;
      const standing = await targetsOf(tools.elb, { targetGroupArn }, [targetId]);
      if (standing.length > 0) return { outcome: 'already' };
      await register(tools.elb, { targetGroupArn, targetId, port });
      return { outcome: 'restored' };
    }
    case 'classic-load-balancer':
      if ((await classicBalancersOf(tools.classicElb, instanceId)).includes(entry.loadBalancerName))
        return { outcome: 'already' };
      await joinClassic(tools.classicElb, entry.loadBalancerName, instanceId);
      return { outcome: 'restored' };
    case 'auto-scaling':
      return returnToGroup(tools, entry, instanceId);
    case 'snapshots':
      return { outcome: 'already', detail: 'kept: they are the evidence' };
    default:
      return entry satisfies never;
  }
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

async function returnToGroup(
  tools: EvidenceTools,
  entry: Extract<Preserved, { kind: 'auto-scaling' }>,
  instanceId: string,
): Promise<Outcome> {
  const member = await settledMembership(tools, instanceId);
  if (entry.action === 'detach') {
    if (member !== null) return { outcome: 'already' };
    await attach(tools.scaling, entry.groupName, instanceId);
    return { outcome: 'restored' };
  }
  if (member === null) return { outcome: 'gone', detail: 'it is in no Auto Scaling group any more' };
  if (member.lifecycleState !== 'Standby') return { outcome: 'already' };
  await exitStandby(tools.scaling, entry.groupName, instanceId);
  return { outcome: 'restored', detail: "the group's desired capacity is one higher now" };
}
