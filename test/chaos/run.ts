/**
 * Interruptions and faults: `npm run test:chaos`. A response and its restore are run in the embedded world again and again,
 * each time with one thing going wrong, and compared with the undisturbed run. Ends with `N passed, N failed`.
 *
 *   node test/chaos/run.ts                    every point of the default incident, a sample of the other worlds
 *   node test/chaos/run.ts --long             every point of every world
 *   node test/chaos/run.ts --world NAME       one world, every point
 *   node test/chaos/run.ts --seed N           another sample
 *   node test/chaos/run.ts --world NAME --only '{"kind":"denied","api":"SendCommand"}'   one run
 */
import { type ChildProcess, fork } from 'node:child_process';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../local/world/clock.ts';
import type { Disturbance } from './disturbance.ts';
import { type Outcome, runEpisode } from './episode.ts';
import { describe, planOf, sample, twoDeaths } from './plan.ts';
import { type Judgement, judgeRun } from './violations.ts';
import { type ChaosWorld, DEFAULT_WORLD, OTHER_WORLDS } from './worlds.ts';

const WORLDS = [DEFAULT_WORLD, ...OTHER_WORLDS];
const WORKERS = 2;

interface Job {
  readonly world: string;
  readonly disturbance: Disturbance;
}

interface Result extends Judgement {
  readonly struck: boolean;
}

function worldOf(name: string): ChaosWorld {
  const world = WORLDS.find((one) => one.name === name);
  if (world === undefined)
    throw new Error(`there is no world "${name}"; there are: ${WORLDS.map((one) => one.name).join('; ')}`);
  return world;
}

const cleanRuns = new Map<string, Promise<Outcome>>();

function cleanRun(world: ChaosWorld): Promise<Outcome> {
  const known = cleanRuns.get(world.name) ?? runEpisode(world, { kind: 'none' });
  cleanRuns.set(world.name, known);
  return known;
}

async function runJob({ world: name, disturbance }: Job): Promise<Result> {
  const world = worldOf(name);
  const clean = await cleanRun(world);
  try {
    const outcome = await runEpisode(world, disturbance);
    return { ...judgeRun(outcome, clean, disturbance, world.file()), struck: outcome.struck };
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { violations: [`the run itself failed: ${text}`], isWeaker: false, explained: null, struck: true };
  }
}

// --- the plan ---

interface Selection {
  readonly isWhole: boolean;
  readonly seed: number;
}

/** How many of each kind a world gets where not everything is run. */
const SAMPLE = { deaths: 40, faults: 16, lasting: 10, midway: 2, twice: 4 } as const;
const TWICE_IN_FULL = 60;

async function jobsOf(world: ChaosWorld, { isWhole, seed }: Selection): Promise<readonly Job[]> {
  const clean = await cleanRun(world);
  const pick = seededRandom(seed);
  const plan = planOf(clean);
  const chosen = isWhole
    ? [...plan.deaths, ...plan.faults, ...plan.lasting, ...plan.midway, ...twoDeaths(clean, pick, TWICE_IN_FULL)]
    : [
        ...sample(plan.deaths, SAMPLE.deaths, pick),
        ...sample(plan.faults, SAMPLE.faults, pick),
        ...sample(plan.lasting, SAMPLE.lasting, pick),
        ...sample(plan.midway, SAMPLE.midway, pick),
        ...twoDeaths(clean, pick, SAMPLE.twice),
      ];
  return chosen.map((disturbance) => ({ world: world.name, disturbance }));
}

// --- two processes, for virtual time is one per process ---

function serve(): void {
  process.on('message', (job: Job) => {
    runJob(job).then(
      (result) => process.send?.(result),
      (error: unknown) => {
        throw error;
      },
    );
  });
}

async function runAll(jobs: readonly Job[], onResult: (job: Job, result: Result) => void): Promise<void> {
  const waiting = [...jobs];
  const work = (worker: ChildProcess): Promise<void> =>
    new Promise((resolve, reject) => {
      let current: Job | undefined;
      const next = () => {
        current = waiting.shift();
        if (current !== undefined) {
          worker.send(current);
          return;
        }
        worker.disconnect();
        resolve();
      };
      worker.on('message', (result: Result) => {
        if (current !== undefined) onResult(current, result);
        next();
      });
      worker.on('error', reject);
      worker.on('exit', (code) =>
        current === undefined ? resolve() : reject(new Error(`a worker ended with ${code}`)),
      );
      next();
    });
  const workers = Array.from({ length: Math.min(WORKERS, jobs.length) }, () =>
    fork(import.meta.filename, ['--worker']),
  );
  await Promise.all(workers.map(work));
}

// --- what is told ---

interface Tally {
  points: number;
  deaths: number;
  faults: number;
  lasting: number;
  midway: number;
  violations: number;
  failed: number;
  runs: number;
  weaker: number;
}

