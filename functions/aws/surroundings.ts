import { type EC2Client, paginateDescribeInstances, paginateDescribeNetworkInterfaces } from '@aws-sdk/client-ec2';
import type { Facts, Surroundings } from '../core/case/facts.ts';

/** Who else would be hit, for a plan that a person reads: not on the way to a cut. */
export async function readSurroundings(
  ec2: EC2Client,
  { instance, interfaces, acls }: Pick<Facts, 'instance' | 'interfaces' | 'acls'>,
): Promise<Surroundings> {
  const subnetIds = [...new Set(acls.flatMap((acl) => acl.subnetIds))];
  const groupIds = [...new Set(interfaces.flatMap((eni) => eni.groupIds))];
  const [neighbours, groupUsers] = await Promise.all([
    instancesIn(ec2, subnetIds, instance.id),
    usersOf(ec2, groupIds, instance.id),
  ]);
  return { neighbours, groupUsers };
}

async function instancesIn(
  ec2: EC2Client,
  subnetIds: readonly string[],
  self: string,
): Promise<Surroundings['neighbours']> {
  if (subnetIds.length === 0) return [];
  const found: Surroundings['neighbours'][number][] = [];
  const input = { Filters: [{ Name: 'subnet-id', Values: [...subnetIds] }] };
  for await (const page of paginateDescribeInstances({ client: ec2, pageSize: 500 }, input)) {
    for (const { InstanceId, SubnetId, Tags, State } of (page.Reservations ?? []).flatMap(
      ({ Instances }) => Instances ?? [],
    )) {
      if (InstanceId === undefined || SubnetId === undefined || InstanceId === self || State?.Name === 'terminated')
        continue;
      const name =
        Tags?.find((tag) => tag.Key === 'Name')
          ?.Value?.replace(/\p{Cc}+/gu, ' ')
          .slice(0, 64) ?? null;
      found.push({ instanceId: InstanceId, name, subnetId: SubnetId });
    }
  }
  return found;
}

async function usersOf(ec2: EC2Client, groupIds: readonly string[], self: string): Promise<Surroundings['groupUsers']> {
  if (groupIds.length === 0) return [];
  const found: Surroundings['groupUsers'][number][] = [];
  const input = { Filters: [{ Name: 'group-id', Values: [...groupIds] }] };
  for await (const page of paginateDescribeNetworkInterfaces({ client: ec2, pageSize: 100 }, input)) {
    for (const { NetworkInterfaceId, Attachment, Groups } of page.NetworkInterfaces ?? []) {
      if (NetworkInterfaceId === undefined || Attachment?.InstanceId === self) continue;
      const shared = (Groups ?? []).flatMap(({ GroupId }) =>
        GroupId !== undefined && groupIds.includes(GroupId) ? [GroupId] : [],
      );
      found.push({
        networkInterfaceId: NetworkInterfaceId,
        instanceId: Attachment?.InstanceId ?? null,
        groupIds: shared,
      });
    }
  }
  return found;
}
