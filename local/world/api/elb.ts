import type {
  DeregisterTargetsCommandInput,
  DescribeLoadBalancersCommandInput,
  DescribeTargetGroupsCommandInput,
  DescribeTargetHealthCommandInput,
  TargetDescription,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import type { ApiContext, Handlers } from './context.ts';
import { allInstances } from './ec2/find.ts';
import { AwsError } from './errors.ts';
import { page } from './paging.ts';
import type { ApiState, TargetGroup, TargetHealthEntry } from './shapes.ts';

/** The default deregistration delay. https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html */
const DRAINING_SECONDS = 300;
const HEALTHY_AFTER_SECONDS = 60;

function describeTargetGroups({ state }: ApiContext, input: DescribeTargetGroupsCommandInput): object {
  for (const arn of input.TargetGroupArns ?? []) findTargetGroup(state, arn);
  const listed = state.TargetGroups.filter(
    (group) =>
      (input.TargetGroupArns?.includes(group.TargetGroupArn) ?? true) &&
      (input.Names?.includes(group.TargetGroupName ?? '') ?? true) &&
      (input.LoadBalancerArn === undefined || (group.LoadBalancerArns ?? []).includes(input.LoadBalancerArn)),
  );
  if (input.Names !== undefined && listed.length < input.Names.length) throw targetGroupNotFound();
  const { items, nextToken } = page(listed, input.PageSize ?? 400, input.Marker);
  return { TargetGroups: items, NextMarker: nextToken };
}

function describeTargetHealth({ state }: ApiContext, input: DescribeTargetHealthCommandInput): object {
  const group = findTargetGroup(state, input.TargetGroupArn);
  const registered = state.TargetHealth.filter(({ TargetGroupArn }) => TargetGroupArn === group.TargetGroupArn);
  const shown = ({ Target, TargetHealth }: TargetHealthEntry) => ({
    Target,
    HealthCheckPort: String(Target.Port ?? group.Port ?? ''),
    TargetHealth: TargetHealth ?? { State: 'healthy' },
  });
  if (input.Targets === undefined) return { TargetHealthDescriptions: registered.map(shown) };
  const TargetHealthDescriptions = input.Targets.map((target) => {
    const entry = registered.find((candidate) => isTarget(group, candidate, target));
    if (entry !== undefined) return shown(entry);
    const TargetHealth = {
      State: 'unused',
      Reason: 'Target.NotRegistered',
      Description: 'Target is not registered to the target group',
    };
    return { Target: target, TargetHealth };
  });
  return { TargetHealthDescriptions };
}

/** Draining goes on for the deregistration delay; a target that is not there is no error. https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html */
function deregisterTargets({ state, later, now }: ApiContext, input: DeregisterTargetsCommandInput): object {
  const group = findTargetGroup(state, input.TargetGroupArn);
  for (const target of requiredTargets(input)) {
    const gone = state.TargetHealth.filter((entry) => isTarget(group, entry, target));
    for (const entry of gone) {
      entry.TargetHealth = {
        State: 'draining',
        Reason: 'Target.DeregistrationInProgress',
        Description: 'Target deregistration is in progress',
      };
      later(now + DRAINING_SECONDS, () => {
        if (entry.TargetHealth?.State === 'draining') state.TargetHealth.splice(state.TargetHealth.indexOf(entry), 1);
      });
    }
  }
  return {};
}

function registerTargets({ state, later, now }: ApiContext, input: DeregisterTargetsCommandInput): object {
  const group = findTargetGroup(state, input.TargetGroupArn);
  const targets = requiredTargets(input);
  for (const { Id = '' } of targets) requireTarget(state, group, Id);
  for (const target of targets) {
    const there = state.TargetHealth.find((entry) => isTarget(group, entry, target));
    const entry = there ?? { TargetGroupArn: group.TargetGroupArn, Target: targetOf(group, target) };
    if (there === undefined) state.TargetHealth.push(entry);
    entry.TargetHealth = { State: 'initial', Reason: 'Elb.RegistrationInProgress' };
    later(now + HEALTHY_AFTER_SECONDS, () => {
      if (entry.TargetHealth?.State === 'initial') entry.TargetHealth = { State: 'healthy' };
    });
  }
  return {};
}

function requiredTargets({ Targets }: DeregisterTargetsCommandInput): TargetDescription[] {
  if (Targets === undefined || Targets.length === 0)
    throw new AwsError('ValidationError', 'At least one target must be specified');
  return Targets;
}

function requireTarget(state: ApiState, group: TargetGroup, id: string): void {
  if ((group.TargetType ?? 'instance') !== 'instance') return;
  const instance = allInstances(state).find(({ InstanceId }) => InstanceId === id);
  const sameVpc = instance?.VpcId === undefined || group.VpcId === undefined || instance.VpcId === group.VpcId;
  if (instance === undefined || !sameVpc) {
    throw new AwsError(
      'InvalidTargetException',
      `The following targets are not in the target group VPC or do not exist: '${id}'`,
    );
  }
  if ((instance.State?.Name ?? 'running') !== 'running') {
    throw new AwsError(
      'InvalidTargetException',
      `The following targets are not in a running state and cannot be registered: '${id}'`,
    );
  }
}

function targetOf(group: TargetGroup, { Id = '', Port }: TargetDescription): TargetHealthEntry['Target'] {
  const port = Port ?? group.Port;
  return port === undefined ? { Id } : { Id, Port: port };
}

/** A target named without a port is the one at the group's port. */
function isTarget(group: TargetGroup, entry: TargetHealthEntry, { Id, Port }: TargetDescription): boolean {
  const sameGroup = entry.TargetGroupArn === group.TargetGroupArn;
  return sameGroup && entry.Target.Id === Id && (Port ?? group.Port) === (entry.Target.Port ?? group.Port);
}

function findTargetGroup(state: ApiState, arn: string | undefined): TargetGroup {
  const group = state.TargetGroups.find(({ TargetGroupArn }) => TargetGroupArn === arn);
  if (group === undefined) throw targetGroupNotFound();
  return group;
}

function targetGroupNotFound(): AwsError {
  return new AwsError('TargetGroupNotFoundException', 'One or more target groups not found');
}

function describeLoadBalancers({ state }: ApiContext, input: DescribeLoadBalancersCommandInput): object {
  const listed = state.LoadBalancers.filter(
    (balancer) =>
      (input.LoadBalancerArns?.includes(balancer.LoadBalancerArn) ?? true) &&
      (input.Names?.includes(balancer.LoadBalancerName ?? '') ?? true),
  );
  if (listed.length < (input.LoadBalancerArns ?? input.Names ?? []).length) {
    throw new AwsError('LoadBalancerNotFoundException', 'One or more load balancers not found');
  }
  const { items, nextToken } = page(listed, input.PageSize ?? 400, input.Marker);
  return { LoadBalancers: items, NextMarker: nextToken };
}

export const elbV2Handlers: Handlers = {
  DescribeTargetGroups: describeTargetGroups,
  DescribeTargetHealth: describeTargetHealth,
  DeregisterTargets: deregisterTargets,
  RegisterTargets: registerTargets,
  DescribeLoadBalancers: describeLoadBalancers,
};
