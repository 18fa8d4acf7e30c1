import { errorText } from '../aws/errors.ts';
import type { HostResult, Opened, Restoring } from '../core/case/record.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';
import { STEP, sendOrder } from './send.ts';
import { undoOnHost } from './undo.ts';

/**
 * Cut on the host: asks the agent to close every established flow; in a restore, to undo that. The cut must be sent before
 * the isolation, which cuts the agent off. Sent twice it runs twice, which is why the script is idempotent.
 */
export async function cutOnHost(tools: Tools<'ssm' | 'cases'>, record: Opened | Restoring): Promise<HostResult> {
  if ('restore' in record) return undoOnHost(tools, record);
  const { case: ref, assessment } = record;
  if (assessment.kind !== 'contain' || ref.instanceId === null)
    return { kind: 'unavailable', reason: 'there is nothing to do on the host' };
  const { caseId, instanceId } = ref;
  const { platform, addresses, pids, ports, hostOptions: options } = assessment;
  const order = { platform, verb: 'cut', caseId, addresses, pids, ports, options } as const;
  try {
    return await sendOrder(tools, instanceId, order, tools.config.hostCutBudgetSeconds);
  } catch (error) {
    // No agent, no permission, no document: the instance is isolated all the same.
    const reason = `Systems Manager took no command for the host: ${errorText(error)}`;
    await tell(tools, caseId, STEP, reason);
    return { kind: 'unavailable', reason };
  }
}
