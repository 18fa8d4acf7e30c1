import { recordEvent } from '../aws/case-table/cases.ts';
import type { CommandAnswer } from '../aws/commands.ts';
import { stoppedOmitted } from '../core/case/case-events.ts';
import type { HostCommandSent, HostResult, RestoreResult } from '../core/case/record.ts';
import { stayStopped } from '../core/host/host-account.ts';
import { parseHostOutput } from '../core/host/host-protocol.ts';
import { nextUndo, undoAgain, undoBegun } from '../core/host/host-undo.ts';
import { packDenies } from '../core/network/packed-denies.ts';
import { cleaned } from '../core/plain-text.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

const STEP = 'check-host-cut';

/** The undo that was sent, and the restore that it belongs to. */
interface Undoing {
  readonly restore: RestoreResult;
  readonly host: HostCommandSent;
}

/** What came of one command of an undo; `expired` = it was given up, and cancelled. */
export function undoAnswer(
  tools: Tools<'cases'>,
  { restore, host }: Undoing,
  answer: Exclude<CommandAnswer, { kind: 'pending' }> | { readonly kind: 'expired' },
): Promise<HostResult> {
  const now = tools.now();
  const { undo = undoBegun(now) } = host;
  if (answer.kind !== 'answered') {
    const result = undoAgain(undo, now, reasonOf(answer));
    return result.kind === 'again' ? Promise.resolve(result) : notUndone(tools, restore.caseId, result);
  }
  const report = parseHostOutput(answer.output, { verb: 'undo', caseId: restore.caseId });
  if (report.kind === 'no-evidence') return notUndone(tools, restore.caseId, report);
  const left = report.verdict.errors[0];
  if (left !== undefined) {
    const reason = `the host could not undo everything: ${cleaned(left)}`;
    return notUndone(tools, restore.caseId, { kind: 'no-evidence', reason });
  }
  const stopped = restore.kind === 'refused' ? [] : (restore.host?.stopped ?? []);
  const next = nextUndo(stopped, undo, now);
  return next === null ? undone(tools, restore.caseId) : Promise.resolve(next);
}

const reasonOf = (
  answer: { readonly kind: 'expired' } | { readonly kind: 'ended'; readonly status: string },
): string =>
  // A run that is started again finds the command that it had given up cancelled: one reason for both.
  answer.kind === 'expired' || answer.status.startsWith('Cancel')
    ? 'the agent gave no answer before the command was cancelled'
    : `the command ended as ${answer.status} without an answer`;

/** The host has answered to every command; what nobody kept the ids of is still stopped. */
async function undone(tools: Tools<'cases'>, caseId: string): Promise<HostResult> {
  const { after } = await recordEvent(tools.cases, caseId, { kind: 'hostUndone' });
  const omitted = stoppedOmitted(after);
  if (omitted > 0) return notUndone(tools, caseId, { kind: 'no-evidence', reason: stayStopped(omitted) });
  const summary = 'the host firewall of this case is removed';
  await tell(tools, caseId, STEP, summary);
  return { kind: 'answered', denies: packDenies([]), summary };
}

async function notUndone(
  tools: Tools<'cases'>,
  caseId: string,
  { kind, reason }: { readonly kind: 'unavailable' | 'no-evidence'; readonly reason: string },
): Promise<HostResult> {
  await tell(tools, caseId, STEP, `the host is not undone: ${reason}`);
  return { kind, reason };
}
