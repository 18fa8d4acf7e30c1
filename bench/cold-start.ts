import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { marshall } from '@aws-sdk/util-dynamodb';
import { startResponse } from '../functions/start-response/step.ts';
import { localConfig, localToolbox } from '../local/simulate.ts';
import { runInVirtualTime } from '../local/world/clock.ts';
import { createEmbeddedWorld } from '../local/world/embedded-world.ts';
import { parseWorld } from '../local/world/parse-world.ts';
import {
  type Artifact,
  bundle,
  bundleTogether,
  FUNCTIONS,
  OURS,
  SAM_DEFAULT,
  STEPS,
  WITH_ALL_OF_ZOD,
} from './bundles.ts';
import { atMost, type Effort, median, rounded, type Section } from './section.ts';
import { type LocalAws, startLocalAws } from './tls-server.ts';

/** The functions that run one after another before the first packet is stopped. */
const PATH_TO_FIRST_CUT = ['start-response', 'assess-flows', 'deny-at-nacl'];

/** The function whose steps are shown: it holds the most. */
const SHOWN = 'assess-flows';

interface Start {
  readonly name: string;
  readonly artifact: Artifact;
  readonly event: string | undefined;
  readonly until: 'call' | 'ec2';
}

/** Milliseconds and bytes of one process; see cold-start-child.mjs. */
interface Marks {
  readonly import: number;
  readonly call?: number;
  readonly ec2?: number;
  readonly rssBytes: number;
}

const read = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
const eventOf = (name: string): string => JSON.stringify(read(`events/steps/${name}.json`));

/** The case document as start-response writes it: what the functions after it find in the table. */
function tableAfterStart(): Promise<ReadonlyMap<string, object>> {
  const file = parseWorld(read('local/worlds/default.json'));
  return runInVirtualTime(file.Now, async (clock) => {
    const world = createEmbeddedWorld(file, clock);
    const tools = localToolbox(world, localConfig(file));
    await startResponse(tools, read('events/guardduty-ec2-c2activity.json'));
    const found = world.dumpTable().filter((item) => item['sk'] === 'CASE');
    return new Map(found.map((item) => [String(item['sk']), marshall(item)]));
  });
}

function environmentFor(aws: LocalAws, until: Start['until']): Record<string, string> {
  return {
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'not-a-secret',
    AWS_ENDPOINT_URL: aws.endpoint,
    NODE_EXTRA_CA_CERTS: aws.certificateFile,
    FLOWCUT_ACCOUNT_ID: '111122223333',
    FLOWCUT_LINUX_DOCUMENT: 'host-linux',
    FLOWCUT_WINDOWS_DOCUMENT: 'host-windows',
    FLOWCUT_MODE: 'contain',
    FLOWCUT_RESPOND_STATE_MACHINE_ARN: 'arn:aws:states:eu-central-1:111122223333:stateMachine:respond',
    BENCH_UNTIL: until,
    LOG_LEVEL: 'SILENT',
    HOME: '/nonexistent',
  };
}

const CHILD = new URL('cold-start-child.mjs', import.meta.url).pathname;

function run(aws: LocalAws, { name, artifact, event, until }: Start): Promise<Marks> {
  const args = [CHILD, resolve(artifact.file), ...(event === undefined ? [] : [event])];
  const child = spawn(process.execPath, args, {
    env: environmentFor(aws, until),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (part: Buffer) => {
    stdout += part.toString();
  });
  child.stderr.on('data', (part: Buffer) => {
    stderr += part.toString();
  });
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', () => {
      const line = stdout.split('\n').findLast((text) => text.startsWith('{"') && text.includes('rssBytes'));
      if (line === undefined) fail(new Error(`${name} made no call: ${`${stderr}${stdout}`.slice(-500)}`));
      else done(JSON.parse(line) as Marks);
    });
  });
}

