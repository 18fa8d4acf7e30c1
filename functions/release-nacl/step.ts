import { needCase, recordEvent } from '../aws/case-table/cases.ts';
import type { ReleaseResult, Verifying } from '../core/case/record.ts';
import { liftDenies } from '../shared/lift-denies.ts';
import { LISTEN_SECONDS, recallOrListen } from '../shared/listening.ts';
import { judgeStanding, readStanding } from '../shared/standing.ts';
import { liftedText, tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

/**
 * Release: lifts the denies of the case, only where that was opted in and only once every flow is dead on the network's
 * record. Everything else keeps them until a restore.
 */
export async function releaseNacl(
  tools: Tools<'ec2' | 'logs' | 'bucket' | 'cases'>,
  record: Verifying,
): Promise<ReleaseResult> {
  const { caseId } = record.case;
  if (tools.config.releaseDenies !== 'after-proof') return keep(tools, caseId, 'denies stay until a restore');
  const document = await needCase(tools.cases, caseId);
  // A run that died while it lifted them has left some: they hold nothing, and go too.
  if (document.released !== true) {
    const standing = await readStanding(tools, document);
    const flowLog = await recallOrListen(tools, document, standing, LISTEN_SECONDS.release);
    const verdict = judgeStanding(tools.config, document, standing, flowLog);
    // A seal proves that nothing passes, not that a flow is dead.
    const areDead = verdict.basis.includes('flow-log') && verdict.flows.every(({ dead }) => dead.includes('flow-log'));
    if (verdict.kind !== 'contained' || !areDead) {
      return keep(tools, caseId, "not every flow is dead on the flow log's record");
    }
    await recordEvent(tools.cases, caseId, { kind: 'released' });
  }
  // Not where a response has cut again meanwhile.
  const isReleased = async (): Promise<boolean> => (await needCase(tools.cases, caseId)).released === true;
  const items = await liftDenies(tools, caseId, document.aclIds, isReleased);
  await tell(tools, caseId, STEP, liftedText(items, document.aclIds) || 'there was no deny to release');
  return { kind: 'released', items };
}

const STEP = 'release-nacl';

async function keep(tools: Tools<'cases'>, caseId: string, reason: string): Promise<ReleaseResult> {
  await tell(tools, caseId, STEP, `kept: ${reason}`);
  return { kind: 'kept', reason };
}
