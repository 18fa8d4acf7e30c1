import { isDenied, orDenied } from '../aws/errors.ts';
import { getInstance } from '../aws/instances.ts';
import { beforeOf, type CaseDocument, UNKNOWN_TYPE } from '../core/case/case.ts';
import type { Verdict } from '../core/verdict/verdict.ts';
import { LISTEN_SECONDS, listen } from './listening.ts';
import { judgeStanding, readStanding } from './standing.ts';
import type { Tools } from './toolbox.ts';

/** Why a restore is refused; null = it is not. An instance that is gone has no flow. */
export async function restoreObjection(
  tools: Tools<'ec2' | 'logs' | 'cases'>,
  document: CaseDocument,
): Promise<string | null> {
  const reason = await revivable(tools, document);
  if (reason === null) return null;
  const instance = await orDenied(() => getInstance(tools.ec2, document.instanceId));
  return instance === null || (!isDenied(instance) && instance.state === 'terminated') ? null : reason;
}

/** Why the restore would let a flow live again; null = it would not. */
async function revivable(tools: Tools<'ec2' | 'logs' | 'cases'>, document: CaseDocument): Promise<string | null> {
  const seen = await readStanding(tools, document);
  // Of an interface whose before-state is lost the longest timers count.
  const unknown = seen.interfaces.map((eni) => beforeOf(eni, UNKNOWN_TYPE, ''));
  const standing = seen.before.length === 0 ? { ...seen, before: unknown } : seen;
  const witness = await listen(tools, document, standing, LISTEN_SECONDS.restore);
  const verdict: Verdict = judgeStanding(tools.config, document, standing, witness);
  // The swap drops packets and an expired entry is gone, but a socket that is still open sends again once the groups are back.
  const alive = verdict.flows.filter(({ gone, flow }) => !gone && flow.host !== 'gone');
  if (alive.length === 0 && verdict.kind === 'contained') return null;
  const peers = [...new Set(alive.map(({ flow }) => flow.remoteAddress))].join(', ');
  return alive.length > 0
    ? `the socket of the flow to ${peers} may still be open on the host, and would go on (verdict: ${verdict.kind}); give "force": true to restore all the same`
    : `the verdict is ${verdict.kind}: ${verdict.reason}; give "force": true to restore all the same`;
}
