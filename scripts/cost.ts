/**
 * What a response costs: counts what is billed in a run of the default incident in the embedded world, and multiplies it by
 * the price list. `npm run -s cost` prints the table of the README; `--write` puts it there.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { SWEEP_SECONDS, watchInterval } from '../functions/core/case/watch.ts';
import { startResponse } from '../functions/start-response/step.ts';
import { sweepCases } from '../functions/sweep-cases/step.ts';
import { readDefinition } from '../local/definitions.ts';
import { runMachine } from '../local/runner.ts';
import { localConfig, localToolbox } from '../local/simulate.ts';
import type { CallInfo } from '../local/world/api/middleware.ts';
import { runInVirtualTime } from '../local/world/clock.ts';
import { createEmbeddedWorld } from '../local/world/embedded-world.ts';
import { parseWorld } from '../local/world/parse-world.ts';
import { withMarkedPart } from './marked-part.ts';
import { isMap, listOf, type NodeMap, readTemplate, resourcesOf, type Template, text } from './template.ts';

const PRICES_OF = 'November 2026';

/** US dollars in us-east-1, before any free tier. */
const PRICES = {
  // https://aws.amazon.com/step-functions/pricing/
  transition: 0.025 / 1000,
  // https://aws.amazon.com/lambda/pricing/ (arm64)
  invocation: 0.2 / 1e6,
  gigabyteSecond: 0.000_013_333_4,
  // https://aws.amazon.com/dynamodb/pricing/on-demand/
  writeUnit: 0.625 / 1e6,
  readUnit: 0.125 / 1e6,
  // https://aws.amazon.com/sns/pricing/
  publish: 0.5 / 1e6,
  email: 2 / 100_000,
  // https://aws.amazon.com/cloudwatch/pricing/
  logGigabyte: 0.5,
  alarmMetricMonth: 0.1,
  dashboardMonth: 3,
  // https://aws.amazon.com/s3/pricing/
  get: 0.4 / 1e6,
  list: 5 / 1e6,
  // https://aws.amazon.com/xray/pricing/
  trace: 5 / 1e6,
} as const;

/**
 * What no offline run can know. A function is billed for its start too, as if each were a cold one; its calls take what
 * the embedded world lets them take, 0.2 s each.
 */
const START_SECONDS = 0.5;
/** What a function logs beside its own lines, and what Step Functions writes around the payload of an event. */
const LOG_BYTES_PER_INVOCATION = 1500;
const LOG_BYTES_PER_TRANSITION = 1000;

interface Billed {
  transitions: number;
  invocations: number;
  functionSeconds: number;
  writeUnits: number;
  readUnits: number;
  messages: number;
  logBytes: number;
  gets: number;
  lists: number;
}

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value ?? null));

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html */
function addTableUnits(billed: Billed, { call, input }: CallInfo): void {
  const writes = (item: unknown): number => Math.max(1, Math.ceil(bytesOf(item) / 1024));
  switch (call) {
    case 'PutItem':
    case 'UpdateItem':
    case 'DeleteItem':
      billed.writeUnits += writes(input);
      break;
    case 'TransactWriteItems':
      for (const item of (input as { TransactItems?: unknown[] }).TransactItems ?? [])
        billed.writeUnits += 2 * writes(item);
      break;
    default:
      // Strongly consistent; the items of a case fit into two pages of 4 kB.
      billed.readUnits += 2;
  }
}

const NOTHING: Billed = {
  transitions: 0,
  invocations: 0,
  functionSeconds: 0,
  writeUnits: 0,
  readUnits: 0,
  messages: 0,
  logBytes: 0,
  gets: 0,
  lists: 0,
};

interface Counted {
  readonly response: Billed;
  /** One look of the watch, with the sweep that starts it. */
  readonly look: Billed;
  /** A sweep that finds no case due. */
  readonly sweep: Billed;
}

const TICK = { 'detail-type': 'Scheduled Event', detail: {} };

