import type { Config } from '../functions/core/config.ts';
import { InputError } from '../functions/core/errors.ts';
import { readConfig } from '../functions/shared/environment.ts';
import {
  isMap,
  type Node,
  type NodeMap,
  readTemplate,
  resolve,
  resourcesOf,
  type Template,
  text,
} from '../scripts/template.ts';
import { type Parameters, parseParameters } from './parameters.ts';

/** Where a stack is deployed. */
export interface Place {
  readonly AccountId: string;
  readonly Region: string;
}

let template: Template | null = null;

/** The template as it is deployed, read once. */
export function stackTemplate(): Template {
  template ??= readTemplate();
  return template;
}

/** A `--parameters` file, for the template as it is deployed. */
export const readParameters = (json: unknown): Parameters => parseParameters(stackTemplate(), json);

/** The template's parameters and pseudo parameters, as {@link resolve} takes them. */
export const stackValues = (
  { AccountId, Region }: Place,
  parameters: Parameters,
): Readonly<Record<string, string>> => ({
  ...parameters,
  'AWS::AccountId': AccountId,
  'AWS::Region': Region,
});

const variablesOf = (node: Node | undefined): NodeMap => {
  const environment = isMap(node) ? node['Environment'] : undefined;
  const variables = isMap(environment) ? environment['Variables'] : undefined;
  return isMap(variables) ? variables : {};
};

/** The variables of every function: here one process stands for them all. */
function allVariables({ Globals, Resources }: Template): NodeMap {
  const own = resourcesOf({ Resources } as Template, 'AWS::Serverless::Function').map(([, { Properties }]) =>
    variablesOf(Properties),
  );
  return Object.assign({}, variablesOf(Globals['Function']), ...own) as NodeMap;
}

/** The name that a resource of the stack has once it is deployed. */
function physicalName(id: string, place: Place): string {
  const resource = stackTemplate().Resources[id];
  if (resource?.Type === 'AWS::SNS::Topic') return `arn:aws:sns:${place.Region}:${place.AccountId}:flowcut`;
  // The names of buckets are of everybody, and of small letters.
  if (resource?.Type === 'AWS::S3::Bucket') return `flowcut-${id.toLowerCase()}-${place.AccountId}-${place.Region}`;
  const name = resource?.Properties['Name'];
  return name === undefined ? `flowcut-${id}` : text(resolve(stackTemplate(), name, stackValues(place, {})));
}

/** The environment that the stack gives its functions. */
function stackEnvironment(place: Place, parameters: Parameters): Readonly<Record<string, string>> {
  const values = stackValues(place, parameters);
  const resolved = resolve(stackTemplate(), allVariables(stackTemplate()), values) as NodeMap;
  const entries = Object.entries(resolved).map(([name, value]): [string, string] => [
    name,
    text(value).replaceAll(/<(\w+)(?:\.\w+)?>/g, (_, id: string) => physicalName(id, place)),
  ]);
  return { AWS_REGION: place.Region, ...Object.fromEntries(entries) };
}

/** Which parameter an environment variable is filled from; null = from none. */
function parameterOf(variable: string): string | null {
  const filled = allVariables(stackTemplate())[variable];
  const name = isMap(filled) ? filled['Ref'] : undefined;
  return typeof name === 'string' && Object.hasOwn(stackTemplate().Parameters, name) ? name : null;
}

/**
 * The configuration that a stack with these parameters gives its functions: through the template's own environment, read as
 * the functions read it, so that a parameter means here what it means deployed.
 */
export function stackConfig(place: Place, parameters: Parameters): Config {
  try {
    return readConfig(stackEnvironment(place, parameters));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const parameter = parameterOf(error.field);
    if (parameter === null) throw error;
    throw new InputError(`parameters.${parameter}`, error.message.slice(error.field.length + 2), { cause: error });
  }
}

/**
 * The configuration of a local run: the template's defaults, but it contains, and a network ACL holds as many entries as in
 * the world.
 */
export function localConfig(place: Place & { readonly NaclEntryQuota: number }, parameters: Parameters = {}): Config {
  const config = stackConfig(place, { Mode: 'contain', ...parameters });
  return parameters['AclEntryQuota'] === undefined
    ? { ...config, aclEntriesPerDirection: place.NaclEntryQuota }
    : config;
}
