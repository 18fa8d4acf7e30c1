import { errorText } from '../aws/errors.ts';
import type { Opened, PreparationResult } from '../core/record.ts';
import { ensureIsolationGroup } from '../shared/isolation-group.ts';
import type { Tools } from '../shared/toolbox.ts';

/**
 * Prepare the isolation group: beside the first cuts, so that the swap finds it made and empty. Changes nothing for the
 * instance; a failure here is met again, and reported, by the swap.
 */
export async function prepareIsolation(tools: Tools<'ec2'>, record: Opened): Promise<PreparationResult> {
  const vpcIds = record.assessment.kind === 'contain' ? record.assessment.vpcIds : [];
  try {
    await Promise.all(vpcIds.map((vpcId) => ensureIsolationGroup(tools, vpcId)));
    return { kind: 'ready' };
  } catch (error) {
    return { kind: 'failed', reason: errorText(error) };
  }
}
