import {
  CreateTagsCommand,
  DeleteTagsCommand,
  DescribeInstanceAttributeCommand,
  type EC2Client,
  ModifyInstanceAttributeCommand,
} from '@aws-sdk/client-ec2';

export type ProtectionAttribute = 'disableApiTermination' | 'disableApiStop';

/** Termination or stop protection as it stands. */
export async function readProtection(
  ec2: EC2Client,
  instanceId: string,
  attribute: ProtectionAttribute,
): Promise<boolean> {
  const answer = await ec2.send(new DescribeInstanceAttributeCommand({ InstanceId: instanceId, Attribute: attribute }));
  const value = attribute === 'disableApiTermination' ? answer.DisableApiTermination : answer.DisableApiStop;
  return value?.Value ?? false;
}

export async function setProtection(
  ec2: EC2Client,
  instanceId: string,
  attribute: ProtectionAttribute,
  value: boolean,
): Promise<void> {
  const change =
    attribute === 'disableApiTermination'
      ? { DisableApiTermination: { Value: value } }
      : { DisableApiStop: { Value: value } };
  await ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: instanceId, ...change }));
}

/** What a shutdown from inside the instance does: `stop` or `terminate`. */
export async function readShutdownBehavior(ec2: EC2Client, instanceId: string): Promise<string> {
  const answer = await ec2.send(
    new DescribeInstanceAttributeCommand({ InstanceId: instanceId, Attribute: 'instanceInitiatedShutdownBehavior' }),
  );
  return answer.InstanceInitiatedShutdownBehavior?.Value ?? 'stop';
}

export async function setShutdownBehavior(ec2: EC2Client, instanceId: string, value: string): Promise<void> {
  const change = { InstanceInitiatedShutdownBehavior: { Value: value } };
  await ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: instanceId, ...change }));
}

export async function setDeleteOnTermination(
  ec2: EC2Client,
  instanceId: string,
  deviceName: string,
  value: boolean,
): Promise<void> {
  const mapping = { DeviceName: deviceName, Ebs: { DeleteOnTermination: value } };
  await ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: instanceId, BlockDeviceMappings: [mapping] }));
}

export async function tag(ec2: EC2Client, resourceId: string, tags: Readonly<Record<string, string>>): Promise<void> {
  const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  await ec2.send(new CreateTagsCommand({ Resources: [resourceId], Tags }));
}

export async function untag(ec2: EC2Client, resourceId: string, tags: Readonly<Record<string, string>>): Promise<void> {
  // With its value: a tag that somebody has changed since is left.
  const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  await ec2.send(new DeleteTagsCommand({ Resources: [resourceId], Tags }));
}
