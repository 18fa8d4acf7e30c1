import { readBefore } from '../aws/case-table/before-states.ts';
import { needCase, readCase, recordEvent } from '../aws/case-table/cases.ts';
import { keepReport } from '../aws/case-table/reports.ts';
import { errorText } from '../aws/errors.ts';
import { publish } from '../aws/notifications.ts';
import { type CaseDocument, isClosing, isNamedFlow } from '../core/case/case.ts';
import { hasEndedAs } from '../core/case/case-events.ts';
import { isCaseId } from '../core/case/case-id.ts';
import type { EvidenceItem } from '../core/case/evidence.ts';
import { namedByInput } from '../core/case/head-start.ts';
import { lostControls } from '../core/case/lost-controls.ts';
import type { Failure, IsolationResult, Reporting } from '../core/case/record.ts';
import type { LookPart } from '../core/case/watch.ts';
import type { Config } from '../core/config.ts';
import { ERROR_NAMES } from '../core/errors.ts';
import { hostSilence } from '../core/host/host-silence.ts';
import { openingsText } from '../core/network/isolation-rules.ts';
import { waitingAfter } from '../core/network/packed-denies.ts';
import { consoleLinks } from '../core/report/console-links.ts';
import { notification } from '../core/report/notification.ts';
import {
  caseReport,
  causeOf,
  describeFlow,
  heldDeny,
  LEFT_OPEN,
  lastResorts,
  leftOpenOf,
  quietReport,
  type Report,
  undoText,
} from '../core/report/report.ts';
import { RECORD_REPORT_BYTES, STORED_REPORT_BYTES, shortReport } from '../core/report/short-report.ts';
import type { VerdictQuestion } from '../core/verdict/verdict.ts';
import { cleanUpLines } from '../shared/clean-up.ts';
import { LISTEN_SECONDS, listen, recallOrListen, unheardFlowLog } from '../shared/listening.ts';
import { judgeStanding, readStanding, type Standing } from '../shared/standing.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

type ReportTools = Tools<'ec2' | 'logs' | 'bucket' | 'sns' | 'cases'>;

/** What the state machine passes to the one step that has to name its execution: the record as ever, and the ARN. */
export interface ReportRequest {
  readonly record: Reporting;
  readonly execution: string;
}

export const reportExecution = (tools: ReportTools, { record, execution }: ReportRequest): Promise<Report> =>
  reportCase(tools, record, execution);

/**
 * Report: the one path that every outcome takes, failures included. What it says is read back now, not remembered: after
 * a failure half way, what is cut stays cut and is reported as it stands.
 */
export async function reportCase(
  tools: ReportTools,
  record: Reporting,
  execution: string | null = null,
): Promise<Report> {
  const at = tools.now().toISOString();
  const whole = await makeReport(tools, record);
  const report = await keepWhole(tools, whole, at);
  const { topicArn } = tools.config;
  const kind = isInterim(record) || isChange(record) ? 'interim' : 'final';
  let unpublished = '';
  if (topicArn !== null) {
    const links = consoleLinks(execution, tools.cases.name, report.caseId);
    const where = report.more.length === 0 ? undefined : "the case's item REPORT in the case table";
    const message = notification(whole, kind, links, where);
    await publish(tools.sns, topicArn, message).catch((error: unknown) => {
      // The report stands in the execution's output as well; failing here would hide it behind an error.
      tools.log.warn('the report could not be published', { error: errorText(error) });
      unpublished = `; it could not be published: ${errorText(error)}`;
    });
  }
  let isNew = true;
  // A finding that opens no case has no timeline.
  if (isCaseId(report.caseId)) {
    const what = `${kind} report, ${report.verdict}: ${report.reason}${unpublished}`;
    await tell(tools, report.caseId, 'report-case', what);
    if (unpublished === '') isNew = await noteTold(tools, report, kind === 'final');
  }
  const { caseId, verdict, reason } = report;
  // Counted where it is new: an incident that GuardDuty reports again is no other one.
  tools.log.info('report', { caseId, phase: kind, verdict, isNew, reason });
  return report;
}

/**
 * Notes what people were told, so that a look that finds another verdict tells them; without a note they hear it again.
 * Whether no response of the case has ended with this verdict before; where that is not known, it is new.
 */
