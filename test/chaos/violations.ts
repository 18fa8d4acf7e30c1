import type { ReportedFlow } from '../../functions/core/report/report.ts';
import type { WorldFile, WorldFlow } from '../../local/world/parse-world.ts';
import type { FlowTruth } from '../../local/world/truth.ts';
import { isTold } from './controls.ts';
import type { Disturbance, Moment, Point } from './disturbance.ts';
import type { Outcome } from './episode.ts';
import { lossesOf } from './losses.ts';
import { difference, type Picture } from './picture.ts';

const KEPT = ['contained', 'held'];

function speaksOf(reported: ReportedFlow, flow: WorldFlow, { localPorts }: FlowTruth): boolean {
  const ports = [flow.LocalPort, ...localPorts];
  return (
    reported.remoteAddress === flow.RemoteAddress &&
    (reported.protocol === 'unknown' || reported.protocol === flow.Protocol) &&
    (reported.remotePort === null || reported.remotePort === flow.RemotePort) &&
    (reported.localPort === null || ports.includes(reported.localPort))
  );
}

/** The verdict against what packets did: what it calls cut is cut. */
function untruths({ report, truth, reportedAt }: Outcome, file: WorldFile): readonly string[] {
  if (report === null || !KEPT.includes(report.verdict)) return [];
  const isHonest = file.Hosts.every(({ AgentLies }) => AgentLies === 'none');
  return file.Flows.flatMap((flow) => {
    const found = truth.find(({ name }) => name === flow.Name);
    if (found === undefined) return [];
    const passed = Math.max(found.lastPacketAt ?? 0, found.revivedAt ?? 0);
    const isNamed = report.flows.some((reported) => speaksOf(reported, flow, found));
    const isMeant = isNamed || (report.verdict === 'contained' && flow.Malicious && isHonest);
    if (!isMeant || passed <= reportedAt) return [];
    return [`${report.verdict} at ${reportedAt} s, but ${flow.Name} had a packet at ${passed} s`];
  });
}

/** Verdicts from the best to the worst: one that says less than it could is no lie, one that says more is. */
const WORDS = ['contained', 'held', 'not-proven', 'leaking'];

const isWeakerThan = (found: string | undefined, expected: string | undefined): boolean =>
  WORDS.indexOf(found ?? '') > WORDS.indexOf(expected ?? '');

export interface Judgement {
  readonly violations: readonly string[];
  /** The verdict says less than that of the undisturbed run. */
  readonly isWeaker: boolean;
  /** Why the state may differ from that of the undisturbed run; null = it may not. */
  readonly explained: string | null;
}

/**
 * Where the state may differ although nothing was refused. Each is a thing that AWS cannot be asked to do exactly once or
 * in time, and says so in the report.
 */
function explanation(disturbance: Disturbance, points: readonly Point[]): string | null {
  if (disturbance.kind === 'death') {
    const { at, again, moment } = disturbance;
    const struck = [at, ...(again === undefined ? [] : [at + again])].map((index) => points[index]);
    if (struck.some((point) => isCommandLost(point, moment))) return LOST_COMMAND;
    const isUntold = struck.length > 1 && struck.every((point) => point?.state === 'Tell people what is cut so far');
    return isUntold ? TOLD_TWICE : null;
  }
  if (disturbance.kind !== 'fault') return null;
  if (disturbance.api === 'SendCommand' && disturbance.afterEffect) return LOST_COMMAND;
  if (disturbance.api === 'CreateSnapshots' && disturbance.error === 'Timeout') return ASKED_ONCE;
  if (disturbance.api === 'DescribeTargetGroups' && disturbance.error === 'Timeout') return TAKEN_FOR_TRACKED;
  return null;
}

/** The process that sent the command dies before it has passed on its id. */
const isCommandLost = (point: Point | undefined, moment: Moment): boolean =>
  point !== undefined &&
  ['Cut on the host', 'Ask the agent to close its connection'].includes(point.state) &&
  point.phase === 'response' &&
  (point.api !== 'SendCommand' || moment !== 'before');

const LOST_COMMAND =
  'SendCommand has no token: the answer of a command whose id is lost is lost, the second finds nothing left';
const TOLD_TWICE =
  'the interim report is tried twice and then left out, for nothing may wait for it: the final one follows';
const ASKED_ONCE = 'CreateSnapshots has no token: after a call whose effect is unknown it is reported, not repeated';
const TAKEN_FOR_TRACKED = 'not answered in time, the balancer is taken for there, and its flows are denied as well';

