import { defineConfig } from 'vitest/config';
import base from '../../../vitest.config.ts';
import { attribute } from './attribute.ts';

/** The suites whose calls are recorded: they run functions whole or step by step in embedded worlds, in seconds. */
export const RECORDED = ['scenarios', 'local', 'live', 'steps', 'controls', 'iam/worlds'];

export default defineConfig({
  plugins: [attribute],
  test: {
    ...base.test,
    include: RECORDED.map((suite) => `test/${suite}/**/*.test.ts`),
    exclude: [],
    // The failures of these are told by their own suites; here a slow machine shall not make one.
    testTimeout: 300_000,
    setupFiles: ['test/iam/record/observe.ts'],
  },
});