/** Runs the response to the default finding, and a look at its case, and counts. */
function countRun(agentAnswers: boolean): Promise<Counted> {
  const json = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
  const file = parseWorld(json('local/worlds/default.json'));
  for (const host of file.Hosts) host.AgentAnswers &&= agentAnswers;
  return runInVirtualTime(file.Now, async (clock) => {
    const world = createEmbeddedWorld(file, clock);
    const tools = localToolbox(world, localConfig(file));
    let billed = { ...NOTHING };
    world.interceptors.push({
      after(call) {
        if (call.service === 'dynamodb') addTableUnits(billed, call);
        if (call.service === 'sns') billed.messages += 1;
        if (call.call === 'GetObject') billed.gets += 1;
        if (call.call === 'ListObjectsV2') billed.lists += 1;
      },
    });
    const around = async <T>(_state: string, _name: string, run: () => Promise<T>): Promise<T> => {
      const started = clock.now();
      const answer = await run();
      billed.invocations += 1;
      billed.functionSeconds += START_SECONDS + clock.now() - started;
      // Its input and its output stand in the log of the execution.
      billed.logBytes += LOG_BYTES_PER_INVOCATION + 2 * bytesOf(answer);
      return answer;
    };
    const executions: Promise<unknown>[] = [];
    world.onStartExecution = ({ input }) => {
      const onTransition = (): void => {
        billed.transitions += 1;
        billed.logBytes += LOG_BYTES_PER_TRANSITION;
      };
      const onVisit = (visit: object): void => {
        billed.logBytes += 2 * bytesOf(visit);
      };
      const result = runMachine(readDefinition('respond'), input, tools, { around, onVisit, onTransition });
      executions.push(result);
      return { result: result.then(({ output }) => output) };
    };
    const counted = async (work: () => Promise<unknown>): Promise<Billed> => {
      billed = { ...NOTHING };
      await work();
      await Promise.all(executions);
      // The way in and the way out count as well.
      billed.transitions += 2 * executions.splice(0).length;
      return billed;
    };
    const finding = json('events/guardduty-ec2-c2activity.json');
    const response = await counted(() => around('Start', 'start-response', () => startResponse(tools, finding)));
    // The response goes on for days: from then on a case is looked at every six hours.
    await clock.sleep(watchInterval(MONTH_SECONDS) + SWEEP_SECONDS);
    const tick = () => around('Tick', 'sweep-cases', () => sweepCases(tools, TICK));
    return { response, look: await counted(tick), sweep: await counted(tick) };
  });
}

interface Line {
  readonly what: string;
  readonly count: string;
  readonly dollars: number;
}

function linesOf(billed: Billed, memoryGigabytes: number): readonly Line[] {
  const seconds = billed.functionSeconds * memoryGigabytes;
  const tables = billed.writeUnits * PRICES.writeUnit + billed.readUnits * PRICES.readUnit;
  const round = (value: number): string => value.toFixed(0);
  return [
    {
      what: 'Step Functions',
      count: `${billed.transitions} transitions`,
      dollars: billed.transitions * PRICES.transition,
    },
    {
      what: 'Lambda',
      count: `${billed.invocations} invocations, ${round(billed.functionSeconds)} s at ${memoryGigabytes * 1024} MB`,
      dollars: billed.invocations * PRICES.invocation + seconds * PRICES.gigabyteSecond,
    },
    { what: 'DynamoDB', count: `${billed.writeUnits} write units, ${billed.readUnits} read units`, dollars: tables },
    {
      what: 'SNS',
      count: `${billed.messages} e-mails`,
      dollars: billed.messages * (PRICES.publish + PRICES.email),
    },
    {
      what: 'CloudWatch Logs',
      count: `${round(billed.logBytes / 1000)} kB`,
      dollars: (billed.logBytes / 1e9) * PRICES.logGigabyte,
    },
    {
      what: 'S3, our own flow log',
      count: `${billed.gets} files read, ${billed.lists} lists`,
      dollars: billed.gets * PRICES.get + billed.lists * PRICES.list,
    },
    { what: 'X-Ray', count: '2 traces', dollars: 2 * PRICES.trace },
  ];
}

const cents = (dollars: number): string => (dollars * 100).toFixed(3);

export interface Cost {
  readonly lines: readonly Line[];
  readonly dollars: number;
}

