import { readCase } from '../aws/case-table/cases.ts';
import { errorCode, errorText } from '../aws/errors.ts';
import { isClosing } from '../core/case/case.ts';
import type { HostResult, Restoring } from '../core/case/record.ts';
import { TAKEN_UP } from '../core/case/restore-items.ts';
import { DEFAULT_HOST_OPTIONS } from '../core/host/host-options.ts';
import { isForGood, pidsToLetGo, undoAgain, undoBegun, undoSeconds } from '../core/host/host-undo.ts';
import { leftTo, successorOf } from '../shared/successor.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';
import { STEP, sendOrder } from './send.ts';

/**
 * Undo on the host: removes what the case added to the host firewall and lets go on what it stopped, 64 processes with each
 * command. Tried again as long as the agent may be on its way back. Every try may be the second one: the script removes by
 * name, and lets go only who is stopped.
 */
export async function undoOnHost(
  tools: Tools<'ssm' | 'cases'>,
  { restore, host: last }: Restoring,
): Promise<HostResult> {
  if (restore.kind === 'refused' || restore.host === null)
    return { kind: 'unavailable', reason: 'there is nothing to do on the host' };
  const { caseId, instanceId, host } = restore;
  const now = tools.now();
  const progress = last?.kind === 'again' ? last.undo : undoBegun(now);
  const owner = await ownerSince(tools, caseId);
  if (owner !== null) {
    await tell(tools, caseId, STEP, `the host is left as it is: ${owner}`);
    return { kind: 'left', reason: owner };
  }
  const undo = { ...progress, tries: progress.tries + 1 };
  const pids = pidsToLetGo(host.stopped, progress);
  const nothing = { addresses: [], ports: [], options: DEFAULT_HOST_OPTIONS };
  const order = { platform: host.platform, verb: 'undo', caseId, pids, ...nothing } as const;
  try {
    return { ...(await sendOrder(tools, instanceId, order, undoSeconds(progress, now))), undo };
  } catch (error) {
    const reason = `Systems Manager took no command for the host: ${errorText(error)}`;
    const result = isForGood(errorCode(error))
      ? ({ kind: 'unavailable', reason } as const)
      : undoAgain(undo, tools.now(), reason);
    if (result.kind !== 'again') await tell(tools, caseId, STEP, `the host is not undone: ${result.reason}`);
    else if (undo.tries === 1) {
      await tell(tools, caseId, STEP, `the host is not undone yet, and it is tried again: ${reason}`);
    }
    return result;
  }
}

/**
 * Who has the host since the restore began, in a sentence: a response that has taken the case up again, or a newer case, may
 * have stopped the same processes; null = nobody.
 */
async function ownerSince(tools: Tools<'cases'>, caseId: string): Promise<string | null> {
  const document = await readCase(tools.cases, caseId);
  if (document === null) return null;
  if (!isClosing(document)) return TAKEN_UP.detail;
  const successor = await successorOf(tools, document);
  return successor === null ? null : (leftTo(successor).detail ?? successor);
}
