import type { RestoreItem } from './record.ts';

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
