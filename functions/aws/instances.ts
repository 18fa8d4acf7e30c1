import { DescribeInstancesCommand, type EC2Client, type Instance, type Reservation } from '@aws-sdk/client-ec2';
import type { InstanceFacts } from '../core/case/facts.ts';
import { parseAddress } from '../core/network/addresses.ts';
import { unless } from './errors.ts';

function toFacts(instance: Instance, reservation: Reservation): InstanceFacts {
  return {
    id: instance.InstanceId ?? '',
    state: instance.State?.Name ?? 'unknown',
    accountId: reservation.OwnerId ?? null,
    instanceType: instance.InstanceType ?? 'unknown',
    defaultTimeouts: null,
    secondaryInterfaces: (instance.SecondaryInterfaces ?? []).map(({ SecondaryInterfaceId, PrivateIpAddresses }) => ({
      id: SecondaryInterfaceId ?? 'unknown',
      addresses: (PrivateIpAddresses ?? []).flatMap(
        ({ PrivateIpAddress }) => parseAddress(PrivateIpAddress)?.address ?? [],
      ),
    })),
    platform: instance.Platform?.toLowerCase() === 'windows' ? 'windows' : 'linux',
    spot: instance.InstanceLifecycle === 'spot',
    vpcId: instance.VpcId ?? null,
    subnetId: instance.SubnetId ?? null,
    volumes: (instance.BlockDeviceMappings ?? []).flatMap(({ DeviceName: deviceName, Ebs }) =>
      deviceName === undefined || Ebs?.VolumeId === undefined
        ? []
        : [{ deviceName, volumeId: Ebs.VolumeId, isDoomed: Ebs.DeleteOnTermination === true }],
    ),
    tags: Object.fromEntries((instance.Tags ?? []).map((tag) => [tag.Key ?? '', tag.Value ?? ''])),
  };
}

/** Reads one instance; null = there is none with this id here (or it has been gone for a while). */
export async function getInstance(ec2: EC2Client, instanceId: string): Promise<InstanceFacts | null> {
  const answer = await unless(
    ['InvalidInstanceID.NotFound', 'InvalidInstanceID.Malformed'],
    () => ec2.send(new DescribeInstancesCommand({ InstanceIds: [instanceId] })),
    () => null,
  );
  for (const reservation of answer?.Reservations ?? []) {
    const instance = reservation.Instances?.find((candidate) => candidate.InstanceId === instanceId);
    if (instance !== undefined) return toFacts(instance, reservation);
  }
  return null;
}
