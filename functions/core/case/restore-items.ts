import type { RestoreItem } from './record.ts';

/** What is left of a restore when a response has begun to cut again: what it cuts is its to keep. */
export const TAKEN_UP = {
  outcome: 'drifted',
  detail: 'a response has taken the case up again: restore again when it has ended',
} as const satisfies Omit<RestoreItem, 'item'>;

/** Things that the record of the state machine names one by one: of a large instance, hundreds of denies were made. */
export const ITEM_LIMIT = 100;

/** What did not go as it should comes first; of the others the rest is counted. */
export function shortItems(items: readonly RestoreItem[]): readonly RestoreItem[] {
  if (items.length <= ITEM_LIMIT) return items;
  const isFine = ({ outcome }: RestoreItem): boolean => outcome === 'restored' || outcome === 'already';
  const sorted = [...items].sort((a, b) => Number(isFine(a)) - Number(isFine(b)));
  const counts = Map.groupBy(sorted.slice(ITEM_LIMIT), ({ outcome }) => outcome);
  return [
    ...sorted.slice(0, ITEM_LIMIT),
    ...[...counts].map(([outcome, { length }]) => ({
      item: `${length} more, named on the timeline of the case`,
      outcome,
    })),
  ];
}
