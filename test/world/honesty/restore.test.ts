import { expect, it } from 'vitest';
import { RESTORE_PROPERTIES } from './properties.ts';
import { RESTORE_RUNS, sweep } from './random.ts';
import { IS_LONG } from './settings.ts';

it(
  'leaves everything as it was found once it is restored, in random worlds',
  async () => {
    const { failure } = await sweep({
      name: 'honesty, restored',
      part: 9,
      runs: RESTORE_RUNS,
      restore: true,
      properties: RESTORE_PROPERTIES,
    });
    expect(failure).toBeNull();
  },
  (IS_LONG ? 60 : 10) * 60_000,
);
