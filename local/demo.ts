import { InputError } from '../functions/core/errors.ts';
import { modeOption, readJson, readOptions, runCommand } from './input.ts';
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

const OPTIONS = {
  world: { type: 'string' },
  event: { type: 'string' },
  mode: { type: 'string' },
  restore: { type: 'boolean' },
  force: { type: 'boolean' },
  calls: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

async function main(args: string[]): Promise<string> {
  const given = readOptions(args, OPTIONS);
  if (given.help === true) return USAGE;
  const mode = modeOption(given.mode);
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

await runCommand(main);
