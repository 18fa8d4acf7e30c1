import { createSnapshots, snapshotsOfCase } from '../aws/snapshots.ts';
import { CASE_TAG } from '../core/case/evidence.ts';
import type { Listed } from './subject.ts';

interface Before {
  readonly kind: 'snapshots';
}

/** The state is whether the case has snapshots. */
export const snapshots: Listed<Before, boolean> = {
  name: 'snapshots',
  kind: 'snapshots',
  rateLimit: { write: 'CreateSnapshots' },
  ownOfCase: true,
  stays: 'kept: they are the evidence',
  permissions: [
    {
      sid: 'Look',
      for: 'find',
      actions: ['ec2:DescribeSnapshots'],
      resources: ['*'],
      why: 'the snapshots of the case, so that no second set is made',
    },
    {
      sid: 'SnapshotVolumes',
      for: 'take',
      actions: ['ec2:CreateSnapshots'],
      resources: ['arn:aws:ec2:*:*:instance/*', 'arn:aws:ec2:*:*:volume/*'],
      why: 'all volumes at one moment',
    },
    {
      sid: 'SnapshotsOfCase',
      for: 'take',
      actions: ['ec2:CreateSnapshots'],
      resources: ['arn:aws:ec2:*::snapshot/*'],
      condition: `StringLike aws:RequestTag/${CASE_TAG}: case-*`,
      why: 'only with the tag of a case',
    },
    {
      sid: 'TagSnapshots',
      for: 'take',
      actions: ['ec2:CreateTags'],
      resources: ['arn:aws:ec2:*::snapshot/*'],
      condition: 'StringEquals ec2:CreateAction: CreateSnapshots',
      why: 'only while making them',
    },
  ],
  targets: async ({ ec2, subject }) => {
    const found = (await snapshotsOfCase(ec2, subject.caseId)).length > 0;
    return [{ before: { kind: 'snapshots' }, found }];
  },
  item: () => 'snapshots',
  planned: ({ subject }) => ({
    change: `${subject.instanceId}: a snapshot of each volume, at one moment`,
    why: 'the disks as they are now are evidence',
    alsoHits: 'nothing',
    undo: 'none: snapshots stay, they are the evidence',
  }),
  read: async ({ ec2, subject }) => (await snapshotsOfCase(ec2, subject.caseId)).length > 0,
  isApplied: (isThere) => isThere,
  isOriginal: (isThere) => !isThere,
  describe: (isThere) => (isThere ? 'snapshots of the case' : 'no snapshot of the case'),
  expected: () => 'snapshots of the case',
  // There is no token: after a call whose effect is unknown the runner looks for them, and repeats nothing.
  apply: ({ ec2, subject, sleep }) => createSnapshots(ec2, subject.instanceId, subject.caseId, sleep),
  undo: () => Promise.resolve(),
};
