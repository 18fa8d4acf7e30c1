/**
 * The kernel lab: our host script against real processes and a real kernel. `npm run test:kernel`, as root on Linux.
 * Ends with `N passed, N failed, N skipped`; where it may not make namespaces it says so and counts as skipped.
 *
 * An argument runs only the scenarios whose title contains it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { now } from './lab.ts';
import { MEASURED, type Scenario, scenarios } from './scenarios.ts';

const INSIDE = '--inside-namespaces';
const args = process.argv.slice(2);

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function skipped(reason: string): never {
  say(`The kernel lab did not run: ${reason}.`);
  say('0 passed, 0 failed, 1 skipped');
  process.exit(0);
}

const UNSHARE = ['--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];

/** What is measured runs alone; the rest in two processes, for most of it is waiting. */
const SHARDS = {
  measured: ({ title }: Scenario) => title === MEASURED,
  even: ({ title }: Scenario, index: number) => title !== MEASURED && index % 2 === 0,
  odd: ({ title }: Scenario, index: number) => title !== MEASURED && index % 2 === 1,
};

function checkMachine(): void {
  if (process.platform !== 'linux') skipped('it needs Linux');
  if (process.getuid?.() !== 0) skipped('it needs root');
  if (spawnSync('unshare', [...UNSHARE, 'true']).status !== 0) skipped('network namespaces are not allowed here');
  const setup = spawnSync('sh', [new URL('../../scripts/kernel-lab-setup.sh', import.meta.url).pathname], {
    encoding: 'utf8',
  });
  if (setup.status !== 0) skipped(`its tools could not be installed (${setup.stderr.trim().slice(0, 200)})`);
}

interface Count {
  readonly passed: number;
  readonly failed: number;
}

/** Ourselves again, in PID, mount and network namespaces that end with us: the script under test must never see this machine. */
async function runInNamespaces(shard: keyof typeof SHARDS, wanted: string): Promise<Count> {
  const inside = 'mount -t tmpfs tmpfs /run && exec "$0" "$@"';
  const child = spawn(
    'unshare',
    [...UNSHARE, 'sh', '-c', inside, process.execPath, import.meta.filename, INSIDE, shard, wanted],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    },
  );
  let count: Count | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const counted = /^(\d+) passed, (\d+) failed$/.exec(line);
    if (counted === null) say(line);
    else count = { passed: Number(counted[1]), failed: Number(counted[2]) };
  }
  if (count !== undefined) return count;
  say(`FAIL  the ${shard} scenarios ended without a count`);
  return { passed: 0, failed: 1 };
}

async function runScenarios(shard: string, wanted: string): Promise<void> {
  let passed = 0;
  let failed = 0;
  const isOurs = Object.entries(SHARDS).find(([name]) => name === shard)?.[1] ?? (() => false);
  for (const { title, body } of scenarios.filter((one) => one.title.includes(wanted)).filter(isOurs)) {
    const start = now();
    try {
      const remarks = await body();
      passed += 1;
      say([`ok    ${title} (${(now() - start).toFixed(1)} s)`, ...(remarks ?? [])].join('\n        '));
    } catch (error) {
      failed += 1;
      say(`FAIL  ${title}\n        ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
  say(`${passed} passed, ${failed} failed`);
  process.exit(0);
}

if (args[0] === INSIDE) await runScenarios(args[1] ?? '', args[2] ?? '');
checkMachine();
const wanted = args[0] ?? '';
const counts = [
  await runInNamespaces('measured', wanted),
  ...(await Promise.all([runInNamespaces('even', wanted), runInNamespaces('odd', wanted)])),
];
const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const failed = counts.reduce((sum, count) => sum + count.failed, 0);
say(`${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
