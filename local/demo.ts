import { InputError } from '../functions/core/errors.ts';
import { parseEpisode } from './episode.ts';
import { HELP_OPTION, modeOption, readJson, readOptions, runCommand } from './input.ts';
import { playEpisode } from './play.ts';
import { episodeJson, tellEpisode } from './print-episode.ts';
import { replayCallsFile } from './replay.ts';
import { resultJson } from './result.ts';
import { simulate } from './simulate.ts';
import { localConfig, readParameters } from './stack.ts';
import { tellStory } from './story.ts';
import { tellSimulation } from './tell.ts';
import { parseWorld } from './world/parse-world.ts';

// The run must not depend on the settings of whoever runs it.
process.env.AWS_CONFIG_FILE = '/dev/null';
process.env.AWS_SHARED_CREDENTIALS_FILE = '/dev/null';

const USAGE = `npm run -s demo -- [--world FILE] [--event FILE | --episode FILE | --calls FILE] [--parameters FILE]
  [--mode observe|contain] [--restore [--force]] [--json]

Runs the whole response on this machine, in an embedded world and in virtual time; no AWS account is used.
Without any FILE: the default incident. docs/embedded-world.md says what the files hold.

  --world FILE       the network, its instances and flows
  --event FILE       a finding as EventBridge delivers it, or a request: {"instanceId": "i-..."}
  --episode FILE     several events, requests, restores and calls of others, each at its time
  --calls FILE       calls of AWS APIs at their times, and no responder
  --parameters FILE  parameters of the stack by name, in place of the template's defaults
  --mode MODE        observe changes nothing; contain is the default here
  --restore          put everything back after the response; --force although a flow may revive
  --json             print one object and nothing else
  -h, --help         this`;

const DEFAULT_WORLD = new URL('./worlds/default.json', import.meta.url);
const DEFAULT_EVENT = new URL('../events/guardduty-ec2-c2activity.json', import.meta.url);

const OPTIONS = {
  world: { type: 'string' },
  event: { type: 'string' },
  episode: { type: 'string' },
  calls: { type: 'string' },
  parameters: { type: 'string' },
  mode: { type: 'string' },
  restore: { type: 'boolean' },
  force: { type: 'boolean' },
  json: { type: 'boolean' },
  ...HELP_OPTION,
} as const;

type Given = ReturnType<typeof readOptions<typeof OPTIONS>>;

/** Which options do not go together. */
function checkOptions(given: Given): void {
  if (given.force === true && given.restore !== true) throw new InputError('--force', 'goes with --restore');
  const refuse = (other: '--calls' | '--episode', options: readonly (keyof Given)[]): void => {
    for (const option of options) {
      if (given[option] !== undefined) throw new InputError(`--${option}`, `does not go with ${other}`);
    }
  };
  if (given.calls !== undefined) refuse('--calls', ['event', 'episode', 'parameters', 'mode', 'restore']);
  if (given.episode !== undefined) refuse('--episode', ['event', 'restore']);
}

/** The default incident, told as a story, is for who asks for nothing else. */
const isDefault = (given: Given): boolean =>
  (['world', 'event', 'mode', 'restore', 'parameters', 'json'] as const).every((option) => given[option] === undefined);

async function main(args: string[]): Promise<string> {
  const given = readOptions(args, OPTIONS);
  if (given.help === true) return USAGE;
  checkOptions(given);
  const mode = modeOption(given.mode);
  const world = parseWorld(readJson('--world', given.world ?? DEFAULT_WORLD));
  const asText = (json: () => object, text: () => string): string =>
    given.json === true ? JSON.stringify(json(), null, 2) : text();
  if (given.calls !== undefined) return replayCallsFile(world, readJson('--calls', given.calls), given.json === true);
  const parameters = given.parameters === undefined ? {} : readParameters(readJson('--parameters', given.parameters));
  // A combination that the functions refuse is a refusal before anything is played.
  localConfig(world, parameters);
  if (given.episode !== undefined) {
    const steps = parseEpisode(readJson('--episode', given.episode), mode);
    const played = await playEpisode(world, steps, { parameters, ...(mode && { config: { defaultMode: mode } }) });
    return asText(
      () => episodeJson(played),
      () => tellEpisode(played),
    );
  }
  const event = readJson('--event', given.event ?? DEFAULT_EVENT);
  if (isDefault(given)) return tellStory(() => parseWorld(readJson('--world', DEFAULT_WORLD)), event);
  const simulation = await simulate(world, event, {
    parameters,
    ...(mode && { mode }),
    ...(given.restore === true && { restore: { force: given.force === true } }),
  });
  return asText(
    () => resultJson(simulation),
    () => tellSimulation(simulation),
  );
}

await runCommand(main);
