import { type ProtectionAttribute, readProtection, setProtection } from '../aws/instance-attributes.ts';
import type { ControlPermission } from '../core/control.ts';
import type { Listed } from './subject.ts';

interface Before {
  readonly kind: 'protection';
  readonly attribute: ProtectionAttribute;
  readonly before: boolean;
}

export const READ_ATTRIBUTES: ControlPermission = {
  sid: 'ReadAttributes',
  for: 'look',
  actions: ['ec2:DescribeInstanceAttribute'],
  resources: ['arn:aws:ec2:*:*:instance/*'],
  why: 'the attributes as they were found',
};

/** The same action both ways. */
export const changeAttributes = (why: string, ...more: readonly string[]): readonly ControlPermission[] =>
  (['take', 'undo'] as const).map((direction) => ({
    sid: 'ProtectInstance',
    for: direction,
    actions: ['ec2:ModifyInstanceAttribute'],
    resources: ['arn:aws:ec2:*:*:instance/*', ...more],
    why,
  }));

export const ATTRIBUTE_CALLS = { read: 'DescribeInstanceAttribute', write: 'ModifyInstanceAttribute' } as const;

const NAMES = {
  disableApiTermination: 'termination protection',
  disableApiStop: 'stop protection',
} as const satisfies Record<ProtectionAttribute, string>;

/** A Spot instance can be neither protected from termination nor from stopping. */
const protection = (attribute: ProtectionAttribute, canWait: boolean, loss: string): Listed<Before, boolean> => ({
  name: NAMES[attribute],
  kind: 'protection',
  owns: (before) => before.attribute === attribute,
  rateLimit: { ...ATTRIBUTE_CALLS, canWait },
  permissions: [READ_ATTRIBUTES, ...changeAttributes(loss)],
  targets: async ({ ec2, subject }) => {
    if ((await subject.instance())?.spot === true) {
      const reason = 'a Spot instance cannot be protected: AWS may end it at any time';
      return [{ item: NAMES[attribute], outcome: 'not-possible', reason }];
    }
    const found = await readProtection(ec2, subject.instanceId, attribute);
    return [{ before: { kind: 'protection', attribute, before: found }, found }];
  },
  item: (before) => NAMES[before.attribute],
  planned: ({ subject }) => ({
    change: `${subject.instanceId}: ${NAMES[attribute]} on`,
    why: loss,
    alsoHits: 'nothing',
    undo: 'restore switches it off again, once the instance is isolated no more',
  }),
  read: ({ ec2, subject }, before) => readProtection(ec2, subject.instanceId, before.attribute),
  isApplied: (isOn) => isOn,
  isOriginal: (isOn, { before }) => isOn === before,
  describe: (isOn) => (isOn ? 'on' : 'off'),
  expected: () => 'on',
  apply: ({ ec2, subject }, before) => setProtection(ec2, subject.instanceId, before.attribute, true),
  undo: ({ ec2, subject }, before) => setProtection(ec2, subject.instanceId, before.attribute, before.before),
});

// An instance that is gone is lost evidence; one that was stopped is less so, and can wait for its turn.
export const terminationProtection = protection(
  'disableApiTermination',
  false,
  'a terminated instance is lost evidence',
);
export const stopProtection = protection('disableApiStop', true, 'a stopped instance has lost its memory');
