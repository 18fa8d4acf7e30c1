/**
 * Asks an IAM simulator by others whether each function may do what it was seen to do (docs/held-to.md): first the suites in
 * record/vitest.config.ts run and every call is recorded with what IAM is asked about it, then each question is put to the
 * role that template.yaml gives the function, under several sets of parameters. Ends with `N passed, N failed`.
 *
 *   node test/iam/run.ts [part of a file's name...]
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { startVitest } from 'vitest/node';
import config from '../../vitest.config.ts';
import { RECORDS } from './support/records.ts';
import { SUMMARY, SummaryReporter } from './support/summary.ts';

mkdirSync('.cache', { recursive: true });
const folder = mkdtempSync('.cache/iam-');
process.env[RECORDS] = `${folder}/records`;
process.env[SUMMARY] = `${folder}/summary.json`;

try {
  console.log('recording');
  const recording = await startVitest('test', [], {
    config: 'test/iam/record/vitest.config.ts',
    watch: false,
    reporters: ['dot'],
  });
  await recording.close();
  // Its failures are its suites' own; calls were recorded all the same, but too few to speak of nothing denied.
  const failed = recording.state.getCountOfFailedTests();
  if (failed > 0) console.log(`${failed} tests of the recorded runs failed: npm test says which`);
  const vitest = await startVitest('test', process.argv.slice(2), {
    ...config.test,
    config: false,
    watch: false,
    include: ['test/iam/*.test.ts'],
    exclude: [],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    reporters: ['default', new SummaryReporter(), './test/support/counting-reporter.ts'],
  });
  await vitest.close();
  if (failed > 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
