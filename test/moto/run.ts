/**
 * Holds the project to moto, an implementation of the AWS APIs by others (docs/held-to.md): every adapter, the whole
 * machine read back with boto3, the embedded world beside it, and moto's interpreter beside the local one. Needs Python;
 * without one everything is skipped. Ends with `N passed, N failed`.
 *
 *   node test/moto/run.ts [part of a file's name...]
 */
import { startVitest } from 'vitest/node';
import config from '../../vitest.config.ts';
import { prepare } from './support/install.ts';

const cleanUp = prepare();
const vitest = await startVitest('test', process.argv.slice(2), {
  ...config.test,
  config: false,
  watch: false,
  include: ['test/moto/**/*.test.ts'],
  exclude: [],
  testTimeout: 180_000,
  hookTimeout: 180_000,
});
await vitest.close();
cleanUp();
