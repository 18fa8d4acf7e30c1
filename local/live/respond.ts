import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SNSClient } from '@aws-sdk/client-sns';
import { readCase } from '../../functions/aws/case-table/cases.ts';
import { getInstance } from '../../functions/aws/instances.ts';
import { needCaseId } from '../../functions/core/case/case-id.ts';
import type { Config } from '../../functions/core/config.ts';
import { InputError } from '../../functions/core/errors.ts';
import { intake } from '../../functions/core/intake/intake.ts';
import type { Mode } from '../../functions/core/model.ts';
import type { Report } from '../../functions/core/report/report.ts';
import type { Toolbox } from '../../functions/shared/toolbox.ts';
import { startResponse } from '../../functions/start-response/step.ts';
import { readDefinition } from '../definitions.ts';
import { isEvent, withMode } from '../requests.ts';
import { type RestoreOutput, restoreOf } from '../restore-output.ts';
import { type ExecutionResult, failure, runMachine } from '../runner.ts';
import { localConfig } from '../stack.ts';
import { stepDeadline } from '../step-deadline.ts';
import { wholeReport } from '../whole-report.ts';
import { openCaseStore, storeFile } from './case-store.ts';
import { type Clients, regionOf } from './clients.ts';
import { execute, isWork, readCheckpoint, type Say, untilText } from './execution.ts';
import { NO_BUCKET } from './no-bucket.ts';

/** How a response is run from this machine. */
export interface Setting {
  readonly clients: Clients;
  /** Folder of the case stores, one file per account and Region. */
  readonly folder: string;
  /** null = the account that owns the instance. */
  readonly accountId: string | null;
  readonly say: Say;
  /** Names of the SSM documents in the account; without them, those of docs/without-deploying.md. */
  readonly hostDocuments?: Partial<Config['hostDocuments']>;
  /** Told of the case as soon as it is known. */
  readonly onCase: (caseId: string) => void;
  readonly now: () => Date;
  readonly sleep: (seconds: number) => Promise<void>;
}

/**
 * Responds to an event or a manual request from this machine: the deployed state machine and steps, on real clients. What
 * is missing without a deployment is replaced: the case table by a file, the topic by what is said. Observes unless told to
 * contain. One report for each case that the event opens.
 */
export async function respond(setting: Setting, input: unknown, mode: Mode | undefined): Promise<readonly Report[]> {
  const request = withMode(input, mode);
  const accountId = setting.accountId ?? (await ownerOf(setting, instanceOf(request)));
  const { tools, store } = await openTools(setting, accountId, mode);
  const run = { ...setting, tools, store };
  if (!isEvent(request)) return [await reportOf(tools, await execute(run, { input: request }))];
  const started: unknown[] = [];
  const sfn = startingHere((execution) => started.push(execution));
  const result = await startResponse({ ...tools, sfn }, request);
  if (result.kind === 'nothing-to-do') return [result.report];
  const reports: Report[] = [];
  for (const execution of started) {
    reports.push(await reportOf(tools, await execute(run, { input: execution })));
  }
  return reports;
}

/** Goes on with a case whose process ended, from the state it was in; a case that had come to its end is verified again. */
export async function resume(setting: Setting, caseId: string, mode: Mode | undefined): Promise<Report> {
  const { tools, store } = await openCase(setting, caseId, mode);
  const checkpoint = readCheckpoint(store, caseId);
  if (checkpoint !== null) setting.say(`goes on at "${checkpoint.state}", entered ${checkpoint.enteredAt}`);
  const run = { ...setting, tools, store };
  return reportOf(tools, await execute(run, checkpoint === null ? { input: { caseId } } : { checkpoint }));
}

/** Puts back what a case changed, as the restore state machine does. */
export async function restore(setting: Setting, caseId: string, force: boolean): Promise<RestoreOutput> {
  const { tools } = await openCase(setting, caseId, undefined);
  const definition = readDefinition('restore');
  const result = await runMachine(definition, { caseId, force }, tools, {
    onEnter: ({ state, input }) => {
      const entered = definition.States[state];
      if (entered !== undefined && isWork(entered)) setting.say(`${state}${untilText(entered, input, tools.now())}`);
    },
  });
  const restored = restoreOf(result);
  if (restored.report.kind === 'refused') setting.say('refused: nothing was changed');
  return restored;
}

function reportOf({ cases }: Toolbox, result: ExecutionResult): Promise<Report> {
  const output = result.output as unknown as { report?: Report } | null;
  if (output?.report === undefined) throw failure(result);
  return wholeReport(cases, output.report);
}

