import { type HostCommand, sendHostCommand } from '../aws/commands.ts';
import { errorText } from '../aws/errors.ts';
import type { HostResult, Opened, Restoring } from '../core/record.ts';
import type { Tools } from '../shared/toolbox.ts';

/**
 * Cut on the host: asks the agent to close every established flow; in a restore, to remove what the case added to the
 * host firewall. The cut must be sent before the isolation, which cuts the agent off. Sent twice it runs twice, which is
 * why the script is idempotent.
 */
export async function cutOnHost(tools: Tools<'ssm'>, record: Opened | Restoring): Promise<HostResult> {
  const command = commandOf(record);
  if (command === null) return { kind: 'unavailable', reason: 'there is nothing to do on the host' };
  const { platform, budgetSeconds, ...rest } = { budgetSeconds: tools.config.hostCutBudgetSeconds, ...command };
  const sentAt = tools.now();
  try {
    const commandId = await sendHostCommand(tools.ssm, { ...rest, documentName: tools.config.hostDocuments[platform] });
    const deadline = new Date(sentAt.getTime() + budgetSeconds * 1000).toISOString();
    return { kind: 'pending', verb: rest.verb, commandId, deadline, lastPendingAt: sentAt.toISOString() };
  } catch (error) {
    // No agent, no permission, no document: the instance is isolated all the same.
    return { kind: 'unavailable', reason: `Systems Manager took no command for the host: ${errorText(error)}` };
  }
}

type Command = { readonly platform: 'linux' | 'windows'; readonly budgetSeconds?: number } & Pick<
  HostCommand,
  'instanceId' | 'caseId' | 'addresses' | 'pids'
> & { readonly verb: 'cut' | 'undo' };

/** After an isolation the agent comes back when it next dials out, within minutes; in seconds. */
const UNDO_BUDGET_SECONDS = 300;

function commandOf(record: Opened | Restoring): Command | null {
  if ('restore' in record) {
    const { restore } = record;
    if (restore.kind === 'refused' || restore.host === null) return null;
    const { caseId, instanceId } = restore;
    const { platform } = restore.host;
    return { platform, budgetSeconds: UNDO_BUDGET_SECONDS, instanceId, verb: 'undo', caseId, addresses: [], pids: [] };
  }
  const { case: ref, assessment } = record;
  if (assessment.kind !== 'contain' || ref.instanceId === null) return null;
  const { platform, addresses, pids } = assessment;
  return { platform, instanceId: ref.instanceId, verb: 'cut', caseId: ref.caseId, addresses, pids };
}
