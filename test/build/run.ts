/**
 * What ships, invoked as it ships: the bundles in dist/, each in a new process of Lambda's Node, on its own file of
 * events/steps, with every service of AWS played by moto. Once by Node alone, once through AWS's Lambda runtime client.
 * `npm run test:built` builds and invokes. Ends with `N passed, N failed`; without Python everything is skipped.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { type Emulator, emulators, runtimeClient } from '../../scripts/lambda-runtime.ts';
import { type MotoServer, startMoto } from '../../scripts/moto-server.ts';
import { folderOf, resourcesOf } from '../../scripts/template.ts';
import { silentServer } from '../support/silent-server.ts';
import { environmentOf, PROJECT } from '../template/agreements.ts';
import { type Account, type AccountState, makeAccount, PEER } from './account.ts';
import { type Answer, type Invoke, inFreshNode, inRuntime } from './invoke.ts';

/** moto's account, and that of the events. */
const [ACCOUNT, ACCOUNT_OF_EVENTS] = ['123456789012', '111122223333'];

interface Scene {
  readonly account: Account;
  readonly before: AccountState;
  /** What stands in the events for what only a run knows: case, command, the time. */
  readonly known: Map<string, string>;
}

interface Invocation {
  readonly name: string;
  /** Default: its file in events/steps. */
  readonly event?: object;
  /** A part of the answer that must be there. */
  readonly answers: object;
  readonly check?: (answer: Answer, scene: Scene) => Promise<void> | void;
}

const WRONG = { instanceID: 'i-0000000000000ab01' };