/** The instance that an input is about; null = it names none. Throws InputError for input that cannot be read. */
function instanceOf(request: unknown): string | null {
  const taken = intake(request);
  if (taken.kind === 'case') return taken.request.instanceId;
  return taken.kind === 'ask' ? (taken.requests[0]?.instanceId ?? null) : taken.instanceId;
}

/** What docs/without-deploying.md has people create: a deployed stack's own have other names. */
const HOST_DOCUMENTS = { linux: 'flowcut-host-linux', windows: 'flowcut-host-windows' } as const;

/** An account that no input names an instance of: nothing is done in it. */
const NOWHERE = '000000000000';

async function ownerOf({ clients }: Setting, instanceId: string | null): Promise<string> {
  if (instanceId === null) return NOWHERE;
  const region = await regionOf(clients);
  const owner = (await getInstance(clients.ec2, instanceId))?.accountId ?? null;
  if (owner === null) {
    throw new InputError(
      '--account',
      `is missing, and there is no instance ${instanceId} in ${region} to take it from`,
    );
  }
  return owner;
}

async function openTools(
  { clients, folder, hostDocuments, say, now, sleep }: Setting,
  accountId: string,
  mode: Mode | undefined,
): Promise<{ tools: Toolbox; store: string }> {
  const region = await regionOf(clients);
  const store = storeFile(folder, accountId, region);
  // The quota of an ACL is in another service's API: the default is taken.
  const config = localConfig({ AccountId: accountId, Region: region, NaclEntryQuota: 20 });
  const tools: Toolbox = {
    ...clients,
    later: () => Promise.resolve(clients),
    now,
    deadline: stepDeadline,
    sleep,
    cases: openCaseStore(store),
    config: {
      ...config,
      hostDocuments: { ...HOST_DOCUMENTS, ...hostDocuments },
      defaultMode: mode ?? 'observe',
      // Nothing is scheduled here: the response looks itself.
      watchDays: 0,
      topicArn: null,
      ...NO_BUCKET,
    },
    bucket: () => Promise.reject(new Error('there is no bucket of a stack here')),
    sfn: startingHere(() => {
      throw new Error('nothing is started here');
    }),
    // Never called: there is no topic.
    sns: new SNSClient({ region }),
    log: {
      info: (message, fields) => {
        if (message === 'report') say(told(fields));
      },
      warn: (message, fields) => say(`${message}: ${JSON.stringify(fields)}`),
    },
  };
  return { tools, store };
}

function told(fields: object | undefined): string {
  const { phase, verdict, reason } = (fields ?? {}) as { phase?: unknown; verdict?: unknown; reason?: unknown };
  return `${phase === 'interim' ? 'so far' : 'report'}: ${String(verdict)}, ${String(reason)}`;
}

/** A Step Functions client that hands what it is asked to start to this process. */
function startingHere(start: (input: unknown) => void): SFNClient {
  const client = new SFNClient({ region: 'local', credentials: { accessKeyId: 'none', secretAccessKey: 'none' } });
  client.middlewareStack.add(
    () =>
      ({ input }: { input: object }) => {
        start(JSON.parse((input as { input?: string }).input ?? 'null'));
        return Promise.resolve({ response: {}, output: { executionArn: 'local', $metadata: {} } as never });
      },
    { step: 'initialize', priority: 'high', name: 'startingHere' },
  );
  return client;
}

/** Accounts that have a store for the Region. */
function accountsIn(folder: string, region: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => /^\d{12}$/.test(name) && existsSync(storeFile(folder, name, region)));
}

/** The case in the stores of the Region, with the tools of its account. */
async function openCase(
  setting: Setting,
  caseId: string,
  mode: Mode | undefined,
): Promise<{ tools: Toolbox; store: string }> {
  const { clients, folder, accountId } = setting;
  needCaseId(caseId, '--case');
  const region = await regionOf(clients);
  for (const account of accountId === null ? accountsIn(folder, region) : [accountId]) {
    const file = storeFile(folder, account, region);
    const document = existsSync(file) ? await readCase(openCaseStore(file), caseId) : null;
    if (document === null) continue;
    // In another account nothing of the case would be found, and all of it would pass for gone.
    const owner = (await getInstance(clients.ec2, document.instanceId))?.accountId;
    if (owner !== account && accountId === null) {
      const seen = owner === undefined ? 'see no such instance' : `see one of account ${owner}`;
      const where = `instance ${document.instanceId} of account ${account}, and these credentials ${seen}`;
      throw new InputError('--case', `is about ${where}; where it is right all the same, give --account ${account}`);
    }
    return openTools(setting, account, mode);
  }
  throw new InputError('--case', `${caseId} is in no case store for ${region} below ${join(folder, '.')}`);
}