export async function costOf(template: Template, agentAnswers: boolean): Promise<Cost> {
  const defaults = template.Globals['Function'] as NodeMap;
  const { response } = await countRun(agentAnswers);
  return sumOf(response, Number(defaults['MemorySize']) / 1024);
}

function sumOf(billed: Billed, memoryGigabytes: number): Cost {
  const lines = linesOf(billed, memoryGigabytes);
  return { lines, dollars: lines.reduce((sum, { dollars }) => sum + dollars, 0) };
}

const MONTH_SECONDS = 30 * 86_400;

/** Looks in a month of the watch, from the isolation on. */
function looksInAMonth(): number {
  let looks = 0;
  for (let elapsed = 0; elapsed < MONTH_SECONDS; elapsed += watchInterval(elapsed)) looks += 1;
  return looks;
}

export interface WatchCost {
  readonly looks: number;
  readonly transitions: number;
  /** Of one look, and of a month of sweeps that find nothing. */
  readonly look: number;
  readonly sweeps: number;
}

export async function watchCost(template: Template): Promise<WatchCost> {
  const memory = Number((template.Globals['Function'] as NodeMap)['MemorySize']) / 1024;
  const { look, sweep } = await countRun(true);
  return {
    looks: looksInAMonth(),
    transitions: look.transitions,
    look: sumOf(look, memory).dollars,
    sweeps: (sumOf(sweep, memory).dollars * MONTH_SECONDS) / SWEEP_SECONDS,
  };
}

const watched = ({ looks, transitions, look, sweeps }: WatchCost): string =>
  `The watch: a look that finds what people know is ${transitions} transitions, ${cents(look)} cents; a month of a case is ${looks} looks, $${(looks * look).toFixed(2)}. The sweep that starts them comes whether a case is open or not, $${sweeps.toFixed(2)} a month.`;

/** What is billed every month, response or none: the metrics that alarms watch, and dashboards. */
function standing(template: Template): string {
  const watched = resourcesOf(template, 'AWS::CloudWatch::Alarm').flatMap(([, { Properties }]) => {
    const stats = listOf(Properties['Metrics']).filter((entry) => isMap(entry) && entry['MetricStat'] !== undefined);
    return stats.length > 0 ? stats : [text(Properties['MetricName'])];
  });
  const dashboards = resourcesOf(template, 'AWS::CloudWatch::Dashboard').length;
  const dollars = watched.length * PRICES.alarmMetricMonth + dashboards * PRICES.dashboardMonth;
  return `Every month, used or not: ${watched.length} alarm metrics and ${dashboards} dashboard, $${dollars.toFixed(2)}; the first 10 alarm metrics and 3 dashboards of an account are free.`;
}

export async function costTable(template: Template): Promise<string> {
  const usual = await costOf(template, true);
  const silent = await costOf(template, false);
  const rows = usual.lines.map(({ what, count, dollars }, index) => {
    const other = silent.lines[index];
    return `| ${what} | ${count} | ${cents(dollars)} | ${other?.count ?? ''} | ${cents(other?.dollars ?? 0)} |`;
  });
  return [
    "| | the demo's incident | US cents | its agent never answers | US cents |",
    '| --- | --- | ---: | --- | ---: |',
    ...rows,
    `| **one response** | | **${cents(usual.dollars)}** | | **${cents(silent.dollars)}** |`,
    '',
    `Price list of us-east-1, ${PRICES_OF}, without any free tier. Assumed: every function starts cold, in ${START_SECONDS} s, and each API call takes 0.2 s. Calls to EC2, Systems Manager, Auto Scaling and the load balancers are free; snapshots are billed as storage for as long as you keep them, and our own flow log by the gigabyte, of which an isolated instance makes little.`,
    '',
    watched(await watchCost(template)),
    '',
    standing(template),
  ].join('\n');
}

const README = 'README.md';
const MARKS = ['<!-- cost: npm run -s cost -- --write -->', '<!-- end of cost -->'] as const;

/** The README with the table between its marks. */
export const withTable = (readme: string, table: string): string => withMarkedPart(readme, MARKS, table);

if (import.meta.main) {
  const table = await costTable(readTemplate());
  console.log(table);
  if (process.argv.includes('--write')) writeFileSync(README, withTable(readFileSync(README, 'utf8'), table));
}
