import type { RestoreItem, Restoring } from '../functions/core/case/record.ts';

/** Everything that a restore put back, or why not: on the network, for the evidence, on the host. */
export function restoredItems({ restore, evidence, host }: Restoring): readonly RestoreItem[] {
  if (restore.kind === 'refused') return [];
  const items = [...restore.items, ...(evidence?.items ?? [])];
  if (host === undefined) return items;
  const item = 'host firewall';
  if (host.kind === 'answered') return [...items, { item, outcome: 'restored' }];
  return [...items, { item, outcome: 'failed', ...('reason' in host && { detail: host.reason }) }];
}
