import { tag, untag } from '../aws/instance-attributes.ts';
import { getInstance } from '../aws/instances.ts';
import { CASE_TAG } from '../core/case/evidence.ts';
import type { ControlPermission } from '../core/control.ts';
import { quote } from '../core/errors.ts';
import type { Listed } from './subject.ts';

interface Before {
  readonly kind: 'tags';
}

/** The value of the tag, and the value that it has while the case has the instance. */
interface State {
  readonly value: string | undefined;
  readonly ours: string;
}

const permission = (direction: 'take' | 'undo', sid: string, action: string): ControlPermission => ({
  sid,
  for: direction,
  actions: [action],
  resources: ['arn:aws:ec2:*:*:instance/*'],
  condition: `ForAllValues:StringEquals aws:TagKeys: ${CASE_TAG}`,
  why: 'the case tag, for people; no other key',
});

/** A tag for people; flowcut itself reads its own table. */
export const tags: Listed<Before, State> = {
  name: 'tags',
  kind: 'tags',
  waitsForTheRest: true,
  ownOfCase: true,
  permissions: [
    {
      sid: 'Look',
      for: 'look',
      actions: ['ec2:DescribeInstances'],
      resources: ['*'],
      why: 'the tag as it is',
    },
    permission('take', 'TagInstance', 'ec2:CreateTags'),
    permission('undo', 'UntagInstance', 'ec2:DeleteTags'),
  ],
  targets: async ({ subject }) => {
    const value = (await subject.instance())?.tags[CASE_TAG];
    return [{ before: { kind: 'tags' }, found: { value, ours: subject.caseId } }];
  },
  item: () => 'tags',
  planned: ({ subject }) => ({
    change: `${subject.instanceId}: the tag ${CASE_TAG}=${subject.caseId}`,
    why: 'people who look at the instance see that it is part of a case',
    alsoHits: 'nothing',
    undo: 'restore removes it, once nothing of the case is in force',
  }),
  read: async ({ ec2, subject }) => ({
    value: (await getInstance(ec2, subject.instanceId))?.tags[CASE_TAG],
    ours: subject.caseId,
  }),
  isApplied: ({ value, ours }) => value === ours,
  isOriginal: ({ value }) => value === undefined,
  describe: ({ value }) => (value === undefined ? 'no tag' : quote(value)),
  expected: (_, { ours }) => quote(ours),
  apply: ({ ec2, subject }) => tag(ec2, subject.instanceId, { [CASE_TAG]: subject.caseId }),
  undo: ({ ec2, subject }) => untag(ec2, subject.instanceId, { [CASE_TAG]: subject.caseId }),
};
