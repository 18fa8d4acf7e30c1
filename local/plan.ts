import { HELP_OPTION, readOptions, runCommand } from './input.ts';
import { ACCOUNT_OPTION, accountOf, createClients, instanceIdOf, WHERE_OPTIONS, whereOf } from './live/clients.ts';
import { planContainment } from './live/plan.ts';
import { tellPlan } from './live/tell-plan.ts';

const USAGE = `npm run -s plan -- --instance-id i-... [--remote-address ADDRESS]... [--region REGION] [--endpoint URL]
  [--account ID] [--json]

Says whether the instance could be contained today, what would be cut and what else it would hit. Changes nothing: it
describes, and asks EC2 for permissions by dry run.`;

await runCommand(async (args) => {
  const given = readOptions(args, {
    'instance-id': { type: 'string' },
    'remote-address': { type: 'string', multiple: true },
    json: { type: 'boolean' },
    ...HELP_OPTION,
    ...WHERE_OPTIONS,
    ...ACCOUNT_OPTION,
  });
  if (given.help === true) return USAGE;
  const instanceId = instanceIdOf(given['instance-id']);
  const accountId = accountOf(given.account);
  const remoteAddresses = given['remote-address'] ?? [];
  const plan = await planContainment(createClients(whereOf(given)), { instanceId, remoteAddresses, accountId });
  return given.json === true ? JSON.stringify(plan, null, 2) : tellPlan(plan);
});
