import type {
  AttachInstancesCommandInput,
  DescribeAutoScalingGroupsCommandInput,
  DescribeAutoScalingInstancesCommandInput,
  DetachInstancesCommandInput,
  EnterStandbyCommandInput,
  ExitStandbyCommandInput,
  SuspendProcessesCommandInput,
} from '@aws-sdk/client-auto-scaling';
import type { ApiContext, Handlers } from './context.ts';
import { allInstances } from './ec2/find.ts';
import { AwsError } from './errors.ts';
import { newUuid } from './ids.ts';
import { page } from './paging.ts';
import type { ApiState, AutoScalingGroup, AutoScalingInstance, Tag } from './shapes.ts';

const TRANSITION_SECONDS = 5;

/** An instance stands in its group and in the list of instances; a world file may give either. */
function members(state: ApiState): AutoScalingInstance[] {
  const listed = state.AutoScalingInstances;
  const inGroups = state.AutoScalingGroups.flatMap((group) =>
    (group.Instances ?? []).map((instance) => ({ AutoScalingGroupName: group.AutoScalingGroupName, ...instance })),
  );
  return [...listed, ...inGroups.filter(({ InstanceId }) => !listed.some((known) => known.InstanceId === InstanceId))];
}

function setLifecycle(state: ApiState, instanceId: string, LifecycleState: string): void {
  for (const list of [state.AutoScalingInstances, ...state.AutoScalingGroups.map((group) => group.Instances ?? [])]) {
    const instance = list.find(({ InstanceId }) => InstanceId === instanceId);
    if (instance !== undefined) instance.LifecycleState = LifecycleState;
  }
}

function remove(state: ApiState, instanceId: string): void {
  const stays = ({ InstanceId }: AutoScalingInstance) => InstanceId !== instanceId;
  state.AutoScalingInstances.splice(0, Infinity, ...state.AutoScalingInstances.filter(stays));
  for (const group of state.AutoScalingGroups) group.Instances = (group.Instances ?? []).filter(stays);
}

function describeInstances({ state }: ApiContext, input: DescribeAutoScalingInstancesCommandInput): object {
  const listed = members(state).filter(({ InstanceId }) => input.InstanceIds?.includes(InstanceId) ?? true);
  const { items, nextToken } = page(listed, input.MaxRecords ?? 50, input.NextToken, invalidToken);
  return { AutoScalingInstances: items, NextToken: nextToken };
}

function describeGroups({ state }: ApiContext, input: DescribeAutoScalingGroupsCommandInput): object {
  const named = state.AutoScalingGroups.filter(
    ({ AutoScalingGroupName: name }) => input.AutoScalingGroupNames?.includes(name) ?? true,
  );
  const listed = (input.Filters ?? []).reduce((left, { Name = '', Values = [] }) => {
    const tagsOf = (group: AutoScalingGroup) => (group['Tags'] ?? []) as Tag[];
    if (Name === 'tag-key') return left.filter((group) => tagsOf(group).some(({ Key }) => Values.includes(Key)));
    if (!Name.startsWith('tag:')) throw validation(`Filter type ${Name} is not correct.`);
    return left.filter((group) =>
      tagsOf(group).some(({ Key, Value }) => Key === Name.slice(4) && Values.includes(Value)),
    );
  }, named);
  const { items, nextToken } = page(listed, input.MaxRecords ?? 50, input.NextToken, invalidToken);
  const AutoScalingGroups = items.map((group) => ({
    ...group,
    Instances: members(state).filter((instance) => instance.AutoScalingGroupName === group.AutoScalingGroupName),
  }));
  return { AutoScalingGroups, NextToken: nextToken };
}

/** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_EnterStandby.html: from InService only. */
function enterStandby(context: ApiContext, input: EnterStandbyCommandInput): object {
  const { state } = context;
  const group = findGroup(state, input.AutoScalingGroupName);
  const decrement = requiredDecrement(input.ShouldDecrementDesiredCapacity);
  const ids = groupInstances(state, group, input.InstanceIds, ['InService'], 'EnterStandby');
  if (decrement) lowerCapacity(group, ids.length);
  return { Activities: ids.map((id) => transition(context, group, id, 'EnteringStandby', 'Standby')) };
}

