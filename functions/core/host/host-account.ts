import { cleaned } from '../plain-text.ts';
import { type HostEvidenceLine, type HostReport, type HostVerdictLine, STOPPED_LIMIT } from './host-protocol.ts';

/** A process behind a flow, without its command line: that may hold a secret and stays in the case table. */
export type HostProcess = Pick<HostEvidenceLine, 'pid' | 'parentPid' | 'role' | 'process' | 'executable' | 'sha256'>;

/**
 * What the host said beside its flows. Nothing of it counts for a verdict: it is one word, and root can write it. Names
 * are the attacker's own: control characters are replaced.
 */
export interface HostAccount {
  readonly processes: readonly HostProcess[];
  /** Processes that are not in `processes`. */
  readonly processesOmitted: number;
  /** Processes that the cut stopped: a restore lets them go on. */
  readonly stopped: readonly number[];
  /** Processes that it stopped beyond those, over several cuts: no restore knows them. Absent = there are none. */
  readonly stoppedOmitted?: number;
  readonly killed: readonly number[];
  readonly sessionsEnded: number;
  readonly probes: NonNullable<HostVerdictLine['probes']> | null;
  readonly errors: readonly string[];
  readonly notes: readonly string[];
}

/** Processes that the case document and the report name; all that the host described are in the case table. */
const MOST_PROCESSES = 12;
const MOST_REMARKS = 12;

const cleanedOrNull = (text: string | null): string | null => (text === null ? null : cleaned(text));

const ROLE_RANK: Record<HostProcess['role'], number> = { named: 0, owner: 1, descendant: 2, ancestor: 3 };

/** What the host said, for people; `before` = its earlier account in the same case, whose deeds still stand. */
export function hostAccount(
  report: Extract<HostReport, { kind: 'evidence' }>,
  before: HostAccount | undefined,
): HostAccount {
  const { verdict } = report;
  const union = (a: readonly number[] = [], b: readonly number[] = []): readonly number[] => [...new Set([...a, ...b])];
  const described = (report.processes ?? []).map(
    ({ pid, parentPid, role, process, executable, sha256 }): HostProcess => ({
      pid,
      parentPid,
      role,
      process: cleanedOrNull(process),
      executable: cleanedOrNull(executable),
      sha256,
    }),
  );
  // The first cut saw the processes as they were; a second one sees what is left of them.
  const known = before?.processes ?? [];
  const all = [...known, ...described.filter(({ pid }) => !known.some((other) => other.pid === pid))];
  const processes = all.sort((a, b) => ROLE_RANK[a.role] - ROLE_RANK[b.role]).slice(0, MOST_PROCESSES);
  const stopped = union(before?.stopped, verdict.stopped);
  const stoppedOmitted = (before?.stoppedOmitted ?? 0) + Math.max(0, stopped.length - STOPPED_LIMIT);
  const omitted = (before?.processesOmitted ?? 0) + (verdict.processesOmitted ?? 0);
  return {
    processes,
    processesOmitted: omitted + all.length - processes.length,
    stopped: stopped.slice(0, STOPPED_LIMIT),
    ...(stoppedOmitted > 0 && { stoppedOmitted }),
    killed: union(before?.killed, verdict.killed).slice(0, STOPPED_LIMIT),
    sessionsEnded: (before?.sessionsEnded ?? 0) + (verdict.sessionsEnded ?? 0),
    probes: verdict.probes ?? null,
    errors: verdict.errors.slice(0, MOST_REMARKS).map(cleaned),
    notes: (verdict.notes ?? []).slice(0, MOST_REMARKS).map(cleaned),
  };
}

const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

/** Too many to be kept: a person has to let them go on. */
export const stayStopped = (omitted: number): string =>
  `${count(omitted, 'stopped process', 'stopped processes')} more than are kept by id: no restore lets them go on`;

function probeLines({ probes }: HostAccount): readonly string[] {
  const lines: string[] = [];
  if (probes?.peer === 'unreachable') lines.push('a denied peer cannot be reached from it');
  if (probes?.peer === 'reachable') lines.push('a denied peer CAN STILL be reached from it');
  if (probes?.agent === 'unreachable')
    lines.push('the agent could not reach its endpoint: the host firewall was taken back');
  return lines;
}

function processText({ pid, role, process, executable, sha256 }: HostProcess): string {
  const what = [executable ?? process ?? 'a process without a name', ...(sha256 === null ? [] : [`SHA-256 ${sha256}`])];
  return `pid ${pid} (${role}): ${what.join(', ')}`;
}

/** The account in sentences, the most telling first. */
export function accountLines(account: HostAccount): readonly string[] {
  const { stopped, stoppedOmitted = 0, killed, sessionsEnded, processes, processesOmitted } = account;
  return [
    ...(killed.length > 0 ? [`killed: pid ${killed.join(', ')}`] : []),
    ...(stopped.length > 0 ? [`stopped, and let go on by a restore: pid ${stopped.join(', ')}`] : []),
    ...(stoppedOmitted > 0 ? [stayStopped(stoppedOmitted)] : []),
    ...(sessionsEnded > 0 ? [`${count(sessionsEnded, 'remote session')} ended`] : []),
    ...probeLines(account),
    ...account.errors,
    ...account.notes,
    ...processes.map(processText),
    ...(processesOmitted > 0 ? [`${count(processesOmitted, 'more process', 'more processes')} not shown`] : []),
  ];
}
