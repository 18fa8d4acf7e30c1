import {
  DeregisterInstancesFromLoadBalancerCommand,
  type ElasticLoadBalancingClient,
  paginateDescribeLoadBalancers,
  RegisterInstancesWithLoadBalancerCommand,
} from '@aws-sdk/client-elastic-load-balancing';
import {
  DeregisterTargetsCommand,
  DescribeTargetHealthCommand,
  type ElasticLoadBalancingV2Client,
  paginateDescribeTargetGroups,
  RegisterTargetsCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';

export interface Target {
  readonly targetGroupArn: string;
  readonly targetId: string;
  readonly port: number | null;
}

/** Target groups of one VPC are asked one by one; beyond this many a response would take too long. */
const TARGET_GROUP_LIMIT = 200;

/** Protocols of target groups behind a Network Load Balancer. */
const NETWORK_PROTOCOLS = ['TCP', 'TLS', 'UDP', 'TCP_UDP', 'QUIC', 'TCP_QUIC'];

interface GroupQuery {
  readonly vpcIds: readonly string[];
  /** Only groups behind balancers of this layer; all by default. */
  readonly layer?: 'network';
  /** Targets that are leaving too: they keep the flows that they have. */
  readonly draining?: boolean;
}

async function targetGroupsIn(
  elb: ElasticLoadBalancingV2Client,
  { vpcIds, layer }: GroupQuery,
): Promise<readonly string[]> {
  const arns: string[] = [];
  for await (const page of paginateDescribeTargetGroups({ client: elb }, {})) {
    for (const group of page.TargetGroups ?? []) {
      const asked = layer === undefined || NETWORK_PROTOCOLS.includes(group.Protocol ?? '');
      const here = asked && (group.VpcId === undefined || vpcIds.includes(group.VpcId));
      if (here && group.TargetGroupArn !== undefined) arns.push(group.TargetGroupArn);
    }
  }
  if (arns.length > TARGET_GROUP_LIMIT) throw new Error(`the VPC has more than ${TARGET_GROUP_LIMIT} target groups`);
  return arns;
}

/** As which targets of these groups the instance is registered, by its id or by one of its addresses. */
export async function targetsIn(
  elb: ElasticLoadBalancingV2Client,
  arns: readonly string[],
  targetIds: readonly string[],
  { draining = false }: Pick<GroupQuery, 'draining'> = {},
): Promise<readonly Target[]> {
  const found = await Promise.all(
    arns.map(async (targetGroupArn) => {
      const answer = await elb.send(new DescribeTargetHealthCommand({ TargetGroupArn: targetGroupArn }));
      return (answer.TargetHealthDescriptions ?? []).flatMap(({ Target, TargetHealth }): Target[] => {
        const targetId = Target?.Id ?? '';
        const leaving = TargetHealth?.State === 'draining' && !draining;
        return targetIds.includes(targetId) && !leaving
          ? [{ targetGroupArn, targetId, port: Target?.Port ?? null }]
          : [];
      });
    }),
  );
  return found.flat();
}

/** Where the instance is registered as a target, in all groups that a query finds. */
export async function targetsOf(
  elb: ElasticLoadBalancingV2Client,
  where: GroupQuery,
  targetIds: readonly string[],
): Promise<readonly Target[]> {
  return targetsIn(elb, await targetGroupsIn(elb, where), targetIds, where);
}

const descriptionOf = (target: Target) => ({ Id: target.targetId, ...(target.port !== null && { Port: target.port }) });

export async function deregister(elb: ElasticLoadBalancingV2Client, target: Target): Promise<void> {
  await elb.send(
    new DeregisterTargetsCommand({ TargetGroupArn: target.targetGroupArn, Targets: [descriptionOf(target)] }),
  );
}

export async function register(elb: ElasticLoadBalancingV2Client, target: Target): Promise<void> {
  await elb.send(
    new RegisterTargetsCommand({ TargetGroupArn: target.targetGroupArn, Targets: [descriptionOf(target)] }),
  );
}

/** Names of the classic load balancers that hold the instance. */
export async function classicBalancersOf(
  elb: ElasticLoadBalancingClient,
  instanceId: string,
): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const page of paginateDescribeLoadBalancers({ client: elb }, {})) {
    for (const balancer of page.LoadBalancerDescriptions ?? []) {
      const holds = balancer.Instances?.some((instance) => instance.InstanceId === instanceId) ?? false;
      if (holds && balancer.LoadBalancerName !== undefined) names.push(balancer.LoadBalancerName);
    }
  }
  return names;
}

export async function leaveClassic(elb: ElasticLoadBalancingClient, name: string, instanceId: string): Promise<void> {
  const input = { LoadBalancerName: name, Instances: [{ InstanceId: instanceId }] };
  await elb.send(new DeregisterInstancesFromLoadBalancerCommand(input));
}

export async function joinClassic(elb: ElasticLoadBalancingClient, name: string, instanceId: string): Promise<void> {
  const input = { LoadBalancerName: name, Instances: [{ InstanceId: instanceId }] };
  await elb.send(new RegisterInstancesWithLoadBalancerCommand(input));
}
