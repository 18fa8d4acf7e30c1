import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc, { type Arbitrary } from 'fast-check';
import { incidents } from './arbitrary-incident.ts';
import { buildRequest } from './build-request.ts';
import { buildWorld } from './build-world.ts';
import type { Incident } from './incident.ts';
import type { Property } from './properties.ts';
import { type Run, run } from './run.ts';
import { IS_LONG } from './settings.ts';

/**
 * Random incidents against the promises. What may be set from outside:
 * - `HONESTY_RUNS`: runs over all parts, 400 if not set; `npm run test:honesty` makes 5,000, and `CI_LONG=1` twenty times as many;
 * - `HONESTY_SEED`: where to begin. Without it a run in CI is always the same, so that what fails is about the change at
 *   hand; a long run begins somewhere else each time;
 * - `HONESTY_PATH`: with the seed, and with the test file that failed alone, the one incident that the failure told of;
 * - `HONESTY_DUMP`: a folder that gets the smallest failing world and its event, to be run with `npm run demo`.
 */
const USUAL_SEED = 20_260_115;

const RUNS = Number(process.env['HONESTY_RUNS'] ?? 400) * (IS_LONG ? 20 : 1);
export const SEED = Number(process.env['HONESTY_SEED'] ?? (IS_LONG ? Date.now() % 2 ** 31 : USUAL_SEED));
const PATH = process.env['HONESTY_PATH'];
const DUMP = process.env['HONESTY_DUMP'];

/** One incident again: its shares of verdicts say nothing. */
export const IS_REPLAY = PATH !== undefined;

/** The parts run beside each other, in files of their own. */
export const PARTS = 4;

/** Runs by verdict. */
export type Tally = Map<string, number>;

export interface Sweep {
  readonly tally: Tally;
  /** Null = every promise was kept. */
  readonly failure: string | null;
}

export interface SweepOptions {
  readonly name: string;
  readonly part: number;
  readonly runs: number;
  readonly restore?: boolean;
  /** Any incident, if it is not said. */
  readonly drawn?: Arbitrary<Incident>;
  readonly properties: Readonly<Record<string, Property>>;
}

export const RUNS_PER_PART = Math.ceil(RUNS / PARTS);
export const RESTORE_RUNS = Math.ceil(RUNS / 10);
export const HEALTHY_RUNS = Math.ceil(RUNS / 20);
export const SEVERAL_RUNS = Math.ceil(RUNS / 20);

export async function sweep({
  name,
  part,
  runs,
  restore = false,
  drawn: given,
  properties,
}: SweepOptions): Promise<Sweep> {
  const tally: Tally = new Map();
  const seed = SEED + part;
  // A restore that EC2 refuses says so and is started again: what is left to it then is no promise.
  const any = given ?? incidents;
  const drawn = restore ? any.map((incident): Incident => ({ ...incident, faults: [], outages: [] })) : any;
  const property = fc.asyncProperty(drawn, async (incident) => {
    const result = await run(incident, { restore });
    const { verdict } = result.simulation.report;
    tally.set(verdict, (tally.get(verdict) ?? 0) + 1);
    const broken = breaches(result, properties);
    if (broken.length > 0) throw new Error(broken.join('\n'));
  });
  const checked = await fc.check(property, {
    seed,
    numRuns: runs,
    ...(PATH !== undefined && { path: PATH, numRuns: 1 }),
  });
  const told = `${name}: ${runs} runs from seed ${seed}: ${[...tally].map(([verdict, count]) => `${verdict} ${count}`).join(', ')}`;
  process.stdout.write(`${told}\n`);
  if (!checked.failed) return { tally, failure: null };
  const [incident] = checked.counterexample ?? [];
  if (incident !== undefined && DUMP !== undefined) dump(DUMP, name, incident);
  const again = `HONESTY_SEED=${SEED} HONESTY_PATH=${checked.counterexamplePath ?? ''}`;
  const error = checked.errorInstance instanceof Error ? checked.errorInstance.message : String(checked.errorInstance);
  return { tally, failure: `${error}\nto run it again: ${again}\n${JSON.stringify(incident)}` };
}

export const breaches = (result: Run, properties: Readonly<Record<string, Property>>): string[] =>
  Object.entries(properties).flatMap(([name, property]) => property(result).map((sentence) => `${name}: ${sentence}`));

function dump(folder: string, name: string, incident: Incident): void {
  mkdirSync(folder, { recursive: true });
  const base = join(folder, name.replaceAll(/\W+/g, '-'));
  writeFileSync(`${base}.world.json`, JSON.stringify(buildWorld(incident), null, 2));
  writeFileSync(`${base}.event.json`, JSON.stringify(buildRequest(incident), null, 2));
}
