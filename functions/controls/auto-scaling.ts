import { attach, detach, enterStandby, exitStandby, type Membership, membershipOf } from '../aws/scaling.ts';
import { saysGone } from './gone.ts';
import type { Listed } from './subject.ts';

/** Left, or being left, without the instance being ended. */
const STANDBY = ['EnteringStandby', 'Standby'];
const LEAVING = ['EnteringStandby', 'Detaching'];

interface Before {
  readonly kind: 'auto-scaling';
  readonly groupName: string;
  readonly action: 'standby' | 'detach';
}

/** Auto Scaling raises it with each instance that comes back; the one that replaced it stays. */
const ONE_HIGHER = "the group's desired capacity is one higher now";

const nameOf = (groupName: string): string => `Auto Scaling group ${groupName}`;

const isInStandby = (state: Membership | null): boolean => state !== null && STANDBY.includes(state.lifecycleState);

const GROUPS = ['arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/*'];

/** An isolated instance fails its health checks, and its Auto Scaling group would destroy it. */
export const autoScaling: Listed<Before, Membership | null> = {
  name: 'Auto Scaling group',
  kind: 'auto-scaling',
  permissions: [
    {
      sid: 'LookAtGroupsAndBalancers',
      for: 'look',
      actions: ['autoscaling:DescribeAutoScalingInstances'],
      resources: ['*'],
      why: 'of which group the instance is a member, and in which state',
    },
    {
      sid: 'LeaveScalingGroup',
      for: 'take',
      actions: ['autoscaling:DetachInstances', 'autoscaling:EnterStandby'],
      resources: GROUPS,
      why: 'an isolated instance fails its health checks, and its group would destroy the evidence',
    },
    {
      sid: 'ReturnToScalingGroup',
      for: 'undo',
      actions: ['autoscaling:AttachInstances', 'autoscaling:ExitStandby'],
      resources: GROUPS,
      why: 'only what the case took out is given back',
    },
  ],
  targets: async ({ scaling, config, subject }) => {
    const found = await membershipOf(scaling, subject.instanceId);
    if (found === null) return [];
    const { groupName, lifecycleState } = found;
    const isOut = isInStandby(found);
    // Standby is entered from InService only.
    // https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-enter-exit-standby.html
    if (!isOut && config.autoScaling === 'standby' && lifecycleState !== 'InService') {
      const reason = `standby is entered from InService only, the instance is ${lifecycleState}`;
      return [{ item: nameOf(groupName), outcome: 'not-possible', reason }];
    }
    const action = isOut ? 'standby' : config.autoScaling;
    return [{ before: { kind: 'auto-scaling', groupName, action }, found }];
  },
  item: ({ groupName }) => nameOf(groupName),
  planned: ({ subject }, befores) => {
    const groups = befores.map(({ groupName }) => groupName).join(', ');
    const isDetached = befores.some(({ action }) => action === 'detach');
    return {
      change: `${subject.instanceId}: ${isDetached ? 'detached from' : 'to Standby in'} the Auto Scaling group ${groups}`,
      why: 'an isolated instance fails its health checks, and its Auto Scaling group would destroy it',
      alsoHits: `the Auto Scaling group ${groups} launches a replacement`,
      undo: `restore ${isDetached ? 'attaches it again' : 'takes it out of Standby'}; ${ONE_HIGHER}`,
    };
  },
  read: ({ scaling, subject }) => membershipOf(scaling, subject.instanceId),
  isApplied: (state, { action }) =>
    action === 'standby' ? isInStandby(state) : state === null || state.lifecycleState.startsWith('Detach'),
  isOriginal: (state, { action }) =>
    state !== null && (action === 'standby' ? !isInStandby(state) : !state.lifecycleState.startsWith('Detach')),
  isGone: (state, { action }) => action === 'standby' && state === null,
  saysGone,
  isMoving: (state) => state !== null && LEAVING.includes(state.lifecycleState),
  describe: (state, { action }) => {
    if (state === null) return 'it in no group';
    return action === 'standby' || LEAVING.includes(state.lifecycleState)
      ? state.lifecycleState
      : `it in ${state.groupName}`;
  },
  expected: ({ action }) => (action === 'standby' ? 'Standby' : 'it in no group'),
  remark: (state) => (state === null ? 'it is in no Auto Scaling group any more' : null),
  apply: ({ scaling, subject }, { groupName, action }) =>
    (action === 'standby' ? enterStandby : detach)(scaling, groupName, subject.instanceId),
  undo: async ({ scaling, subject }, { groupName, action }) => {
    await (action === 'standby' ? exitStandby : attach)(scaling, groupName, subject.instanceId);
    return ONE_HIGHER;
  },
};
