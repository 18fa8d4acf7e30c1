import { readCase, updateCase } from '../aws/case-table/cases.ts';
import { readPreserved, recordPreserved } from '../aws/case-table/preserved.ts';
import { errorText } from '../aws/errors.ts';
import {
  readProtection,
  readShutdownBehavior,
  setDeleteOnTermination,
  setProtection,
  setShutdownBehavior,
  tag,
} from '../aws/instance-attributes.ts';
import { getInstance } from '../aws/instances.ts';
import { classicBalancersOf, deregister, leaveClassic, targetsOf } from '../aws/load-balancers.ts';
import { interfacesOf } from '../aws/network-interfaces.ts';
import { detach, enterStandby, membershipOf } from '../aws/scaling.ts';
import { createSnapshots, snapshotsOfCase } from '../aws/snapshots.ts';
import {
  CASE_TAG,
  type EvidenceItem,
  mergeEvidence,
  type Preserved,
  type ProtectionAttribute,
  preservedName,
} from '../core/case/evidence.ts';
import type { InstanceFacts } from '../core/case/facts.ts';
import type { EvidenceResult, Opened } from '../core/case/record.ts';
import type { NetworkInterfaceFacts } from '../core/model.ts';
import { paced } from '../shared/paced.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

type EvidenceTools = Tools<'ec2' | 'scaling' | 'elb' | 'classicElb' | 'cases'>;

/** How long a measure may wait for its turn in a storm, in seconds: nothing waits for the evidence. */
const WAIT_SECONDS = 90;

interface Subject {
  readonly tools: EvidenceTools;
  /** Calls EC2 in turn with the other responses; what `canWait` lets their more important measures go first. */
  readonly inTurn: <T>(api: string, call: () => Promise<T>, canWait?: boolean) => Promise<T>;
  readonly caseId: string;
  readonly instanceId: string;
  /** Facts that a measure needs are read here; a read that fails is a failure of the measures that need it. */
  readonly instance: Promise<InstanceFacts | null>;
  readonly interfaces: Promise<readonly NetworkInterfaceFacts[]>;
}

/** One measure: what it did, or why not. Each is independent of the others. */
type Measure = (subject: Subject) => Promise<readonly EvidenceItem[]>;

/**
 * Preserve evidence, beside the cuts and never before them: an isolated instance fails its health checks, and its Auto
 * Scaling group would destroy it. Every measure is recorded before it is taken; one that fails is reported and stops
 * nothing.
 */
export async function preserveEvidence(tools: EvidenceTools, record: Opened): Promise<EvidenceResult> {
  const { caseId, instanceId, urgency = 0 } = record.case;
  if (instanceId === null) return { kind: 'done', done: 0, failed: 0 };
  const until = tools.now().getTime() + WAIT_SECONDS * 1000;
  const inTurn: Subject['inTurn'] = (api, call, canWait = false) =>
    paced(tools, { api, urgency, canWait, until }, call);
  const subject: Subject = {
    tools,
    inTurn,
    caseId,
    instanceId,
    instance: getInstance(tools.ec2, instanceId),
    interfaces: inTurn('DescribeNetworkInterfaces', () => interfacesOf(tools.ec2, instanceId), true),
  };
  // Each measure awaits what it needs; without these a failed read would be an unhandled rejection.
  subject.instance.catch(() => undefined);
  subject.interfaces.catch(() => undefined);
  const found = (await Promise.all(MEASURES.map(([name, measure]) => attempt(name, measure, subject)))).flat();
  const items = await withEarlierRuns(subject, found);
  const document = await readCase(tools.cases, caseId);
  if (document !== null) {
    await Promise.all([
      updateCase(tools.cases, caseId, (stored) => ({
        ...stored,
        evidence: mergeEvidence(stored.evidence, items),
        evidenceReturning: false,
      })),
      tell(tools, caseId, 'preserve-evidence', evidenceText(items)),
    ]);
  }
  const failed = items.filter((item) => item.outcome === 'failed').length;
  return { kind: 'done', done: items.length - failed, failed };
}

/** In an order of its own: measures that an earlier run took come last in the list. */
function evidenceText(items: readonly EvidenceItem[]): string {
  const lines = items.map(
    ({ item, outcome, reason }) => `${item}: ${outcome}${reason === undefined ? '' : ` (${reason})`}`,
  );
  return lines.sort().join('; ') || 'there was nothing to preserve';
}

