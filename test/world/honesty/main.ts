/**
 * The promises in random worlds, many times: `npm run test:honesty`, which is 5,000 runs, and 100,000 with `CI_LONG=1`.
 * random.ts says what may be set. Ends with `N passed, N failed`.
 */
import { startVitest } from 'vitest/node';
import config from '../../../vitest.config.ts';

process.env['HONESTY_RUNS'] ??= '5000';
const vitest = await startVitest('test', [], {
  ...config.test,
  config: false,
  watch: false,
  include: ['test/world/honesty/{random-*,restore,reached,sealed,several}.test.ts'],
});
await vitest.close();
