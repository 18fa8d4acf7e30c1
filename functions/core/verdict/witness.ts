import type { CaseFlow } from '../case/case.ts';
import type { AclFacts } from '../model.ts';
import { mayDrop } from '../network/acl-numbers.ts';
import { type IsolationOpenings, permits } from '../network/isolation-rules.ts';
import { type FlowLogFindings, mayBeRecordOf } from './flow-log.ts';

/**
 * What the network's own record says since the last change: a flow log, read from outside the instance. Times in epoch
 * seconds. The instance cannot write it, so its silence proves what the host's lists never do.
 */
export interface Witness {
  /** The last change of groups or ACLs plus the time it needs to take effect; nothing before it counts. */
  readonly since: number;
  readonly findings: FlowLogFindings;
}

export type LogRecord = FlowLogFindings['records'][number];

/** What decides whether a record breaks the silence. */
export interface Silence {
  readonly flows: readonly CaseFlow[];
  readonly openings: IsolationOpenings;
  /** The ACLs of the subnets of the instance, as they are now. */
  readonly acls: readonly AclFacts[];
  /** The denies of the case were lifted after proof. */
  readonly released: boolean;
}

/** Traffic that the isolation group permits is no sign of a flow that outlived the swap. */
export const isPermitted = (record: LogRecord, { openings }: Pick<Silence, 'openings'>): boolean =>
  permits(openings, record);

/** May an ACL of the instance's subnets have dropped a packet to the address? Then the group has passed it first. */
export const isDroppedByAcl = (address: string, acls: readonly AclFacts[]): boolean =>
  acls.some((acl) => mayDrop(acl.entries, address, true));

/**
 * Could the packet keep a tracking entry alive? An accepted one does. A rejected packet from the instance does where an
 * ACL dropped it: outbound packets pass the group first. One that the group itself rejected has no entry. A rejected
 * packet from outside meets the ACL first and reaches no entry.
 */
export function refreshes(record: LogRecord, silence: Silence): boolean {
  if (record.action === 'ACCEPT') return true;
  if (record.direction === 'in') return false;
  if (isDroppedByAcl(record.remoteAddress, silence.acls)) return true;
  // The deny that dropped it may be gone by now; of a flow that was denied and not released, it counts.
  const isKnown = silence.flows.some((flow) => mayBeRecordOf(record, flow));
  return isKnown && !silence.released;
}

/** The records that break the silence: of any flow, known or not, that the isolation group does not permit. */
export const disturbances = (witness: Witness, silence: Silence): readonly LogRecord[] =>
  witness.findings.records.filter((record) => !isPermitted(record, silence) && refreshes(record, silence));

/**
 * Seconds of silence at the end of what the log covers; 0 where it does not speak. A record says only that its interval
 * held a packet, so the end of the interval counts.
 */
export function silentSeconds({ since, findings }: Witness, records: readonly LogRecord[]): number {
  if (findings.coveredUntil === null) return 0;
  return Math.max(0, findings.coveredUntil - Math.max(since, ...records.map(({ until }) => until)));
}

/** The moment from which on it has been silent: the change, or the end of the last record that broke the silence. */
export const silentSince = ({ since }: Witness, records: readonly LogRecord[]): number =>
  Math.max(since, ...records.map(({ until }) => until));
