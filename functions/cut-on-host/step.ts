import { errorText } from '../aws/errors.ts';
import type { AgentAsk, HostResult, Isolated, Opened, Restoring } from '../core/case/record.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';
import { askAgentToClose } from './close-agent.ts';
import { STEP, sendOrder } from './send.ts';
import { undoOnHost } from './undo.ts';

type HostTools = Tools<'ssm' | 'cases'>;

/**
 * Everything that is sent to the host, by what the record holds: the cut, in a restore its undo, and behind the isolation
 * what closes the agent's own connection.
 */
export const onHost = (tools: HostTools, record: Opened | Restoring | Isolated): Promise<HostResult | AgentAsk> =>
  'isolated' in record ? askAgentToClose(tools, record) : cutOnHost(tools, record);

/**
 * Cut on the host: asks the agent to close every established flow; in a restore, to undo that. The cut must be sent before
 * the isolation, which cuts the agent off. Sent twice it runs twice, which is why the script is idempotent.
 */
export async function cutOnHost(tools: HostTools, record: Opened | Restoring): Promise<HostResult> {
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
