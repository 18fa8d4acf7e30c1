import {
  AttachInstancesCommand,
  type AutoScalingClient,
  DescribeAutoScalingInstancesCommand,
  DetachInstancesCommand,
  EnterStandbyCommand,
  ExitStandbyCommand,
  paginateDescribeAutoScalingGroups,
} from '@aws-sdk/client-auto-scaling';

export interface Membership {
  readonly groupName: string;
  readonly lifecycleState: string;
}

/** The Auto Scaling group of an instance; null = it belongs to none. */
export async function membershipOf(scaling: AutoScalingClient, instanceId: string): Promise<Membership | null> {
  const answer = await scaling.send(new DescribeAutoScalingInstancesCommand({ InstanceIds: [instanceId] }));
  const member = answer.AutoScalingInstances?.find((candidate) => candidate.InstanceId === instanceId);
  if (member?.AutoScalingGroupName === undefined) return null;
  return { groupName: member.AutoScalingGroupName, lifecycleState: member.LifecycleState ?? 'unknown' };
}

/** Takes the instance out of service without ending it; the group launches a replacement (the capacity is kept). */
export async function enterStandby(scaling: AutoScalingClient, groupName: string, instanceId: string): Promise<void> {
  await scaling.send(
    new EnterStandbyCommand({
      AutoScalingGroupName: groupName,
      InstanceIds: [instanceId],
      ShouldDecrementDesiredCapacity: false,
    }),
  );
}

/** Raises the desired capacity by one: fails where that would exceed the group's maximum. */
export async function exitStandby(scaling: AutoScalingClient, groupName: string, instanceId: string): Promise<void> {
  await scaling.send(new ExitStandbyCommand({ AutoScalingGroupName: groupName, InstanceIds: [instanceId] }));
}

export async function detach(scaling: AutoScalingClient, groupName: string, instanceId: string): Promise<void> {
  await scaling.send(
    new DetachInstancesCommand({
      AutoScalingGroupName: groupName,
      InstanceIds: [instanceId],
      ShouldDecrementDesiredCapacity: false,
    }),
  );
}

export async function attach(scaling: AutoScalingClient, groupName: string, instanceId: string): Promise<void> {
  await scaling.send(new AttachInstancesCommand({ AutoScalingGroupName: groupName, InstanceIds: [instanceId] }));
}

/** Names of the Auto Scaling groups that may launch instances into a subnet. `VPCZoneIdentifier` is a list between commas. */
export async function groupsLaunchingInto(scaling: AutoScalingClient, subnetId: string): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const page of paginateDescribeAutoScalingGroups({ client: scaling, pageSize: 100 }, {})) {
    for (const { AutoScalingGroupName = '', VPCZoneIdentifier = '' } of page.AutoScalingGroups ?? []) {
      if (VPCZoneIdentifier.split(',').some((id) => id.trim() === subnetId)) names.push(AutoScalingGroupName);
    }
  }
  return names;
}