const newTally = (): Tally => ({
  points: 0,
  deaths: 0,
  faults: 0,
  lasting: 0,
  midway: 0,
  violations: 0,
  failed: 0,
  runs: 0,
  weaker: 0,
});

function count(tally: Tally, { disturbance }: Job, result: Result): void {
  // A call that fails by itself has no "after"; nothing was disturbed.
  if (!result.struck) return;
  tally.runs += 1;
  if (disturbance.kind === 'death') tally.deaths += 1;
  else if (disturbance.kind === 'fault') tally.faults += 1;
  else if (disturbance.kind === 'denied' && disturbance.from !== undefined) tally.midway += 1;
  else tally.lasting += 1;
  tally.violations += result.violations.length;
  if (result.violations.length > 0) tally.failed += 1;
  if (result.isWeaker) tally.weaker += 1;
}

const SHOWN_FAILURES = 20;

function line(name: string, { points, deaths, faults, lasting, midway, violations }: Tally): string {
  const cells = [points, deaths, faults, lasting, midway, violations].map((cell) => String(cell).padStart(9)).join('');
  return `${name.padEnd(72)}${cells}`;
}

async function sweep(worlds: readonly ChaosWorld[], selection: (world: ChaosWorld) => Selection): Promise<number> {
  const tallies = new Map<string, Tally>();
  const explained = new Map<string, number>();
  const jobs: Job[] = [];
  for (const world of worlds) {
    const own = await jobsOf(world, selection(world));
    const struck = own.flatMap(({ disturbance }) => (disturbance.kind === 'death' ? [disturbance.at] : []));
    tallies.set(world.name, { ...newTally(), points: new Set(struck).size });
    jobs.push(...own);
  }
  let shown = 0;
  const points = new Map(
    await Promise.all(worlds.map(async (world) => [world.name, (await cleanRun(world)).points] as const)),
  );
  await runAll(jobs, (job, result) => {
    const tally = tallies.get(job.world);
    if (tally !== undefined) count(tally, job, result);
    if (result.explained !== null) explained.set(result.explained, (explained.get(result.explained) ?? 0) + 1);
    if (result.violations.length === 0 || shown >= SHOWN_FAILURES) return;
    shown += 1;
    console.log(`FAIL  ${job.world}: ${describe(job.disturbance, points.get(job.world) ?? [])}`);
    console.log(`      node test/chaos/run.ts --world '${job.world}' --only '${JSON.stringify(job.disturbance)}'`);
    for (const violation of result.violations.slice(0, 3)) console.log(`      ${violation.slice(0, 300)}`);
  });

  const heads = ['points', 'deaths', 'faults', 'refusals', 'midway', 'violated']
    .map((head) => head.padStart(9))
    .join('');
  console.log(`${'world'.padEnd(72)}${heads}`);
  const sum = newTally();
  for (const [name, tally] of tallies) {
    console.log(line(name, tally));
    for (const key of Object.keys(sum) as (keyof Tally)[]) sum[key] += tally[key];
  }
  for (const [why, runs] of explained) console.log(`another state, with a reason (${runs} runs): ${why}`);
  console.log(`a verdict that says less than that of the undisturbed run, and never more: ${sum.weaker} runs`);
  console.log(
    `${sum.points} interruption points, ${sum.deaths} deaths, ${sum.faults} single faults, ${sum.lasting} lasting refusals and ${sum.midway} that begin midway in ${tallies.size} worlds: ${sum.violations} violations`,
  );
  console.log(`${sum.runs - sum.failed} passed, ${sum.failed} failed`);
  return sum.runs === 0 ? 1 : sum.failed;
}

async function one(world: ChaosWorld, disturbance: Disturbance): Promise<number> {
  const result = await runJob({ world: world.name, disturbance });
  for (const violation of result.violations) console.log(violation);
  if (result.explained !== null) console.log(result.explained);
  console.log(result.violations.length === 0 ? '1 passed, 0 failed' : '0 passed, 1 failed');
  return result.violations.length;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      long: { type: 'boolean', default: false },
      world: { type: 'string' },
      seed: { type: 'string', default: '1' },
      only: { type: 'string' },
      worker: { type: 'boolean', default: false },
    },
  });
  if (values.worker) {
    serve();
    return;
  }
  const seed = Number(values.seed);
  if (!Number.isSafeInteger(seed)) throw new Error(`--seed ${values.seed} is not a whole number`);
  const worlds = values.world === undefined ? WORLDS : [worldOf(values.world)];
  const [first] = worlds;
  const failed =
    values.only !== undefined && first !== undefined
      ? await one(first, JSON.parse(values.only) as Disturbance)
      : await sweep(worlds, (world) => ({
          seed,
          isWhole: values.long || worlds.length === 1 || world === DEFAULT_WORLD,
        }));
  process.exitCode = failed > 0 ? 1 : 0;
}

await main();
