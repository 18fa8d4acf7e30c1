import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import base from '../../vitest.config.ts';

/**
 * What Stryker runs against each mutant: the tests of claim, ledger, release and restore in this process, none that starts
 * another one, and no sweep over whole worlds, which would take longer than all others together. In this order, for the
 * first one that fails is the last one to run: those that are quick and say most first.
 */
const TESTS = [
  'test/core/network/acl-numbers.test.ts',
  'test/core/case/case.test.ts',
  'test/steps/open-case.test.ts',
  'test/aws/case-table/case-table.test.ts',
  'test/steps/lift-denies.test.ts',
  'test/steps/read-back.test.ts',
  'test/steps/release-nacl.test.ts',
  'test/steps/start-response.test.ts',
  'test/steps/make-deny.test.ts',
  'test/steps/deny-at-nacl.test.ts',
  'test/steps/restore-instance.test.ts',
  'test/steps/restore-again.test.ts',
  'test/scenarios/restore-corners.test.ts',
  'test/scenarios/started-again.test.ts',
  'test/scenarios/released.test.ts',
  'test/scenarios/updates.test.ts',
  'test/scenarios/replaced-groups.test.ts',
  'test/scenarios/brakes.test.ts',
  'test/scenarios/overtaken.test.ts',
  'test/scenarios/shared-peer.test.ts',
  'test/scenarios/restore-meets-finding.test.ts',
  'test/scenarios/restore-beside-deny.test.ts',
  'test/steps/paced.test.ts',
  'test/scenarios/storm.test.ts',
  'test/chaos/takeover.test.ts',
  'test/steps/assess-flows.test.ts',
  'test/steps/report-case.test.ts',
  'test/steps/restore-evidence.test.ts',
  'test/steps/swap-security-groups.test.ts',
];

class InOrder extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const placeOf = ({ moduleId }: TestSpecification): number => TESTS.findIndex((test) => moduleId.endsWith(test));
    return Promise.resolve(files.toSorted((a, b) => placeOf(a) - placeOf(b)));
  }
}

export default defineConfig({
  test: {
    ...base.test,
    include: TESTS,
    setupFiles: ['test/mutation/same-seed.ts'],
    sequence: { sequencer: InOrder },
    reporters: [],
    // One worker imports the SDK once for each mutant, not once for each file.
    isolate: false,
  },
});
