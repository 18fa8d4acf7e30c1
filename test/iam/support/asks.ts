import type { ServiceMemory } from '../../../local/memory-slots.ts';
import type { CallInfo } from '../../../local/world/api/middleware.ts';
import type { ApiState } from '../../../local/world/api/shapes.ts';
import { EC2_ASKS } from './asks-ec2.ts';
import { RECORDED_NAMES } from './policies.ts';
import type { Ask } from './records.ts';
import { type Asker, arn, at, generic, listAt, type Scene, textAt } from './scene.ts';

/** The leading key of an item, and the table. */
function item(action: string, scene: Scene, input: unknown, key: unknown): Ask {
  const leading = at(key, 'pk', 'S');
  const table = textAt(input, 'TableName');
  return {
    action: `dynamodb:${action}`,
    resource: arn(scene, 'dynamodb', `table/${table}`),
    context: typeof leading === 'string' ? { 'dynamodb:LeadingKeys': [leading] } : {},
  };
}

/** A transaction is authorised as what is in it. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html */
const PARTS_OF_TRANSACTION = {
  Put: ['PutItem', 'Item'],
  Update: ['UpdateItem', 'Key'],
  Delete: ['DeleteItem', 'Key'],
  ConditionCheck: ['ConditionCheckItem', 'Key'],
  Get: ['GetItem', 'Key'],
} as const;

const transaction: Asker = (input, scene) =>
  listAt(input, 'TransactItems').flatMap((part) =>
    Object.entries(PARTS_OF_TRANSACTION).flatMap(([name, [action, key]]) => {
      const given = at(part, name);
      return given === undefined ? [] : [item(action, scene, given, at(given, key))];
    }),
  );

/** The value that `pk = :name` compares with. */
const query: Asker = (input, scene) => {
  const name = /\bpk = (:\w+)/.exec(textAt(input, 'KeyConditionExpression'))?.[1] ?? '';
  return [item('Query', scene, input, { pk: at(input, 'ExpressionAttributeValues', name) })];
};

const keyed =
  (action: string, member: 'Item' | 'Key'): Asker =>
  (input, scene) => [item(action, scene, input, at(input, member))];

const scalingGroup =
  (action: string): Asker =>
  (input, scene) => {
    const name = textAt(input, 'AutoScalingGroupName');
    const uuid = '00000000-0000-4000-8000-000000000000';
    const resource = arn(scene, 'autoscaling', `autoScalingGroup:${uuid}:autoScalingGroupName/${name}`);
    return [{ action: `autoscaling:${action}`, resource, context: {} }];
  };

const targetGroup =
  (action: string): Asker =>
  (input) => [{ action: `elasticloadbalancing:${action}`, resource: textAt(input, 'TargetGroupArn'), context: {} }];

const classicBalancer =
  (action: string): Asker =>
  (input, scene) => [
    {
      action: `elasticloadbalancing:${action}`,
      resource: arn(scene, 'elasticloadbalancing', `loadbalancer/${textAt(input, 'LoadBalancerName')}`),
      context: {},
    },
  ];

const named =
  (action: string, member: string): Asker =>
  (input) => [{ action, resource: textAt(input, member), context: {} }];

/** Runs name the documents as CloudFormation does, by their logical ids: they are the two of the stack. */
const documentOf = (name: string): string =>
  name.replace(/^\w+-(Linux|Windows)Document(-\w+)?$/, (_, platform: 'Linux' | 'Windows') =>
    textAt(RECORDED_NAMES, `${platform}Document`),
  );

/** A document of the account by its name, and each instance. */
const sendCommand: Asker = (input, scene) => [
  {
    action: 'ssm:SendCommand',
    resource: arn(scene, 'ssm', `document/${documentOf(textAt(input, 'DocumentName'))}`),
    context: {},
  },
  ...listAt(input, 'InstanceIds').map((id) => ({
    action: 'ssm:SendCommand',
    resource: arn(scene, 'ec2', `instance/${String(id)}`),
    context: {},
  })),
];

/** An error of IAM names the resource like this: the log group, and a log stream without a name. */
const logGroup: Asker = (input, scene) => [
  {
    action: 'logs:FilterLogEvents',
    resource: arn(scene, 'logs', `log-group:${textAt(input, 'logGroupName')}:log-stream:`),
    context: {},
  },
];

/** Buckets have no Region and no account in their ARN; CloudFormation makes a name unique by both. */
const bucketArn = (input: unknown): string =>
  `arn:aws:s3:::${textAt(input, 'Bucket').replace(/^(flowcut-flowlogbucket)-.*$/, '$1')}`;

const listBucket: Asker = (input) => [{ action: 's3:ListBucket', resource: bucketArn(input), context: {} }];

/** One of the many files of a day stands for all. */
const getObject: Asker = (input) => {
  const key = textAt(input, 'Key').replace(/\/\d{4}\/\d\d\/\d\d\/[^/]+$/, '/2026/01/15/a.log.gz');
  return [{ action: 's3:GetObject', resource: `${bucketArn(input)}/${key}`, context: {} }];
};

/**
 * What IAM is asked for each API whose action knows resources. An API that is not here is asked about with `*`, which the
 * suite admits only where the Service Authorization Reference knows no resource for the action.
 */
export const ASKS: Readonly<Record<string, Asker>> = {
  ...EC2_ASKS,
  'dynamodb:GetItem': keyed('GetItem', 'Key'),
  'dynamodb:PutItem': keyed('PutItem', 'Item'),
  'dynamodb:UpdateItem': keyed('UpdateItem', 'Key'),
  'dynamodb:DeleteItem': keyed('DeleteItem', 'Key'),
  'dynamodb:Query': query,
  'dynamodb:TransactWriteItems': transaction,
  'dynamodb:TransactGetItems': transaction,
  'autoscaling:AttachInstances': scalingGroup('AttachInstances'),
  'autoscaling:DetachInstances': scalingGroup('DetachInstances'),
  'autoscaling:EnterStandby': scalingGroup('EnterStandby'),
  'autoscaling:ExitStandby': scalingGroup('ExitStandby'),
  'elbv2:DeregisterTargets': targetGroup('DeregisterTargets'),
  'elbv2:RegisterTargets': targetGroup('RegisterTargets'),
  'elb:DeregisterInstancesFromLoadBalancer': classicBalancer('DeregisterInstancesFromLoadBalancer'),
  'elb:RegisterInstancesWithLoadBalancer': classicBalancer('RegisterInstancesWithLoadBalancer'),
  'states:StartExecution': named('states:StartExecution', 'stateMachineArn'),
  'states:DescribeExecution': named('states:DescribeExecution', 'executionArn'),
  'sns:Publish': named('sns:Publish', 'TopicArn'),
  'ssm:SendCommand': sendCommand,
  'logs:FilterLogEvents': logGroup,
  's3:GetObject': getObject,
  's3:ListObjectsV2': listBucket,
};

/** What IAM is asked about a call, with ids that are the same for all calls of a kind; null = the table has no line for it. */
export function asksOf(
  { service, call, input }: CallInfo,
  state: ApiState,
  memory: ServiceMemory,
): readonly Ask[] | null {
  const asker = ASKS[`${service}:${call}`];
  const scene = { state, memory };
  return asker === undefined ? null : asker(input, scene).map((ask) => generic(ask, scene));
}
