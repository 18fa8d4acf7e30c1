import { InputError } from '../functions/core/errors.ts';
import { HELP_OPTION, readOptions, runCommand } from './input.ts';
import { createClients, instanceIdOf, WHERE_OPTIONS, whereOf } from './live/clients.ts';
import { takeSnapshot } from './live/snapshot.ts';
import { parseWorld } from './world/parse-world.ts';

const USAGE = `npm run -s snapshot -- --instance-id i-... [--region REGION] [--endpoint URL] > world.json

Reads the VPC of an instance into a world file, for npm run -s demo -- --world world.json; changes nothing.
What no API shows is not in it: write "Flows" and "Hosts" into the file.`;

await runCommand(async (args) => {
  const given = readOptions(args, {
    'instance-id': { type: 'string' },
    ...HELP_OPTION,
    ...WHERE_OPTIONS,
  });
  if (given.help === true) return USAGE;
  const instanceId = instanceIdOf(given['instance-id']);
  const { world, unread } = await takeSnapshot(createClients(whereOf(given)), instanceId, new Date());
  for (const problem of unread) process.stderr.write(`left out, for it could not be read: ${problem}\n`);
  try {
    parseWorld(world);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    // The file is still the best there is to start from.
    process.stderr.write(`the demo will not take this file as it is: ${error.message}\n`);
  }
  return JSON.stringify(world, null, 2);
});
