import { beforeAll, describe, expect, it } from 'vitest';
import { motoPython } from '../../scripts/moto-server.ts';
import { listOf, type NodeMap, readTemplate, type Template } from '../../scripts/template.ts';
import { transformed } from '../../scripts/transformed.ts';
import { parameterSets, type Values } from '../iam/support/parameters.ts';
import { allPolicies, RECORDED_NAMES } from '../iam/support/policies.ts';
import { runStack, type StackState, type StackSteps } from './support/stack.ts';

/**
 * Types that moto's CloudFormation does not make. Of those that it makes it does some otherwise: docs/held-to.md tells which.
 */
const NOT_MADE = [
  'AWS::CloudWatch::Alarm',
  'AWS::Lambda::EventInvokeConfig',
  'AWS::Logs::MetricFilter',
  'AWS::S3::BucketPolicy',
  'AWS::SNS::Subscription',
  'AWS::SNS::TopicPolicy',
  'AWS::SQS::QueuePolicy',
];

const python = motoPython();
const source = readTemplate();
const { 'everything on': everythingOn = {} } = parameterSets(source);

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The statements of all roles and policies in one order, with the resources of the stack by the names that the simulation has for them. */
function statementsIn({ roles, policies, resources }: StackState): readonly string[] {
  const names = resources.map(
    ({ id, name }) => [id, name?.split(/[/:]/).at(-1) ?? '', RECORDED_NAMES[id] ?? `flowcut-${id}`] as const,
  );
  const renamed = names
    // A name that the template gives is the same everywhere; a bucket's is in small letters, and moto names documents by UUIDs.
    .filter(([id, name]) => name.toLowerCase().includes(id.toLowerCase()) || UUID.test(name))
    .reduce(
      (all, [, name, ours]) => all.replaceAll(name, ours),
      JSON.stringify([...roles.flatMap(({ documents }) => documents), ...policies]),
    )
    .replaceAll('123456789012', '111122223333')
    // The ARN of a log group ends with it, but not moto's.
    // https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html
    .replaceAll(/:log-group:flowcut-\w+(?=")/g, '$&:*');
  return statements(JSON.parse(renamed) as NodeMap[]);
}

const statements = (documents: readonly NodeMap[]): readonly string[] => {
  const all = documents.flatMap((document) => listOf(document['Statement']));
  return [...new Set(all.map((one) => JSON.stringify(sorted(one))))].sort();
};

/** A list of one is the one; the order of names says nothing. */
function sorted(node: unknown): unknown {
  if (Array.isArray(node)) return node.length === 1 ? sorted(node[0]) : node.map(sorted);
  if (typeof node !== 'object' || node === null) return typeof node === 'boolean' ? String(node) : node;
  return Object.fromEntries(
    Object.entries(node)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => [key, sorted(value)]),
  );
}

describe.skipIf(python === null).each<[string, Values, Values]>([
  ['as it comes', {}, { Mode: 'contain' }],
  ['with everything on', everythingOn, { ...everythingOn, Mode: 'observe' }],
])('the stack %s', (_, values, changed) => {
  let template: Template;
  let steps: StackSteps;
  beforeAll(() => {
    const made = transformed(source);
    if (made === null || python === null) throw new Error('the transform needs the Python that moto has');
    template = made;
    steps = runStack(python, template, values, changed);
  }, 900_000);

  const wanted = (): readonly string[] =>
    Object.entries(template.Resources)
      .filter(
        ([, { Type, Condition }]) => !NOT_MADE.includes(Type) && (Condition === undefined || values === everythingOn),
      )
      .map(([id]) => id)
      .sort();

  it('is created whole, but for what moto does not make', () => {
    const { status, resources, outputs } = steps.created;

    expect(status).toBe('CREATE_COMPLETE');
    expect(resources.map(({ id }) => id).sort()).toEqual(wanted());
    expect(Object.keys(outputs).sort()).toEqual(Object.keys(template.Outputs).sort());
  });

  it('knows every type that moto does not make', () => {
    const types = [...new Set(Object.values(template.Resources).map(({ Type }) => Type))];
    const made = new Set(steps.created.resources.map(({ type }) => type));
    const conditional = new Set(
      Object.values(template.Resources).flatMap(({ Type, Condition }) => (Condition === undefined ? [] : [Type])),
    );

    const missing = types.filter(
      (type) => !made.has(type) && (values === everythingOn || !conditional.has(type) || NOT_MADE.includes(type)),
    );

    expect(missing.sort()).toEqual(NOT_MADE);
  });

  it('has the roles that the simulation takes it to have', () => {
    const simulated = allPolicies(template, values).map(({ document }) => document);

    expect(statementsIn(steps.created)).toEqual(statements(simulated));
  });

  it('puts boundary and path on every role', () => {
    const { roles } = steps.created;

    expect(roles).toHaveLength(
      Object.values(template.Resources).filter(({ Type }) => Type === 'AWS::IAM::Role').length,
    );
    expect(new Set(roles.map(({ path }) => path))).toEqual(new Set([values['RolePath'] ?? '/']));
    expect(new Set(roles.map(({ boundary }) => boundary))).toEqual(new Set([values['PermissionsBoundary'] ?? null]));
  });

  it('is updated when a parameter changes, and every function hears of it', () => {
    const { created, updated } = steps;
    const modes = (state: StackState) => new Set(state.environments.map(({ FLOWCUT_MODE }) => FLOWCUT_MODE));

    expect(updated.status).toBe('UPDATE_COMPLETE');
    expect(updated.resources).toEqual(created.resources);
    expect(modes(created)).toEqual(new Set([values['Mode'] ?? 'observe']));
    expect(modes(updated)).toEqual(new Set([changed['Mode']]));
  });

  it('is deleted, and leaves the case table', () => {
    const { created, deleted } = steps;

    expect(deleted.status).toBe('DELETE_COMPLETE');
    expect(deleted.tables).toEqual(created.tables);
    expect([deleted.roles, deleted.environments, deleted.machines, deleted.documents].flat()).toEqual([]);
  });
});