/**
 * What an earlier run of this case has recorded and this one finds done was done by us, whoever died before saying so. Where
 * this run could not look, nothing is claimed.
 */
async function withEarlierRuns(
  { tools, caseId }: Subject,
  found: readonly EvidenceItem[],
): Promise<readonly EvidenceItem[]> {
  const ours = (await readPreserved(tools.cases, caseId))
    .filter(({ undone }) => !undone)
    .map(({ preserved }) => preservedName(preserved));
  const told = found.map((entry) =>
    entry.outcome === 'already' && ours.includes(entry.item) ? { item: entry.item, outcome: 'done' as const } : entry,
  );
  const untold = ours.filter((item) => !told.some((entry) => entry.item === item));
  const blind = found.filter(({ outcome }) => outcome === 'failed').map(({ item }) => item.replace(/s$/, ''));
  return [
    ...told,
    ...untold.map((item): EvidenceItem => {
      const isUnseen = blind.some((measure) => item.startsWith(measure));
      return isUnseen ? { item, outcome: 'failed', reason: UNSEEN } : { item, outcome: 'done' };
    }),
  ];
}

const UNSEEN = 'an earlier run was about to do it, and whether it is done could not be read';

const READ = 'DescribeInstanceAttribute';
const MODIFY = 'ModifyInstanceAttribute';

const MEASURES: readonly (readonly [string, Measure])[] = [
  ['Auto Scaling group', leaveScaling],
  ['target groups', leaveTargets],
  ['classic load balancers', leaveClassicBalancers],
  ['termination protection', (subject) => protect(subject, 'disableApiTermination')],
  ['stop protection', (subject) => protect(subject, 'disableApiStop')],
  ['shutdown behaviour', keepOnShutdown],
  ['delete on termination', keepVolumes],
  ['tags', tagForPeople],
  ['snapshots', snapshot],
];

async function attempt(name: string, measure: Measure, subject: Subject): Promise<readonly EvidenceItem[]> {
  try {
    return await measure(subject);
  } catch (error) {
    return [{ item: name, outcome: 'failed', reason: errorText(error) }];
  }
}

/** Records the measure with what undoes it, then takes it. */
async function take(
  { tools, caseId }: Subject,
  preserved: Preserved,
  change: () => Promise<unknown>,
): Promise<EvidenceItem> {
  const item = preservedName(preserved);
  try {
    await recordPreserved(tools.cases, caseId, preserved);
    await change();
    return { item, outcome: 'done' };
  } catch (error) {
    return { item, outcome: 'failed', reason: errorText(error) };
  }
}

const isSpot = async ({ instance }: Subject): Promise<boolean> => (await instance)?.spot ?? false;

async function leaveScaling(subject: Subject): Promise<readonly EvidenceItem[]> {
  const { tools, instanceId } = subject;
  const member = await membershipOf(tools.scaling, instanceId);
  if (member === null) return [];
  const { groupName, lifecycleState } = member;
  const item = `Auto Scaling group ${groupName}`;
  if (STANDBY.includes(lifecycleState)) return [{ item, outcome: 'already' }];
  const action = tools.config.autoScaling;
  // Standby is entered from InService only.
  if (action === 'standby' && lifecycleState !== 'InService') {
    return [
      {
        item,
        outcome: 'not-possible',
        reason: `standby is entered from InService only, the instance is ${lifecycleState}`,
      },
    ];
  }
  const preserved: Preserved = { kind: 'auto-scaling', groupName, action };
  return [await take(subject, preserved, () => moveOut(subject, groupName, action))];
}

/** What the group says afterwards counts, not the answer: a lost one is asked again, and refused the second time. */
async function moveOut({ tools, instanceId }: Subject, groupName: string, action: 'standby' | 'detach'): Promise<void> {
  const move = action === 'standby' ? enterStandby : detach;
  try {
    await move(tools.scaling, groupName, instanceId);
  } catch (error) {
    const now = await membershipOf(tools.scaling, instanceId);
    const isOut =
      action === 'standby'
        ? now !== null && STANDBY.includes(now.lifecycleState)
        : now === null || now.lifecycleState.startsWith('Detach');
    if (!isOut) throw error;
  }
}

const STANDBY = ['EnteringStandby', 'Standby'];

