import type {
  DeregisterInstancesFromLoadBalancerCommandInput,
  DescribeLoadBalancersCommandInput,
} from '@aws-sdk/client-elastic-load-balancing';
import type { ApiContext, Handlers } from './context.ts';
import { allInstances } from './ec2/find.ts';
import { AwsError } from './errors.ts';
import { page } from './paging.ts';
import type { ApiState, ClassicLoadBalancer } from './shapes.ts';

function balancers(state: ApiState): ClassicLoadBalancer[] {
  return state.ClassicLoadBalancers ?? [];
}

function describeLoadBalancers({ state }: ApiContext, input: DescribeLoadBalancersCommandInput): object {
  for (const name of input.LoadBalancerNames ?? []) findBalancer(state, name);
  const listed = balancers(state).filter(
    ({ LoadBalancerName }) => input.LoadBalancerNames?.includes(LoadBalancerName) ?? true,
  );
  const { items, nextToken } = page(listed, input.PageSize ?? 400, input.Marker);
  return { LoadBalancerDescriptions: items, NextMarker: nextToken };
}

/** Only the instances that are left are answered; one that is not registered is no error. */
function deregister({ state }: ApiContext, input: DeregisterInstancesFromLoadBalancerCommandInput): object {
  const balancer = findBalancer(state, input.LoadBalancerName);
  const ids = namedInstances(state, input);
  balancer.Instances = (balancer.Instances ?? []).filter(({ InstanceId }) => !ids.includes(InstanceId ?? ''));
  return { Instances: balancer.Instances };
}

function register({ state }: ApiContext, input: DeregisterInstancesFromLoadBalancerCommandInput): object {
  const balancer = findBalancer(state, input.LoadBalancerName);
  const there = balancer.Instances ?? [];
  const added = namedInstances(state, input).filter((id) => !there.some(({ InstanceId }) => InstanceId === id));
  balancer.Instances = [...there, ...added.map((InstanceId) => ({ InstanceId }))];
  return { Instances: balancer.Instances };
}

function namedInstances(state: ApiState, input: DeregisterInstancesFromLoadBalancerCommandInput): string[] {
  return (input.Instances ?? []).map(({ InstanceId = '' }) => {
    if (!allInstances(state).some((instance) => instance.InstanceId === InstanceId)) {
      throw new AwsError('InvalidEndPointException', `Could not find EC2 instance ${InstanceId}.`);
    }
    return InstanceId;
  });
}

function findBalancer(state: ApiState, name: string | undefined): ClassicLoadBalancer {
  const balancer = balancers(state).find(({ LoadBalancerName }) => LoadBalancerName === name);
  if (balancer === undefined)
    throw new AwsError('AccessPointNotFoundException', `There is no ACTIVE Load Balancer named '${name}'`);
  return balancer;
}

export const classicElbHandlers: Handlers = {
  DescribeLoadBalancers: describeLoadBalancers,
  DeregisterInstancesFromLoadBalancer: deregister,
  RegisterInstancesWithLoadBalancer: register,
};
