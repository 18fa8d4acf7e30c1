import { globSync, readFileSync } from 'node:fs';
import { ERROR_NAMES } from '../../functions/core/errors.ts';
import { intake } from '../../functions/core/intake/intake.ts';
import type { ReportVerdict } from '../../functions/core/report/report.ts';
import type { RestoreReport } from '../../functions/core/report/restore-report.ts';
import { readConfig } from '../../functions/shared/environment.ts';
import { type MachineDefinition, STEPS, type StateDefinition, statesOf } from '../../local/definitions.ts';
import { deployedFolders } from '../../scripts/bundled-commands.ts';
import { matches } from '../../scripts/event-pattern.ts';
import {
  folderOf,
  isMap,
  listOf,
  type Node,
  type NodeMap,
  parseTemplate,
  type Resource,
  resolve,
  resourcesOf,
  type Template,
  text,
} from '../../scripts/template.ts';

/** Everything that must agree, as texts and values: a test breaks one of them and looks who notices. */
export interface Project {
  readonly template: Template;
  readonly machines: Readonly<Record<'respond' | 'restore', MachineDefinition>>;
  readonly folders: readonly string[];
  /** Which folder the local runner puts behind each placeholder. */
  readonly steps: Readonly<Record<string, string>>;
  readonly errorNames: readonly string[];
  /** functions/**, by path. */
  readonly sources: ReadonlyMap<string, string>;
  /** The name of the file that build.mjs makes of each handler, without its ending. */
  readonly bundleFile: string;
  /** events/*.json, by file name. */
  readonly events: ReadonlyMap<string, NodeMap>;
}

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

export const TEMPLATE_TEXT = read('template.yaml');

