import type { HostOutcome } from '../case/case.ts';
import type { Isolating } from '../case/record.ts';

/** Why the host said nothing, where the branch of the host cut ended without asking the case table. */
export function hostSilence({ cut }: Pick<Isolating, 'cut'>): HostOutcome | null {
  const host = cut?.host;
  if (host === undefined || host.kind === 'answered' || host.kind === 'pending') return null;
  return { kind: 'unavailable', reason: host.reason };
}