/** Raises the desired capacity, which must stay within MaxSize. https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-enter-exit-standby.html */
function exitStandby(context: ApiContext, input: ExitStandbyCommandInput): object {
  const { state } = context;
  const group = findGroup(state, input.AutoScalingGroupName);
  const ids = groupInstances(state, group, input.InstanceIds, ['Standby'], 'ExitStandby');
  raiseCapacity(group, ids.length);
  return { Activities: ids.map((id) => transition(context, group, id, 'Pending', 'InService')) };
}

/** https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-detach-attach-instances.html */
function detachInstances(context: ApiContext, input: DetachInstancesCommandInput): object {
  const { state } = context;
  const group = findGroup(state, input.AutoScalingGroupName);
  const decrement = requiredDecrement(input.ShouldDecrementDesiredCapacity);
  const ids = groupInstances(state, group, input.InstanceIds, ['InService', 'Standby'], 'DetachInstances');
  if (decrement) lowerCapacity(group, ids.length);
  return {
    Activities: ids.map((id) => {
      setLifecycle(state, id, 'Detaching');
      context.later(context.now + TRANSITION_SECONDS, () => remove(state, id));
      return activity(context, group, `Detaching EC2 instance: ${id}`);
    }),
  };
}

/** The instance must run and be in no other group; the desired capacity rises within MaxSize. */
function attachInstances(context: ApiContext, input: AttachInstancesCommandInput): object {
  const { state } = context;
  const group = findGroup(state, input.AutoScalingGroupName);
  const ids = input.InstanceIds ?? [];
  if (ids.length === 0) throw validation('At least one instance must be named.');
  for (const id of ids) {
    const instance = allInstances(state).find(({ InstanceId }) => InstanceId === id);
    if (instance === undefined) throw validation(`Invalid Instance ID(s): [${id}] specified`);
    if ((instance.State?.Name ?? 'running') !== 'running')
      throw validation(`Instance ${id} is not in correct state (running).`);
    const there = members(state).find(({ InstanceId }) => InstanceId === id);
    if (there !== undefined)
      throw validation(`Instance ${id} is already part of AutoScalingGroup:${there.AutoScalingGroupName}`);
  }
  raiseCapacity(group, ids.length);
  for (const InstanceId of ids) {
    const member = { InstanceId, LifecycleState: 'Pending', HealthStatus: 'Healthy', ProtectedFromScaleIn: false };
    group.Instances = [...(group.Instances ?? []), member];
    transition(context, group, InstanceId, 'Pending', 'InService');
  }
  return {};
}

const PROCESSES = [
  'Launch',
  'Terminate',
  'AddToLoadBalancer',
  'AlarmNotification',
  'AZRebalance',
  'HealthCheck',
  'InstanceRefresh',
  'ReplaceUnhealthy',
  'ScheduledActions',
];

function suspendProcesses({ state }: ApiContext, input: SuspendProcessesCommandInput): object {
  const group = findGroup(state, input.AutoScalingGroupName);
  const suspended = group.SuspendedProcesses ?? [];
  const added = namedProcesses(input.ScalingProcesses).filter(
    (name) => !suspended.some(({ ProcessName }) => ProcessName === name),
  );
  group.SuspendedProcesses = [
    ...suspended,
    ...added.map((ProcessName) => ({ ProcessName, SuspensionReason: 'User suspended' })),
  ];
  return {};
}

function resumeProcesses({ state }: ApiContext, input: SuspendProcessesCommandInput): object {
  const group = findGroup(state, input.AutoScalingGroupName);
  const resumed = namedProcesses(input.ScalingProcesses);
  group.SuspendedProcesses = (group.SuspendedProcesses ?? []).filter(
    ({ ProcessName }) => !resumed.includes(ProcessName ?? ''),
  );
  return {};
}

function namedProcesses(names: readonly string[] | undefined): readonly string[] {
  const unknown = names?.find((name) => !PROCESSES.includes(name));
  if (unknown !== undefined) throw validation(`${unknown} is not a valid process`);
  return names ?? PROCESSES;
}

