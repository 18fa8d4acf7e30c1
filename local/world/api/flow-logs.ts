import { madeId } from './ids.ts';
import type { ApiState, FlowLog, NetworkInterface, Tag } from './shapes.ts';

const DEFAULT_FIELDS =
  'version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status';
const DEFAULT_FORMAT = DEFAULT_FIELDS.replace(/\S+/g, (field) => `\${${field}}`);

export function logGroupOf(log: FlowLog): string {
  return log.LogGroupName ?? `/aws/vpc/flow-logs/${log.ResourceId}`;
}

/** A flow log of the world as DescribeFlowLogs shows one that delivers to CloudWatch Logs. */
export function shownFlowLog(log: FlowLog, { AccountId, Region }: ApiState) {
  const group = logGroupOf(log);
  const { DeliverySeconds: _delivery, ...given } = log;
  return {
    CreationTime: '2025-01-01T00:00:00.000Z',
    DeliverLogsStatus: 'SUCCESS',
    FlowLogId: madeId('fl', log.ResourceId),
    FlowLogStatus: 'ACTIVE',
    LogGroupName: group,
    TrafficType: 'ALL',
    LogDestinationType: 'cloud-watch-logs',
    LogDestination: `arn:aws:logs:${Region}:${AccountId}:log-group:${group}`,
    LogFormat: DEFAULT_FORMAT,
    MaxAggregationInterval: 60,
    Tags: [] as Tag[],
    ...given,
  };
}

/** The interfaces that a flow log watches: one, or all of a subnet or VPC. */
export function watchedInterfaces(log: FlowLog, state: ApiState): NetworkInterface[] {
  return state.NetworkInterfaces.filter((eni) =>
    [eni.NetworkInterfaceId, eni.SubnetId, eni.VpcId].includes(log.ResourceId),
  );
}
