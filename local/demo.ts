import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { InputError } from '../functions/core/errors.ts';
import type { Mode } from '../functions/core/model.ts';
import { replayCallsFile } from './replay.ts';
import { resultJson } from './result.ts';
import { simulate } from './simulate.ts';
import { tellStory } from './story.ts';
import { tellSimulation } from './tell.ts';
import { parseWorld } from './world/parse-world.ts';

// The run must not depend on the settings of whoever runs it.
process.env.AWS_CONFIG_FILE = '/dev/null';
process.env.AWS_SHARED_CREDENTIALS_FILE = '/dev/null';

const USAGE = `npm run -s demo -- [--world FILE] [--event FILE] [--mode observe|contain] [--restore [--force]] [--calls FILE] [--json]

Runs the whole response on this machine, in an embedded world and in virtual time; no AWS account is used.
Without --world and --event: the default incident. --json prints one object and nothing else.`;

const DEFAULT_WORLD = new URL('./worlds/default.json', import.meta.url);
const DEFAULT_EVENT = new URL('../events/guardduty-ec2-c2activity.json', import.meta.url);

function readJson(option: string, file: string | URL): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new InputError(option, `${JSON.stringify(String(file))} cannot be read (${code})`, { cause: error });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(option, `${JSON.stringify(String(file))} is not JSON`, { cause: error });
  }
}

function options(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: false,
      options: {
        world: { type: 'string' },
        event: { type: 'string' },
        mode: { type: 'string' },
        restore: { type: 'boolean' },
        force: { type: 'boolean' },
        calls: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    // Node's own sentence names the option; one line of it is enough.
    throw new InputError('arguments', error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error), {
      cause: error,
    });
  }
}

function modeOf(text: string | undefined): Mode | undefined {
  if (text === undefined || text === 'observe' || text === 'contain') return text;
  throw new InputError('--mode', `${JSON.stringify(text)} is neither observe nor contain`);
}

async function main(args: string[]): Promise<string> {
  const given = options(args);
  if (given.help === true) return USAGE;
  const mode = modeOf(given.mode);
  if (given.force === true && given.restore !== true) throw new InputError('--force', 'goes with --restore');
  const world = parseWorld(readJson('--world', given.world ?? DEFAULT_WORLD));
  if (given.calls !== undefined) {
    for (const option of ['event', 'mode', 'restore'] as const) {
      if (given[option] !== undefined) throw new InputError(`--${option}`, 'does not go with --calls');
    }
    return replayCallsFile(world, readJson('--calls', given.calls), given.json === true);
  }
  const event = readJson('--event', given.event ?? DEFAULT_EVENT);
  const isDefault =
    given.world === undefined && given.event === undefined && mode === undefined && given.restore !== true;
  if (isDefault && given.json !== true) return tellStory(() => parseWorld(readJson('--world', DEFAULT_WORLD)), event);
  const simulation = await simulate(world, event, {
    ...(mode && { mode }),
    ...(given.restore === true && { restore: { force: given.force === true } }),
  });
  return given.json === true ? JSON.stringify(resultJson(simulation), null, 2) : tellSimulation(simulation);
}

try {
  process.stdout.write(`${await main(process.argv.slice(2))}\n`);
} catch (error) {
  if (error instanceof InputError) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  } else {
    process.stderr.write(`flowcut failed: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = 1;
  }
}
