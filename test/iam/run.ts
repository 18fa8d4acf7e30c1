/**
 * Asks an IAM simulator by others whether each function may do what it was seen to do (docs/held-to.md): first the suites in
 * record/vitest.config.ts run and every call is recorded with what IAM is asked about it, then each question is put to the
 * role that template.yaml gives the function, under several sets of parameters. Ends with `N passed, N failed`.
 *
 *   node test/iam/run.ts [part of a file's name...]
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { type Reporter, startVitest } from 'vitest/node';
import config from '../../vitest.config.ts';
import { RECORDS } from './support/records.ts';
import { SUMMARY, SummaryReporter } from './support/summary.ts';

mkdirSync('.cache', { recursive: true });
const folder = mkdtempSync('.cache/iam-');
process.env[RECORDS] = `${folder}/records`;
process.env[SUMMARY] = `${folder}/summary.json`;

/** Says how the recorded runs ended; their failures are their suites' own, but calls may be missing. */
const recorded: { failed: readonly string[] } = { failed: [] };
const recorder: Reporter = {
  onTestRunEnd(modules, errors) {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const failed = tests.filter((one) => one.result().state === 'failed').map((one) => one.fullName);
    recorded.failed = [...failed, ...errors.map(({ message }) => message)];
    console.log(`recorded ${tests.length} tests of ${modules.length} files`);
  },
};

try {
  console.log('recording');
  const recording = await startVitest('test', [], {
    config: 'test/iam/record/vitest.config.ts',
    watch: false,
    reporters: [recorder],
  });
  await recording.close();
  for (const name of recorded.failed) console.log(`failed while it was recorded: ${name}`);
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
  if (recorded.failed.length > 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
