import { type ExecutionState, readExecution, startExecution } from '../aws/executions.ts';
import { placeRefusal } from '../core/case/assess.ts';
import { executionNameOf, noteIdOf } from '../core/case/case.ts';
import type { HeadStart } from '../core/case/head-start.ts';
import { intake } from '../core/intake/intake.ts';
import type { CaseRequest } from '../core/intake/intake-types.ts';
import { quietReport, type Report } from '../core/report/report.ts';
import { type CaseOpening, type Opening, openOrTakeUp } from '../shared/open-case.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

export type StartResult =
  | { readonly kind: 'started' | 'already-started'; readonly caseIds: readonly string[] }
  | { readonly kind: 'nothing-to-do'; readonly report: Report };

/** Instances of one attack sequence for which a plan is made; a person sees the others in the finding. */
const SEQUENCE_LIMIT = 10;

/**
 * Takes a GuardDuty event, at least once: claims the instance and starts one execution per case, under a name that the
 * same event always gives. A known case with a new peer gets an execution of its own, which only adds what is new.
 */
export async function startResponse(tools: Tools<'sfn' | 'cases'>, event: unknown): Promise<StartResult> {
  const taken = intake(event);
  if (taken.kind === 'ignored') {
    const caseId = noteIdOf(taken.finding, taken.reason);
    const reason = `${taken.reason}. ${taken.advice}`;
    tools.log.info('ignored', { caseId, verdict: 'ignored', reason, class: taken.class });
    return {
      kind: 'nothing-to-do',
      report: quietReport({ caseId, instanceId: taken.instanceId, verdict: 'ignored', reason }),
    };
  }
  const requests = taken.kind === 'ask' ? taken.requests.slice(0, SEQUENCE_LIMIT) : [taken.request];
  const caseIds: string[] = [];
  let kind: 'started' | 'already-started' = 'already-started';
  for (const request of requests) {
    const misplaced = placeRefusal(request, tools.config);
    if (misplaced !== null) {
      const caseId = noteIdOf(request.finding, request.instanceId);
      tools.log.warn('refused', { caseId, reason: misplaced });
      if (requests.length > 1) continue;
      const report = quietReport({ caseId, instanceId: request.instanceId, verdict: 'refused', reason: misplaced });
      return { kind: 'nothing-to-do', report };
    }
    const decision: CaseOpening['decision'] = taken.kind === 'ask' ? 'ask' : 'act';
    const opening = await openOrTakeUp(tools, { decision, class: taken.class, classReason: taken.reason, request });
    const { caseId, status } = opening.document;
    if (status === 'restored') {
      const reason = `its case ${caseId} was restored, and the finding is none that it did not know`;
      tools.log.info('ignored', { caseId, verdict: 'ignored', reason });
      if (requests.length > 1) continue;
      const { instanceId } = request;
      return { kind: 'nothing-to-do', report: quietReport({ caseId, instanceId, verdict: 'ignored', reason }) };
    }
    const what = `${decision === 'act' ? 'taken' : 'taken for a person to decide'}: ${request.finding?.type ?? 'manual request'}, ${taken.reason}`;
    // Beside the start: the response waits for no entry.
    const [started] = await Promise.all([
      startOrTakeOver(tools, opening, request),
      tell(tools, caseId, 'start-response', what),
    ]);
    if (started === 'started') kind = 'started';
    caseIds.push(caseId);
  }
  return { kind, caseIds };
}

/** Executions that may die one after another before a person has to look. */
const START_ATTEMPTS = 5;

/**
 * Starts the response, or finds it started. The execution itself is the lease on the case: Step Functions ends it at its
 * time limit at the latest and says how it ended. One that failed or timed out has left the case half done, so the next
 * event takes over under a name of its own; after one that ended well, or that a person stopped, only an occurrence that is
 * newer does.
 */
async function startOrTakeOver(
  tools: Tools<'sfn'>,
  { document, isTakenUp }: Opening,
  request: CaseRequest,
): Promise<'started' | 'already-started'> {
  const stateMachineArn = tools.config.respondStateMachineArn;
  // The same event gives the same input, as the same name must have.
  const { instanceId, hints } = request;
  const input: { readonly caseId: string } & HeadStart = { caseId: document.caseId, instanceId, hints };
  const later = executionNameOf({ ...document, status: 'reported' }, request);
  let base = isTakenUp ? later : executionNameOf(document, request);
  let name = base;
  for (let attempt = 1; attempt <= START_ATTEMPTS; attempt += 1) {
    if ((await startExecution(tools.sfn, { stateMachineArn, name, input })) === 'started') return 'started';
    const ended = await readExecution(tools.sfn, { stateMachineArn, name });
    if (hasDied(ended)) {
      name = `${base}-${attempt + 1}`;
    } else if (base !== later && isNews(request, ended)) {
      base = later;
      name = later;
    } else {
      return 'already-started';
    }
    tools.log.warn('a response has ended and is taken over', { caseId: document.caseId, status: ended.status, name });
  }
  throw new Error(`${START_ATTEMPTS} responses to the case ${document.caseId} have failed one after another`);
}

const hasDied = ({ status }: ExecutionState): boolean => status === 'FAILED' || status === 'TIMED_OUT';

/** What was seen after the execution began, or after a person stopped it, is news to the case. */
function isNews({ finding }: CaseRequest, { status, startedAt, endedAt }: ExecutionState): boolean {
  if (finding === null || status === 'RUNNING' || endedAt === null) return false;
  return Date.parse(finding.updatedAt) > (status === 'ABORTED' ? endedAt : startedAt);
}
