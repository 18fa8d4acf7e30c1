import { setTimeout as sleep } from 'node:timers/promises';
import { InputError, quote } from '../functions/core/errors.ts';
import type { Mode } from '../functions/core/model.ts';
import { HELP_OPTION, modeOption, readJson, readOptions, runCommand } from './input.ts';
import { ACCOUNT_OPTION, accountOf, createClients, WHERE_OPTIONS, whereOf } from './live/clients.ts';
import { respond, restore, resume, type Setting } from './live/respond.ts';
import { nextSteps, tellReport, tellRestore } from './live/tell-report.ts';

const USAGE = `npm run -s respond -- --event FILE [--mode observe|contain]
npm run -s respond -- --case case-... [--mode observe|contain]
npm run -s respond -- --restore --case case-... [--force]
  [--region REGION] [--endpoint URL] [--account ID] [--store FOLDER] [--json]
  [--linux-document NAME] [--windows-document NAME]

Runs the response from this machine, on a real account in which nothing is installed: it observes unless told to contain.
What is needed to go on and to undo lies in the store, .flowcut in this folder by default: keep it.`;

const OPTIONS = {
  event: { type: 'string' },
  case: { type: 'string' },
  mode: { type: 'string' },
  restore: { type: 'boolean' },
  force: { type: 'boolean' },
  store: { type: 'string', default: '.flowcut' },
  'linux-document': { type: 'string' },
  'windows-document': { type: 'string' },
  json: { type: 'boolean' },
  ...HELP_OPTION,
  ...WHERE_OPTIONS,
  ...ACCOUNT_OPTION,
} as const;

type Given = ReturnType<typeof readOptions<typeof OPTIONS>>;

/** Which of its three things the command is to do. */
function checkOptions({ event, case: caseId, mode, restore: isRestore, force }: Given): void {
  if (event !== undefined && caseId !== undefined) throw new InputError('--case', 'does not go with --event');
  if (isRestore === true && event !== undefined) throw new InputError('--event', 'does not go with --restore');
  if (isRestore === true && mode !== undefined) throw new InputError('--mode', 'does not go with --restore');
  if (isRestore === true && caseId === undefined) throw new InputError('--case', 'is missing: what is to be restored?');
  if (force === true && isRestore !== true) throw new InputError('--force', 'goes with --restore');
  if (event === undefined && caseId === undefined) throw new InputError('--event', 'is missing');
}

/** https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html */
function documentOption(given: Given, platform: 'linux' | 'windows'): { [name in typeof platform]?: string } {
  const name = given[`${platform}-document`];
  if (name === undefined) return {};
  if (!/^[\w.-]{3,128}$/.test(name)) {
    throw new InputError(`--${platform}-document`, `${quote(name)} is not the name of an SSM document`);
  }
  return { [platform]: name };
}

const say = (line: string): void => void process.stderr.write(`${new Date().toISOString()}  ${line}\n`);

/** Nothing is lost by Ctrl-C: what was done is recorded, what is in force stays in force. */
function onInterrupt(caseIds: ReadonlySet<string>, mode: Mode | undefined): void {
  process.once('SIGINT', () => {
    const steps = [...caseIds].flatMap((caseId) => nextSteps(caseId, mode));
    const text = steps.length === 0 ? ['nothing was changed'] : ['what is in force stays in force', ...steps];
    process.stderr.write(`\ninterrupted: ${text.join('\n')}\n`);
    process.exit(130);
  });
}

await runCommand(async (args) => {
  const given = readOptions(args, OPTIONS);
  if (given.help === true) return USAGE;
  checkOptions(given);
  const mode = modeOption(given.mode);
  const event = given.event === undefined ? undefined : readJson('--event', given.event);
  const caseIds = new Set<string>();
  const setting: Setting = {
    clients: createClients(whereOf(given)),
    folder: given.store,
    accountId: accountOf(given.account),
    hostDocuments: { ...documentOption(given, 'linux'), ...documentOption(given, 'windows') },
    say,
    onCase: (caseId) => caseIds.add(caseId),
    now: () => new Date(),
    sleep: (seconds) => sleep(seconds * 1000),
  };
  const asText = (result: object, text: string): string =>
    given.json === true ? JSON.stringify(result, null, 2) : text;
  if (given.case !== undefined) caseIds.add(given.case);
  onInterrupt(caseIds, mode);
  if (given.case !== undefined && given.restore === true) {
    const restored = await restore(setting, given.case, given.force === true);
    return asText(restored, tellRestore(restored));
  }
  const reports =
    given.case === undefined ? await respond(setting, event, mode) : [await resume(setting, given.case, mode)];
  const [first, ...others] = reports;
  return asText(
    { ...first, ...(others.length > 0 && { others }) },
    reports.map((report) => tellReport(report, mode)).join('\n\n'),
  );
});
