/**
 * Fuzz: any JSON into everything that reads from outside. `npm run test:fuzz`; every input is answered or refused in one
 * sentence. Seeded, so that two runs are the same; ends with `N passed, N failed`, one of each target and corpus file.
 *
 * `-- --seed N` takes other inputs, `-- --times N` N times as many, `-- --target TEXT` only the targets whose name holds it,
 * `-- --save` writes what failed into the corpus.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import type { Json } from './mutate.ts';
import { TARGETS, type Target } from './targets.ts';

// Nothing here may find a developer's own account.
Object.assign(process.env, { AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' });

const { values: given } = parseArgs({
  options: {
    seed: { type: 'string', default: '20260115' },
    times: { type: 'string', default: '1' },
    target: { type: 'string', default: '' },
    save: { type: 'boolean', default: false },
  },
});
const seed = Number(given.seed);
const CORPUS = new URL('./corpus/', import.meta.url);

let passed = 0;
let failed = 0;
let total = 0;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const strays: unknown[] = [];
process.on('unhandledRejection', (reason) => strays.push(reason));

/** A turn of the event loop, after which Node has told of every rejection that nobody took. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const folderOf = (target: Target): URL => new URL(`${target.name.replaceAll(' ', '-')}/`, CORPUS);

const errorText = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

function note(title: string, problem: string | null): void {
  if (problem === null) passed += 1;
  else failed += 1;
  say(problem === null ? `ok    ${title}` : `FAIL  ${title}\n        ${problem.replaceAll('\n', '\n        ')}`);
}

/** Past failures, each a file that says what it is by its name. */
async function runCorpus(target: Target): Promise<void> {
  let files: string[];
  try {
    files = readdirSync(folderOf(target)).toSorted();
  } catch {
    return;
  }
  for (const file of files) {
    const input = JSON.parse(readFileSync(new URL(file, folderOf(target)), 'utf8')) as Json;
    let problem: string | null = null;
    try {
      await target.read(input);
    } catch (error) {
      problem = errorText(error);
    }
    note(`${target.name}, corpus: ${file}`, problem);
    total += 1;
  }
}

/** Lists that are too deep are too deep for the report as well. */
function jsonText(input: Json): string {
  try {
    return JSON.stringify(input, null, 2);
  } catch (error) {
    return `not to be written out: ${errorText(error).split('\n')[0]}`;
  }
}

function save(target: Target, input: Json): string {
  mkdirSync(folderOf(target), { recursive: true });
  const file = new URL(`failure-${Date.now()}.json`, folderOf(target));
  writeFileSync(file, `${jsonText(input)}\n`);
  return `saved as ${file.pathname}`;
}

async function runTarget(target: Target): Promise<void> {
  const started = Date.now();
  const numRuns = Math.ceil(target.runs * Number(given.times));
  const property = fc.asyncProperty(target.inputs, async (input) => {
    await target.read(input);
  });
  const result = await fc.check(property, { seed, numRuns, endOnFailure: false });
  await settle();
  const title = `${target.name}: ${result.numRuns} inputs (${((Date.now() - started) / 1000).toFixed(1)} s)`;
  total += result.numRuns;
  if (!result.failed && strays.length === 0) return note(title, null);
  const stray = strays.splice(0).map((reason) => `unhandled rejection: ${errorText(reason)}`);
  const input = result.counterexample?.[0];
  const example = input === undefined ? [] : [jsonText(input).slice(0, 3000)];
  const where = input !== undefined && given.save ? [save(target, input)] : [];
  const why = result.errorInstance === null ? [] : [errorText(result.errorInstance)];
  return note(title, [...why, ...stray, ...example, ...where].join('\n'));
}

say(`seed ${seed}`);
for (const target of TARGETS.filter(({ name }) => name.includes(given.target))) {
  await runCorpus(target);
  await runTarget(target);
}
say(`${total} inputs`);
say(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
