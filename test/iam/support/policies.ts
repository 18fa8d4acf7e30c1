import {
  isMap,
  listOf,
  type Node,
  type NodeMap,
  resolve,
  resourcesOf,
  roleIdOf,
  type Template,
  text,
} from '../../../scripts/template.ts';
import type { Values } from './parameters.ts';
import { ACCOUNT, REGION } from './scene.ts';

export interface Policy {
  readonly name: string;
  readonly document: NodeMap;
}

/** A function with its role and all that the role may do. */
export interface Deployed {
  /** The folder under functions/. */
  readonly folder: string;
  readonly roleId: string;
  readonly policies: readonly Policy[];
}

/** The names that the recorded runs have for what the stack makes: docs of `localConfig` and `localToolbox`. */
export const RECORDED_NAMES: Values = {
  CaseTable: 'flowcut-cases',
  NotificationTopic: 'flowcut',
  LinuxDocument: 'flowcut-host-linux',
  WindowsDocument: 'flowcut-host-windows',
  FlowLogBucket: 'flowcut-flowlogbucket',
};

type Identity = (at: string, name: string) => { readonly ref: string; readonly arn: string };

const lambda: Identity = (at, name) => ({ ref: name, arn: `arn:aws:lambda:${at}:function:${name}` });

/** What `Ref` and `Arn` of a resource are. One whose type is not here is known by its logical id, which no call names. */
const IDENTITIES: Readonly<Record<string, Identity>> = {
  'AWS::DynamoDB::Table': (at, name) => ({ ref: name, arn: `arn:aws:dynamodb:${at}:table/${name}` }),
  'AWS::SNS::Topic': (at, name) => ({ ref: `arn:aws:sns:${at}:${name}`, arn: `arn:aws:sns:${at}:${name}` }),
  'AWS::SQS::Queue': (at, name) => ({ ref: name, arn: `arn:aws:sqs:${at}:${name}` }),
  'AWS::Lambda::Function': lambda,
  'AWS::Serverless::Function': lambda,
  'AWS::Logs::LogGroup': (at, name) => ({ ref: name, arn: `arn:aws:logs:${at}:log-group:${name}:*` }),
  'AWS::S3::Bucket': (_, name) => ({ ref: name, arn: `arn:aws:s3:::${name}` }),
  'AWS::IAM::Role': (_, name) => ({ ref: name, arn: `arn:aws:iam::${ACCOUNT}:role/${name}` }),
  'AWS::IAM::ManagedPolicy': (_, name) => ({
    ref: `arn:aws:iam::${ACCOUNT}:policy/${name}`,
    arn: `arn:aws:iam::${ACCOUNT}:policy/${name}`,
  }),
  'AWS::SSM::Document': (_, name) => ({ ref: name, arn: name }),
};

/** A text with the resources of the stack by their names: `<CaseTable.Arn>` is its ARN. */
function withNames(value: string, { Resources }: Template, at: string, partition: string): string {
  return value.replaceAll(/<(\w+)(?:\.(\w+))?>/g, (_, id: string, attribute?: string) => {
    const name = RECORDED_NAMES[id] ?? `flowcut-${id}`;
    const identity = IDENTITIES[Resources[id]?.Type ?? '']?.(at, name) ?? { ref: name, arn: name };
    const found = attribute === 'Arn' ? identity.arn : identity.ref;
    return found.replace(/^arn:aws:/, `arn:${partition}:`);
  });
}

/** The logical ids of the policies that are attached under these values. */
const policyIds = (template: Template, properties: NodeMap, values: Values): readonly string[] =>
  listOf(resolve(template, properties['ManagedPolicyArns'] ?? [], values)).map((policy) =>
    text(policy).replace(/^<|>$/g, ''),
  );

/** The policies of one role, as a deployment with these values gives them. */
export function policiesOf(template: Template, roleId: string, values: Values): readonly Policy[] {
  const at = `${values['AWS::Region'] ?? REGION}:${ACCOUNT}`;
  const partition = values['AWS::Partition'] ?? 'aws';
  const properties = template.Resources[roleId]?.Properties;
  if (properties === undefined) throw new Error(`the template has no role ${roleId}`);
  const own = listOf(properties['Policies']).flatMap((policy): readonly (readonly [string, Node])[] =>
    isMap(policy) ? [[roleId, policy['PolicyDocument'] ?? null]] : [],
  );
  const shared = policyIds(template, properties, values).map((id) => {
    const managed = template.Resources[id];
    if (managed === undefined) throw new Error(`${roleId} has the policy ${id}, which this template does not hold`);
    return [id, managed.Properties['PolicyDocument'] ?? null] as const;
  });
  return [...own, ...shared].map(([name, document]) => {
    const resolved = JSON.stringify(resolve(template, document, values));
    return { name, document: JSON.parse(withNames(resolved, template, at, partition)) as NodeMap };
  });
}

const FUNCTION_TYPES = ['AWS::Lambda::Function', 'AWS::Serverless::Function'];

/** `dist/<folder>/`, or what became of it. */
function folderOf(properties: NodeMap): string {
  const code = properties['CodeUri'] ?? properties['Code'];
  const place = isMap(code) ? text(code['S3Key']) : text(code);
  return place.replace(/^dist\/|\.zip$|\/$/g, '');
}

/** Every function with what its role may do. */
export const functionsOf = (template: Template, values: Values): readonly Deployed[] =>
  FUNCTION_TYPES.flatMap((type) => resourcesOf(template, type)).map(([, resource]) => {
    const roleId = roleIdOf(resource);
    return { folder: folderOf(resource.Properties), roleId, policies: policiesOf(template, roleId, values) };
  });

/** Every policy document of the stack that belongs to a role, by the resource that holds it. */
export function allPolicies(template: Template, values: Values): readonly Policy[] {
  const roles = resourcesOf(template, 'AWS::IAM::Role').map(([id]) => id);
  const found = roles.flatMap((id) => policiesOf(template, id, values));
  return [...new Map(found.map((policy) => [JSON.stringify(policy), policy])).values()];
}
