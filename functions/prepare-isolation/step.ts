import { errorText } from '../aws/errors.ts';
import type { Opened, PreparationResult } from '../core/case/record.ts';
import { ensureIsolationGroup, GROUP_SECONDS } from '../shared/isolation-group.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

/**
 * Prepare the isolation group: beside the first cuts, so that the swap finds it made and empty. Changes nothing for the
 * instance; a failure here is met again, and reported, by the swap.
 */
export async function prepareIsolation(tools: Tools<'ec2' | 'cases'>, record: Opened): Promise<PreparationResult> {
  const vpcIds = record.assessment.kind === 'contain' ? record.assessment.vpcIds : [];
  const result = await Promise.all(
    vpcIds.map((vpcId) => ensureIsolationGroup(tools, vpcId, GROUP_SECONDS.prepare)),
  ).then(
    (): PreparationResult => ({ kind: 'ready' }),
    (error: unknown): PreparationResult => ({ kind: 'failed', reason: errorText(error) }),
  );
  const what =
    result.kind === 'ready'
      ? `the isolation group is ready in ${vpcIds.join(', ')}`
      : `the isolation group is not ready, the isolation tries again: ${result.reason}`;
  await tell(tools, record.case.caseId, 'prepare-isolation', what);
  return result;
}