async function noteTold(tools: ReportTools, { caseId, verdict }: Report, isFinal: boolean): Promise<boolean> {
  if (verdict === 'planned' || verdict === 'refused' || verdict === 'ignored') return true;
  try {
    const { before } = await recordEvent(tools.cases, caseId, { kind: 'told', verdict, isFinal });
    return !hasEndedAs(before, verdict);
  } catch (error) {
    tools.log.warn('the case could not note the verdict that people were told', { caseId, error: errorText(error) });
    return true;
  }
}

/** What one item has no room for is not lost: it is in others, less easy to read. */
const NO_ROOM =
  'an item of the case table has no room for it; flows are in the item CASE, denies in those of their ACL';

/** Keeps the whole report in the case table, where there is a case, and returns what the state machine can carry of it. */
async function keepWhole(tools: ReportTools, whole: Report, at: string): Promise<Report> {
  const short = (where: string): Report => shortReport(whole, RECORD_REPORT_BYTES, where);
  if (!isCaseId(whole.caseId)) return short('left out');
  try {
    await keepReport(tools.cases, shortReport(whole, STORED_REPORT_BYTES, NO_ROOM), at);
    return short(`in the case table, item REPORT of CASE#${whole.caseId}`);
  } catch (error) {
    tools.log.warn('the whole report could not be kept', { error: errorText(error) });
    return short(`left out, for the case table did not take the whole report: ${errorText(error)}`);
  }
}

/** Isolated a moment ago, or not to be isolated, and the rest of the response goes on: what is told before the wait. */
const isInterim = (record: Reporting): boolean => record.isolated !== undefined;

/** A verification has changed the verdict, and the looks go on. */
const isChange = (record: Reporting): boolean =>
  record.verdict?.next.kind === 'tell-and-wait' || lookOf(record) === 'beside';

/** How a look of the watch is part of its case; null = the response itself reports. */
const lookOf = ({ assessment }: Reporting): LookPart | null => (assessment?.kind === 'look' ? assessment.as : null);

/** Why a look of the watch tells people, beside the verdict. */
function watchText(record: Reporting, { watchDays }: Config): readonly string[] {
  const look = lookOf(record);
  const { cutAgain } = record;
  const isCut = look !== null && cutAgain !== undefined && cutAgain.made > 0;
  return [
    ...(isCut ? ['the watch found denies missing that this case needs, and made them again'] : []),
    ...(look === 'last'
      ? [`the watch of this case ends after ${watchDays} days: the controls stay, and nobody looks at them any more`]
      : []),
  ];
}

async function makeReport(tools: ReportTools, record: Reporting): Promise<Report> {
  const { case: ref, assessment } = record;
  if (ref === undefined || assessment === undefined) {
    return unassessedReport(tools, record);
  }
  const { caseId, instanceId } = ref;
  switch (assessment.kind) {
    case 'ignored':
      return quietReport({
        caseId,
        instanceId,
        verdict: 'ignored',
        reason: `${assessment.reason}. ${assessment.advice}`,
        ...causeOf(assessment.cause),
      });
    case 'refused': {
      const document = assessment.cause === undefined ? await knownCase(tools, caseId) : null;
      return quietReport({
        caseId,
        instanceId,
        verdict: 'refused',
        reason: assessment.reason,
        ...causeOf(assessment.cause ?? document?.request),
        ...(await whatStands(tools, caseId, document)),
      });
    }
    case 'planned': {
      const document = await readCase(tools.cases, caseId);
      return quietReport({
        caseId,
        instanceId,
        verdict: 'planned',
        reason: assessment.reason,
        plan: assessment.plan,
        flows: document?.flows.map((flow) => describeFlow(flow, flow.tracking, 'unproven')) ?? [],
        skipped: document?.denyRefusals.map((refusal) => ({ id: refusal.address, reason: refusal.reason })) ?? [],
        ...causeOf(document?.request),
        leftOpen: leftOpenOf(document?.request ?? { notes: [] }),
        ...(await whatStands(tools, caseId, document)),
      });
    }
    case 'contain':
    case 'already-contained':
    case 'look':
      return reportStanding(tools, record, caseId);
    case 'over':
      return quietReport({ caseId, instanceId, verdict: 'ignored', reason: assessment.reason });
    default:
      return assessment satisfies never;
  }
}

