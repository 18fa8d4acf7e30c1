import type {
  DescribeInstanceAttributeCommandInput,
  DescribeInstancesCommandInput,
  InstanceBlockDeviceMappingSpecification,
  ModifyInstanceAttributeCommandInput,
  StopInstancesCommandInput,
} from '@aws-sdk/client-ec2';
import type { ApiContext, Handlers } from '../context.ts';
import { AwsError } from '../errors.ts';
import type { ApiState, Instance } from '../shapes.ts';
import { allInstances, findInstance, groupsFor, interfacesOf, setGroups } from './find.ts';
import { type Listing, list } from './listing.ts';
import { refuseManaged } from './managed.ts';
import { metadataOptionsOf } from './metadata-options.ts';
import { invalidValue, required } from './require.ts';

const STOPPING_SECONDS = 30;

const listing: Listing<Instance> = {
  kind: 'instance',
  idOf: (instance) => instance.InstanceId,
  tagsOf: (instance) => instance.Tags,
  pageSize: { min: 5, max: 1000 },
  noPagesOfIds: true,
  filters: {
    'instance-id': (instance) => instance.InstanceId,
    'instance-state-name': (instance) => instance.State?.Name,
    'instance-state-code': (instance) => instance.State?.Code,
    'instance-type': (instance) => instance.InstanceType,
    'instance-lifecycle': (instance) => instance.InstanceLifecycle,
    platform: (instance) => instance.Platform,
    'vpc-id': (instance) => instance.VpcId,
    'subnet-id': (instance) => instance.SubnetId,
    'private-ip-address': (instance) => instance.PrivateIpAddress,
    'ip-address': (instance) => instance.PublicIpAddress,
    'instance.group-id': (instance) => instance.SecurityGroups?.map((group) => group.GroupId),
    'instance.group-name': (instance) => instance.SecurityGroups?.map((group) => group.GroupName),
    'network-interface.network-interface-id': (instance) =>
      instance.NetworkInterfaces?.map((eni) => eni.NetworkInterfaceId),
    'network-interface.group-id': (instance) =>
      instance.NetworkInterfaces?.flatMap((eni) => eni.Groups?.map((group) => group.GroupId)),
    'operator.managed': (instance) => instance.Operator?.Managed ?? false,
    'operator.principal': (instance) => instance.Operator?.Principal,
  },
};

function describeInstances({ state }: ApiContext, input: DescribeInstancesCommandInput): object {
  const all = allInstances(state).map((instance) => shown(state, instance));
  const { items, nextToken } = list(all, listing, input.InstanceIds, input);
  const Reservations = state.Reservations.map((reservation) => ({
    OwnerId: state.AccountId,
    ...reservation,
    Instances: items.filter(({ InstanceId }) => reservation.Instances.some((one) => one.InstanceId === InstanceId)),
  })).filter((reservation) => reservation.Instances.length > 0);
  return { Reservations, NextToken: nextToken };
}

/** An instance with what AWS always says of one, and its interfaces as they are now, where the file gave them apart. */
function shown(state: ApiState, instance: Instance): Instance {
  const enis = interfacesOf(state, instance.InstanceId);
  return {
    State: { Code: 16, Name: 'running' },
    ...instance,
    MetadataOptions: metadataOptionsOf(instance),
    ...(enis.length > 0 ? { NetworkInterfaces: enis } : {}),
  };
}

/** Attribute as the API names it → member of the answer, and its default. */
const ATTRIBUTES: Record<string, { member: string; fallback: unknown }> = {
  disableApiTermination: { member: 'DisableApiTermination', fallback: false },
  disableApiStop: { member: 'DisableApiStop', fallback: false },
  instanceInitiatedShutdownBehavior: { member: 'InstanceInitiatedShutdownBehavior', fallback: 'stop' },
  ebsOptimized: { member: 'EbsOptimized', fallback: false },
  sourceDestCheck: { member: 'SourceDestCheck', fallback: true },
  instanceType: { member: 'InstanceType', fallback: undefined },
  rootDeviceName: { member: 'RootDeviceName', fallback: undefined },
};

function describeInstanceAttribute({ state }: ApiContext, input: DescribeInstanceAttributeCommandInput): object {
  const instance = findInstance(state, required(input.InstanceId, 'InstanceId'));
  const attribute: string = required(input.Attribute, 'Attribute');
  const { InstanceId } = instance;
  if (attribute === 'groupSet') return { InstanceId, Groups: instance.SecurityGroups ?? [] };
  const known = ATTRIBUTES[attribute];
  if (known === undefined) throw invalidValue('attribute', attribute, 'Unknown attribute.');
  const Value = state.InstanceAttributes[InstanceId]?.[known.member] ?? instance[known.member] ?? known.fallback;
  return { InstanceId, [known.member]: { Value } };
}

