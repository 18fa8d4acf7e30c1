import { sendHostCommand } from '../aws/commands.ts';
import type { HostCommandSent } from '../core/case/record.ts';
import { type HostOrder, hostParameters } from '../core/host/host-options.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

export const STEP = 'cut-on-host';

/** How long the entry of a command that was sent is waited for, in seconds. */
const ENTRY_SECONDS = 2;

const TOLD = {
  cut: 'the agent was told to close every flow on the host',
  undo: 'the agent was told to undo what this case did on the host',
  'close-agent': 'the agent was asked to close its own connection; nothing says yet that it did',
} as const;

/** Sends an order that is waited for so many seconds; throws where Systems Manager does not take it. */
export async function sendOrder(
  tools: Tools<'ssm' | 'cases'>,
  instanceId: string,
  order: HostOrder,
  seconds: number,
): Promise<HostCommandSent> {
  const { verb, caseId, platform } = order;
  const sentAt = tools.now();
  const commandId = await sendHostCommand(tools.ssm, {
    instanceId,
    documentName: tools.config.hostDocuments[platform],
    comment: `flowcut ${verb} ${caseId}`,
    parameters: hostParameters(order),
    seconds,
  });
  // Once the command is sent nothing may come between its id and the state machine: without it the answer is lost.
  await Promise.race([tell(tools, caseId, STEP, TOLD[verb]), tools.sleep(ENTRY_SECONDS)]);
  const deadline = new Date(sentAt.getTime() + seconds * 1000).toISOString();
  return { kind: 'pending', verb, commandId, deadline, lastPendingAt: sentAt.toISOString() };
}