/** The case, where there is one and it can be read. */
function knownCase(tools: ReportTools, caseId: string): Promise<CaseDocument | null> {
  return readCase(tools.cases, caseId).catch((error: unknown) => {
    tools.log.warn('the case could not be read', { caseId, error: errorText(error) });
    return null;
  });
}

/** Denies of an earlier response that stand, and how all is undone; nothing where the case has changed nothing. */
async function whatStands(
  tools: ReportTools,
  caseId: string,
  document: CaseDocument | null,
): Promise<Partial<Pick<Report, 'held' | 'undo'>>> {
  try {
    if (document === null || !(await hasActed(tools, document))) return {};
    const { held } = await readStanding(tools, document);
    return { held: held.map(heldDeny), undo: undoText(caseId) };
  } catch (error) {
    tools.log.warn('what stands of the case could not be read', { caseId, error: errorText(error) });
    return {};
  }
}

/** A response of the case has been about to change something, and no restore has put that back. */
const hasActed = async ({ cases }: ReportTools, { caseId, status }: CaseDocument): Promise<boolean> =>
  status !== 'restored' && (await readBefore(cases, caseId)).length > 0;

const NOT_READ = { kind: 'unknown', because: 'the groups and routes could not be read' } as const;

/** What is known of a flow beside its peer, where only the input of the execution names that. */
const NO_MORE_KNOWN = { protocol: 'unknown', remotePort: null, localAddress: null, localPort: null } as const;

/**
 * Open and assess itself failed. Where an earlier response has acted, what that one did stands and is reported; otherwise nothing
 * has been changed, so nothing in force reaches the flows that were named, be it only in the input of the execution.
 */
async function unassessedReport(tools: ReportTools, record: Reporting): Promise<Report> {
  const caseId = 'caseId' in record && typeof record.caseId === 'string' ? record.caseId : null;
  const why = record.failure === undefined ? 'the case could not be opened' : sentenceOf(record.failure);
  const document = caseId === null ? null : await readCase(tools.cases, caseId).catch(() => null);
  if (document !== null && (await hasActed(tools, document).catch(() => false)))
    return unassessedAgain(tools, record, document, why);
  const reason = `nothing was changed, for the instance could not be assessed: ${why}`;
  // Of input that was refused nothing is taken.
  const isRefused = record.failure?.Error === ERROR_NAMES.input;
  const named = namedByInput(isRefused ? null : record);
  const flows = document?.request.flows ?? named.peers.map((remoteAddress) => ({ ...NO_MORE_KNOWN, remoteAddress }));
  const instanceId = document?.instanceId ?? named.instanceId;
  return {
    ...quietReport({ caseId: caseId ?? 'none', instanceId, verdict: 'refused', reason }),
    verdict: flows.length > 0 ? 'leaking' : 'not-proven',
    ...causeOf(document?.request),
    flows: flows.map((flow) => describeFlow(flow, NOT_READ, 'unproven')),
    leftOpen: leftOpenOf(document?.request ?? { notes: [] }),
    lastResort: instanceId === null ? [] : lastResorts('leaking', instanceId, []),
  };
}

/** What stands of an earlier response; a peer that came since, and that could not be assessed, is one that nothing reaches. */
async function unassessedAgain(
  tools: ReportTools,
  record: Reporting,
  document: CaseDocument,
  why: string,
): Promise<Report> {
  const { caseId, instanceId, request, flows } = document;
  const report = await reportStanding(tools, record, caseId);
  const fresh = request.flows.filter((flow) => !isNamedFlow(flow, flows));
  const unassessed = `the instance could not be assessed again: ${why}`;
  if (fresh.length === 0) return { ...report, reason: `${report.reason}; ${unassessed}` };
  const peers = [...new Set(fresh.map((flow) => flow.remoteAddress))].slice(0, NAMED_PEERS).join(', ');
  return {
    ...report,
    verdict: 'leaking',
    reason: `nothing was done about the flow to ${peers}, which is new: ${unassessed}`,
    basis: [],
    flows: [...fresh.map((flow) => describeFlow(flow, NOT_READ, 'unproven')), ...report.flows],
    lastResort: lastResorts('leaking', instanceId, []),
  };
}

