import { sendHostCommand } from '../aws/commands.ts';
import { errorText } from '../aws/errors.ts';
import type { HostResult, Opened, Restoring } from '../core/case/record.ts';
import { DEFAULT_HOST_OPTIONS, type HostOrder, hostParameters } from '../core/host/host-options.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

/**
 * Cut on the host: asks the agent to close every established flow; in a restore, to remove what the case added to the
 * host firewall and to let go on what it stopped. The cut must be sent before the isolation, which cuts the agent off.
 * Sent twice it runs twice, which is why the script is idempotent.
 */
export async function cutOnHost(tools: Tools<'ssm' | 'cases'>, record: Opened | Restoring): Promise<HostResult> {
  const command = commandOf(record);
  if (command === null) return { kind: 'unavailable', reason: 'there is nothing to do on the host' };
  const { instanceId, order } = command;
  const { verb, caseId } = order;
  const budgetSeconds = verb === 'undo' ? UNDO_BUDGET_SECONDS : tools.config.hostCutBudgetSeconds;
  const sentAt = tools.now();
  try {
    const commandId = await sendHostCommand(tools.ssm, {
      instanceId,
      documentName: tools.config.hostDocuments[order.platform],
      comment: `flowcut ${verb} ${caseId}`,
      parameters: hostParameters(order),
    });
    // Once the command is sent nothing may come between its id and the state machine: without it the answer is lost.
    await Promise.race([tell(tools, caseId, 'cut-on-host', TOLD[verb]), tools.sleep(ENTRY_SECONDS)]);
    const deadline = new Date(sentAt.getTime() + budgetSeconds * 1000).toISOString();
    return { kind: 'pending', verb, commandId, deadline, lastPendingAt: sentAt.toISOString() };
  } catch (error) {
    // No agent, no permission, no document: the instance is isolated all the same.
    const reason = `Systems Manager took no command for the host: ${errorText(error)}`;
    await tell(tools, caseId, 'cut-on-host', reason);
    return { kind: 'unavailable', reason };
  }
}

/** How long the entry of a command that was sent is waited for, in seconds. */
const ENTRY_SECONDS = 2;

const TOLD = {
  cut: 'the agent was told to close every flow on the host',
  undo: 'the agent was told to undo what this case did on the host',
} as const;

/** After an isolation the agent comes back when it next dials out, within minutes; in seconds. */
const UNDO_BUDGET_SECONDS = 300;

function commandOf(record: Opened | Restoring): { readonly instanceId: string; readonly order: HostOrder } | null {
  if ('restore' in record) {
    const { restore } = record;
    if (restore.kind === 'refused' || restore.host === null) return null;
    const { caseId, instanceId, host } = restore;
    const { platform, stopped: pids } = host;
    const nothing = { addresses: [], ports: [], options: DEFAULT_HOST_OPTIONS };
    return { instanceId, order: { platform, verb: 'undo', caseId, pids, ...nothing } };
  }
  const { case: ref, assessment } = record;
  if (assessment.kind !== 'contain' || ref.instanceId === null) return null;
  const { platform, addresses, pids, ports, hostOptions: options } = assessment;
  return {
    instanceId: ref.instanceId,
    order: { platform, verb: 'cut', caseId: ref.caseId, addresses, pids, ports, options },
  };
}