/** A file may list an instance as a group's and not the group: then the group has room. */
function findGroup(state: ApiState, name: string | undefined): AutoScalingGroup {
  const group = state.AutoScalingGroups.find(({ AutoScalingGroupName }) => AutoScalingGroupName === name);
  if (group !== undefined) return group;
  const count = state.AutoScalingInstances.filter(({ AutoScalingGroupName }) => AutoScalingGroupName === name).length;
  if (name === undefined || count === 0) {
    throw validation(`AutoScalingGroup name not found - AutoScalingGroup '${name}' not found`);
  }
  return { AutoScalingGroupName: name, MinSize: 0, DesiredCapacity: count };
}

/** The named instances, all of them in the group and in one of the states. */
function groupInstances(
  state: ApiState,
  group: AutoScalingGroup,
  ids: readonly string[] | undefined,
  states: readonly string[],
  call: string,
): readonly string[] {
  if (ids === undefined || ids.length === 0) throw validation('At least one instance must be named.');
  for (const id of ids) {
    const instance = members(state).find(({ InstanceId }) => InstanceId === id);
    if (instance === undefined || instance.AutoScalingGroupName !== group.AutoScalingGroupName) {
      throw validation(`The instance ${id} is not part of Auto Scaling group ${group.AutoScalingGroupName}.`);
    }
    const lifecycle = instance.LifecycleState ?? 'InService';
    if (!states.includes(lifecycle)) {
      throw validation(`The instance ${id} is in ${lifecycle}, not ${states.join(' or ')}, as ${call} needs.`);
    }
  }
  return ids;
}

function requiredDecrement(value: boolean | undefined): boolean {
  if (value === undefined) throw validation("Value null at 'shouldDecrementDesiredCapacity' must not be null");
  return value;
}

function lowerCapacity(group: AutoScalingGroup, count: number): void {
  const desired = group.DesiredCapacity ?? 0;
  const least = group.MinSize ?? 0;
  if (desired - count < least) {
    throw validation(
      `AutoScalingGroup ${group.AutoScalingGroupName} has min-size=${least} and desired-capacity=${desired}. To place into standby or detach ${count} instance(s), please update the min-size.`,
    );
  }
  group.DesiredCapacity = desired - count;
}

function raiseCapacity(group: AutoScalingGroup, count: number): void {
  const desired = (group.DesiredCapacity ?? 0) + count;
  if (desired > (group.MaxSize ?? desired)) {
    throw validation(
      `AutoScalingGroup ${group.AutoScalingGroupName} has max-size=${group.MaxSize}; the desired capacity would be ${desired}. Please update the max-size.`,
    );
  }
  group.DesiredCapacity = desired;
}

function transition(context: ApiContext, group: AutoScalingGroup, id: string, during: string, after: string): object {
  setLifecycle(context.state, id, during);
  context.later(context.now + TRANSITION_SECONDS, () => setLifecycle(context.state, id, after));
  return activity(context, group, `Moving EC2 instance to ${after}: ${id}`);
}

function activity({ memory, iso, now }: ApiContext, group: AutoScalingGroup, Description: string): object {
  return {
    ActivityId: newUuid(memory),
    AutoScalingGroupName: group.AutoScalingGroupName,
    Cause: 'At the request of a user',
    Description,
    Progress: 50,
    StartTime: iso(now),
    StatusCode: 'InProgress',
  };
}

function validation(message: string): AwsError {
  return new AwsError('ValidationError', message);
}

function invalidToken(): AwsError {
  return new AwsError('InvalidNextToken', 'The NextToken value is not valid.');
}

export const autoScalingHandlers: Handlers = {
  DescribeAutoScalingInstances: describeInstances,
  DescribeAutoScalingGroups: describeGroups,
  EnterStandby: enterStandby,
  ExitStandby: exitStandby,
  DetachInstances: detachInstances,
  AttachInstances: attachInstances,
  SuspendProcesses: suspendProcesses,
  ResumeProcesses: resumeProcesses,
};
