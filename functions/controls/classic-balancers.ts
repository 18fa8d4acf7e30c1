import { classicBalancersOf, joinClassic, leaveClassic } from '../aws/load-balancers.ts';
import { nameSome } from '../core/case/name-some.ts';
import { saysGone } from './gone.ts';
import type { Listed } from './subject.ts';

interface Before {
  readonly kind: 'classic-load-balancer';
  readonly loadBalancerName: string;
}

const BALANCERS = ['arn:aws:elasticloadbalancing:*:*:loadbalancer/*'];

/** The state is whether the balancer holds the instance. */
export const classicBalancers: Listed<Before, boolean> = {
  name: 'classic load balancers',
  kind: 'classic-load-balancer',
  permissions: [
    {
      sid: 'LookAtGroupsAndBalancers',
      for: 'look',
      actions: ['elasticloadbalancing:DescribeLoadBalancers'],
      resources: ['*'],
      why: 'which balancers hold the instance',
    },
    {
      sid: 'LeaveClassicBalancers',
      for: 'take',
      actions: ['elasticloadbalancing:DeregisterInstancesFromLoadBalancer'],
      resources: BALANCERS,
      why: 'users are sent to healthy targets',
    },
    {
      sid: 'ReturnToClassicBalancers',
      for: 'undo',
      actions: ['elasticloadbalancing:RegisterInstancesWithLoadBalancer'],
      resources: BALANCERS,
      why: 'only what the case took out is given back',
    },
  ],
  targets: async ({ classicElb, subject }) => {
    const names = await classicBalancersOf(classicElb, subject.instanceId);
    return names.map((loadBalancerName) => ({
      before: { kind: 'classic-load-balancer', loadBalancerName },
      found: true,
    }));
  },
  item: ({ loadBalancerName }) => `classic load balancer ${loadBalancerName}`,
  planned: ({ subject }, befores) => {
    const names = nameSome(befores.map(({ loadBalancerName }) => loadBalancerName));
    return {
      change: `${subject.instanceId}: out of the classic load balancer ${names}`,
      why: 'users are sent to healthy instances',
      alsoHits: 'connections that users have through it',
      undo: 'restore registers it again',
    };
  },
  read: async ({ classicElb, subject }, { loadBalancerName }) =>
    (await classicBalancersOf(classicElb, subject.instanceId)).includes(loadBalancerName),
  isApplied: (isHeld) => !isHeld,
  isOriginal: (isHeld) => isHeld,
  saysGone,
  describe: (isHeld) => (isHeld ? 'the instance in it' : 'it out of it'),
  expected: () => 'it out of it',
  apply: ({ classicElb, subject }, { loadBalancerName }) =>
    leaveClassic(classicElb, loadBalancerName, subject.instanceId),
  undo: ({ classicElb, subject }, { loadBalancerName }) =>
    joinClassic(classicElb, loadBalancerName, subject.instanceId),
};