/** Runs everything once, then again and again, so that what else the machine does hits all alike. */
async function interleaved(
  aws: LocalAws,
  starts: readonly Start[],
  rounds: number,
): Promise<ReadonlyMap<Start, Marks[]>> {
  const found = new Map<Start, Marks[]>(starts.map((start) => [start, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const start of starts) found.get(start)?.push(await run(aws, start));
  }
  return found;
}

/** What stands in the way of the first call, by function. */
const FIRST_CALL_LIMITS: Readonly<Record<string, string>> = {
  'start-response':
    'About half of the import is V8 compiling the bundle, of which the reader of findings and the SDK are the largest parts.',
  'assess-flows':
    'Its first round opens seven TLS connections at once (six reads of EC2, and the case), where the limit opens one, and about half of the import is V8 compiling the bundle.',
  'deny-at-nacl':
    'A number is recorded in the case table before EC2 is called: TLS connections are opened one after the other, where the limit opens one, and about half of the import is V8 compiling the bundle.',
};
const RARE_PATHS =
  'What reads findings and what people type, and the logger, are in files of their own, which a start with a case id does not read.';

const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(0);

export async function coldStart({ quick }: Effort): Promise<Section> {
  const rounds = quick ? 3 : 21;
  const folder = '.cache/bench';
  rmSync(folder, { recursive: true, force: true });
  const start = async (variant: typeof OURS, name: string, until: Start['until']): Promise<Start> => ({
    name: `${name}, ${variant.name}`,
    artifact: await bundle(join(folder, variant.name.replaceAll(/\W+/g, '-'), name), variant, name),
    event: eventOf(name),
    until,
  });
  const untilOf = (name: string): Start['until'] => (name === 'start-response' ? 'call' : 'ec2');
  const limit: Start = {
    name: 'the limit',
    artifact: { file: 'bench/empty-handler.mjs', all: 0, atStart: 0 },
    event: '{}',
    until: 'call',
  };
  const onPath = await Promise.all(
    PATH_TO_FIRST_CUT.map(async (name) => ({
      name,
      ours: await start(OURS, name, untilOf(name)),
      sam: await start(SAM_DEFAULT, name, untilOf(name)),
    })),
  );
  const steps = await Promise.all(STEPS.map((variant) => start(variant, SHOWN, 'ec2')));
  const together: Start = {
    name: 'one bundle for all functions',
    artifact: await bundleTogether(join(folder, 'together'), FUNCTIONS, SHOWN),
    event: eventOf(SHOWN),
    until: 'ec2',
  };
  const withZod = { ...(await start(WITH_ALL_OF_ZOD, SHOWN, 'ec2')), name: WITH_ALL_OF_ZOD.name };
  const others = await Promise.all(
    FUNCTIONS.map(async (name) => ({ ...(await start(OURS, name, 'call')), name, event: undefined })),
  );

  const aws = await startLocalAws(join(folder, 'tls'), await tableAfterStart());
  try {
    const all = [limit, ...onPath.flatMap(({ ours, sam }) => [ours, sam]), ...steps, together, withZod, ...others];
    const marks = await interleaved(aws, all, rounds);
    const of = (one: Start, key: keyof Marks): number =>
      median((marks.get(one) ?? []).map((mark) => mark[key]).filter((value) => value !== undefined));
    return describe({ limit, onPath, steps, instead: [together, withZod], others, rounds, of });
  } finally {
    await aws.close();
  }
}

interface Measured {
  readonly limit: Start;
  readonly onPath: readonly { readonly name: string; readonly ours: Start; readonly sam: Start }[];
  readonly steps: readonly Start[];
  /** Other ways to bundle what is deployed. */
  readonly instead: readonly Start[];
  readonly others: readonly Start[];
  readonly rounds: number;
  /** The median of a mark. */
  readonly of: (one: Start, key: keyof Marks) => number;
}

function describe({ limit, onPath, steps, instead, others, rounds, of }: Measured): Section {
  const base = of(limit, 'call');
  const first = of(limit, 'import');
  const ratio = (value: number, to: number): number => rounded(value / to);
  const sizes = others.map(({ artifact }) => artifact.all);
  return {
    name: 'cold-start',
    title: 'Cold start',
    text: [
      `Fresh Node processes on this machine, ${rounds} of each, interleaved; every figure is the median as a ratio. *The limit* is a handler that does nothing but a bare \`node:https\` POST: import plus that call is 1. *SAM default* is the same handler as \`sam build\` bundles it without settings. Both calls go to a TLS server on the loopback. "First EC2 call" is the first signed EC2 request of the function's own handler with the event of \`events/steps\`, answered; what it asks the case table before that is on its way. start-response calls no EC2: its first call is to the case table, and no goal compares it with SAM's bundle, which without an EC2 client is small as well.`,
    ],
    tables: [
      {
        caption: 'The functions on the way to the first cut, import plus call:',
        head: [
          'function',
          'first call / limit',
          'first EC2 call / limit',
          'first EC2 call / SAM default',
          'first call / SAM default',
        ],
        rows: onPath.map(({ name, ours, sam }) => [
          name,
          ratio(of(ours, 'call'), base),
          ours.until === 'ec2' ? ratio(of(ours, 'ec2'), base) : 'none',
          ours.until === 'ec2' ? ratio(of(ours, 'ec2'), of(sam, 'ec2')) : 'none',
          ratio(of(ours, 'call'), of(sam, 'call')),
        ]),
      },
      {
        caption: `What each step does for ${SHOWN}; each line has all the steps above it, the last two stand instead of what is deployed:`,
        head: ['step', 'kB at start', 'kB in all', 'import / SAM default', 'import + first EC2 call / limit'],
        rows: [...steps, ...instead].map((step, index) => [
          STEPS[index]?.name ?? step.name,
          kilobytes(step.artifact.atStart),
          kilobytes(step.artifact.all),
          ratio(of(step, 'import'), of(steps[0] ?? step, 'import')),
          ratio(of(step, 'ec2'), base),
        ]),
      },
      {
        caption: "Every function as it is deployed (memory: MB beyond the limit's, after the import):",
        head: ['function', 'kB at start', 'kB in all', 'import / the limit with its call', 'MB more'],
        rows: others.map((one) => [
          one.name,
          kilobytes(one.artifact.atStart),
          kilobytes(one.artifact.all),
          ratio(of(one, 'import') - first, base),
          rounded((of(one, 'rssBytes') - of(limit, 'rssBytes')) / 1e6),
        ]),
      },
    ],
    goals: [
      ...onPath.flatMap(({ name, ours, sam }) => {
        const isReader = ours.until === 'ec2';
        const call = isReader ? 'first EC2 call' : 'first signed call';
        const mark = isReader ? 'ec2' : 'call';
        return [
          atMost(`${name}: import and ${call}, times the limit`, 2.5, of(ours, mark) / base, FIRST_CALL_LIMITS[name]),
          ...(isReader
            ? [atMost(`${name}: import and ${call}, times SAM's default`, 0.27, of(ours, mark) / of(sam, mark))]
            : []),
          atMost(`${name}: kB that a start reads`, 320, ours.artifact.atStart / 1000),
          atMost(`${name}: kB of the whole artifact`, 320, ours.artifact.all / 1000, RARE_PATHS),
        ];
      }),
      atMost('the largest function, kB', 500, Math.max(...sizes) / 1000),
    ],
  };
}
