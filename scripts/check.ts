import { spawnSync } from 'node:child_process';
import { stdout } from 'node:process';

/** Every check that needs no test, cheapest to read first. All run, so that one look shows all that is wrong. */
const CHECKS = {
  types: ['tsc'],
  'format and lint': ['biome', 'ci', '--error-on-warnings', `--colors=${stdout.isTTY ? 'force' : 'off'}`],
  'promises and unsafe types': ['oxlint'],
  'unused files, exports and dependencies': ['knip'],
  'the findings page': ['node', 'scripts/findings-doc.ts', '--check'],
  'the settings page': ['node', 'scripts/settings-doc.ts', '--check'],
  'the events of each function': ['node', 'scripts/step-events.ts', '--check'],
  'permissions against bundles': ['node', 'scripts/permissions.ts', '--check'],
  'how much one change touches': ['node', 'scripts/house-table.ts', '--check'],
  documentation: ['node', 'scripts/check-docs.ts'],
  'the host documents': ['node', 'scripts/build-documents.ts', '--check'],
} satisfies Record<string, [string, ...string[]]>;

let failed = 0;
for (const [name, [command, ...args]] of Object.entries(CHECKS)) {
  const started = Date.now();
  const run = spawnSync(command, args, { encoding: 'utf8' });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  if (run.status === 0) {
    console.log(`ok      ${name} (${seconds} s)`);
    continue;
  }
  failed += 1;
  const problem = run.error ? `${run.error.message}\n` : '';
  console.log(`FAILED  ${name} (${seconds} s): ${[command, ...args].join(' ')}\n${run.stdout}${run.stderr}${problem}`);
}
console.log(`${Object.keys(CHECKS).length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
