import { expect, it } from 'vitest';
import { RESPONSE_PROPERTIES } from './properties.ts';
import { IS_REPLAY, PARTS, RUNS_PER_PART, sweep } from './random.ts';
import { IS_LONG } from './settings.ts';

const MINUTES = IS_LONG ? 120 : 15;
/** A generator that hardly ever reaches one of these tests little. */
const REACHED = ['contained', 'held', 'leaking', 'not-proven'];
const LEAST_SHARE = 0.05;
/** Fewer runs than this say nothing of shares. */
const FEW = 200;

/** One part of the random runs. */
export function testPart(part: number): void {
  it(
    `keeps its promises in random worlds, part ${part} of ${PARTS}`,
    async () => {
      const { failure, tally } = await sweep({
        name: `honesty, part ${part} of ${PARTS}`,
        part,
        runs: RUNS_PER_PART,
        properties: RESPONSE_PROPERTIES,
      });
      expect(failure).toBeNull();
      if (IS_REPLAY || RUNS_PER_PART < FEW) return;
      const rare = REACHED.filter((verdict) => (tally.get(verdict) ?? 0) < LEAST_SHARE * RUNS_PER_PART);
      expect(rare).toEqual([]);
    },
    MINUTES * 60_000,
  );
}
