import { describe, expect, it } from 'vitest';
import type { RestoreItem } from '../../../functions/core/case/record.ts';
import { ITEM_LIMIT, shortItems } from '../../../functions/core/case/restore-items.ts';

const restored = Array.from(
  { length: ITEM_LIMIT },
  (_, index): RestoreItem => ({ item: `rule ${index}`, outcome: 'restored' }),
);
const failed: RestoreItem = { item: 'eni-1 groups', outcome: 'failed', detail: 'refused' };
const already: RestoreItem = { item: 'eni-2 groups', outcome: 'already' };

describe('what the record says of a restore', () => {
  it('names everything where that is not much, in the order in which it was put back', () => {
    const items = [...restored.slice(2), failed, already];

    expect(shortItems(items)).toEqual(items);
  });

  it('otherwise names first what did not go as it should, and counts the rest by what became of it', () => {
    const short = shortItems([...restored, already, failed]);

    expect(short).toEqual([
      failed,
      ...restored.slice(0, ITEM_LIMIT - 1),
      { item: '1 more, named on the timeline of the case', outcome: 'restored' },
      { item: '1 more, named on the timeline of the case', outcome: 'already' },
    ]);
  });
});