const part = (value: unknown, ...path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>((node, key) => (node as Record<string | number, unknown> | undefined)?.[key], value);

/** The order of the state machines, restore included: each function meets what those before it have done. */
const INVOCATIONS: readonly Invocation[] = [
  {
    name: 'start-response',
    answers: { kind: 'started' },
    check: ({ payload }, { known }) => {
      const [caseId] = part(payload, 'caseIds') as [string];
      assert.match(caseId, /^case-[0-9a-f]{20}$/);
      known.set(String(part(eventOf('assess-flows'), 'input', 'caseId')), caseId);
    },
  },
  {
    // EventBridge delivers at least once; StartExecution takes the same name and input again while the first one runs.
    name: 'start-response',
    answers: { kind: 'started' },
    check: async ({ payload }, { account, known }) => {
      assert.deepEqual(part(payload, 'caseIds'), [...known.values()]);
      assert.equal(await account.executions(), 1, 'executions');
    },
  },
  {
    name: 'assess-flows',
    answers: { assessment: { kind: 'contain', platform: 'linux', addresses: ['198.51.100.7'] } },
  },
  {
    name: 'deny-at-nacl',
    answers: { kind: 'done', made: 2, refused: 0 },
    check: async (_, { account }) => {
      const { denied } = await account.state();
      assert.deepEqual(denied, [`inbound ${PEER}`, `outbound ${PEER}`]);
    },
  },
  {
    name: 'cut-on-host',
    answers: { kind: 'pending', verb: 'cut' },
    check: ({ payload }, { known }) => {
      known.set(String(part(eventOf('check-host-cut'), 'host', 'commandId')), String(part(payload, 'commandId')));
    },
  },
  // moto's hosts run nothing and print nothing, and that is no evidence.
  { name: 'check-host-cut', answers: { kind: 'no-evidence' } },
  { name: 'prepare-isolation', answers: { kind: 'ready' } },
  {
    name: 'swap-security-groups',
    answers: { kind: 'done', interfaces: [{ isolation: 'in-force' }] },
    check: async (_, { account, before }) => {
      const { groups, rules } = await account.state();
      assert.equal(groups.length, 1);
      assert.notDeepEqual(groups, before.groups);
      assert.equal(rules, 0, 'rules of the isolation group');
    },
  },
  // Nobody else lives in the subnet.
  { name: 'seal-subnet', answers: { kind: 'sealed' } },
  { name: 'preserve-evidence', answers: { kind: 'done', failed: 0 } },
  { name: 'verify-cut', answers: { kind: 'contained', next: { kind: 'report' } } },
  // The case is under watch, and its time has not come.
  { name: 'sweep-cases', event: { source: 'aws.scheduler' }, answers: { watched: 1, seen: 0, looks: 0 } },
  { name: 'release-nacl', answers: { kind: 'kept' } },
  { name: 'delete-security-groups', answers: { kind: 'kept' } },
  {
    name: 'report-case',
    answers: { verdict: 'contained', flows: [{ remoteAddress: '198.51.100.7', evidence: 'in-force' }] },
    check: ({ log }) => {
      assert.match(log, /"message":"report"/);
      assert.doesNotMatch(log, /could not be published/);
    },
  },
  { name: 'restore-instance', answers: { kind: 'restored' } },
  {
    name: 'restore-evidence',
    answers: { items: [] },
    check: async (_, { account, before }) => {
      assert.deepEqual(await account.state(), before);
    },
  },
  {
    name: 'report-restore',
    answers: { kind: 'restored', failed: [] },
    check: ({ log }) => {
      assert.match(log, /"message":"restore"/);
      assert.doesNotMatch(log, /could not be published/);
    },
  },
  // By this name, as Lambda passes it on, the state machine tells bad input from a failure.
  { name: 'assess-flows', event: WRONG, answers: { errorType: 'InputError' } },
];

interface Silence {
  readonly name: string;
  /** The only service that answers as ever; nothing else does. */
  readonly answering?: 'DYNAMODB';
  /** The only services that do not answer; everything else does. */
  readonly mute?: readonly string[];
  /** Parameters of the stack. */
  readonly given?: Readonly<Record<string, string>>;
  /** The time that the function is told to have, in seconds, and what must be left of it. */
  readonly seconds: number;
  readonly left: number;
  readonly answers: object;
}

/** Endpoints that accept every connection and never answer: the function still does, and in time. */
const SILENCES: readonly Silence[] = [
  // Four attempts of 4 s each, and the pauses between them.
  { name: 'cut-on-host', answering: 'DYNAMODB', seconds: 60, left: 40, answers: { kind: 'unavailable' } },
  { name: 'deny-at-nacl', answering: 'DYNAMODB', seconds: 13, left: 1, answers: { kind: 'waiting' } },
  { name: 'verify-cut', answering: 'DYNAMODB', seconds: 13, left: 1, answers: { kind: 'leaking' } },
  // The topic does not answer either, and that is tried to the last second.
  { name: 'report-case', answering: 'DYNAMODB', seconds: 13, left: 0.5, answers: { verdict: 'leaking' } },
  {
    name: 'swap-security-groups',
    answering: 'DYNAMODB',
    seconds: 13,
    left: 1,
    answers: { errorType: 'DeadlineError' },
  },
  { name: 'assess-flows', seconds: 5, left: 0.1, answers: { errorType: 'DeadlineError' } },
  // It looks for the border first, and acts without it: the case is restored.
  {
    name: 'start-response',
    answering: 'DYNAMODB',
    given: { VpcIds: 'vpc-00000000000000a01' },
    seconds: 13,
    left: 1,
    answers: { kind: 'nothing-to-do' },
  },
];

/** Opens the case again, so after the others: the plan says what could not be read, and is made in time. */
const SILENT_BALANCERS: Silence = {
  name: 'assess-flows',
  mute: ['ELASTIC_LOAD_BALANCING', 'ELASTIC_LOAD_BALANCING_V2'],
  given: { Mode: 'observe' },
  seconds: 20,
  left: 5,
  answers: { assessment: { kind: 'planned' } },
};

const eventOf = (name: string): unknown => JSON.parse(readFileSync(`events/steps/${name}.json`, 'utf8'));

/** Times in the events are those of the embedded world; here they are as far from now as there from its beginning. */
const WORLD_BEGAN = Date.parse('2026-01-15T10:00:00Z');

/** The event with this account's ids and the present time in place of the embedded world's. */
function eventFor(name: string, { account, known }: Pick<Scene, 'account' | 'known'>, began: number): unknown {
  let text = JSON.stringify(eventOf(name)).replaceAll(ACCOUNT_OF_EVENTS, ACCOUNT);
  for (const [theirs, ours] of [...account.ids, ...known]) text = text.replaceAll(theirs, ours);
  const shifted = text.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (time) =>
    new Date(began + Date.parse(time) - WORLD_BEGAN).toISOString(),
  );
  return JSON.parse(shifted);
}

