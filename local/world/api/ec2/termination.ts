import type { TerminateInstancesCommandInput } from '@aws-sdk/client-ec2';
import type { ApiContext, Handlers } from '../context.ts';
import { AwsError } from '../errors.ts';
import { removeInterface } from '../flow-logs.ts';
import type { ApiState, Instance } from '../shapes.ts';
import { findInstance, interfacesOf } from './find.ts';
import { setFree } from './interface-life.ts';
import { refuseManaged } from './managed.ts';
import { required } from './require.ts';

const SHUTTING_DOWN_SECONDS = 30;

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html: all of them or none. */
function terminateInstances(context: ApiContext, input: TerminateInstancesCommandInput): object {
  const { state, physics } = context;
  const instances = required(input.InstanceIds, 'InstanceId').map((id) => findInstance(state, id));
  for (const instance of instances) refuseTermination(state, instance);
  const TerminatingInstances = instances.map((instance) => {
    const PreviousState = instance.State ?? { Code: 16, Name: 'running' };
    if (PreviousState.Name !== 'terminated') shutDown(context, instance);
    return { InstanceId: instance.InstanceId, PreviousState, CurrentState: instance.State };
  });
  for (const { InstanceId } of instances) physics.instanceStopped(InstanceId);
  return { TerminatingInstances };
}

function refuseTermination(state: ApiState, instance: Instance): void {
  refuseManaged(instance);
  if (state.InstanceAttributes[instance.InstanceId]?.['DisableApiTermination'] === true) {
    throw new AwsError(
      'OperationNotPermitted',
      `The instance '${instance.InstanceId}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`,
    );
  }
}

/** Of its interfaces the primary one goes with it unless it is told otherwise, the others stay unless they are told to go. */
function shutDown({ state, memory, physics, later, now, iso }: ApiContext, instance: Instance): void {
  instance.State = { Code: 32, Name: 'shutting-down' };
  instance.StateTransitionReason = `User initiated (${iso(now)})`;
  later(now + SHUTTING_DOWN_SECONDS, () => {
    instance.State = { Code: 48, Name: 'terminated' };
    for (const eni of interfacesOf(state, instance.InstanceId)) {
      const goes = eni.Attachment?.DeleteOnTermination ?? (eni.Attachment?.DeviceIndex ?? 0) === 0;
      if (goes) removeInterface(state, memory, eni);
      else setFree(eni);
    }
    instance.NetworkInterfaces = [];
    physics.networkChanged();
  });
}

export const terminationHandlers: Handlers = { TerminateInstances: terminateInstances };
