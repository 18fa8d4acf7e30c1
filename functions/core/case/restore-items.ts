import type { RestoreItem } from './record.ts';

/** What is left of a restore when a response has begun to cut again: what it cuts is its to keep. */
export const TAKEN_UP = {
  outcome: 'drifted',
  detail: 'a response has taken the case up again: restore again when it has ended',
} as const satisfies Omit<RestoreItem, 'item'>;

/** What the case did on the host, as an item of the restore. */
export const HOST_ITEM = 'host firewall';

/** What an interface was taken from, as an item of the restore. */
export const groupsItem = (networkInterfaceId: string): string => `${networkInterfaceId} groups`;

/** A subnet that is closed as a whole, as an item of plan, report and restore. */
export const sealItem = (subnetId: string): string => `seal of ${subnetId}`;

export const isSealItem = (item: string): boolean => item.startsWith(sealItem(''));

/** The flow log that watches an interface, as an item of plan, report and restore. */
export const flowLogItem = (networkInterfaceId: string): string => `flow log of ${networkInterfaceId}`;

/** What stays as the response made it when the network could not be put back. */
export const KEPT = {
  outcome: 'failed',
  detail: 'kept, for the network was not put back whole: restore again',
} as const satisfies Omit<RestoreItem, 'item'>;

const isFailed = ({ outcome }: RestoreItem): boolean => outcome === 'failed';

/** An interface did not get its groups back: what protects the instance, and keeps it out of service, stays. */
export const isStillIsolated = (items: readonly RestoreItem[]): boolean =>
  items.some((entry) => isFailed(entry) && entry.item.endsWith(groupsItem('')));

/** Something of the case is still in force: the instance stays marked with it. */
export const isStillHeld = (items: readonly RestoreItem[]): boolean =>
  items.some((entry) => isFailed(entry) && entry.item !== HOST_ITEM);

/** What a restore leaves, for it is shared. */
export const NEEDED = {
  outcome: 'restored',
  detail: 'stands on: another case needs it',
} as const satisfies Omit<RestoreItem, 'item'>;

/** Things that the record of the state machine names one by one: of a large instance, hundreds of denies were made. */
export const ITEM_LIMIT = 100;

/** What did not go as it should comes first; of the others the rest is counted. */
export function shortItems(items: readonly RestoreItem[], limit = ITEM_LIMIT): readonly RestoreItem[] {
  if (items.length <= limit) return items;
  const isFine = ({ outcome }: RestoreItem): boolean => outcome === 'restored' || outcome === 'already';
  const sorted = [...items].sort((a, b) => Number(isFine(a)) - Number(isFine(b)));
  const counts = Map.groupBy(sorted.slice(limit), ({ outcome }) => outcome);
  return [
    ...sorted.slice(0, limit),
    ...[...counts].map(([outcome, { length }]) => ({
      item: `${length} more, named on the timeline of the case`,
      outcome,
    })),
  ];
}
