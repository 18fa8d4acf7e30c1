/**
 * The kernel lab: our host script against real processes and a real kernel. `npm run test:kernel`, as root on Linux.
 * Ends with `N passed, N failed, N skipped`; where it may not make namespaces it says so and counts as skipped.
 *
 * An argument runs only the scenarios whose title contains it.
 */
import { spawnSync } from 'node:child_process';
import { now } from './lab.ts';
import { scenarios } from './scenarios.ts';

const INSIDE = '--inside-namespaces';
const args = process.argv.slice(2);

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function skipped(reason: string): never {
  say(`The kernel lab did not run: ${reason}.`);
  say('0 passed, 0 failed, 1 skipped');
  process.exit(0);
}

/** Ourselves again, in PID, mount and network namespaces that end with us: the script under test must never see this machine. */
function enterNamespaces(): never {
  if (process.platform !== 'linux') skipped('it needs Linux');
  if (process.getuid?.() !== 0) skipped('it needs root');
  const unshare = ['--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];
  if (spawnSync('unshare', [...unshare, 'true']).status !== 0) skipped('network namespaces are not allowed here');
  const setup = spawnSync('sh', [new URL('../../scripts/kernel-lab-setup.sh', import.meta.url).pathname], {
    encoding: 'utf8',
  });
  if (setup.status !== 0) skipped(`its tools could not be installed (${setup.stderr.trim().slice(0, 200)})`);
  const inside = 'mount -t tmpfs tmpfs /run && exec "$0" "$@"';
  const done = spawnSync(
    'unshare',
    [...unshare, 'sh', '-c', inside, process.execPath, import.meta.filename, INSIDE, ...args],
    {
      stdio: 'inherit',
      env: { ...process.env, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    },
  );
  process.exit(done.status ?? 1);
}

async function runScenarios(wanted: string): Promise<void> {
  let passed = 0;
  let failed = 0;
  for (const { title, body } of scenarios) {
    if (!title.includes(wanted)) continue;
    const start = now();
    try {
      const remarks = await body();
      passed += 1;
      say(`ok    ${title} (${(now() - start).toFixed(1)} s)`);
      for (const remark of remarks ?? []) say(`        ${remark}`);
    } catch (error) {
      failed += 1;
      say(`FAIL  ${title}\n        ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
  say(`${passed} passed, ${failed} failed, 0 skipped`);
  process.exit(failed > 0 || passed === 0 ? 1 : 0);
}

if (args[0] === INSIDE) await runScenarios(args[1] ?? '');
else enterNamespaces();
