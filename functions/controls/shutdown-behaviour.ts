import { readShutdownBehavior, setShutdownBehavior } from '../aws/instance-attributes.ts';
import { ATTRIBUTE_CALLS, changeAttributes, READ_ATTRIBUTES } from './protection.ts';
import type { Listed } from './subject.ts';

interface Before {
  readonly kind: 'shutdown-behavior';
  readonly before: string;
}

const WHY = 'a shutdown from inside would terminate the instance';

/** The state is what a shutdown from inside does: `stop` or `terminate`. */
export const shutdownBehaviour: Listed<Before, string> = {
  name: 'shutdown behaviour',
  kind: 'shutdown-behavior',
  rateLimit: ATTRIBUTE_CALLS,
  permissions: [READ_ATTRIBUTES, ...changeAttributes(WHY)],
  targets: async ({ ec2, subject }) => {
    // That of a Spot instance cannot be changed.
    if ((await subject.instance())?.spot === true) return [];
    const found = await readShutdownBehavior(ec2, subject.instanceId);
    return [{ before: { kind: 'shutdown-behavior', before: found }, found }];
  },
  item: () => 'shutdown behaviour',
  planned: ({ subject }) => ({
    change: `${subject.instanceId}: a shutdown from inside stops it and does not terminate it`,
    why: WHY,
    alsoHits: 'nothing',
    undo: 'restore sets it back',
  }),
  read: ({ ec2, subject }) => readShutdownBehavior(ec2, subject.instanceId),
  isApplied: (found) => found === 'stop',
  isOriginal: (found, { before }) => found === before,
  describe: (found) => found,
  expected: () => 'stop',
  apply: ({ ec2, subject }) => setShutdownBehavior(ec2, subject.instanceId, 'stop'),
  undo: ({ ec2, subject }, { before }) => setShutdownBehavior(ec2, subject.instanceId, before),
};
