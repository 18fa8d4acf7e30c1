import type { IsolationOpenings } from '../network/isolation-rules.ts';
import { type CaseDocument, isClosing } from './case.ts';

/** Why the agent is not asked to close its own connection; null = it is to be asked. */
export function agentToClose(
  document: Pick<CaseDocument, 'status' | 'host' | 'isolatedAt' | 'agentAskedAt'>,
  { agentEgress }: Pick<IsolationOpenings, 'agentEgress'>,
): string | null {
  const { host, isolatedAt, agentAskedAt = '' } = document;
  if (agentEgress.length > 0) return 'AgentEgress lets the agent come back';
  if (host?.kind !== 'answered') return 'the host has not answered';
  if (isClosing(document)) return 'the case is being restored, and the agent is wanted back';
  // Before that it would come back over the groups that still stand.
  if (isolatedAt === null) return 'not every interface is isolated';
  // An answer since then came from an agent that was in touch again.
  return agentAskedAt >= host.answeredAt ? 'it was asked already' : null;
}