/** The sentence in a Lambda error's cause, `{"errorType": ..., "errorMessage": ...}`. */
function sentenceOf({ Cause = '', Error: name = 'unknown error' }: Failure): string {
  try {
    const cause: unknown = JSON.parse(Cause);
    if (typeof cause === 'object' && cause !== null && 'errorMessage' in cause)
      return String(cause.errorMessage).slice(0, 300);
  } catch {
    // Not every cause is JSON; then the error name has to do.
  }
  return name;
}

/** Looks at what stands before the report gives up on reading it, and the pauses between them, in seconds. */
const READ_PAUSES = [2, 6, 20];

async function reportStanding(tools: ReportTools, record: Reporting, caseId: string): Promise<Report> {
  for (const pause of [...READ_PAUSES, null]) {
    try {
      return await readAndReport(tools, record, caseId);
    } catch (error) {
      const hasTime = pause !== null && tools.now().getTime() + pause * 1000 < tools.deadline();
      if (!hasTime) return blindReport(record, caseId, errorText(error));
      await tools.sleep(pause);
    }
  }
  throw new Error('unreachable');
}

/** Nothing can be read back: nothing is claimed, and a person hears what to do. */
function blindReport(record: Reporting, caseId: string, problem: string): Report {
  const instanceId = record.case?.instanceId ?? 'unknown';
  const open = isolationOf(record)?.interfaces.filter((eni) => eni.isolation !== 'in-force') ?? [
    { id: instanceId, reason: 'the step that isolates did not end: none of its interfaces is known to be isolated' },
  ];
  return {
    ...quietReport({
      caseId,
      instanceId,
      verdict: 'refused',
      reason: `what is in force could not be read back: ${problem}`,
    }),
    verdict: 'not-proven',
    skipped: [
      ...open.map(({ id, reason }) => ({ id, reason: reason ?? '' })),
      ...evidenceGaps(record).map(({ item, reason }) => ({ id: item, reason: reason ?? '' })),
    ],
    leftOpen: LEFT_OPEN,
    lastResort: lastResorts('not-proven', instanceId, []),
    undo: undoText(caseId),
  };
}

/** The step itself failed: what it would have said is unknown. */
const EVIDENCE_FAILED: EvidenceItem = {
  item: 'evidence',
  outcome: 'failed',
  reason: 'the function that preserves evidence failed: standby, protection, tags and snapshots are not assured',
};

/** The response stopped beside that step, which Step Functions ends with it. */
const EVIDENCE_UNFINISHED: EvidenceItem = {
  item: 'evidence',
  outcome: 'failed',
  reason: 'the response stopped before evidence was preserved: standby, protection, tags and snapshots are not assured',
};

/** What is not known of the evidence, where the step does not say so itself. */
function evidenceGaps(record: Reporting): readonly EvidenceItem[] {
  const { assessment, isolation, failure } = record;
  if (isolation !== undefined) return isolation.evidence.kind === 'failed' ? [EVIDENCE_FAILED] : [];
  const hasStopped = failure !== undefined && !isInterim(record);
  return hasStopped && assessment?.kind === 'contain' ? [EVIDENCE_UNFINISHED] : [];
}

async function readAndReport(tools: ReportTools, record: Reporting, caseId: string): Promise<Report> {
  const stored = await needCase(tools.cases, caseId);
  // Where the swap failed nobody has noted yet why the host said nothing.
  const document = { ...stored, host: stored.host ?? hostSilence(record) };
  const standing = await readStanding(tools, document, { failures: failuresOf(record) });
  const flowLog = await flowLogWord(tools, record, document, standing);
  const verdict = judgeStanding(tools.config, document, standing, flowLog);
  return caseReport({
    document: { ...document, evidence: [...document.evidence, ...evidenceGaps(record)] },
    verdict,
    interfaces: standing.standings,
    held: standing.held,
    denied: deniedPeers(document, standing),
    devices: standing.interfaces,
    cleanUp: await cleanUpLines(tools, document, record).catch((error: unknown) => [
      `what was cleaned up could not be read: ${errorText(error)}`,
    ]),
    notes: [
      ...openingsText(tools.config.openings),
      ...standing.unread,
      ...unheardText(flowLog),
      ...secondaryText(standing),
      ...lostText(document, standing, tools.config, tools.now().getTime()),
      ...waitingText(record),
      ...failureText(record),
      ...watchText(record, tools.config),
    ],
  });
}

