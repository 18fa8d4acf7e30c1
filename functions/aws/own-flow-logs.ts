import { createHash } from 'node:crypto';
import {
  CreateFlowLogsCommand,
  DeleteFlowLogsCommand,
  type EC2Client,
  type UnsuccessfulItem,
} from '@aws-sdk/client-ec2';
import { CASE_TAG } from '../core/case/evidence.ts';
import { OWN_INTERVAL_SECONDS, OWN_LOG_FORMAT } from '../core/verdict/own-log.ts';
import { errorCode, unless } from './errors.ts';
import { flowLogsOn } from './flow-logs.ts';

/** A flow log of ours, before it is made. */
export interface OwnFlowLog {
  readonly networkInterfaceId: string;
  readonly bucketArn: string;
  readonly caseId: string;
}

/** A log with the same settings and the same place is there: EC2 makes no second one. */
const THERE_ALREADY = 'FlowLogAlreadyExists';
/** The token was used with other settings, by another version of flowcut. */
const OTHER_SETTINGS = 'IdempotentParameterMismatch';
const GONE = ['InvalidFlowLogId.NotFound'];

/** Logs of one case and interface that somebody may delete until no more is made. */
const MOST_TOKENS = 5;

/**
 * The same call has the same token, whoever makes it again. EC2 answers a token that it knows with the log that it made then,
 * deleted or not: so the next one is tried where that log is not there any more.
 * https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
 */
const tokenOf = ({ caseId, networkInterfaceId }: OwnFlowLog, place: number): string =>
  createHash('sha256').update(`${caseId} ${networkInterfaceId} ${place}`).digest('hex').slice(0, 64);

export async function createOwnFlowLog(ec2: EC2Client, wanted: OwnFlowLog): Promise<void> {
  for (let place = 0; place < MOST_TOKENS; place += 1) {
    const made = await make(ec2, wanted, tokenOf(wanted, place));
    if (made === 'there') return;
    const logs = made === 'next' ? [] : await flowLogsOn(ec2, [wanted.networkInterfaceId]);
    if (logs.some(({ id }) => made !== 'next' && id === made.id)) return;
  }
}

/** `there`: a log like it stands already; `next`: the token is spent. */
async function make(
  ec2: EC2Client,
  { networkInterfaceId, bucketArn, caseId }: OwnFlowLog,
  token: string,
): Promise<{ readonly id: string } | 'there' | 'next'> {
  const command = new CreateFlowLogsCommand({
    ClientToken: token,
    ResourceType: 'NetworkInterface',
    ResourceIds: [networkInterfaceId],
    TrafficType: 'ALL',
    LogDestinationType: 's3',
    LogDestination: bucketArn,
    LogFormat: OWN_LOG_FORMAT,
    MaxAggregationInterval: OWN_INTERVAL_SECONDS,
    TagSpecifications: [{ ResourceType: 'vpc-flow-log', Tags: [{ Key: CASE_TAG, Value: caseId }] }],
  });
  try {
    const { FlowLogIds = [], Unsuccessful = [] } = await ec2.send(command);
    throwFirst(Unsuccessful, []);
    const [id] = FlowLogIds;
    return id === undefined ? 'next' : { id };
  } catch (error) {
    if (errorCode(error) === THERE_ALREADY) return 'there';
    if (errorCode(error) === OTHER_SETTINGS) return 'next';
    throw error;
  }
}

/** Deletes flow logs; what they have delivered stays in the bucket. */
export async function deleteFlowLogs(ec2: EC2Client, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const send = () => ec2.send(new DeleteFlowLogsCommand({ FlowLogIds: [...ids] }));
  const answer = await unless(GONE, send, () => null);
  throwFirst(answer?.Unsuccessful ?? [], GONE);
}

/** EC2 answers 200 and lists what it did not do. */
function throwFirst(unsuccessful: readonly UnsuccessfulItem[], passed: readonly string[]): void {
  const failed = unsuccessful.find(({ Error: error }) => !passed.includes(error?.Code ?? ''));
  if (failed === undefined) return;
  const { Code = 'unknown', Message = 'EC2 does not say why' } = failed.Error ?? {};
  throw Object.assign(new Error(Message), { name: Code, Code });
}