const isRefused = (disturbance: Disturbance): boolean =>
  disturbance.kind === 'denied' ||
  disturbance.kind === 'dead state' ||
  (disturbance.kind === 'fault' && disturbance.error === 'UnauthorizedOperation');

/** Of the case table what must be there however the run went: the before-state and, after a restore, an empty ledger. */
const ledger = (table: Picture): Picture => table.filter((line) => line.includes('"pk":"ACL#'));
const befores = (table: Picture): Picture => table.filter((line) => line.includes('"sk":"BEFORE#'));
const isTimeline = (line: string): boolean => line.includes('"sk":"TIME#');

/** Promises that hold in every run. */
function always(outcome: Outcome, clean: Outcome, file: WorldFile): readonly string[] {
  const { report } = outcome;
  const violations = [...outcome.breaches, ...untruths(outcome, file)];
  if (report?.undo != null && outcome.restores === null) {
    violations.push(`no restore was complete: ${outcome.restoreOutcomes.join('; ')}`);
  }
  for (const name of ['GroupName":"flowcut-isolation-2', 'GroupName":"flowcut-isolation-3']) {
    if (outcome.contained.some((line) => line.startsWith('SecurityGroups') && line.includes(name)))
      violations.push('a second isolation group was made');
  }
  const left = difference(ledger(clean.restoredTable), ledger(outcome.restoredTable));
  violations.push(...left.map((line) => `the ledger after the restore: ${line}`));
  const lost = befores(outcome.containedTable).filter((line) => !befores(clean.containedTable).includes(line));
  violations.push(...lost.map((line) => `another before-state than that of the undisturbed run: ${line}`));
  if (isWeakerThan(clean.report?.verdict, report?.verdict) && report !== null) {
    violations.push(`${report.verdict} says more than the undisturbed ${clean.report?.verdict}`);
  }
  return violations;
}

/** Every control that is missing is told; and none is missing but by what was refused. */
function missing(outcome: Outcome, clean: Outcome, disturbance: Disturbance): readonly string[] {
  const { report } = outcome;
  const gone = clean.controls.filter((control) => !outcome.controls.includes(control));
  // Peers that only the host or the flow log would have shown cannot be denied: no verdict then says that all are known.
  const isUnknown = (control: string): boolean =>
    control.startsWith('deny') &&
    report !== null &&
    report.verdict !== 'contained' &&
    report.flows.every(({ remoteAddress }) => !control.startsWith(`deny ${remoteAddress}/`));
  const lost = gone.filter((control) => !isUnknown(control));
  const untold = report === null ? [] : lost.filter((control) => !isTold(control, report));
  const allowed = lossesOf(disturbance);
  const surplus = lost.filter((control) => !allowed.some((prefix) => control.startsWith(prefix)));
  return [
    ...untold.map((control) => `missing, and the report does not say so: ${control}`),
    ...surplus.map((control) => `missing, although it could have been put in force: ${control}`),
  ];
}

function sameState(outcome: Outcome, clean: Outcome, wasRepeated: boolean): readonly string[] {
  const unlike = (name: string, expected: Picture, found: Picture) =>
    difference(expected, found)
      // Who does a step again says what it sees, which may be more than the one before it saw.
      .filter((line) => !(wasRepeated && line.startsWith('+') && isTimeline(line)))
      .map((line) => `${name}: ${line}`);
  return [
    ...unlike('after the response', clean.contained, outcome.contained),
    ...unlike('table after the response', clean.containedTable, outcome.containedTable),
    ...unlike('after the restore', clean.restored, outcome.restored),
    ...unlike('table after the restore', clean.restoredTable, outcome.restoredTable),
  ];
}

/** Everything in which a disturbed run differs from the undisturbed one without a reason, and every broken promise. */
export function judgeRun(outcome: Outcome, clean: Outcome, disturbance: Disturbance, file: WorldFile): Judgement {
  const { report } = outcome;
  const isReportDead = disturbance.kind === 'dead state' && disturbance.state === 'Report';
  const isWeaker = isWeakerThan(report?.verdict, clean.report?.verdict);
  const explained = explanation(disturbance, outcome.points);
  const violations = [...always(outcome, clean, file)];
  if (isReportDead) {
    if (report !== null) violations.push('a report, although the function that reports always dies');
  } else if (report === null && outcome.executions > 0) {
    violations.push('the response ended without a report');
  }
  if (isRefused(disturbance)) violations.push(...missing(outcome, clean, disturbance));
  else if (explained === null) {
    violations.push(...sameState(outcome, clean, disturbance.kind === 'death'));
  }
  return { violations, isWeaker, explained: isRefused(disturbance) ? null : explained };
}