/** What the verification of this execution has heard; where there was none, the log is asked here. */
function flowLogWord(
  tools: ReportTools,
  record: Reporting,
  document: CaseDocument,
  standing: Standing,
): VerdictQuestion['witness'] | Promise<VerdictQuestion['witness']> {
  if (isInterim(record)) return unheardFlowLog(tools, document, standing, isolationOf(record)?.logRefusals);
  const ask = record.verdict === undefined ? listen : recallOrListen;
  return ask(tools, document, standing, LISTEN_SECONDS.report);
}

/** A flow log that should speak and does not is a cause for somebody to look at. */
function unheardText(flowLog: VerdictQuestion['witness']): readonly string[] {
  const unheard = flowLog?.findings.unheard;
  return unheard === undefined ? [] : [`the flow log proves nothing: ${unheard}`];
}

const secondaryText = ({ standings }: Standing): readonly string[] =>
  standings
    .filter(({ id }) => id.startsWith('si-'))
    .map(({ id }) => `the secondary interface ${id}, in a network that no security group and no network ACL reaches`);

/** What somebody has undone lately, and what is left to people. */
function lostText(document: CaseDocument, standing: Standing, config: Config, now: number): readonly string[] {
  if (isClosing(document)) return [];
  const { left } = lostControls(document, standing, config, now);
  const retaken = new Map((document.retaken ?? []).map(({ item, at }) => [item, at]));
  return [
    ...left.map((item) => `${item}: lost three times within a day, and left to people`),
    ...[...retaken]
      .filter(([item]) => !left.includes(item))
      .map(([item, at]) => `${item}: was not in force at ${at}, whoever undid it, and was taken again`),
  ];
}

function deniedPeers({ flows }: CaseDocument, { denies }: Standing): ReadonlySet<string> {
  const open = new Set(flows.filter(({ id }) => denies.get(id) !== 'in-force').map((flow) => flow.remoteAddress));
  return new Set(flows.map((flow) => flow.remoteAddress).filter((address) => !open.has(address)));
}

/** What went wrong with a function, and how far the response has come. */
function failureText(record: Reporting): readonly string[] {
  const { isolated = record.isolation?.swap, failure } = record;
  return [
    ...(isolated?.kind === 'failed' ? [`the function that isolates failed: ${sentenceOf(isolated.failure)}`] : []),
    ...(failure === undefined ? [] : [`the response stopped early: ${sentenceOf(failure)}`]),
  ];
}

/** Peers that a sentence names at most. */
const NAMED_PEERS = 6;

/** What the interim report says of denies that EC2 had no turn for yet. */
function waitingText({ isolated, cut }: Reporting): readonly string[] {
  const denies = waitingAfter(cut).flatMap((waiting) => waiting.denies);
  if (isolated === undefined || denies.length === 0) return [];
  const peers = [...new Set(denies.map((deny) => deny.cidr))];
  const named = peers.slice(0, NAMED_PEERS).join(', ');
  const others = peers.length > NAMED_PEERS ? ` and ${peers.length - NAMED_PEERS} more` : '';
  return [
    `EC2 takes only so many calls per second: denies of ${named}${others} wait for their turn and are being made`,
  ];
}

function isolationOf({ isolated, isolation }: Reporting): IsolationResult | undefined {
  const result = isolated ?? isolation?.swap;
  return result?.kind === 'done' ? result : undefined;
}

function failuresOf(record: Reporting): ReadonlyMap<string, string> {
  const failed = isolationOf(record)?.interfaces.filter((entry) => entry.isolation === 'failed') ?? [];
  return new Map(failed.map((entry) => [entry.id, entry.reason ?? 'not isolated'] as const));
}
