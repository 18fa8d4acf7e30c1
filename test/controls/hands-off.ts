import { tag, untag } from '../../functions/aws/instance-attributes.ts';
import { getInstance } from '../../functions/aws/instances.ts';
import type { Listed } from '../../functions/controls/subject.ts';

const KEY = 'hands-off';
const OURS = 'under investigation';

interface Before {
  readonly kind: 'hands-off';
}

/** Asks people, by a tag, to leave the instance alone. The state is the value of the tag. */
export const handsOff: Listed<Before, string | undefined> = {
  name: 'hands-off tag',
  kind: 'hands-off',
  permissions: [
    { sid: 'Look', for: 'look', actions: ['ec2:DescribeInstances'], resources: ['*'], why: 'the tag as it is' },
    {
      sid: 'AskPeople',
      for: 'take',
      actions: ['ec2:CreateTags'],
      resources: ['arn:aws:ec2:*:*:instance/*'],
      why: 'one tag',
    },
    {
      sid: 'AskNoMore',
      for: 'undo',
      actions: ['ec2:DeleteTags'],
      resources: ['arn:aws:ec2:*:*:instance/*'],
      why: 'one tag',
    },
  ],
  targets: async ({ subject }) => [{ before: { kind: 'hands-off' }, found: (await subject.instance())?.tags[KEY] }],
  item: () => 'hands-off tag',
  planned: ({ subject }) => ({
    change: `${subject.instanceId}: the tag ${KEY}`,
    why: 'people leave the instance alone',
    alsoHits: 'nothing',
    undo: 'restore removes it',
  }),
  read: async ({ ec2, subject }) => (await getInstance(ec2, subject.instanceId))?.tags[KEY],
  isApplied: (value) => value === OURS,
  isOriginal: (value) => value === undefined,
  describe: (value) => value ?? 'no tag',
  expected: () => OURS,
  apply: ({ ec2, subject }) => tag(ec2, subject.instanceId, { [KEY]: OURS }),
  undo: ({ ec2, subject }) => untag(ec2, subject.instanceId, { [KEY]: OURS }),
};
