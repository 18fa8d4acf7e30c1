import type {
  CreateFlowLogsCommandInput,
  DeleteFlowLogsCommandInput,
  DescribeFlowLogsCommandInput,
} from '@aws-sdk/client-ec2';
import { fieldsOfFormat } from '../../physics/log-format.ts';
import type { ApiContext, Handlers } from '../context.ts';
import { AwsError } from '../errors.ts';
import { deletedFlowLogs, deliversToS3, flowLogId, logGroupOf, shownFlowLog } from '../flow-logs.ts';
import { found, newId } from '../ids.ts';
import { memorySlot } from '../memory.ts';
import type { FlowLog } from '../shapes.ts';
import { findInterface } from './find.ts';
import { type Listing, list } from './listing.ts';
import { required } from './require.ts';
import { tagsFor } from './tag-specifications.ts';

type ShownFlowLog = ReturnType<typeof shownFlowLog>;

const flowLogs: Listing<ShownFlowLog> = {
  kind: 'flowLog',
  idOf: (log) => log.FlowLogId,
  tagsOf: (log) => log.Tags,
  pageSize: { min: 1, max: 1000 },
  filters: {
    'deliver-log-status': (log) => log.DeliverLogsStatus,
    'flow-log-id': (log) => log.FlowLogId,
    'log-destination-type': (log) => log.LogDestinationType,
    'log-group-name': (log) => log.LogGroupName,
    'resource-id': (log) => log.ResourceId,
    'traffic-type': (log) => log.TrafficType,
  },
};

function describeFlowLogs({ state }: ApiContext, input: DescribeFlowLogsCommandInput): object {
  const shown = state.FlowLogs.map((log: FlowLog) => shownFlowLog(log, state));
  const { items, nextToken } = list(shown, flowLogs, input.FlowLogIds, {
    Filters: input.Filter,
    MaxResults: input.MaxResults,
    NextToken: input.NextToken,
  });
  return { FlowLogs: items, NextToken: nextToken };
}

/** https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html: per interface, subnet and VPC, not adjustable. */
const LOGS_PER_RESOURCE = 2;
const MOST_RESOURCES = 300;
const DEFAULT_INTERVAL = 600;

/** Client token → what was asked, and what it made. */
const createdByToken = memorySlot(() => new Map<string, { readonly text: string; readonly ids: readonly string[] }>());

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFlowLogs.html */
function createFlowLogs(context: ApiContext, input: CreateFlowLogsCommandInput): object {
  const { ClientToken, ...asked } = input;
  const text = JSON.stringify(asked);
  const tokens = context.memory.of(createdByToken);
  const before = ClientToken === undefined ? undefined : tokens.get(ClientToken);
  if (before !== undefined && before.text !== text) {
    throw new AwsError('IdempotentParameterMismatch', 'The client token was used with other parameters.');
  }
  const ids = before?.ids ?? make(context, input);
  if (ClientToken !== undefined) tokens.set(ClientToken, { text, ids });
  return { ClientToken, FlowLogIds: ids, Unsuccessful: [] };
}

function make(context: ApiContext, input: CreateFlowLogsCommandInput): string[] {
  const { state, memory, now, iso } = context;
  const resources = requestedResources(context, input);
  const settings = requestedSettings(input);
  const tags = tagsFor('vpc-flow-log', input.TagSpecifications);
  for (const ResourceId of resources) refuseTooMany(state.FlowLogs, { ...settings, ResourceId });
  return resources.map((ResourceId) => {
    const log: FlowLog = {
      FlowLogId: newId(memory, 'fl'),
      ResourceId,
      CreationTime: iso(now),
      ...settings,
      StartsAtSeconds: now + (state.Assumptions?.FlowLogStartSeconds ?? 300),
      Tags: structuredClone(tags),
    };
    state.FlowLogs.push(log);
    return flowLogId(log);
  });
}

const RESOURCE_TYPES = ['VPC', 'Subnet', 'NetworkInterface'];

function requestedResources(context: ApiContext, input: CreateFlowLogsCommandInput): string[] {
  const { state } = context;
  const ids = [...new Set(required(input.ResourceIds, 'resourceId'))];
  const type: string = required(input.ResourceType, 'resourceType');
  if (!RESOURCE_TYPES.includes(type))
    throw wrong(`Invalid ResourceType: ${type}. The world knows ${RESOURCE_TYPES.join(', ')}.`);
  if (ids.length > MOST_RESOURCES) throw wrong(`At most ${MOST_RESOURCES} resources can be given.`);
  for (const id of ids) {
    if (type === 'NetworkInterface') findInterface(state, id);
    else if (type === 'Subnet') found('subnet', id, state.Subnets, (one) => one.SubnetId);
    else found('vpc', id, state.Vpcs, (one) => one.VpcId);
  }
  return ids;
}

