import { deregister, register, type Target, targetsIn, targetsOf } from '../aws/load-balancers.ts';
import { vpcIdsOf } from '../core/case/facts.ts';
import { nameSome } from '../core/case/name-some.ts';
import type { Recorded } from '../core/control.ts';
import { saysGone } from './gone.ts';
import type { Listed } from './subject.ts';

type Before = Target & { readonly kind: 'target' };

/** Ports at which it is registered, and whether each of them is one that we took it out of. */
interface State {
  readonly ports: readonly (number | null)[];
  readonly areOurs: boolean;
}

/** `arn:aws:elasticloadbalancing:...:targetgroup/NAME/ID` */
const groupName = ({ targetGroupArn }: Target): string => targetGroupArn.split('/')[1] ?? targetGroupArn;

const itemOf = (target: Target): string =>
  `target group ${groupName(target)} target ${target.targetId}${target.port === null ? '' : `:${target.port}`}`;

const portText = (port: number | null): string => (port === null ? 'the port of the group' : `port ${port}`);

const isTarget = (entry: Recorded): entry is Before => entry.kind === 'target';

/** One instance may be a target at several ports of a group; each is taken out and put back by itself. */
function stateOf(
  ports: readonly (number | null)[],
  taken: readonly Recorded[],
  { targetGroupArn, targetId }: Target,
): State {
  const ours = taken
    .filter(isTarget)
    .filter((one) => one.targetGroupArn === targetGroupArn && one.targetId === targetId);
  return { ports, areOurs: ports.every((port) => ours.some((one) => one.port === port)) };
}

const TARGET_GROUPS = ['arn:aws:elasticloadbalancing:*:*:targetgroup/*'];

/** Users are sent to healthy targets. */
export const targetGroups: Listed<Before, State> = {
  name: 'target groups',
  kind: 'target',
  // One instance may be in 200 groups, and the step has two minutes.
  atOnce: 10,
  permissions: [
    {
      sid: 'Look',
      for: 'find',
      actions: ['ec2:DescribeNetworkInterfaces'],
      resources: ['*'],
      why: 'the addresses by which the instance may be a target',
    },
    {
      sid: 'LookAtGroupsAndBalancers',
      for: 'find',
      actions: ['elasticloadbalancing:DescribeTargetGroups'],
      resources: ['*'],
      why: 'which groups there are in the VPC',
    },
    {
      sid: 'LookAtGroupsAndBalancers',
      for: 'look',
      actions: ['elasticloadbalancing:DescribeTargetHealth'],
      resources: ['*'],
      why: 'where the instance is a target, by its id or by an address',
    },
    {
      sid: 'LeaveTargetGroups',
      for: 'take',
      actions: ['elasticloadbalancing:DeregisterTargets'],
      resources: TARGET_GROUPS,
      why: 'users are sent to healthy targets',
    },
    {
      sid: 'ReturnToTargetGroups',
      for: 'undo',
      actions: ['elasticloadbalancing:RegisterTargets'],
      resources: TARGET_GROUPS,
      why: 'only what the case took out is given back',
    },
  ],
  targets: async ({ elb, subject }) => {
    const interfaces = await subject.interfaces();
    const vpcIds = vpcIdsOf(interfaces);
    const addresses = interfaces.flatMap((eni) => [...eni.privateAddresses, ...eni.ipv6Addresses]);
    const found = await targetsOf(elb, { vpcIds }, [subject.instanceId, ...addresses]);
    return found.map((target) => ({
      before: { kind: 'target', ...target },
      found: { ports: [target.port], areOurs: true },
    }));
  },
  item: itemOf,
  planned: ({ subject }, befores) => ({
    change: `${subject.instanceId}: out of ${nameSome(befores.map(itemOf))}`,
    why: 'users are sent to healthy targets',
    alsoHits: 'connections that users have through these groups end when they are drained',
    undo: 'restore registers it again, at the port that it had',
  }),
  read: async ({ elb, subject }, before) => {
    const found = await targetsIn(elb, [before.targetGroupArn], [before.targetId]);
    return stateOf(
      found.map(({ port }) => port),
      subject.taken,
      before,
    );
  },
  isApplied: ({ ports }, { port }) => !ports.includes(port),
  isOriginal: ({ ports }, { port }) => ports.includes(port),
  isForeign: ({ areOurs }) => !areOurs,
  saysGone,
  describe: ({ ports }, { port }) =>
    ports.includes(port) ? portText(port) : ports.map(portText).join(', ') || 'no registration',
  expected: ({ port }) => `no registration (it was at ${portText(port)})`,
  apply: ({ elb }, before) => deregister(elb, before),
  undo: ({ elb }, before) => register(elb, before),
};
