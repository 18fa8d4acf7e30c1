import type { ApiContext } from '../context.ts';
import { AwsError } from '../errors.ts';
import { found, madeId } from '../ids.ts';
import { memorySlot } from '../memory.ts';
import type { ApiState, Instance, NetworkAcl, NetworkInterface, SecurityGroup, Subnet } from '../shapes.ts';

/** Seconds in which a group that was just created is not known to other calls yet, where the file does not say it. */
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

/** The associations of an ACL; a subnet that no ACL names is associated with the default one of its VPC. */
export function associationsOf(state: ApiState, acl: NetworkAcl): NetworkAcl['Associations'] {
  const named = new Set(state.NetworkAcls.flatMap((one) => one.Associations.map(({ SubnetId }) => SubnetId)));
  const isImplied = ({ SubnetId, VpcId }: Subnet): boolean => VpcId === acl.VpcId && !named.has(SubnetId);
  const implied = acl.IsDefault === true ? state.Subnets.filter(isImplied) : [];
  return [...acl.Associations, ...implied.map(({ SubnetId }) => ({ SubnetId }))].map((one) => ({
    NetworkAclAssociationId: madeId('aclassoc', acl.NetworkAclId, one.SubnetId),
    NetworkAclId: acl.NetworkAclId,
    ...one,
  }));
}

export function interfacesOf(state: ApiState, instanceId: string): NetworkInterface[] {
  return state.NetworkInterfaces.filter((eni) => eni.Attachment?.InstanceId === instanceId);
}

/** https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html */
export function visibleGroups({ state, memory, now }: ApiContext): SecurityGroup[] {
  return state.SecurityGroups.filter((group) => {
    const createdAt = memory.of(groupsCreatedAt).get(group.GroupId);
    const after = state.Assumptions?.GroupVisibleAfterSeconds ?? GROUP_VISIBLE_AFTER_SECONDS;
    return createdAt === undefined || after === 0 || now > createdAt + after;
  });
}

export function findGroup(context: ApiContext, id: string): SecurityGroup {
  return found('group', id, visibleGroups(context), (group) => group.GroupId);
}

/**
 * Five groups per interface, adjustable up to 16: an interface that has more shows that the quota was raised.
 * https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
 */
const groupQuota = memorySlot(() => ({ value: 0 }));

function quotaOfGroups({ state, memory }: ApiContext): number {
  const quota = memory.of(groupQuota);
  const largest = Math.max(5, ...state.NetworkInterfaces.map((eni) => eni.Groups.length));
  quota.value = Math.max(quota.value, Math.min(16, largest));
  return quota.value;
}

/** Groups for an interface: there, in its VPC, and not more than the quota. */
export function groupsFor(context: ApiContext, ids: readonly string[], vpcId: string | undefined): SecurityGroup[] {
  const unique = [...new Set(ids)];
  if (unique.length > quotaOfGroups(context)) {
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
