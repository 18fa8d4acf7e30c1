import { errorText } from '../aws/errors.ts';
import { type ExecutionState, readExecution, startExecution } from '../aws/executions.ts';
import { borderRefusal, placeRefusal } from '../core/case/assess.ts';
import { executionNameOf, noteIdOf } from '../core/case/case.ts';
import type { HeadStart } from '../core/case/head-start.ts';
import { intake } from '../core/intake/intake.ts';
import type { CaseRequest, FindingSummary, Intake } from '../core/intake/intake-types.ts';
import { causeOf, quietReport, type Report } from '../core/report/report.ts';
import { type CaseOpening, type Opening, openOrTakeUp } from '../shared/open-case.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

export type StartResult =
  | { readonly kind: 'started' | 'already-started'; readonly caseIds: readonly string[] }
  | { readonly kind: 'nothing-to-do'; readonly report: Report };

/** `ec2` is made when it is needed, where it is not given. */
type StartTools = Tools<'sfn' | 'cases'> & Partial<Tools<'ec2'>>;

type Asking = Exclude<Intake, { kind: 'ignored' }>;

/** What the log says of a finding on which nobody acts, so that it can be found again. */
const namesOf = (finding: FindingSummary | null, instanceId: string | null) => ({
  findingId: finding?.id ?? null,
  type: finding?.type ?? null,
  instanceId,
});

/**
 * Takes a GuardDuty event, at least once: claims the instance and starts one execution per case, under a name that the
 * same event always gives. A known case with a new peer gets an execution of its own, which only adds what is new. An attack
 * sequence starts one for each of its instances.
 */
export async function startResponse(tools: StartTools, event: unknown): Promise<StartResult> {
  const taken = intake(event);
  if (taken.kind === 'ignored') {
    const { finding, instanceId, advice } = taken;
    const caseId = noteIdOf(finding, taken.reason);
    const reason = `${taken.reason}. ${advice}`;
    tools.log.info('ignored', {
      caseId,
      verdict: 'ignored',
      reason,
      class: taken.class,
      ...namesOf(finding, instanceId),
    });
    return {
      kind: 'nothing-to-do',
      report: quietReport({ caseId, instanceId, verdict: 'ignored', reason, ...causeOf(taken) }),
    };
  }
  const requests = taken.kind === 'ask' ? taken.requests : [taken.request];
  const results = await inTurns(requests, (request) => startOne(tools, taken, request));
  const begun = results.filter((result) => result.kind !== 'nothing-to-do');
  const [first] = results;
  if (begun.length === 0 && first !== undefined) return first;
  const kind = begun.some((result) => result.kind === 'started') ? 'started' : 'already-started';
  return { kind, caseIds: begun.flatMap(({ caseIds }) => caseIds) };
}

/** Instances whose cases are opened at a time: 400 of a sequence have to fit into the time of the function. */
const AT_A_TIME = 10;

/** One that fails keeps none of the others from being started; it fails the whole afterwards, so that Lambda tries again. */
async function inTurns<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<readonly R[]> {
  const settled: PromiseSettledResult<R>[] = [];
  for (let start = 0; start < items.length; start += AT_A_TIME) {
    settled.push(...(await Promise.allSettled(items.slice(start, start + AT_A_TIME).map(run))));
  }
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

/** One instance: its case, and the execution that is about it. */
async function startOne(tools: StartTools, taken: Asking, request: CaseRequest): Promise<StartResult> {
  const { instanceId, finding } = request;
  const nothing = (caseId: string, verdict: 'refused' | 'ignored', reason: string): StartResult => {
    const entry = { caseId, verdict, reason, ...namesOf(finding, instanceId) };
    if (verdict === 'refused') tools.log.warn('refused', entry);
    else tools.log.info('ignored', entry);
    return {
      kind: 'nothing-to-do',
      report: quietReport({ caseId, instanceId, verdict, reason, ...causeOf(request) }),
    };
  };
  const misplaced = placeRefusal(request, tools.config) ?? (await outOfBounds(tools, request));
  if (misplaced !== null) return nothing(noteIdOf(finding, instanceId), 'refused', misplaced);
  const decision: CaseOpening['decision'] = taken.kind === 'ask' ? 'ask' : 'act';
  const opening = await openOrTakeUp(tools, { decision, class: taken.class, classReason: taken.reason, request });
  const { caseId, status } = opening.document;
  if (status === 'restored') {
    return nothing(caseId, 'ignored', `its case ${caseId} was restored, and the finding is none that it did not know`);
  }
  const what = `${decision === 'act' ? 'taken' : 'taken for a person to decide'}: ${finding?.type ?? 'manual request'}, ${taken.reason}`;
  // Beside the start: the response waits for no entry.
  const [kind] = await Promise.all([
    startOrTakeOver(tools, opening, request),
    tell(tools, caseId, 'start-response', what),
  ]);
  return { kind, caseIds: [caseId] };
}

/**
 * An instance beyond the border is not even claimed. Its interfaces are asked for, not taken from the finding, which may name
 * some of them only. Where EC2 does not answer the response begins, and looks itself before it changes anything.
 */
async function outOfBounds(tools: StartTools, { instanceId }: CaseRequest): Promise<string | null> {
  if (tools.config.vpcIds.length === 0) return null;
  try {
    const { look } = await import('./look.ts');
    return borderRefusal(instanceId, await look(instanceId, tools.ec2), tools.config);
  } catch (error) {
    tools.log.warn('the VPCs of the instance cannot be read', { instanceId, error: errorText(error) });
    return null;
  }
}

/** Peers that the execution is told before it has read the case. */
const PEERS_AHEAD = 20;

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
  const { instanceId } = request;
  const hints = {
    ...request.hints,
    peers: [...new Set(request.flows.map((flow) => flow.remoteAddress))].slice(0, PEERS_AHEAD),
  };
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
