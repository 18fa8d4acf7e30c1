import { isDenied, orDenied } from '../aws/errors.ts';
import { getInstance } from '../aws/instances.ts';
import type { CaseDocument } from '../core/case/case.ts';
import type { RestoreItem, RestoreResult } from '../core/case/record.ts';
import { HOST_ITEM, isStillIsolated, KEPT } from '../core/case/restore-items.ts';
import type { Tools } from './toolbox.ts';

interface HostPart {
  readonly host: Awaited<ReturnType<typeof hostToUndo>>;
  /** What is said of the host where nothing is to be undone now. */
  readonly kept: readonly RestoreItem[];
}

export const NO_HOST: HostPart = { host: null, kept: [] };

/** What is to be undone on the host, once the network is put back: an instance that is still isolated keeps its firewall. */
export async function hostPart(
  tools: Tools<'ec2'>,
  document: CaseDocument,
  items: readonly RestoreItem[],
): Promise<HostPart> {
  const host = await orDenied(() => hostToUndo(tools, document));
  if (isDenied(host)) return { host: null, kept: [{ item: HOST_ITEM, outcome: 'failed', detail: host.denied }] };
  if (host === null || !isStillIsolated(items)) return { host, kept: [] };
  return { host: null, kept: [{ item: HOST_ITEM, ...KEPT }] };
}

/**
 * What is to be undone on the host; null = nothing. Also where no answer came, or the execution was stopped before one could: the
 * cut may have run all the same, and the answer been lost with the agent's path.
 */
async function hostToUndo(
  tools: Tools<'ec2'>,
  { instanceId, host, hostAsked, hostUndone = false }: CaseDocument,
): Promise<Exclude<RestoreResult, { kind: 'refused' }>['host']> {
  if ((host === null && hostAsked === undefined) || hostUndone) return null;
  const instance = await getInstance(tools.ec2, instanceId);
  const stopped = (host?.kind === 'answered' && host.account?.stopped) || [];
  return instance === null || instance.state === 'terminated' ? null : { platform: instance.platform, stopped };
}