type Settings = Omit<FlowLog, 'ResourceId'>;

function requestedSettings(input: CreateFlowLogsCommandInput): Settings {
  const TrafficType: string = required(input.TrafficType, 'trafficType');
  if (!['ACCEPT', 'REJECT', 'ALL'].includes(TrafficType)) throw wrong(`Invalid TrafficType: ${TrafficType}`);
  const interval = input.MaxAggregationInterval ?? DEFAULT_INTERVAL;
  if (interval !== 60 && interval !== 600) throw wrong('MaxAggregationInterval must be 60 or 600.');
  if (input.LogFormat !== undefined && fieldsOfFormat(input.LogFormat) === null) {
    throw wrong(`Unknown fields provided in LogFormat: ${input.LogFormat}`);
  }
  return {
    TrafficType,
    MaxAggregationInterval: interval,
    ...(input.LogFormat !== undefined && { LogFormat: input.LogFormat }),
    ...requestedDestination(input),
  };
}

function requestedDestination(input: CreateFlowLogsCommandInput): Settings {
  const type: string = input.LogDestinationType ?? 'cloud-watch-logs';
  if (type === 's3') return requestedBucket(input);
  if (type !== 'cloud-watch-logs') throw wrong(`The world does not deliver to ${type}.`);
  if (input.DeliverLogsPermissionArn === undefined) {
    throw wrong("DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs.");
  }
  const byArn = input.LogDestination === undefined ? undefined : /:log-group:([^:*]+)/.exec(input.LogDestination)?.[1];
  const LogGroupName = input.LogGroupName ?? byArn;
  if (LogGroupName === undefined) throw wrong('LogGroupName or the ARN of a log group is needed.');
  if (!/^[\w./#-]{1,512}$/.test(LogGroupName)) throw wrong(`Invalid log group name: ${LogGroupName}`);
  return { LogDestinationType: type, LogGroupName, DeliverLogsPermissionArn: input.DeliverLogsPermissionArn };
}

function requestedBucket(input: CreateFlowLogsCommandInput): Settings {
  if (input.LogGroupName !== undefined) throw wrong('LogGroupName does not go with LogDestinationType s3.');
  const destination = input.LogDestination ?? '';
  const [, bucket = '', prefix = ''] = /^arn:aws[\w-]*:s3:::([a-z0-9.-]{3,63})(?:\/(.*))?$/.exec(destination) ?? [];
  if (bucket === '') throw wrong(`LogDestination is not the ARN of a bucket: ${destination}`);
  if (prefix.split('/').includes('AWSLogs')) throw wrong('AWSLogs is a reserved folder name.');
  const {
    FileFormat = 'plain-text',
    HiveCompatiblePartitions = false,
    PerHourPartition = false,
  } = input.DestinationOptions ?? {};
  if (FileFormat !== 'plain-text') throw wrong(`The world does not write ${FileFormat}.`);
  return {
    LogDestinationType: 's3',
    LogDestination: destination,
    DestinationOptions: { FileFormat, HiveCompatiblePartitions, PerHourPartition },
  };
}

const wrong = (why: string): AwsError => new AwsError('InvalidParameter', why);

/** Two logs of one resource differ in their destination, format or traffic. */
function refuseTooMany(all: readonly FlowLog[], wanted: FlowLog): void {
  const there = all.filter((log) => log.ResourceId === wanted.ResourceId);
  if (there.some((log) => placeOf(log) === placeOf(wanted))) {
    throw new AwsError(
      'FlowLogAlreadyExists',
      'Error. There is an existing Flow Log with the same configuration and log destination.',
    );
  }
  if (there.length >= LOGS_PER_RESOURCE) {
    throw new AwsError('FlowLogsLimitExceeded', `${wanted.ResourceId} has ${LOGS_PER_RESOURCE} flow logs already.`);
  }
}

const placeOf = (log: FlowLog): string =>
  JSON.stringify([
    deliversToS3(log) ? log.LogDestination : logGroupOf(log),
    log.TrafficType ?? 'ALL',
    log.LogFormat ?? null,
  ]);

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteFlowLogs.html: what is recorded stays. */
function deleteFlowLogs({ state, memory, now }: ApiContext, input: DeleteFlowLogsCommandInput): object {
  const logs = required(input.FlowLogIds, 'flowLogId').map((id) => found('flowLog', id, state.FlowLogs, flowLogId));
  for (const log of new Set(logs)) {
    state.FlowLogs.splice(state.FlowLogs.indexOf(log), 1);
    memory.of(deletedFlowLogs).push({ ...log, EndsAtSeconds: now });
  }
  return { Unsuccessful: [] };
}

export const flowLogHandlers: Handlers = {
  CreateFlowLogs: createFlowLogs,
  DeleteFlowLogs: deleteFlowLogs,
  DescribeFlowLogs: describeFlowLogs,
};
