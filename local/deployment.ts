import { startResponse } from '../functions/start-response/step.ts';
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

/**
 * Functions that an event or a schedule of the template starts, by their folder: the local runner invokes them as Lambda
 * would. Those that the state machines call are in definitions.ts.
 */
export const STARTED: Readonly<Record<string, Step>> = {
  'start-response': startResponse,
};

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

/** What starts functions in a stack with these values. */
function triggersOf(values: Readonly<Record<string, string>>): readonly Trigger[] {
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

/** The rules of a stack with these parameters. */
export function eventRules(place: Place, parameters: Parameters): readonly EventRule[] {
  return triggersOf(stackValues(place, parameters))
    .filter(({ type }) => type === 'EventBridgeRule' || type === 'CloudWatchEvent')
    .map(({ folder, retries, properties }) => ({ folder, retries, pattern: mapOf(properties['Pattern']) }));
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { minute: 60, hour: 3600, day: 86_400 };

/** `rate(5 minutes)` is 300. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rate-expressions.html */
export function rateSeconds(expression: string): number {
  const [, count, unit = ''] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
  const seconds = Number(count) * (UNIT_SECONDS[unit] ?? Number.NaN);
  if (!(seconds > 0)) throw new Error(`the local runner plays schedules such as rate(5 minutes), not ${expression}`);
  return seconds;
}

/** The schedules of a stack with these parameters. */
export function schedules(place: Place, parameters: Parameters): readonly Schedule[] {
  return triggersOf(stackValues(place, parameters))
    .filter(({ type, properties }) => type.startsWith('Schedule') && isEnabled(properties))
    .map(({ name, folder, retries, properties }) => ({
      name,
      folder,
      retries,
      everySeconds: rateSeconds(text(properties['Schedule'] ?? properties['ScheduleExpression'])),
      input: properties['Input'] === undefined ? scheduledEvent(place) : mapOf(JSON.parse(text(properties['Input']))),
    }));
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

/** The function behind a folder. */
export function startedFunction(folder: string): Step {
  const step = STARTED[folder];
  if (step === undefined)
    throw new Error(`local/deployment.ts has no function for ${folder}, which the template starts`);
  return step;
}

/** Parameters of which the pattern of the findings' rule is made. */
const RULE_PARAMETERS = ['MinimumSeverity', 'FindingTypePrefixes'] as const;

/** Did somebody choose which findings the stack takes? Otherwise an event that is played is one that arrived. */
export const choosesFindings = (parameters: Parameters): boolean =>
  RULE_PARAMETERS.some((name) => parameters[name] !== undefined);
