// The step loads it when it needs it; while time is virtual, nothing waits for a file.
import '../functions/start-response/look.ts';
import { startResponse } from '../functions/start-response/step.ts';
import { sweepCases } from '../functions/sweep-cases/step.ts';
import {
  folderOf,
  isMap,
  type Node,
  type NodeMap,
  type Resource,
  resolve,
  resourcesOf,
  text,
} from '../scripts/template.ts';
import type { Step } from './definitions.ts';
import type { Parameters } from './parameters.ts';
import { type Place, stackTemplate, stackValues } from './stack.ts';

/** What a scheduled function's work can be told from. */
export interface DueView {
  /** A partition of the case table, item by item. */
  readonly items: (partition: string) => readonly Readonly<Record<string, unknown>>[];
  /** Seconds, and the ISO time of any second. */
  readonly now: number;
  readonly iso: (seconds: number) => string;
}

/** The second from which on a tick of the schedule has something to do; null = none has, until something happens. */
export type NextDue = (view: DueView) => number | null;

/** A function that starts without being asked. */
export interface StartedFunction {
  readonly step: Step;
  /**
   * Ticks at which it would find nothing to do are not played: thirty days of a tick every five minutes are 8,640
   * invocations. Without this it is invoked at every tick.
   */
  readonly nextDue?: NextDue;
}

/**
 * Functions that an event or a schedule of the template starts, by their folder: the local runner invokes them as Lambda
 * would. Those that the state machines call are in definitions.ts.
 */
export const STARTED: Readonly<Record<string, StartedFunction>> = {
  'start-response': { step: startResponse },
  'sweep-cases': { step: sweepCases, nextDue: nextWatched },
};

/** The sweep has something to do when a case under watch is due. */
function nextWatched({ items, iso }: DueView): number | null {
  const start = Date.parse(iso(0));
  const due = items('WATCH').map((item) => (Date.parse(String(item['due'])) - start) / 1000);
  return due.length === 0 ? null : Math.min(...due);
}

/** One rule of the template: events that match its pattern invoke the function. */
export interface EventRule {
  readonly folder: string;
  readonly pattern: NodeMap;
  /** Invocations after the first one that failed, before the dead-letter queue. */
  readonly retries: number;
}

/** One schedule of the template. */
export interface Schedule {
  readonly name: string;
  readonly folder: string;
  readonly everySeconds: number;
  readonly input: NodeMap;
  readonly retries: number;
}

interface Trigger {
  readonly name: string;
  readonly type: string;
  readonly folder: string;
  readonly retries: number;
  readonly properties: NodeMap;
}

const mapOf = (node: Node | undefined): NodeMap => (isMap(node) ? node : {});

/** https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html */
const LAMBDA_RETRIES = 2;

function retriesOf({ Properties }: Resource): number {
  const retries = mapOf(Properties['EventInvokeConfig'])['MaximumRetryAttempts'];
  return typeof retries === 'number' ? retries : LAMBDA_RETRIES;
}

const known = new Map<string, readonly Trigger[]>();

/** What starts functions in a stack with these values; worked out once for each choice of them. */
function triggersOf(values: Readonly<Record<string, string>>): readonly Trigger[] {
  const choice = JSON.stringify(values);
  const triggers = known.get(choice) ?? readTriggers(values);
  known.set(choice, triggers);
  return triggers;
}

function readTriggers(values: Readonly<Record<string, string>>): readonly Trigger[] {
  const template = stackTemplate();
  return resourcesOf(template, 'AWS::Serverless::Function').flatMap(([id, resource]) => {
    const isThere =
      resource.Condition === undefined || resolve(template, { 'Fn::If': [resource.Condition, true, false] }, values);
    if (isThere !== true) return [];
    return Object.entries(mapOf(resource.Properties['Events'])).map(([name, event]): Trigger => {
      const properties = mapOf(resolve(template, mapOf(event)['Properties'] ?? null, values));
      const folder = folderOf(resource);
      return {
        name: `${id}${name}`,
        type: text(mapOf(event)['Type']),
        folder,
        retries: retriesOf(resource),
        properties,
      };
    });
  });
}

/** All that starts functions without being asked. */
export interface Triggers {
  readonly rules: readonly EventRule[];
  readonly schedules: readonly Schedule[];
  /** The functions, by folder. */
  readonly functions: Readonly<Record<string, StartedFunction>>;
}

/** What starts functions in a stack with these parameters. */
export function stackTriggers(place: Place, parameters: Parameters): Triggers {
  const triggers = triggersOf(stackValues(place, parameters));
  return {
    functions: STARTED,
    rules: triggers
      .filter(({ type }) => type === 'EventBridgeRule' || type === 'CloudWatchEvent')
      .map(({ folder, retries, properties }) => ({ folder, retries, pattern: mapOf(properties['Pattern']) })),
    schedules: triggers
      .filter(({ type, properties }) => type.startsWith('Schedule') && isEnabled(properties))
      .map((trigger) => scheduleOf(trigger, place)),
  };
}

function scheduleOf({ name, folder, retries, properties }: Trigger, place: Place): Schedule {
  const { Schedule: rate, ScheduleExpression, Input } = properties;
  return {
    name,
    folder,
    retries,
    everySeconds: rateSeconds(text(rate ?? ScheduleExpression)),
    input: Input === undefined ? scheduledEvent(place) : mapOf(JSON.parse(text(Input)) as Node),
  };
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { minute: 60, hour: 3600, day: 86_400 };

/** `rate(5 minutes)` is 300. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rate-expressions.html */
export function rateSeconds(expression: string): number {
  const [, count, unit = ''] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
  const seconds = Number(count) * (UNIT_SECONDS[unit] ?? Number.NaN);
  if (!(seconds > 0)) throw new Error(`the local runner plays schedules such as rate(5 minutes), not ${expression}`);
  return seconds;
}

const isEnabled = ({ Enabled, State }: NodeMap): boolean => Enabled !== false && State !== 'DISABLED';

const scheduledEvent = ({ AccountId, Region }: Place): NodeMap => ({
  version: '0',
  'detail-type': 'Scheduled Event',
  source: 'aws.events',
  account: AccountId,
  region: Region,
  resources: [],
  detail: {},
});

/** Parameters of which the pattern of the findings' rule is made. */
const RULE_PARAMETERS = ['MinimumSeverity', 'FindingTypePrefixes'] as const;

/** Did somebody choose which findings the stack takes? Otherwise an event that is played is one that arrived. */
export const choosesFindings = (parameters: Parameters): boolean =>
  RULE_PARAMETERS.some((name) => parameters[name] !== undefined);
