import { readConfig } from '../../../functions/shared/environment.ts';
import type { Parameter, Template } from '../../../scripts/template.ts';
import { environmentOf } from '../../template/agreements.ts';
import { ACCOUNT, REGION, VPC } from './scene.ts';

export type Values = Readonly<Record<string, string>>;

const KEY = `arn:aws:kms:${REGION}:${ACCOUNT}:key/00000000-0000-4000-8000-000000000000`;

/** The choices that give a function the most to do, of whatever parameter. */
const MOST = [
  'contain',
  'true',
  'always',
  'on',
  'after-proof',
  'when-alone',
  'detach',
  'kill',
  'quarantine',
  'stop',
  'close',
];

const most = ({ AllowedValues = [] }: Parameter): string | undefined =>
  MOST.find((choice) => AllowedValues.includes(choice));

/** Everything that can be switched on, a parameter that a later change brings among it. */
function everythingOn({ Parameters }: Template): Values {
  const chosen = Object.entries(Parameters).flatMap(([name, parameter]) => {
    const choice = most(parameter);
    return choice === undefined ? [] : [[name, choice] as const];
  });
  return {
    ...Object.fromEntries(chosen),
    AgentEgress: '10.0.9.0/28',
    AnalystIngress: '10.0.8.7/32',
    NotificationAddress: 'ops@example.com',
    EncryptionKeyArn: KEY,
    VpcIds: VPC,
    PermissionsBoundary: `arn:aws:iam::${ACCOUNT}:policy/boundary`,
    RolePath: '/security/',
  };
}

const CHINA = { 'AWS::Partition': 'aws-cn', 'AWS::Region': 'cn-north-1', 'AWS::URLSuffix': 'amazonaws.com.cn' };

/** How a stack may be deployed. */
export const parameterSets = (template: Template): Readonly<Record<string, Values>> => ({
  defaults: {},
  'everything on': everythingOn(template),
  'VpcIds given': { VpcIds: `vpc-0123456789abcdef0,${VPC}` },
  'a KMS key': { EncryptionKeyArn: KEY },
  'AWS GovCloud (US)': { 'AWS::Partition': 'aws-us-gov', 'AWS::Region': 'us-gov-west-1' },
  China: CHINA,
  'China and a KMS key': {
    ...CHINA,
    EncryptionKeyArn: KEY.replace(`aws:kms:${REGION}`, `aws-cn:kms:${CHINA['AWS::Region']}`),
  },
  'the AWS European Sovereign Cloud': {
    'AWS::Partition': 'aws-eusc',
    'AWS::Region': 'eusc-de-east-1',
    'AWS::URLSuffix': 'amazonaws.eu',
  },
});

/** The options of the functions that are not those of a stack as it comes. */
export function changedOptions(source: Template, values: Values): ReadonlySet<string> {
  const config = (given: Values) => Object.entries(readConfig(environmentOf(source, 'StartResponseFunction', given)));
  const usual = new Map(config({}));
  return new Set(
    config(values).flatMap(([name, value]) =>
      JSON.stringify(value) === JSON.stringify(usual.get(name)) ? [] : [name],
    ),
  );
}
