import { setDeleteOnTermination } from '../aws/instance-attributes.ts';
import { getInstance } from '../aws/instances.ts';
import type { AttachedVolume } from '../core/case/facts.ts';
import { nameSome } from '../core/case/name-some.ts';
import { ATTRIBUTE_CALLS, changeAttributes } from './protection.ts';
import type { Listed } from './subject.ts';

interface Before {
  readonly kind: 'delete-on-termination';
  readonly deviceName: string;
  readonly volumeId: string;
}

/** What is attached at the device; absent = nothing is. */
type State = AttachedVolume | undefined;

const WHY = 'a volume that is deleted with its instance is lost evidence';

/** Volumes that would be deleted with the instance outlive it. */
export const volumes: Listed<Before, State> = {
  name: 'delete on termination',
  kind: 'delete-on-termination',
  rateLimit: { write: ATTRIBUTE_CALLS.write },
  permissions: [
    {
      sid: 'Look',
      for: 'look',
      actions: ['ec2:DescribeInstances'],
      resources: ['*'],
      why: 'which volumes are attached, and which would be deleted',
    },
    ...changeAttributes(WHY, 'arn:aws:ec2:*:*:volume/*'),
  ],
  targets: async ({ subject }) =>
    ((await subject.instance())?.volumes ?? [])
      .filter(({ isDoomed }) => isDoomed)
      .map((found) => {
        const { deviceName, volumeId } = found;
        return { before: { kind: 'delete-on-termination', deviceName, volumeId }, found };
      }),
  item: ({ deviceName }) => `delete on termination of ${deviceName}`,
  planned: ({ subject }, befores) => ({
    change: `${subject.instanceId}: ${nameSome(befores.map(({ deviceName, volumeId }) => `${volumeId} at ${deviceName}`))} kept when it is terminated`,
    why: WHY,
    alsoHits: 'nothing',
    undo: 'restore has them deleted with the instance again',
  }),
  read: async ({ ec2, subject }, { deviceName }) =>
    (await getInstance(ec2, subject.instanceId))?.volumes.find((volume) => volume.deviceName === deviceName),
  isApplied: (found, { volumeId }) => found?.volumeId === volumeId && !found.isDoomed,
  isOriginal: (found, { volumeId }) => found?.volumeId === volumeId && found.isDoomed,
  isGone: (found) => found === undefined,
  // Another volume stands at the device since: whether that one is kept is not ours to say.
  describe: (found, { volumeId }) => {
    if (found === undefined) return 'no volume';
    if (found.volumeId !== volumeId) return found.volumeId;
    return found.isDoomed ? 'on' : 'off';
  },
  expected: ({ volumeId }, found) => (found === undefined || found.volumeId === volumeId ? 'off' : volumeId),
  apply: ({ ec2, subject }, { deviceName }) => setDeleteOnTermination(ec2, subject.instanceId, deviceName, false),
  undo: ({ ec2, subject }, { deviceName }) => setDeleteOnTermination(ec2, subject.instanceId, deviceName, true),
};
