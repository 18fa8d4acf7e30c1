/**
 * Writes events/steps/<function>.json: what each function gets at its boundary in the state machine, taken from a run of
 * the response to the default finding in the embedded world. A restore gets the bare request, as by hand: with the name of an
 * execution it would be a retry of that one. `--check` writes nothing and fails where one is out of date.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { type MachineDefinition, placeholderOf, readDefinition, STEPS, statesOf } from '../local/definitions.ts';
import { simulate } from '../local/simulate.ts';
import { parseWorld } from '../local/world/parse-world.ts';

const FOLDER = 'events/steps';

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

/** Which function stands behind each task, by the name of its state. */
function functionsOf(definition: MachineDefinition): readonly (readonly [string, string])[] {
  return [...statesOf(definition)]
    .filter(([, state]) => state.Type === 'Task')
    .map(([name, state]) => [name, STEPS[placeholderOf(state)].name] as const);
}

/** The first input that each function gets. */
async function stepEvents(): Promise<ReadonlyMap<string, unknown>> {
  const functions = new Map([...functionsOf(readDefinition('respond')), ...functionsOf(readDefinition('restore'))]);
  const event = readJson('events/guardduty-ec2-c2activity.json');
  const world = parseWorld(readJson('local/worlds/default.json'));
  const { visits } = await simulate(world, event, { restore: { force: true } });
  const inputs = new Map<string, unknown>([['start-response', event]]);
  for (const { state, input } of visits) {
    const name = functions.get(state);
    if (name !== undefined && !inputs.has(name)) inputs.set(name, name === 'restore-instance' ? bare(input) : input);
  }
  const unseen = Object.values(STEPS).filter(({ name }) => !inputs.has(name));
  if (unseen.length > 0) throw new Error(`the run never came to ${unseen.map(({ name }) => name).join(', ')}`);
  return inputs;
}

const bare = (input: unknown): unknown => (input as { request: unknown }).request;

async function main(): Promise<void> {
  const inputs = await stepEvents();
  const fileOf = (name: string): string => `${FOLDER}/${name}.json`;
  if (!process.argv.includes('--check')) {
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER, { recursive: true });
    for (const [name, input] of inputs) writeFileSync(fileOf(name), `${JSON.stringify(input, null, 2)}\n`);
    spawnSync('biome', ['format', '--write', FOLDER], { stdio: 'inherit' });
    return;
  }
  const stale = [...inputs]
    .filter(([name, input]) => !existsSync(fileOf(name)) || !isDeepStrictEqual(readJson(fileOf(name)), input))
    .map(([name]) => fileOf(name));
  const known = existsSync(FOLDER) ? readdirSync(FOLDER).map((file) => `${FOLDER}/${file}`) : [];
  const left = known.filter((file) => ![...inputs.keys()].some((name) => fileOf(name) === file));
  for (const file of stale) console.error(`${file} is out of date: run node scripts/step-events.ts`);
  for (const file of left) console.error(`${file} is for no function: run node scripts/step-events.ts`);
  if (stale.length + left.length > 0) process.exitCode = 1;
}

if (import.meta.main) await main();
