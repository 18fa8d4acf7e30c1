import type { RestoreItem, RestoreResult } from '../functions/core/case/record.ts';
import { InputError } from '../functions/core/errors.ts';
import { intake } from '../functions/core/intake/intake.ts';
import type { CaseRequest } from '../functions/core/intake/intake-types.ts';
import { quietReport, type Report } from '../functions/core/report/report.ts';
import { type RestoreReport, restoredItems } from '../functions/core/report/restore-report.ts';
import type { StartResult } from '../functions/start-response/step.ts';
import { deliverFinding } from './deliveries.ts';
import { type RestoreOutput, restoreOf } from './restore-output.ts';
import { type ExecutionResult, failure } from './runner.ts';
import type { Run, Session } from './session.ts';

/** What an event or a request came to, as its own executions say. */
export interface Responded {
  readonly report: Report;
  /** When its executions had ended, in seconds. */
  readonly endedAt: number;
}

/** An event goes through start-response; the answer comes when every execution that it started has ended. */
export async function respondToEvent(session: Session, run: Run, event: unknown): Promise<Responded> {
  const endedAt = () => session.world.clock.now();
  session.world.playFinding((event as { readonly detail: Record<string, unknown> }).detail);
  const delivery = await deliverFinding(session, event);
  if (delivery === null) return { report: notTaken(event), endedAt: endedAt() };
  if (delivery.kind === 'dead-letter') {
    const report = failedReport(event, `no response could be started (${textOf(delivery.error)})`, WAITS);
    return { report, endedAt: endedAt() };
  }
  const started = delivery.output as StartResult;
  if (started.kind === 'nothing-to-do') return { report: started.report, endedAt: endedAt() };
  const [first] = await Promise.all(run.executions);
  if (first !== undefined) return { report: reportOf(first, event), endedAt: endedAt() };
  const reason = `the response to the case ${started.caseIds.join(', ')} goes on already, or has ended`;
  const report = quietReport({
    caseId: run.caseId() ?? 'none',
    instanceId: instanceOf(event),
    verdict: 'ignored',
    reason,
  });
  return { report, endedAt: endedAt() };
}

/** A person's request goes straight into the state machine, as from the console. */
export async function respondToRequest(session: Session, request: unknown): Promise<Responded> {
  const result = await session.execute('respond', request);
  return { report: reportOf(result, request), endedAt: session.world.clock.now() };
}

const WAITS = 'the event waits in the dead-letter queue';
const ALARM = 'what is cut stays cut; an alarm tells people of the execution';

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What the input is about, where it is a case. */
function requestIn(input: unknown): CaseRequest | null {
  if (typeof input === 'object' && input !== null && 'caseId' in input) return null;
  const taken = intake(input);
  if (taken.kind === 'case') return taken.request;
  return taken.kind === 'ask' ? (taken.requests[0] ?? null) : null;
}

const instanceOf = (input: unknown): string | null => requestIn(input)?.instanceId ?? null;

/** What nobody reported on: a flow that is named goes on, for all that is known. */
function failedReport(input: unknown, what: string, then: string): Report {
  const request = requestIn(input);
  const reason = `nothing was reported: ${what}; ${then}`;
  const report = quietReport({ caseId: 'none', instanceId: request?.instanceId ?? null, verdict: 'refused', reason });
  return { ...report, verdict: (request?.flows.length ?? 0) > 0 ? 'leaking' : 'not-proven' };
}

function notTaken(event: unknown): Report {
  const reason = 'the rule of the stack does not take it: MinimumSeverity or FindingTypePrefixes leave it out';
  return quietReport({ caseId: 'none', instanceId: instanceOf(event), verdict: 'ignored', reason });
}

/** The report in an execution's output. Throws InputError where the input was wrong. */
function reportOf(result: ExecutionResult, input: unknown): Report {
  const output = result.output as unknown as { report?: Report } | null;
  if (output?.report !== undefined) return output.report;
  const error = failure(result);
  if (error instanceof InputError) throw error;
  return failedReport(input, `the response ended before it could report (${error.message})`, ALARM);
}

/** What a restore came to. */
export type Restored =
  | {
      readonly kind: 'ended';
      readonly restore: RestoreResult;
      readonly items: readonly RestoreItem[];
      /** What people were told of it. */
      readonly report: RestoreReport;
    }
  | { readonly kind: 'failed'; readonly reason: string };

/** Runs the restore machine. Throws InputError where the request was wrong. */
export async function restoreCase(session: Session, request: unknown): Promise<Restored> {
  const result = await session.execute('restore', request);
  let output: RestoreOutput;
  try {
    output = restoreOf(result);
  } catch (error) {
    if (!(error instanceof Error) || error instanceof InputError) throw error;
    const reason = `the restore ended before it could report (${error.name}: ${error.message}); start it again`;
    return { kind: 'failed', reason };
  }
  return { kind: 'ended', restore: output.restore, items: restoredItems(output), report: output.report };
}
