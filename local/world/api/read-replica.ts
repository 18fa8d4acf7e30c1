import type { ServiceName } from './sdk.ts';
import type { ApiState } from './shapes.ts';

/** The lists that EC2's Describe calls show late. */
type Lagging = Pick<
  ApiState,
  'Reservations' | 'InstanceAttributes' | 'NetworkInterfaces' | 'SecurityGroups' | 'NetworkAcls' | 'FlowLogs'
>;

/** Reads of groups, rules, interfaces, ACLs, instances and flow logs. */
const LATE_READS: ReadonlySet<string> = new Set([
  'DescribeFlowLogs',
  'DescribeInstanceAttribute',
  'DescribeInstances',
  'DescribeNetworkAcls',
  'DescribeNetworkInterfaces',
  'DescribeSecurityGroupRules',
  'DescribeSecurityGroups',
]);

/** What EC2 shows: the state as it was `ReadLagSeconds` ago. */
export interface ReadReplica {
  /** The state that a call looks at. */
  seenBy(service: ServiceName, call: string, now: number): ApiState;
  /** Something may have changed now. */
  changed(now: number): void;
}

/** https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html */
export function createReadReplica(state: ApiState): ReadReplica {
  const lag = state.Assumptions?.ReadLagSeconds ?? 0;
  if (lag === 0) return { seenBy: () => state, changed: () => undefined };
  let versions = [{ at: Number.NEGATIVE_INFINITY, lists: copyOf(state) }];
  const shownAt = (now: number): number => versions.findLastIndex(({ at }) => at + lag <= now);
  return {
    seenBy(service, call, now) {
      if (service !== 'ec2' || !LATE_READS.has(call)) return state;
      return { ...state, ...versions[shownAt(now)]?.lists };
    },
    changed(now) {
      versions = [...versions.slice(Math.max(0, shownAt(now))), { at: now, lists: copyOf(state) }];
    },
  };
}

function copyOf(state: ApiState): Lagging {
  const { Reservations, InstanceAttributes, NetworkInterfaces, SecurityGroups, NetworkAcls, FlowLogs } = state;
  return structuredClone({
    Reservations,
    InstanceAttributes,
    NetworkInterfaces,
    SecurityGroups,
    NetworkAcls,
    FlowLogs,
  });
}
