import { stripVTControlCharacters } from 'node:util';
import type { Reporter, SerializedError, TestModule, TestRunEndReason } from 'vitest/node';

/** The beginning of an error's message, without colours and code frames. */
const firstLine = (error: SerializedError | undefined) => stripVTControlCharacters(error?.message ?? '').split('\n')[0];

/**
 * Ends a run with the names of what failed and, as the last line, `N passed, N failed` (`, N skipped` where any were).
 * A file that cannot be loaded, a hook that throws and an unhandled error are failures too, though no test failed.
 */
export default class CountingReporter implements Reporter {
  onTestRunEnd(
    modules: readonly TestModule[],
    unhandledErrors: readonly SerializedError[],
    reason: TestRunEndReason,
  ): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    const failures: string[] = [];
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        count[state] += 1;
        if (state === 'failed') failures.push(`${module.relativeModuleId} > ${test.fullName}`);
        if (state === 'pending') failures.push(`${module.relativeModuleId} > ${test.fullName} (did not finish)`);
      }
      const broken = [module, ...module.children.allSuites()].filter((suite) => suite.errors().length > 0);
      failures.push(...broken.map((suite) => `${module.relativeModuleId}: ${firstLine(suite.errors()[0])}`));
    }
    failures.push(...unhandledErrors.map((error) => `unhandled error: ${firstLine(error)}`));
    if (reason !== 'passed' && failures.length === 0) failures.push(`the run was ${reason}`);

    for (const failure of failures) console.log(`failed: ${failure}`);
    const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
    console.log(`${count.passed} passed, ${failures.length} failed${skipped}`);
  }
}
