/**
 * The kernel lab: our host script against real processes and a real kernel. `npm run test:kernel`, as root on Linux.
 * Ends with `N passed, N failed, N skipped`; where it may not make namespaces it says so and counts as skipped.
 *
 * An argument runs only the scenarios whose title contains it.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { now } from './lab.ts';
import './scenarios/tracking.ts';
import './scenarios/agreement.ts';
import './scenarios/measured.ts';
import './scenarios/shells.ts';
import './scenarios/hostile.ts';
import './scenarios/firewall.ts';
import './scenarios/agent.ts';
import './scenarios/bare-sockets.ts';
import './scenarios/evidence.ts';
import './scenarios/documents.ts';
import { type Measurement, scenarios } from './scenario.ts';

const INSIDE = '--inside-namespaces';
const args = process.argv.slice(2);

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const UNSHARE = ['--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];

/** How many labs stand at once, for most of the time is waiting. What takes times has fewer beside it than the rest. */
const WORKERS = { measured: 4, rest: 3 };
type Group = keyof typeof WORKERS;

/** Why the lab cannot run on this machine; null = it can. */
function obstacle(): string | null {
  if (process.platform !== 'linux') return 'it needs Linux';
  if (process.getuid?.() !== 0) return 'it needs root';
  if (spawnSync('unshare', [...UNSHARE, 'true']).status !== 0) return 'network namespaces are not allowed here';
  const setup = spawnSync('sh', [new URL('../../scripts/kernel-lab-setup.sh', import.meta.url).pathname], {
    encoding: 'utf8',
  });
  return setup.status === 0 ? null : `its tools could not be installed (${setup.stderr.trim().slice(0, 200)})`;
}

interface Count {
  readonly passed: number;
  readonly failed: number;
}

/** A child's lines with this before them are measurements for the table. */
const MEASURED = '@measured ';
const table: Measurement[] = [];

/** Ourselves again, in PID, mount and network namespaces that end with us: the script under test must never see this machine. */
async function runInNamespaces(group: Group, worker: number, wanted: string): Promise<Count> {
  const inside = 'mount -t tmpfs tmpfs /run && exec "$0" "$@"';
  const child = spawn(
    'unshare',
    [...UNSHARE, 'sh', '-c', inside, process.execPath, import.meta.filename, INSIDE, group, String(worker), wanted],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    },
  );
  let count: Count | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const counted = /^(\d+) passed, (\d+) failed$/.exec(line);
    if (line.startsWith(MEASURED)) table.push(JSON.parse(line.slice(MEASURED.length)) as Measurement);
    else if (counted === null) say(line);
    else count = { passed: Number(counted[1]), failed: Number(counted[2]) };
  }
  if (count !== undefined) return count;
  say(`FAIL  the ${group} scenarios of worker ${worker} ended without a count`);
  return { passed: 0, failed: 1 };
}

async function runScenarios(group: string, worker: number, wanted: string): Promise<void> {
  let passed = 0;
  let failed = 0;
  const ours = scenarios
    .filter(({ measures }) => measures === (group === 'measured'))
    .filter((_, index) => index % WORKERS[group === 'measured' ? 'measured' : 'rest'] === worker);
  for (const { title, body } of ours.filter((one) => one.title.includes(wanted))) {
    const start = now();
    try {
      const { remarks = [], measured = [] } = await body();
      passed += 1;
      for (const measurement of measured) say(`${MEASURED}${JSON.stringify(measurement)}`);
      say([`ok    ${title} (${(now() - start).toFixed(1)} s)`, ...remarks].join('\n        '));
    } catch (error) {
      failed += 1;
      say(`FAIL  ${title}\n        ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
  say(`${passed} passed, ${failed} failed`);
  process.exit(0);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

function sayTable(): void {
  if (table.length === 0) return;
  say("\nSeconds from the script's start to the last packet that the attacker saw");
  const width = Math.max(...table.map(({ what }) => what.length));
  const columns = (what: string, ...rest: string[]): string =>
    [what.padEnd(width), ...rest.map((text) => text.padStart(8))].join(' ').trimEnd();
  say(columns('', 'median', 'least', 'most', 'runs'));
  for (const { what, seconds } of table) {
    const numbers = [median(seconds), Math.min(...seconds), Math.max(...seconds)];
    say(columns(what, ...numbers.map((value) => value.toFixed(2)), String(seconds.length)));
  }
  say('');
}

const runGroup = (group: Group, wanted: string): Promise<Count[]> =>
  Promise.all(Array.from({ length: WORKERS[group] }, (_, worker) => runInNamespaces(group, worker, wanted)));

/** The Windows script, which needs no lab: a grammar reads it. */
function checkPowerShell(): Count & { readonly skipped: number } {
  const file = new URL('../../scripts/powershell-check.ts', import.meta.url).pathname;
  const { stdout, stderr, status } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
  const counted = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\n$/m.exec(stdout);
  say(stdout.slice(0, counted?.index ?? stdout.length).trimEnd());
  if (counted === null || (status === 0) !== (counted[2] === '0')) {
    say(`FAIL  the check of the Windows script ended with ${status}\n        ${stderr.trim()}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  return { passed: Number(counted[1]), failed: Number(counted[2]), skipped: Number(counted[3] ?? 0) };
}

if (args[0] === INSIDE) await runScenarios(args[1] ?? '', Number(args[2]), args[3] ?? '');
const wanted = args[0] ?? '';
const powershell = wanted === '' ? [checkPowerShell()] : [];
const reason = obstacle();
const counts: Count[] = [...powershell];
let skipped = powershell.reduce((sum, count) => sum + count.skipped, 0);
if (reason === null) {
  counts.push(...(await runGroup('measured', wanted)), ...(await runGroup('rest', wanted)));
  sayTable();
} else {
  say(`The kernel lab did not run: ${reason}.`);
  skipped += scenarios.length;
}
const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const failed = counts.reduce((sum, count) => sum + count.failed, 0);
say(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed > 0 || passed + skipped === 0 ? 1 : 0);