export const PROJECT: Project = {
  template: parseTemplate(TEMPLATE_TEXT),
  machines: {
    respond: JSON.parse(read('statemachine/respond.asl.json')) as MachineDefinition,
    restore: JSON.parse(read('statemachine/restore.asl.json')) as MachineDefinition,
  },
  folders: deployedFolders(),
  steps: Object.fromEntries(Object.entries(STEPS).map(([placeholder, { name }]) => [placeholder, name])),
  errorNames: Object.values(ERROR_NAMES),
  sources: new Map(globSync('functions/**/*.ts').map((path) => [path, read(path)])),
  bundleFile: /\bout: .*?(\w+)[`']/.exec(read('build.mjs'))?.[1] ?? '',
  events: new Map(
    globSync('events/*.json').map((path) => [path.replace('events/', ''), JSON.parse(read(path)) as NodeMap]),
  ),
};

const STATE_MACHINE = 'AWS::Serverless::StateMachine';
const FUNCTION = 'AWS::Serverless::Function';

const mapOf = (node: Node | undefined): NodeMap => (isMap(node) ? node : {});

const machineNameOf = (resource: Resource): 'respond' | 'restore' | null => {
  const name = /^statemachine\/(respond|restore)\.asl\.json$/.exec(text(resource.Properties['DefinitionUri']))?.[1];
  return name === 'respond' || name === 'restore' ? name : null;
};

function tasksOf(definition: MachineDefinition): readonly (readonly [string, StateDefinition])[] {
  return [...statesOf(definition)].filter(([, state]) => state.Type === 'Task');
}

const placeholderIn = (state: StateDefinition): string => /^\$\{(\w+)\}$/.exec(state.Resource ?? '')?.[1] ?? '';

const targetOf = (node: Node | undefined): string => text(mapOf(node)['Fn::GetAtt']).replace(/\.Arn$/, '');

/** One state machine of the template <-> its definition <-> the local runner. */
function machineProblems({ template, machines, steps }: Project, id: string, resource: Resource): readonly string[] {
  const machine = machineNameOf(resource);
  if (machine === null) return [`${id}: ${text(resource.Properties['DefinitionUri'])} is no file of statemachine/`];
  const file = `${machine}.asl.json`;
  const tasks = tasksOf(machines[machine]);
  const substitutions = mapOf(resource.Properties['DefinitionSubstitutions']);
  const roleId = targetOf(resource.Properties['Role']);
  const invokable = JSON.stringify(template.Resources[roleId]?.Properties['Policies'] ?? null);
  return [
    ...tasks
      .filter(([, state]) => substitutions[placeholderIn(state)] === undefined)
      .map(([name, state]) => `${file}, "${name}": template.yaml puts nothing in for ${placeholderIn(state)}`),
    ...tasks
      .filter(([, state]) => steps[placeholderIn(state)] === undefined)
      .map(([name, state]) => `${file}, "${name}": local/definitions.ts has no step for ${placeholderIn(state)}`),
    ...Object.keys(substitutions)
      .filter((placeholder) => !tasks.some(([, state]) => placeholderIn(state) === placeholder))
      .map((placeholder) => `${id} puts something in for ${placeholder}, which no task of ${file} has`),
    ...Object.entries(substitutions).flatMap(([placeholder, value]) => {
      const functionId = targetOf(value);
      const target = template.Resources[functionId];
      if (target === undefined) return [`${id}: ${placeholder} is ${functionId}, which template.yaml does not declare`];
      const [folder, step] = [folderOf(target), steps[placeholder]];
      return [
        ...(step === undefined || step === folder
          ? []
          : [`${placeholder}: template.yaml runs ${folder}, local/definitions.ts runs ${step}`]),
        ...(invokable.includes(`"${functionId}.Arn"`) ? [] : [`${roleId} may not invoke ${functionId}`]),
      ];
    }),
  ];
}

/** template.yaml <-> statemachine/*.asl.json <-> functions/ <-> local/definitions.ts */
export function placeholderProblems(project: Project): readonly string[] {
  const { template, folders } = project;
  const deployed = resourcesOf(template, FUNCTION).map(([id, resource]) => [id, folderOf(resource)] as const);
  return [
    ...resourcesOf(template, STATE_MACHINE).flatMap(([id, resource]) => machineProblems(project, id, resource)),
    ...deployed
      .filter(([, folder]) => !folders.includes(folder))
      .map(([id, folder]) => `${id}: there is no functions/${folder}/handler.ts`),
    ...folders
      .filter((folder) => !deployed.some(([, other]) => other === folder))
      .map((folder) => `functions/${folder}/handler.ts: template.yaml has no such function`),
  ];
}

/** template.yaml <-> what each handler.ts exports, under the file name that build.mjs gives every bundle */
export function handlerProblems({ template, sources, bundleFile }: Project): readonly string[] {
  const everywhere = mapOf(template.Globals['Function'])['Handler'];
  return resourcesOf(template, FUNCTION).flatMap(([id, resource]) => {
    const called = text(resource.Properties['Handler'] ?? everywhere);
    const path = `functions/${folderOf(resource)}/handler.ts`;
    const exported = /export const (\w+) =/.exec(sources.get(path) ?? '')?.[1] ?? 'nothing';
    if (called === `${bundleFile}.${exported}`) return [];
    return [`${id} calls ${called}, ${path} exports ${exported} and build.mjs writes ${bundleFile}`];
  });
}

/** Where events end that could not be delivered, read or started <-> the queue that the alarm watches */
export function deadLetterProblems({ template }: Project): readonly string[] {
  const { Resources } = template;
  const start = Resources['StartResponseFunction']?.Properties;
  const rule = mapOf(mapOf(mapOf(start?.['Events'])['Finding'])['Properties']);
  const onFailure = mapOf(mapOf(mapOf(start?.['EventInvokeConfig'])['DestinationConfig'])['OnFailure']);
  const [watched] = listOf(Resources['DeadLettersAlarm']?.Properties['Dimensions']);
  const queue = text(mapOf(mapOf(watched)['Value'])['Fn::GetAtt']).replace(/\.QueueName$/, '');
  const ends = {
    'what the rule cannot deliver': text(mapOf(mapOf(rule['DeadLetterConfig'])['Arn'])['Fn::GetAtt']),
    'what start-response fails on': text(mapOf(onFailure['Destination'])['Fn::GetAtt']),
  };
  return [
    ...(Resources[queue]?.Type === 'AWS::SQS::Queue' ? [] : [`DeadLettersAlarm watches ${queue}, which is no queue`]),
    ...Object.entries(ends)
      .filter(([, end]) => end !== `${queue}.Arn`)
      .map(([what, end]) => `${what} goes to ${end || 'nowhere'}, DeadLettersAlarm watches ${queue}`),
  ];
}

/** A function may run as long as each state that calls it waits: it counts its time from its own Timeout. */
export function timeoutProblems({ template, machines }: Project): readonly string[] {
  return resourcesOf(template, STATE_MACHINE).flatMap(([, resource]) => {
    const machine = machineNameOf(resource);
    if (machine === null) return [];
    const substitutions = mapOf(resource.Properties['DefinitionSubstitutions']);
    return tasksOf(machines[machine]).flatMap(([name, state]) => {
      const functionId = targetOf(substitutions[placeholderIn(state)]);
      const timeout = template.Resources[functionId]?.Properties['Timeout'];
      if (timeout === undefined || timeout === state['TimeoutSeconds']) return [];
      return [`${functionId} has Timeout ${text(timeout)}, "${name}" waits ${text(state['TimeoutSeconds'])} s for it`];
    });
  });
}

/** statemachine/*.asl.json <-> functions/core/errors.ts */
export function errorNameProblems({ machines, errorNames }: Project): readonly string[] {
  return Object.entries(machines).flatMap(([machine, definition]) => {
    const found = [...statesOf(definition)].flatMap(([name, state]) => {
      const compared = [...listOf(state['Retry'] as Node), ...listOf(state['Catch'] as Node)];
      const names = compared.flatMap((entry) => listOf(mapOf(entry)['ErrorEquals'])).map(text);
      return names
        .filter((error) => !/^(States|Lambda)\.\w+$/.test(error) && !errorNames.includes(error))
        .map((error) => `${machine}.asl.json, "${name}": functions/core/errors.ts has no error named ${error}`);
    });
    const first = JSON.stringify(definition.States[definition.StartAt] ?? null);
    return first.includes(`"${ERROR_NAMES.input}"`) && errorNames.includes(ERROR_NAMES.input)
      ? found
      : [...found, `${machine}.asl.json: the first state does not tell ${ERROR_NAMES.input} from a failure`];
  });
}

const patternOf = (template: Template, values: Readonly<Record<string, string>> = {}): NodeMap => {
  const events = mapOf(template.Resources['StartResponseFunction']?.Properties['Events']);
  return mapOf(resolve(template, mapOf(mapOf(events['Finding'])['Properties'])['Pattern'] ?? null, values));
};

export const ruleMatches = (
  { template }: Project,
  event: NodeMap,
  values: Readonly<Record<string, string>> = {},
): boolean => matches(patternOf(template, values), event);

/** The rule's pattern <-> functions/core/intake/intake.ts <-> events/ */
export function eventProblems(project: Project): readonly string[] {
  return [...project.events]
    .filter(([name]) => name.startsWith('guardduty-'))
    .flatMap(([name, event]) => {
      const taken = intake(event);
      // A finding that should be contained and names no instance must arrive too: an alarm tells people of it.
      const matters = taken.kind !== 'ignored' || taken.reason.startsWith('NO INSTANCE NAMED');
      if (!matters || ruleMatches(project, event)) return [];
      return [`events/${name}: intake would act on it (${taken.kind}), the rule in template.yaml does not match it`];
    });
}

const variablesOf = (node: Node | undefined): NodeMap => mapOf(mapOf(mapOf(node)['Environment'])['Variables']);

const globalVariables = (template: Template): NodeMap => variablesOf(template.Globals['Function']);

/** The environment of one function as it is deployed. */
export function environmentOf(
  template: Template,
  functionId: string,
  values: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const own = variablesOf(template.Resources[functionId]?.Properties);
  const resolved = mapOf(resolve(template, { ...globalVariables(template), ...own }, values));
  return {
    AWS_REGION: 'eu-central-1',
    ...Object.fromEntries(Object.entries(resolved).map(([k, v]) => [k, text(v)])),
  };
}

/** Variables that only the function with this SDK command gets. */
const FOR_COMMAND: Readonly<Record<string, string>> = {
  FLOWCUT_RESPOND_STATE_MACHINE_ARN: 'sfn:StartExecution',
  FLOWCUT_TOPIC_ARN: 'sns:Publish',
};

/** template.yaml <-> functions/shared/environment.ts and lambda.ts */
export function environmentProblems(
  { template, sources }: Project,
  commands: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const isRead = new Set([...sources.values()].flatMap((source) => source.match(/FLOWCUT_\w+/g) ?? []));
  const everywhere = Object.keys(globalVariables(template));
  const functions = resourcesOf(template, FUNCTION);
  const somewhere = functions.flatMap(([, { Properties }]) => Object.keys(variablesOf(Properties)));
  const problems = [...everywhere, ...somewhere]
    .filter((name) => !isRead.has(name))
    .map((name) => `template.yaml sets ${name}, which no file of functions/ reads`);
  for (const name of isRead) {
    const command = FOR_COMMAND[name];
    if (command === undefined) {
      if (!everywhere.includes(name))
        problems.push(`functions/ reads ${name}, which template.yaml does not set for all`);
      continue;
    }
    for (const [id, resource] of functions) {
      const needs = commands.get(folderOf(resource))?.includes(command) ?? false;
      const has = name in variablesOf(resource.Properties);
      if (needs && !has) problems.push(`${id} has ${command} in its bundle, and no ${name} in template.yaml`);
      if (!needs && has) problems.push(`${id} has ${name} in template.yaml, and no ${command} in its bundle`);
    }
  }
  return problems;
}

/** The limits of the parameters <-> those of functions/shared/environment.ts: what may be chosen is accepted at run time. */
export function parameterProblems({ template }: Project): readonly string[] {
  const accepts = (name: string, value: string): string[] => {
    try {
      readConfig(environmentOf(template, 'StartResponseFunction', { [name]: value }));
      return [];
    } catch (error) {
      return [`template.yaml allows ${name} = ${value}, the functions refuse it: ${text(error)}`];
    }
  };
  const problems = Object.entries(template.Parameters).flatMap(([name, parameter]) => {
    const { MinValue, MaxValue, AllowedValues = [], Default } = parameter;
    const choices = [...AllowedValues, MinValue, MaxValue, Default].filter((value) => value !== undefined);
    return [...new Set(choices.map(text))].flatMap((value) => accepts(name, value));
  });
  const deployed = readConfig(environmentOf(template, 'StartResponseFunction'));
  const { linux, windows } = deployed.hostDocuments;
  const bare = readConfig({
    FLOWCUT_ACCOUNT_ID: deployed.accountId,
    AWS_REGION: deployed.region,
    FLOWCUT_LINUX_DOCUMENT: linux,
    FLOWCUT_WINDOWS_DOCUMENT: windows,
  });
  const stackOwn = ['respondStateMachineArn', 'topicArn', 'flowLogBucketArn'];
  const differing = Object.entries(bare).filter(
    ([key, value]) =>
      !stackOwn.includes(key) &&
      JSON.stringify(value) !== JSON.stringify((deployed as unknown as Record<string, unknown>)[key]),
  );
  return [
    ...problems,
    ...differing.map(([key]) => `${key}: the default in template.yaml is not that of functions/shared/environment.ts`),
  ];
}

/** Every verdict that a report can have: the compiler keeps it complete. */
const VERDICTS: Readonly<Record<ReportVerdict, true>> = {
  contained: true,
  held: true,
  'not-proven': true,
  leaking: true,
  planned: true,
  refused: true,
  ignored: true,
};

/** Every end that a restore can have. */
const OUTCOMES: Readonly<Record<RestoreReport['kind'], true>> = {
  restored: true,
  'partly-restored': true,
  refused: true,
  failed: true,
};

/** Metrics of AWS that are used, with the dimension that they have. */
const AWS_METRICS: Readonly<Record<string, string>> = {
  'AWS/Lambda Errors': 'FunctionName',
  'AWS/SQS ApproximateNumberOfMessagesVisible': 'QueueName',
  'AWS/States ExecutionsAborted': 'StateMachineArn',
  'AWS/States ExecutionsFailed': 'StateMachineArn',
  'AWS/States ExecutionsStarted': 'StateMachineArn',
  'AWS/States ExecutionsSucceeded': 'StateMachineArn',
  'AWS/States ExecutionsTimedOut': 'StateMachineArn',
};

/** What no filter may ever count: that there is no data is what its alarm looks at. */
const NEVER_COUNTED = 'flowcut NeverCounted';

interface Metric {
  readonly who: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

const metricName = (metric: NodeMap): string =>
  `${text(metric['Namespace'] ?? metric['MetricNamespace'])} ${text(metric['MetricName'])}`;

const dimensionsOf = (metric: NodeMap, key: 'Name' | 'Key'): Readonly<Record<string, string>> =>
  Object.fromEntries(
    listOf(metric['Dimensions']).map((entry) => [text(mapOf(entry)[key]), text(mapOf(entry)['Value'])]),
  );

function watchedMetrics(template: Template): readonly Metric[] {
  const alarms = resourcesOf(template, 'AWS::CloudWatch::Alarm').flatMap(([id, { Properties }]) => {
    const alarm = mapOf(resolve(template, Properties));
    const stats = listOf(alarm['Metrics']).map((entry) => mapOf(mapOf(mapOf(entry)['MetricStat'])['Metric']));
    const metrics = alarm['MetricName'] === undefined ? stats.filter((metric) => 'MetricName' in metric) : [alarm];
    return metrics.map((metric) => ({ who: id, name: metricName(metric), dimensions: dimensionsOf(metric, 'Name') }));
  });
  const widgets = listOf(dashboard(template)['widgets']).flatMap((widget) => {
    return listOf(mapOf(mapOf(widget)['properties'])['metrics']).map((entry) => {
      const [namespace, metric, ...rest] = listOf(entry).filter((part) => typeof part === 'string');
      const dimensions = rest.length === 0 ? {} : { [text(rest[0])]: text(rest[1]) };
      return { who: 'Dashboard', name: `${text(namespace)} ${text(metric)}`, dimensions };
    });
  });
  return [...alarms, ...widgets];
}

export function dashboard(template: Template): NodeMap {
  const body = resolve(template, template.Resources['Dashboard']?.Properties['DashboardBody'] ?? null);
  return mapOf(JSON.parse(text(body)) as Node);
}

/** The metric filters, resolved, by logical id. */
export function metricFilters(
  template: Template,
): readonly { readonly id: string; readonly pattern: string; readonly transformation: NodeMap }[] {
  return resourcesOf(template, 'AWS::Logs::MetricFilter').map(([id, { Properties }]) => {
    const filter = mapOf(resolve(template, Properties));
    return {
      id,
      pattern: text(filter['FilterPattern']),
      transformation: mapOf(listOf(filter['MetricTransformations'])[0]),
    };
  });
}

/** Alarms and dashboard <-> metric filters and the metrics of AWS <-> functions/core/report/report.ts */
export function metricProblems({ template }: Project): readonly string[] {
  // Two filters may count one metric; by the same dimension, then.
  const ours = Map.groupBy(metricFilters(template), ({ transformation }) => metricName(transformation));
  const watched = watchedMetrics(template);
  const problems = watched.flatMap(({ who, name, dimensions }) => {
    if (name === NEVER_COUNTED) return ours.has(name) ? [`${who} watches for no data, and ${name} is counted`] : [];
    const counted = ours
      .get(name)
      ?.map(({ transformation }) => Object.keys(dimensionsOf(transformation, 'Key')).join());
    const expected = counted ?? (AWS_METRICS[name] === undefined ? [] : [AWS_METRICS[name]]);
    if (expected.length === 0) return [`${who} watches ${name}, which no metric filter of template.yaml makes`];
    const given = Object.keys(dimensions).join();
    const other = expected.find((by) => by !== given);
    if (other !== undefined) return [`${who} watches ${name} by "${given}", it is counted by "${other}"`];
    const { Verdict, Outcome } = dimensions;
    if (Outcome !== undefined && !(Outcome in OUTCOMES))
      return [`${who} watches the outcome ${Outcome}, which functions/core/report/restore-report.ts does not have`];
    if (Verdict === undefined || Verdict in VERDICTS) return [];
    return [`${who} watches the verdict ${Verdict}, which functions/core/report/report.ts does not have`];
  });
  const unwatched = [...ours.keys()].filter((name) => !watched.some((metric) => metric.name === name));
  const shown = watched.flatMap(({ who, dimensions }) => (who === 'Dashboard' ? (dimensions['Verdict'] ?? []) : []));
  const hidden = Object.keys(VERDICTS).filter((verdict) => !shown.includes(verdict));
  return [
    ...problems,
    ...unwatched.map((name) => `no alarm and no widget watches ${name}`),
    ...hidden.map((verdict) => `the dashboard does not show the verdict ${verdict} of functions/core/report/report.ts`),
  ];
}

/** The Interface groups <-> the parameters: each has its place and its label. */
export function interfaceProblems({ template }: Project): readonly string[] {
  const form = mapOf(template.Metadata['AWS::CloudFormation::Interface']);
  const grouped = listOf(form['ParameterGroups']).flatMap((group) => listOf(mapOf(group)['Parameters']).map(text));
  const labelled = Object.keys(mapOf(form['ParameterLabels']));
  const declared = Object.keys(template.Parameters);
  return [
    ...declared.filter((name) => !grouped.includes(name)).map((name) => `${name} is in no group of the Interface`),
    ...declared.filter((name) => !labelled.includes(name)).map((name) => `${name} has no label in the Interface`),
    ...[...grouped, ...labelled]
      .filter((name) => !declared.includes(name))
      .map((name) => `the Interface names ${name}, which is no parameter`),
  ];
}