async function leaveTargets(subject: Subject): Promise<readonly EvidenceItem[]> {
  const { tools, instanceId } = subject;
  const interfaces = await subject.interfaces;
  const vpcIds = [...new Set(interfaces.map((eni) => eni.vpcId))];
  const addresses = interfaces.flatMap((eni) => [...eni.privateAddresses, ...eni.ipv6Addresses]);
  const targets = await targetsOf(tools.elb, { vpcIds }, [instanceId, ...addresses]);
  return Promise.all(
    targets.map((target) => take(subject, { kind: 'target', ...target }, () => deregister(tools.elb, target))),
  );
}

async function leaveClassicBalancers(subject: Subject): Promise<readonly EvidenceItem[]> {
  const { tools, instanceId } = subject;
  const names = await classicBalancersOf(tools.classicElb, instanceId);
  return Promise.all(
    names.map((loadBalancerName) =>
      take(subject, { kind: 'classic-load-balancer', loadBalancerName }, () =>
        leaveClassic(tools.classicElb, loadBalancerName, instanceId),
      ),
    ),
  );
}

async function protect(subject: Subject, attribute: ProtectionAttribute): Promise<readonly EvidenceItem[]> {
  const { tools, inTurn, instanceId } = subject;
  const item = preservedName({ kind: 'protection', attribute, before: false });
  // A Spot instance can be neither protected from termination nor from stopping.
  if (await isSpot(subject))
    return [
      { item, outcome: 'not-possible', reason: 'a Spot instance cannot be protected: AWS may end it at any time' },
    ];
  // An instance that is gone is lost evidence; one that was stopped is less so.
  const canWait = attribute === 'disableApiStop';
  const before = await inTurn(READ, () => readProtection(tools.ec2, instanceId, attribute), canWait);
  if (before) return [{ item, outcome: 'already' }];
  return [
    await take(subject, { kind: 'protection', attribute, before }, () =>
      inTurn(MODIFY, () => setProtection(tools.ec2, instanceId, attribute, true), canWait),
    ),
  ];
}

async function keepOnShutdown(subject: Subject): Promise<readonly EvidenceItem[]> {
  const { tools, inTurn, instanceId } = subject;
  if (await isSpot(subject)) return [];
  const before = await inTurn(READ, () => readShutdownBehavior(tools.ec2, instanceId));
  if (before === 'stop') return [{ item: 'shutdown behaviour', outcome: 'already' }];
  return [
    await take(subject, { kind: 'shutdown-behavior', before }, () =>
      inTurn(MODIFY, () => setShutdownBehavior(tools.ec2, instanceId, 'stop')),
    ),
  ];
}

async function keepVolumes(subject: Subject): Promise<readonly EvidenceItem[]> {
  const { tools, inTurn, instanceId } = subject;
  const items: EvidenceItem[] = [];
  // One attribute of one instance at a time: EC2 refuses changes that race.
  for (const { deviceName, volumeId, isDoomed } of (await subject.instance)?.volumes ?? []) {
    if (!isDoomed) continue;
    const preserved: Preserved = { kind: 'delete-on-termination', deviceName, volumeId };
    const keep = () => setDeleteOnTermination(tools.ec2, instanceId, deviceName, false);
    items.push(await take(subject, preserved, () => inTurn(MODIFY, keep)));
  }
  return items;
}

async function tagForPeople(subject: Subject): Promise<readonly EvidenceItem[]> {
  const { tools, caseId, instanceId } = subject;
  return [await take(subject, { kind: 'tags' }, () => tag(tools.ec2, instanceId, { [CASE_TAG]: caseId }))];
}

async function snapshot(subject: Subject): Promise<readonly EvidenceItem[]> {
  const { tools, inTurn, caseId, instanceId } = subject;
  const isThere = async (): Promise<boolean> => (await snapshotsOfCase(tools.ec2, caseId)).length > 0;
  if (await isThere()) return [{ item: 'snapshots', outcome: 'already' }];
  const make = async (): Promise<void> => {
    try {
      await inTurn('CreateSnapshots', () => createSnapshots(tools.ec2, instanceId, caseId, tools.sleep));
    } catch (error) {
      // Made, and the answer was lost: a second set would be one too many.
      if (!(await isThere())) throw error;
    }
  };
  return [await take(subject, { kind: 'snapshots' }, make)];
}
