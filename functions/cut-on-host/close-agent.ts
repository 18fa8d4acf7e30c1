import { needCase, recordEvent } from '../aws/case-table/cases.ts';
import { errorText } from '../aws/errors.ts';
import { agentToClose } from '../core/case/agent-to-close.ts';
import type { AgentAsk, Isolated } from '../core/case/record.ts';
import { DEFAULT_HOST_OPTIONS } from '../core/host/host-options.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';
import { STEP, sendOrder } from './send.ts';

/**
 * Asks the agent to close its own connections once it has answered: a tracked flow goes on behind the swap as any other
 * does. Nobody waits for it, and nothing that the host does with it proves anything. Sent twice it is harmless: the agent
 * closes what it has then.
 */
export async function askAgentToClose(tools: Tools<'ssm' | 'cases'>, record: Isolated): Promise<AgentAsk> {
  const { case: ref, assessment } = record;
  const { caseId, instanceId } = ref;
  if (assessment.kind !== 'contain' || instanceId === null)
    return { kind: 'left', reason: 'there is nothing to do on the host' };
  const objection = agentToClose(await needCase(tools.cases, caseId), tools.config.openings);
  if (objection !== null) return { kind: 'left', reason: objection };
  const { platform } = assessment;
  const nothing = { addresses: [], pids: [], ports: [], options: DEFAULT_HOST_OPTIONS };
  const order = { platform, verb: 'close-agent', caseId, ...nothing } as const;
  const at = tools.now().toISOString();
  try {
    // An agent that took so long to answer to the cut may take as long again; a later restore wants it back.
    await sendOrder(tools, instanceId, order, tools.config.hostCutBudgetSeconds);
  } catch (error) {
    const reason = `the agent could not be asked to close its own connection: ${errorText(error)}`;
    await tell(tools, caseId, STEP, reason);
    return { kind: 'unavailable', reason };
  }
  await recordEvent(tools.cases, caseId, { kind: 'agentAsked', at });
  return { kind: 'asked' };
}
