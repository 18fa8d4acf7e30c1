import { CreateSnapshotsCommand, type EC2Client, paginateDescribeSnapshots } from '@aws-sdk/client-ec2';
import { CASE_TAG } from '../core/evidence.ts';

/** Ids of the snapshots that were made for the case. */
export async function snapshotsOfCase(ec2: EC2Client, caseId: string): Promise<readonly string[]> {
  const ids: string[] = [];
  const input = { OwnerIds: ['self'], Filters: [{ Name: `tag:${CASE_TAG}`, Values: [caseId] }] };
  for await (const page of paginateDescribeSnapshots({ client: ec2, pageSize: 1000 }, input)) {
    ids.push(...(page.Snapshots ?? []).map((snapshot) => snapshot.SnapshotId ?? ''));
  }
  return ids;
}

/** Snapshots of all volumes of the instance at one moment. There is no client token: look for the case's first. */
export async function createSnapshots(ec2: EC2Client, instanceId: string, caseId: string): Promise<readonly string[]> {
  const answer = await ec2.send(
    new CreateSnapshotsCommand({
      InstanceSpecification: { InstanceId: instanceId, ExcludeBootVolume: false },
      Description: `flowcut ${caseId} ${instanceId}`,
      CopyTagsFromSource: 'volume',
      TagSpecifications: [{ ResourceType: 'snapshot', Tags: [{ Key: CASE_TAG, Value: caseId }] }],
    }),
  );
  return (answer.Snapshots ?? []).map((snapshot) => snapshot.SnapshotId ?? '');
}
