import { memorySlot, type ServiceMemory } from '../../memory-slots.ts';
import { DEFAULT_FORMAT, fieldsOfFormat, formatOf } from '../physics/log-format.ts';
import type { Physics } from '../state.ts';
import { madeId } from './ids.ts';
import type { ApiState, FlowLog, NetworkInterface, Tag } from './shapes.ts';

/** What a flow log recorded stays where it was delivered, also when the flow log is deleted. */
export const deletedFlowLogs = memorySlot((): FlowLog[] => []);

export function flowLogId(log: FlowLog): string {
  return log.FlowLogId ?? madeId('fl', log.ResourceId);
}

export const deliversToS3 = (log: FlowLog): boolean => log.LogDestinationType === 's3';

export function logGroupOf(log: FlowLog): string {
  return log.LogGroupName ?? `/aws/vpc/flow-logs/${log.ResourceId}`;
}

/** Every flow log whose records may be read somewhere, those that are deleted by now included. */
export function flowLogsEver(state: ApiState, memory: ServiceMemory): FlowLog[] {
  return [...state.FlowLogs, ...memory.of(deletedFlowLogs)];
}

const CREATED_BEFORE = '2025-01-01T00:00:00.000Z';

/** A log that starts within the run was made so long before its first record. */
function creationTime(log: FlowLog, state: ApiState): string {
  if (log.StartsAtSeconds === undefined) return CREATED_BEFORE;
  const seconds = log.StartsAtSeconds - (state.Assumptions?.FlowLogStartSeconds ?? 300);
  return new Date(Date.parse(state.Now) + seconds * 1000).toISOString();
}

/** A flow log of the world as DescribeFlowLogs shows it. */
export function shownFlowLog(log: FlowLog, state: ApiState) {
  const {
    DeliverySeconds: _delivery,
    LogGroupClass: _class,
    Readable: _readable,
    StartsAtSeconds: _starts,
    EndsAtSeconds: _ends,
    Gaps: _gaps,
    SkipData: _skipped,
    ...given
  } = log;
  return {
    CreationTime: creationTime(log, state),
    DeliverLogsStatus: 'SUCCESS',
    FlowLogStatus: 'ACTIVE',
    TrafficType: 'ALL',
    LogFormat: DEFAULT_FORMAT,
    MaxAggregationInterval: 60,
    Tags: [] as Tag[],
    ...destinationOf(log, state),
    ...given,
    FlowLogId: flowLogId(log),
  };
}

function destinationOf(log: FlowLog, { Region, AccountId }: ApiState) {
  if (deliversToS3(log)) return { LogDestinationType: 's3' };
  const LogGroupName = logGroupOf(log);
  return {
    LogGroupName,
    LogDestinationType: 'cloud-watch-logs',
    LogDestination: `arn:aws:logs:${Region}:${AccountId}:log-group:${LogGroupName}`,
  };
}

/** Interfaces that are no more: what was recorded of them stays. */
export const goneInterfaces = memorySlot((): NetworkInterface[] => []);

/** Takes interfaces out of the world. */
export function removeInterface(state: ApiState, memory: ServiceMemory, eni: NetworkInterface): void {
  state.NetworkInterfaces.splice(state.NetworkInterfaces.indexOf(eni), 1);
  memory.of(goneInterfaces).push(eni);
}

/** The ids of the interfaces that a flow log watches or has watched: one, or all of a subnet or VPC. */
export function watchedInterfaces(log: FlowLog, state: ApiState, memory: ServiceMemory): string[] {
  return [...state.NetworkInterfaces, ...memory.of(goneInterfaces)]
    .filter((eni) => [eni.NetworkInterfaceId, eni.SubnetId, eni.VpcId].includes(log.ResourceId))
    .map((eni) => eni.NetworkInterfaceId);
}

/** One record as it stands in the log. */
export interface StampedLine {
  readonly line: string;
  /** Epoch seconds. */
  readonly start: number;
  readonly end: number;
}

/** The records of a log about an interface that start in a range of seconds, with their times, which no format must have. */
export function stampedLines(
  physics: Physics,
  log: FlowLog,
  interfaceId: string,
  range: { from: number; to: number; now: number },
): StampedLine[] {
  const fields = fieldsOfFormat(log.LogFormat ?? DEFAULT_FORMAT) ?? [];
  const extra = ['start', 'end'].filter((name) => !fields.includes(name));
  const asked = [...extra, ...fields];
  const format = extra.length === 0 ? log : { ...log, LogFormat: formatOf(asked) };
  const { from, to, now } = range;
  return physics.flowLogRecords(interfaceId, from, to, now, format).map((text) => {
    const values = text.split(' ');
    return {
      line: values.slice(extra.length).join(' '),
      start: Number(values[asked.indexOf('start')]),
      end: Number(values[asked.indexOf('end')]),
    };
  });
}