/** The environment that template.yaml gives the function, in moto's account; only the endpoint is not Lambda's. */
function environmentFor(
  name: string,
  account: Account,
  given: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const functions = resourcesOf(PROJECT.template, 'AWS::Serverless::Function');
  const [id = ''] = functions.find(([, resource]) => folderOf(resource) === name) ?? [];
  // The flow log of our own has tests of its own: nobody makes its bucket here.
  const deployed = JSON.stringify(environmentOf(PROJECT.template, id, { Mode: 'contain', OwnFlowLog: 'off', ...given }))
    .replaceAll(ACCOUNT_OF_EVENTS, ACCOUNT)
    .replaceAll('<CaseTable>', account.tableName)
    .replaceAll('<NotificationTopic>', account.topicArn)
    .replaceAll('<FlowLogBucket>', 'flowcut-flow-logs')
    .replaceAll('<LinuxDocument>', 'flowcut-host-linux')
    .replaceAll('<WindowsDocument>', 'flowcut-host-windows');
  assert.doesNotMatch(deployed, /<\w+>/, 'a resource that the environment names and nobody made here');
  return {
    ...(JSON.parse(deployed) as Record<string, string>),
    AWS_ENDPOINT_URL: account.endpoint,
    AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'not-a-secret',
    AWS_LAMBDA_FUNCTION_NAME: name,
  };
}

interface Count {
  passed: number;
  failed: number;
}

/** What a run leaves behind: an account with a case. */
interface Made extends Pick<Scene, 'account' | 'known'> {
  readonly began: number;
}

interface Way {
  readonly title: string;
  readonly invoke: Invoke;
}

async function runThrough({ title, invoke }: Way, moto: MotoServer): Promise<{ count: Count; made: Made }> {
  await moto.reset();
  const account = await makeAccount(moto.endpoint);
  const scene: Scene = { account, before: await account.state(), known: new Map() };
  const began = Date.now();
  const count: Count = { passed: 0, failed: 0 };
  console.log(title);
  for (const { name, event, answers, check } of INVOCATIONS) {
    await counted(count, name, async () => {
      const answer = await invoke(name, event ?? eventFor(name, scene, began), environmentFor(name, account));
      assertAnswers(answer, answers);
      await check?.(answer, scene);
    });
  }
  return { count, made: { account, known: scene.known, began } };
}

