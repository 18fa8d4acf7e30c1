import { isDenied, orDenied } from '../aws/errors.ts';
import { getInstance } from '../aws/instances.ts';
import { beforeOf, type CaseDocument, UNKNOWN_TYPE } from '../core/case/case.ts';
import { nameSome } from '../core/case/name-some.ts';
import { mayBeAgents } from '../core/network/aws-endpoints.ts';
import type { FlowVerdict, Verdict } from '../core/verdict/verdict.ts';
import type { LogRecord, Witness } from '../core/verdict/witness.ts';
import { LISTEN_SECONDS, listen } from './listening.ts';
import { judgeStanding, longestTimer, readStanding } from './standing.ts';
import type { Tools } from './toolbox.ts';

/** Why a restore is refused; null = it is not. An instance that is gone has no flow. */
export async function restoreObjection(
  tools: Tools<'ec2' | 'logs' | 'bucket' | 'cases'>,
  document: CaseDocument,
): Promise<string | null> {
  const reason = await revivable(tools, document);
  if (reason === null) return null;
  const instance = await orDenied(() => getInstance(tools.ec2, document.instanceId));
  const isGone = instance === null || (!isDenied(instance) && instance.state === 'terminated');
  return isGone ? null : `${reason}; give "force": true to restore all the same`;
}

/** Why the restore would let a flow live again; null = nothing shows that it would. */
async function revivable(
  tools: Tools<'ec2' | 'logs' | 'bucket' | 'cases'>,
  document: CaseDocument,
): Promise<string | null> {
  const seen = await readStanding(tools, document);
  // Of an interface whose before-state is lost the longest timers count.
  const unknown = seen.interfaces.map((eni) => beforeOf(eni, UNKNOWN_TYPE, ''));
  const standing = seen.before.length === 0 ? { ...seen, before: unknown } : seen;
  const witness = await listen(tools, document, standing, LISTEN_SECONDS.restore);
  const verdict: Verdict = judgeStanding(tools.config, document, standing, witness);
  // The swap drops packets and an expired entry is gone, but a socket that is still open sends again once the groups are back.
  // The agent's own is wanted back.
  const open = verdict.flows.filter(({ flow }) => flow.host !== 'gone' && flow.spared !== true);
  if (open.length > 0)
    return `the socket of the flow to ${peersOf(open)} may still be open on the host, and would go on (verdict: ${verdict.kind})`;
  if (verdict.kind !== 'contained') return `the verdict is ${verdict.kind}: ${verdict.reason}`;
  // That the swap drops an untracked flow, or a seal any, says nothing of the time after them; what the host says is testimony.
  const unproven = verdict.flows.filter(({ dead }) => !dead.includes('flow-log'));
  if (unproven.length > 0)
    return `that the flow to ${peersOf(unproven)} has ended, only the host says: what drops its packets would be put back (verdict: contained)`;
  const sending = stillSent(document, witness, longestTimer(standing.before));
  if (sending.length > 0)
    return `the flow log shows that the instance still sends to ${addressesOf(sending)}: what is rejected now would pass again (verdict: contained)`;
  return null;
}

/**
 * What the instance has sent within the longest timer, and the isolation has rejected. For the verdict it is silence, for no
 * entry outlives it; the groups that are put back may permit it. The SSM agent looks for its endpoint as long as it runs.
 */
function stillSent({ flows }: CaseDocument, witness: Witness | null, seconds: number): readonly LogRecord[] {
  if (witness === null) return [];
  const { coveredUntil, records } = witness.findings;
  const from = (coveredUntil ?? witness.since) - seconds;
  const isAgents = (record: LogRecord): boolean =>
    mayBeAgents(record, false) ||
    flows.some(
      ({ spared, remoteAddress, remotePort }) =>
        spared === true && remoteAddress === record.remoteAddress && remotePort === record.remotePort,
    );
  return records.filter(
    (record) => record.action === 'REJECT' && record.direction === 'out' && record.until > from && !isAgents(record),
  );
}

const peersOf = (flows: readonly FlowVerdict[]): string => addressesOf(flows.map(({ flow }) => flow));

const addressesOf = (flows: readonly { readonly remoteAddress: string }[]): string =>
  nameSome([...new Set(flows.map(({ remoteAddress }) => remoteAddress))]);
