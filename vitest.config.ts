import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // These need more than Node: a Linux kernel with namespaces, a Python emulator, the calls of other suites. They have
    // commands of their own.
    exclude: ['test/kernel/**', 'test/moto/**', 'test/iam/**'],
    pool: 'forks',
    // One worker is what two cores get otherwise.
    maxWorkers: 2,
    // Two minutes of a world that runs on for a month on a busy machine.
    testTimeout: 120_000,
    hookTimeout: 60_000,
    reporters: ['default', './test/support/counting-reporter.ts'],
    // No test may find a developer's own account.
    env: {
      AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'not-a-secret',
      AWS_REGION: 'eu-central-1',
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_EC2_METADATA_DISABLED: 'true',
      POWERTOOLS_DEV: 'false',
      TZ: 'UTC',
    },
  },
});