async function counted(count: Count, name: string, test: () => Promise<void>): Promise<void> {
  const started = performance.now();
  try {
    await test();
    count.passed += 1;
    console.log(`  ok      ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  } catch (error) {
    count.failed += 1;
    console.log(`  FAILED  ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function assertAnswers({ payload }: Answer, expected: object): void {
  assert.partialDeepStrictEqual(payload, expected, `answered ${JSON.stringify(payload).slice(0, 1500)}`);
}

/** Invokes functions whose services never answer, nearly all at once. The account is that of the run before. */
async function runInSilence({ account, known, began }: Made): Promise<Count> {
  const count: Count = { passed: 0, failed: 0 };
  const mute = await silentServer();
  console.log('in a new process of Node alone, where nothing answers');
  const invoke = async (silence: Silence): Promise<void> => {
    const { name, answering, given, seconds, left, answers } = silence;
    const environment = environmentFor(name, account, given);
    const muted = silence.mute?.map((service) => [`AWS_ENDPOINT_URL_${service}`, mute.endpoint]);
    const endpoints: Readonly<Record<string, string>> = Object.fromEntries([
      ...(muted ?? [['AWS_ENDPOINT_URL', mute.endpoint]]),
      ...(answering === undefined ? [] : [[`AWS_ENDPOINT_URL_${answering}`, account.endpoint]]),
    ]);
    const event = eventFor(name, { account, known }, began);
    const answer = await inFreshNode(name, event, { ...environment, ...endpoints }, seconds);
    assertAnswers(answer, answers);
    assert.ok(answer.left > left, `answered ${answer.left} s before its end`);
  };
  try {
    await Promise.all(SILENCES.map((silence) => counted(count, silence.name, () => invoke(silence))));
    await counted(count, 'each of them asked', () =>
      Promise.resolve(assert.ok(mute.connections() >= SILENCES.length, `${mute.connections()} connections`)),
    );
    await counted(count, 'assess-flows, beside balancers alone', () => invoke(SILENT_BALANCERS));
  } finally {
    await mute.stop();
  }
  return count;
}

/** A function that nobody invokes here would ship untested. */
function completeness(): readonly string[] {
  const missing = PROJECT.folders.filter((folder) => !INVOCATIONS.some(({ name }) => name === folder));
  const unbuilt = PROJECT.folders.filter((folder) => !existsSync(`dist/${folder}/index.mjs`));
  return [
    ...missing.map((folder) => `${folder} is never invoked`),
    ...unbuilt.map((folder) => `build.mjs makes no dist/${folder}/index.mjs`),
  ];
}

/** The first emulator that gets an answer out of a function at all: AWS's own wants a Linux that it likes. */
async function workingEmulator(client: string, account: Account): Promise<Emulator> {
  const [first, ...others] = emulators();
  if (others.length === 0) return first;
  try {
    const { payload } = await inRuntime(first, client)('assess-flows', WRONG, environmentFor('assess-flows', account));
    assert.partialDeepStrictEqual(payload, { errorType: 'InputError' });
    return first;
  } catch (error) {
    console.log(`${first.name} does not work here: ${String(error).split('\n')[0]}`);
    return others[0] ?? first;
  }
}

async function ways(
  moto: MotoServer,
): Promise<{ readonly ready: readonly Way[]; readonly missing: readonly string[] }> {
  const alone: Way = { title: 'in a new process of Node alone', invoke: inFreshNode };
  const client = runtimeClient();
  if ('missing' in client) return { ready: [alone], missing: [`AWS's runtime client: ${client.missing}`] };
  const chosen = await workingEmulator(client.path, await makeAccount(moto.endpoint));
  const title = `through AWS's runtime client for Node and ${chosen.name}`;
  return { ready: [alone, { title, invoke: inRuntime(chosen, client.path) }], missing: [] };
}

async function main(): Promise<void> {
  // Ends what was started too.
  process.once('SIGINT', () => process.exit(130));
  const built = spawnSync(process.execPath, ['build.mjs'], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`node build.mjs\n${built.stdout}${built.stderr}`);
  const problems = completeness();
  for (const problem of problems) console.log(`FAILED  ${problem}`);
  let [passed, failed, skipped] = [0, problems.length, 0];
  const moto = await startMoto();
  if (moto === null) {
    console.log('skipped everything: no Python that can make virtual environments, so no moto');
    skipped = 2 * INVOCATIONS.length;
  } else {
    try {
      const { ready, missing } = await ways(moto);
      for (const reason of missing) console.log(`skipped ${reason}`);
      skipped = missing.length * INVOCATIONS.length;
      for (const way of ready) {
        const { count, made } = await runThrough(way, moto);
        const counts = way.invoke === inFreshNode ? [count, await runInSilence(made)] : [count];
        for (const each of counts) {
          passed += each.passed;
          failed += each.failed;
        }
      }
    } finally {
      await moto.stop();
    }
  }
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exitCode = failed > 0 ? 1 : 0;
}

await main();
