import { CreateSnapshotsCommand, type EC2Client, paginateDescribeSnapshots } from '@aws-sdk/client-ec2';
import { CASE_TAG } from '../core/case/evidence.ts';
import { errorCode, errorText } from './errors.ts';

/** Ids of the snapshots that were made for the case. */
export async function snapshotsOfCase(ec2: EC2Client, caseId: string): Promise<readonly string[]> {
  const ids: string[] = [];
  const input = { OwnerIds: ['self'], Filters: [{ Name: `tag:${CASE_TAG}`, Values: [caseId] }] };
  for await (const page of paginateDescribeSnapshots({ client: ec2, pageSize: 1000 }, input)) {
    ids.push(...(page.Snapshots ?? []).map((snapshot) => snapshot.SnapshotId ?? ''));
  }
  return ids;
}

/**
 * Another snapshot of a volume was begun just now, by a backup for one, or too many are under way: nothing was done. "Wait at
 * least 15 seconds between concurrent volume snapshots." https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
 */
const TOO_SOON = ['SnapshotCreationPerVolumeRateExceeded', 'ConcurrentSnapshotLimitExceeded'];
const TOO_SOON_PAUSE_SECONDS = 16;
const TOO_SOON_ATTEMPTS = 4;

/** Codes of refusals: nothing was done, so it may be asked again. */
const REFUSED = ['RequestLimitExceeded', 'Throttling', 'ThrottlingException', ...TOO_SOON];

/** Inside the SDK's retries: whatever is not a plain refusal is turned into an error that is not tried again. */
const askOnce =
  <A, R>(next: (args: A) => Promise<R>) =>
  async (args: A): Promise<R> => {
    try {
      return await next(args);
    } catch (error) {
      if (REFUSED.includes(errorCode(error))) throw error;
      // Without the cause: the SDK looks at causes, too, when it decides whether to try again.
      throw new Error(errorText(error));
    }
  };

/**
 * Snapshots of all volumes of the instance at one moment. There is no client token, so a call whose effect is unknown must
 * not be repeated by the SDK: look for the case's snapshots first, and again after an error.
 */
export async function createSnapshots(
  ec2: EC2Client,
  instanceId: string,
  caseId: string,
  sleep: (seconds: number) => Promise<void>,
): Promise<readonly string[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await askForSnapshots(ec2, instanceId, caseId);
    } catch (error) {
      if (!TOO_SOON.includes(errorCode(error)) || attempt === TOO_SOON_ATTEMPTS) throw error;
      await sleep(TOO_SOON_PAUSE_SECONDS);
    }
  }
}

async function askForSnapshots(ec2: EC2Client, instanceId: string, caseId: string): Promise<readonly string[]> {
  const command = new CreateSnapshotsCommand({
    InstanceSpecification: { InstanceId: instanceId, ExcludeBootVolume: false },
    Description: `flowcut ${caseId} ${instanceId}`,
    CopyTagsFromSource: 'volume',
    TagSpecifications: [{ ResourceType: 'snapshot', Tags: [{ Key: CASE_TAG, Value: caseId }] }],
  });
  command.middlewareStack.addRelativeTo(askOnce, {
    name: 'askOnce',
    relation: 'after',
    toMiddleware: 'retryMiddleware',
  });
  const answer = await ec2.send(command);
  return (answer.Snapshots ?? []).map((snapshot) => snapshot.SnapshotId ?? '');
}
