import type { ApiContext } from '../context.ts';
import { AwsError } from '../errors.ts';
import { found } from '../ids.ts';
import { memorySlot } from '../memory.ts';
import type { ApiState, Instance, NetworkAcl, NetworkInterface, SecurityGroup } from '../shapes.ts';

/** Seconds in which a group that was just created is not known to other calls yet. */
export const GROUP_VISIBLE_AFTER_SECONDS = 1;

/** Security groups by id → second of their creation (eventual consistency). */
export const groupsCreatedAt = memorySlot(() => new Map<string, number>());

export function allInstances(state: ApiState): Instance[] {
  return state.Reservations.flatMap((reservation) => reservation.Instances);
}

export function findInstance(state: ApiState, id: string): Instance {
  return found('instance', id, allInstances(state), (instance) => instance.InstanceId);
}

export function findInterface(state: ApiState, id: string): NetworkInterface {
  return found('networkInterface', id, state.NetworkInterfaces, (eni) => eni.NetworkInterfaceId);
}

export function findAcl(state: ApiState, id: string): NetworkAcl {
  return found('acl', id, state.NetworkAcls, (acl) => acl.NetworkAclId);
}

export function interfacesOf(state: ApiState, instanceId: string): NetworkInterface[] {
  return state.NetworkInterfaces.filter((eni) => eni.Attachment?.InstanceId === instanceId);
}

/** https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html */
export function visibleGroups({ state, memory, now }: ApiContext): SecurityGroup[] {
  return state.SecurityGroups.filter((group) => {
    const createdAt = memory.of(groupsCreatedAt).get(group.GroupId);
    return createdAt === undefined || now > createdAt + GROUP_VISIBLE_AFTER_SECONDS;
  });
}

export function findGroup(context: ApiContext, id: string): SecurityGroup {
  return found('group', id, visibleGroups(context), (group) => group.GroupId);
}

/** Groups for an interface: there, in its VPC, and not more than five. */
export function groupsFor(context: ApiContext, ids: readonly string[], vpcId: string | undefined): SecurityGroup[] {
  const unique = [...new Set(ids)];
  if (unique.length > 5) {
    throw new AwsError(
      'SecurityGroupsPerInterfaceLimitExceeded',
      'The maximum number of security groups per interface has been reached.',
    );
  }
  return unique.map((id) => {
    const group = findGroup(context, id);
    if (group.VpcId !== undefined && vpcId !== undefined && group.VpcId !== vpcId) {
      throw new AwsError(
        'InvalidGroup.NotFound',
        'You have specified two resources that belong to different networks.',
      );
    }
    return group;
  });
}

/** Puts groups on an interface, also where the instance shows them. */
export function setGroups(state: ApiState, eni: NetworkInterface, groups: readonly SecurityGroup[]): void {
  const identifiers = groups.map(({ GroupId, GroupName }) =>
    GroupName === undefined ? { GroupId } : { GroupId, GroupName },
  );
  eni.Groups = identifiers;
  const instance = allInstances(state).find(({ InstanceId }) => InstanceId === eni.Attachment?.InstanceId);
  if (instance === undefined) return;
  const shown = instance.NetworkInterfaces?.find(
    ({ NetworkInterfaceId }) => NetworkInterfaceId === eni.NetworkInterfaceId,
  );
  if (shown !== undefined) shown.Groups = structuredClone(identifiers);
  if ((eni.Attachment?.DeviceIndex ?? 0) === 0) instance.SecurityGroups = structuredClone(identifiers);
}