const MODIFIABLE = [
  'DisableApiTermination',
  'DisableApiStop',
  'InstanceInitiatedShutdownBehavior',
  'EbsOptimized',
  'SourceDestCheck',
] as const;

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html: one attribute at a time. */
function modifyInstanceAttribute(context: ApiContext, input: ModifyInstanceAttributeCommandInput): object {
  const { state } = context;
  const instance = findInstance(state, required(input.InstanceId, 'InstanceId'));
  const given = MODIFIABLE.filter((member) => input[member] !== undefined);
  const others = [input.Groups, input.Attribute, input.BlockDeviceMappings].filter((value) => value !== undefined);
  const count = given.length + others.length;
  if (count === 0) throw new AwsError('InvalidParameterCombination', 'No attributes specified.');
  if (count > 1) throw new AwsError('InvalidParameterCombination', 'Fields for multiple attribute types specified');
  refuseManaged(instance);
  if (input.Groups !== undefined) {
    setInstanceGroups(context, instance, input.Groups);
    return {};
  }
  if (input.BlockDeviceMappings !== undefined) {
    setDeleteOnTermination(instance, input.BlockDeviceMappings);
    return {};
  }
  const member = given[0] ?? memberOf(input.Attribute);
  const value = given[0] === undefined ? input.Value : input[given[0]]?.Value;
  setAttribute(state, instance, member, value);
  return {};
}

/** Of a mapping only DeleteOnTermination of a volume that is attached can be changed. */
function setDeleteOnTermination(
  instance: Instance,
  mappings: readonly InstanceBlockDeviceMappingSpecification[],
): void {
  for (const { DeviceName, Ebs } of mappings) {
    const mapping = instance.BlockDeviceMappings?.find((candidate) => candidate.DeviceName === DeviceName);
    if (mapping?.Ebs === undefined || Ebs?.DeleteOnTermination === undefined) {
      throw new AwsError('InvalidInstanceAttributeValue', `No device is currently mapped at ${String(DeviceName)}`);
    }
    mapping.Ebs.DeleteOnTermination = Ebs.DeleteOnTermination;
  }
}

function memberOf(attribute: string | undefined): (typeof MODIFIABLE)[number] {
  const member = MODIFIABLE.find((name) => name.toLowerCase() === attribute?.toLowerCase());
  if (member === undefined) throw invalidValue('attribute', attribute, 'Unknown attribute.');
  return member;
}

function setInstanceGroups(context: ApiContext, instance: Instance, ids: readonly string[]): void {
  const enis = interfacesOf(context.state, instance.InstanceId);
  if (enis.length > 1) {
    throw new AwsError(
      'InvalidInstanceID',
      `There are multiple interfaces attached to instance '${instance.InstanceId}'. Please specify an interface ID for the operation instead.`,
    );
  }
  const groups = groupsFor(context, ids, instance.VpcId ?? enis[0]?.VpcId);
  if (enis[0] !== undefined) setGroups(context.state, enis[0], groups);
  context.networkChanged();
}

/** Spot has no termination or stop protection. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_ChangingDisableAPITermination.html */
function setAttribute(state: ApiState, instance: Instance, member: (typeof MODIFIABLE)[number], value: unknown): void {
  const protection = member === 'DisableApiTermination' || member === 'DisableApiStop';
  if (protection && instance.InstanceLifecycle === 'spot') {
    throw new AwsError(
      'UnsupportedOperation',
      `The attribute '${member}' cannot be modified for the Spot instance '${instance.InstanceId}'.`,
    );
  }
  const stored = member === 'InstanceInitiatedShutdownBehavior' ? value : String(value) === 'true';
  state.InstanceAttributes[instance.InstanceId] = {
    ...state.InstanceAttributes[instance.InstanceId],
    [member]: stored,
  };
}

function stopInstances(context: ApiContext, input: StopInstancesCommandInput): object {
  const { state, physics } = context;
  const instances = required(input.InstanceIds, 'InstanceId').map((id) => findInstance(state, id));
  for (const instance of instances) refuseStop(state, instance);
  const StoppingInstances = instances.map((instance) => {
    const PreviousState = instance.State ?? { Code: 16, Name: 'running' };
    if (PreviousState.Name !== 'stopped') stop(context, instance);
    return { InstanceId: instance.InstanceId, PreviousState, CurrentState: instance.State };
  });
  for (const { InstanceId } of instances) physics.instanceStopped(InstanceId);
  return { StoppingInstances };
}

function refuseStop(state: ApiState, instance: Instance): void {
  refuseManaged(instance);
  const { InstanceId, State } = instance;
  if (State?.Name === 'terminated' || State?.Name === 'shutting-down' || State?.Name === 'pending') {
    throw new AwsError(
      'IncorrectInstanceState',
      `The instance '${InstanceId}' is not in a state from which it can be stopped.`,
    );
  }
  if (state.InstanceAttributes[InstanceId]?.['DisableApiStop'] === true) {
    throw new AwsError(
      'OperationNotPermitted',
      `The instance '${InstanceId}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.`,
    );
  }
}

function stop({ later, now, iso }: ApiContext, instance: Instance): void {
  instance.State = { Code: 64, Name: 'stopping' };
  instance.StateTransitionReason = `User initiated (${iso(now)})`;
  later(now + STOPPING_SECONDS, () => {
    instance.State = { Code: 80, Name: 'stopped' };
  });
}

export const instanceHandlers: Handlers = {
  DescribeInstances: describeInstances,
  DescribeInstanceAttribute: describeInstanceAttribute,
  ModifyInstanceAttribute: modifyInstanceAttribute,
  StopInstances: stopInstances,
};
