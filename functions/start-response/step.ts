import { startExecution } from '../aws/executions.ts';
import { placeRefusal } from '../core/assess.ts';
import { executionNameOf, noteIdOf } from '../core/case.ts';
import { intake } from '../core/intake.ts';
import { quietReport, type Report } from '../core/report.ts';
import { type CaseOpening, openCase } from '../shared/open-case.ts';
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
    tools.log.info('ignored', { caseId, reason, class: taken.class });
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
    const document = await openCase(tools, { decision, class: taken.class, classReason: taken.reason, request });
    const started = await startExecution(tools.sfn, {
      stateMachineArn: tools.config.respondStateMachineArn,
      name: executionNameOf(document, request),
      input: { caseId: document.caseId },
    });
    if (started === 'started') kind = 'started';
    caseIds.push(document.caseId);
  }
  return { kind, caseIds };
}
