import { defineConfig } from 'vitest/config';
import base from '../../vitest.config.ts';

/**
 * What Stryker runs against each mutant: the tests of claim, ledger, release and restore in this process, none that starts
 * another one, and no sweep over whole worlds, which would take longer than all others together.
 */
export default defineConfig({
  test: {
    ...base.test,
    include: [
      'test/aws/cases.test.ts',
      'test/chaos/{restore-race,takeover}.test.ts',
      'test/core/{acl-numbers,case}.test.ts',
      'test/first-moves/updates.test.ts',
      'test/steps/*.test.ts',
    ],
    setupFiles: ['test/mutation/same-seed.ts'],
    reporters: [],
    // One process for all mutants: importing the SDK anew for each would take most of the time.
    isolate: false,
  },
});
