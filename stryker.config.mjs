import { resolve } from 'node:path';

// Half of the time that a worker takes to import the SDK is spent on compiling it.
process.env['NODE_COMPILE_CACHE'] ??= resolve('.cache/node');

/**
 * The mutation run over what decides who owns a case, what is written into the ledger and what is taken back:
 * `npm run test:mutation`. https://stryker-mutator.io/docs/stryker-js/configuration/
 */
export default {
  mutate: [
    'functions/aws/case-table/**/*.ts',
    'functions/core/network/acl-numbers.ts',
    'functions/core/case/case.ts',
    'functions/deny-at-nacl/make-deny.ts',
    'functions/deny-at-nacl/step.ts',
    'functions/release-nacl/step.ts',
    'functions/restore-instance/step.ts',
    'functions/shared/lift-denies.ts',
    'functions/shared/open-case.ts',
    'functions/shared/successor.ts',
    'functions/start-response/step.ts',
  ],
  plugins: ['@stryker-mutator/vitest-runner'],
  testRunner: 'vitest',
  vitest: { configFile: 'test/mutation/vitest.config.ts', related: false },
  coverageAnalysis: 'perTest',
  concurrency: 2,
  timeoutMS: 10_000,
  reporters: ['progress-append-only', 'json'],
  jsonReporter: { fileName: 'reports/mutation.json' },
  // No test needs these, and they may be large.
  ignorePatterns: ['.aws-sam', '.cache', 'coverage', 'dist'],
  tempDirName: '.stryker-tmp',
  incrementalFile: 'reports/mutation-incremental.json',
  // Stryker would rewrite the paths in it with an interface that TypeScript 7 has not; nothing here reads it.
  tsconfigFile: 'none',
  disableTypeChecks: false,
};
