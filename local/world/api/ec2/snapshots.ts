import type {
  CreateSnapshotsCommandInput,
  DeleteSnapshotCommandInput,
  DescribeSnapshotsCommandInput,
} from '@aws-sdk/client-ec2';
import type { ApiContext, Handlers } from '../context.ts';
import { AwsError } from '../errors.ts';
import { found, newId } from '../ids.ts';
import { memorySlot } from '../memory.ts';
import type { Snapshot } from '../shapes.ts';
import { findInstance } from './find.ts';
import { type Listing, list } from './listing.ts';
import { required } from './require.ts';
import { tagsFor } from './tag-specifications.ts';

const SNAPSHOT_SECONDS = 300;

export const takenSnapshots = memorySlot((): Snapshot[] => []);

const listing: Listing<Snapshot> = {
  kind: 'snapshot',
  idOf: (snapshot) => snapshot.SnapshotId,
  tagsOf: (snapshot) => snapshot.Tags,
  pageSize: { min: 5, max: 1000 },
  noPagesOfIds: true,
  filters: {
    description: (snapshot) => snapshot.Description,
    'owner-id': (snapshot) => snapshot.OwnerId,
    'snapshot-id': (snapshot) => snapshot.SnapshotId,
    status: (snapshot) => snapshot.State,
    'volume-id': (snapshot) => snapshot.VolumeId,
  },
};

/** One crash-consistent snapshot of each volume. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSnapshots.html */
function createSnapshots(context: ApiContext, input: CreateSnapshotsCommandInput): object {
  const { state, memory, now } = context;
  const specification = required(input.InstanceSpecification, 'InstanceSpecification');
  const instance = findInstance(state, required(specification.InstanceId, 'InstanceSpecification.InstanceId'));
  const root = instance.RootDeviceName ?? instance.BlockDeviceMappings?.[0]?.DeviceName;
  const volumes = (instance.BlockDeviceMappings ?? []).flatMap(({ DeviceName, Ebs }) => {
    const excluded =
      Ebs?.VolumeId === undefined ||
      (specification.ExcludeBootVolume === true && DeviceName === root) ||
      (specification.ExcludeDataVolumeIds ?? []).includes(Ebs.VolumeId);
    return excluded ? [] : [{ id: Ebs?.VolumeId ?? '', size: Ebs?.VolumeSize ?? 8 }];
  });
  if (volumes.length === 0) {
    throw new AwsError(
      'InvalidParameterValue',
      `The instance '${instance.InstanceId}' has no EBS volumes to snapshot.`,
    );
  }
  const tags = tagsFor('snapshot', input.TagSpecifications);
  const made = volumes.map(
    ({ id, size }): Snapshot => ({
      SnapshotId: newId(memory, 'snap'),
      VolumeId: id,
      VolumeSize: size,
      State: 'pending',
      Progress: '0%',
      StartTime: context.iso(now),
      OwnerId: state.AccountId,
      Description: input.Description ?? '',
      Tags: structuredClone(tags),
    }),
  );
  for (const snapshot of made) {
    memory.of(takenSnapshots).push(snapshot);
    context.later(now + SNAPSHOT_SECONDS, () => Object.assign(snapshot, { State: 'completed', Progress: '100%' }));
  }
  return { Snapshots: made };
}

function describeSnapshots({ state, memory }: ApiContext, input: DescribeSnapshotsCommandInput): object {
  const owners = (input.OwnerIds ?? []).map((owner) => (owner === 'self' ? state.AccountId : owner));
  const own = memory.of(takenSnapshots).filter(({ OwnerId }) => owners.length === 0 || owners.includes(OwnerId));
  const { items, nextToken } = list(own, listing, input.SnapshotIds, input);
  return { Snapshots: items, NextToken: nextToken };
}

function deleteSnapshot({ memory }: ApiContext, input: DeleteSnapshotCommandInput): object {
  const id = required(input.SnapshotId, 'snapshotId');
  const snapshot = found('snapshot', id, memory.of(takenSnapshots), (candidate) => candidate.SnapshotId);
  memory.of(takenSnapshots).splice(memory.of(takenSnapshots).indexOf(snapshot), 1);
  return {};
}

export const snapshotHandlers: Handlers = {
  CreateSnapshots: createSnapshots,
  DescribeSnapshots: describeSnapshots,
  DeleteSnapshot: deleteSnapshot,
};
