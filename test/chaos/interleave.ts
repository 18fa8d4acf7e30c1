import { parseArgs } from 'node:util';
import { FAMILIES, type Family, planOf } from './interleave-plan.ts';
import { createRules, nameOf } from './interleave-rules.ts';
import { type Outcome, runPlan } from './interleave-run.ts';

/** Findings at once: two, a few, and as many as a Region's worst hour brings. */
const SIZES = [2, 3, 5, 8, 13, 25, 50] as const;

export interface InterleavingOptions {
  /** Seeds per family and n. */
  readonly seeds?: number;
  /** The first seed. */
  readonly seed?: number;
  readonly families?: readonly Family[];
  readonly sizes?: readonly number[];
  readonly tell?: (line: string) => void;
}

export interface Interleavings {
  readonly tried: number;
  readonly violations: readonly string[];
  /** How many were tried with each number of findings. */
  readonly byN: Readonly<Record<string, number>>;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly executions: number;
  readonly releases: number;
  /** Entries that a restore took away while a case joined them, and put back. */
  readonly gaps: number;
}

const USUAL_SEEDS = 2;
const LONG_SEEDS = 12;
/** From here on two seeds also reach the moment in which a case joins a deny that another is taking away. */
const USUAL_SEED = 3;

interface Case {
  readonly family: Family;
  readonly n: number;
  readonly seed: number;
}

/** Runs every family with every number of findings under as many seeds; what it finds names the seed that shows it again. */
export async function runInterleavings(options: InterleavingOptions = {}): Promise<Interleavings> {
  const { seeds = USUAL_SEEDS, seed: first = USUAL_SEED, families = FAMILIES, sizes = SIZES, tell } = options;
  const violations: string[] = [];
  const byN: Record<string, number> = {};
  const verdicts: Record<string, number> = {};
  const sums = { tried: 0, executions: 0, releases: 0, gaps: 0 };
  for (const { family, n, seed } of chosen(families, sizes, first, seeds)) {
    const plan = planOf(family, n, seed);
    const rules = createRules();
    const outcome = await runPlan(plan, rules).catch(brokenOff);
    violations.push(...outcome.violations.map((one) => `${nameOf(plan)}: ${one}`));
    sums.tried += 1;
    sums.executions += outcome.executions;
    sums.releases += outcome.releases;
    sums.gaps += rules.gaps();
    byN[n] = (byN[n] ?? 0) + 1;
    for (const verdict of outcome.verdicts) verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
    tell?.(
      `${nameOf(plan)}: ${outcome.executions} executions, ${outcome.calls} calls, ${outcome.violations.length} violations`,
    );
  }
  return { ...sums, violations, byN, verdicts };
}

/** Fifty at once cost as much as all that is smaller: of the large n each seed tries one or two families, in turn. */
function chosen(families: readonly Family[], sizes: readonly number[], first: number, seeds: number): readonly Case[] {
  return sizes.flatMap((n) =>
    Array.from({ length: n >= 8 ? Math.ceil(seeds / 2) : seeds }, (_, index) => first + index).flatMap((seed) => {
      const turned = families.map((_, index) => families[(2 * seed + index) % families.length] ?? 'one instance');
      const tried = n >= 13 ? turned.slice(0, n >= 50 ? 1 : 2) : families;
      return tried.map((family) => ({ family, n, seed }));
    }),
  );
}

/** A run that ends in an error has shown nothing: that counts against it. */
function brokenOff(error: unknown): Outcome {
  const violations = [`the run broke off: ${error instanceof Error ? error.stack : String(error)}`];
  return { violations, verdicts: [], executions: 0, releases: 0, calls: 0 };
}

/** Violations of one run that are printed; one defect breaks many promises. */
const SHOWN = 6;

const runOf = (violation: string): string => violation.split(': ')[0] ?? violation;

function shown(violations: readonly string[]): readonly string[] {
  const runs = [...new Set(violations.map(runOf))];
  return runs.flatMap((run) => {
    const own = violations.filter((one) => runOf(one) === run);
    const lines = own.slice(0, SHOWN).map((one) => `VIOLATION  ${one}`);
    return own.length > SHOWN ? [...lines, `VIOLATION  ${run}: and ${own.length - SHOWN} more`] : lines;
  });
}

function isFamily(name: string): name is Family {
  return (FAMILIES as readonly string[]).includes(name);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      long: { type: 'boolean', default: false },
      seeds: { type: 'string' },
      seed: { type: 'string' },
      family: { type: 'string' },
      n: { type: 'string' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const { long, seeds, seed, family, n, verbose } = values;
  if (family !== undefined && !isFamily(family)) throw new Error(`--family is one of ${FAMILIES.join(', ')}`);
  // One seed alone is one to look at again.
  const result = await runInterleavings({
    ...(long && { seeds: LONG_SEEDS }),
    ...(seed !== undefined && { seed: Number(seed), seeds: 1 }),
    ...(seeds !== undefined && { seeds: Number(seeds) }),
    ...(family !== undefined && { families: [family] }),
    ...(n !== undefined && { sizes: [Number(n)] }),
    ...(verbose && { tell: (line: string) => console.log(line) }),
  });
  const counts = (record: Readonly<Record<string, number>>) =>
    Object.entries(record)
      .map(([name, count]) => `${name} (${count})`)
      .join(', ');
  for (const line of shown(result.violations)) console.log(line);
  console.log(
    `${result.tried} interleavings tried, ${result.executions} executions, ${result.releases} held calls and answers let go in seeded order`,
  );
  console.log(`findings at once: ${counts(result.byN)}`);
  console.log(`verdicts: ${counts(result.verdicts)}`);
  console.log(`entries put back for a case that joined while they were removed: ${result.gaps}`);
  console.log(`${result.violations.length} violations`);
  const broken = new Set(result.violations.map(runOf)).size;
  console.log(`${result.tried - broken} passed, ${broken} failed`);
  process.exitCode = broken > 0 ? 1 : 0;
}

if (import.meta.main) await main();
