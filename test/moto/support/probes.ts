import {
  DescribeAutoScalingInstancesCommand,
  EnterStandbyCommand,
  ExitStandbyCommand,
} from '@aws-sdk/client-auto-scaling';
import {
  PutItemCommand,
  paginateQuery,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { DescribeExecutionCommand, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { GetCommandInvocationCommand, SendCommandCommand, type SendCommandCommandInput } from '@aws-sdk/client-ssm';
import type { Ground } from './ground.ts';
import { EC2_PROBES } from './probes-ec2.ts';

/** One call, or a short story of calls, with the answer that AWS documents. Probes run in order, on one account. */
export interface Probe {
  readonly title: string;
  /** The call that decides. */
  readonly call: string;
  /** What it comes to: a text, `undefined` for a plain success; an error counts by its code. */
  readonly run: (ground: Ground) => Promise<unknown>;
  /** `ok`, the code of an error, or the text. */
  readonly aws: string;
  /** Where AWS says so. */
  readonly page: string;
  /** Where moto answers otherwise, and why. */
  readonly moto?: Difference;
  /** Where the embedded world does. */
  readonly world?: Difference;
}

export interface Difference {
  readonly answers: string;
  readonly why: string;
}

const SSM = 'https://docs.aws.amazon.com/systems-manager/latest/APIReference';
const SCALING = 'https://docs.aws.amazon.com/autoscaling/ec2/APIReference';
const DYNAMODB = 'https://docs.aws.amazon.com/amazondynamodb/latest/APIReference';
const STATES = 'https://docs.aws.amazon.com/step-functions/latest/apireference';

const NO_SUCH_INSTANCE = 'i-0123456789abcdef0';

const send = ({ ssm, documentName, instanceId }: Ground, over: Partial<SendCommandCommandInput>): Promise<unknown> =>
  ssm.send(new SendCommandCommand({ DocumentName: documentName, InstanceIds: [instanceId], ...over }));

const SSM_PROBES: readonly Probe[] = [
  {
    title: 'a command for an instance without an agent',
    call: 'SendCommand',
    run: (ground) => send(ground, { InstanceIds: [NO_SUCH_INSTANCE] }),
    aws: 'InvalidInstanceId',
    page: `${SSM}/API_SendCommand.html`,
    moto: { answers: 'ok', why: 'knows no agents: every command succeeds and prints nothing' },
  },
  {
    title: 'a command with a document that is not there',
    call: 'SendCommand',
    run: (ground) => send(ground, { DocumentName: 'flowcut-nothing' }),
    aws: 'InvalidDocument',
    page: `${SSM}/API_SendCommand.html`,
    moto: { answers: 'ok', why: 'asks for no document' },
    world: { answers: 'ok', why: 'holds no documents: every name stands for the script of this project' },
  },
  {
    title: 'a delivery time of less than 30 seconds',
    call: 'SendCommand',
    run: (ground) => send(ground, { TimeoutSeconds: 29 }),
    aws: 'ValidationException',
    page: `${SSM}/API_SendCommand.html`,
    moto: { answers: 'ok', why: 'looks at no range' },
  },
  {
    title: 'the answer to a command that was never sent',
    call: 'GetCommandInvocation',
    run: ({ ssm, instanceId }) =>
      ssm.send(
        new GetCommandInvocationCommand({
          CommandId: '00000000-0000-4000-8000-000000000000',
          InstanceId: instanceId,
        }),
      ),
    aws: 'InvalidCommandId',
    page: `${SSM}/API_GetCommandInvocation.html`,
  },
];

const standby = ({ scaling, groupName, instanceId }: Ground, over: object): Promise<unknown> =>
  scaling.send(
    new EnterStandbyCommand({
      AutoScalingGroupName: groupName,
      InstanceIds: [instanceId],
      ShouldDecrementDesiredCapacity: false,
      ...over,
    }),
  );

const SCALING_PROBES: readonly Probe[] = [
  {
    title: 'the membership of an instance in no group',
    call: 'DescribeAutoScalingInstances',
    run: async ({ scaling }) => {
      const asked = new DescribeAutoScalingInstancesCommand({ InstanceIds: [NO_SUCH_INSTANCE] });
      return `${(await scaling.send(asked)).AutoScalingInstances?.length} members`;
    },
    aws: '0 members',
    page: `${SCALING}/API_DescribeAutoScalingInstances.html`,
  },
  {
    title: 'Standby in a group that is not there',
    call: 'EnterStandby',
    run: (ground) => standby(ground, { AutoScalingGroupName: 'nobody' }),
    aws: 'ValidationError',
    page: `${SCALING}/CommonErrors.html`,
    moto: { answers: 'HTTP 500', why: 'fails inside' },
  },
  {
    title: 'Standby of an instance that the group does not hold',
    call: 'EnterStandby',
    run: (ground) => standby(ground, { InstanceIds: [NO_SUCH_INSTANCE] }),
    aws: 'ValidationError',
    page: `${SCALING}/CommonErrors.html`,
    moto: { answers: 'ok', why: 'passes over it' },
  },
  {
    title: 'Standby without a word about the desired capacity',
    call: 'EnterStandby',
    run: (ground) => standby(ground, { ShouldDecrementDesiredCapacity: undefined }),
    aws: 'ValidationError',
    page: `${SCALING}/API_EnterStandby.html`,
    moto: { answers: 'ok', why: 'takes it as no' },
  },
  {
    title: 'back from Standby beyond the maximum of the group',
    call: 'ExitStandby',
    run: async (ground) => {
      const { scaling, groupName, instanceId } = ground;
      await standby(ground, {});
      await ground.settle();
      await scaling.send(new ExitStandbyCommand({ AutoScalingGroupName: groupName, InstanceIds: [instanceId] }));
    },
    aws: 'ValidationError',
    page: 'https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-enter-exit-standby.html',
    moto: { answers: 'ok', why: 'raises the desired capacity beyond the maximum' },
  },
];

const put = ({ dynamodb, tableName }: Ground, sk: string, over: object = {}): Promise<unknown> =>
  dynamodb.send(
    new PutItemCommand({ TableName: tableName, Item: { pk: { S: 'parity' }, sk: { S: sk }, n: { N: '1' } }, ...over }),
  );

const IS_NEW = { ConditionExpression: 'attribute_not_exists(pk)' };

const update = (ground: Ground, sk: string, UpdateExpression: string, over: object): Promise<unknown> =>
  ground.dynamodb.send(
    new UpdateItemCommand({
      TableName: ground.tableName,
      Key: { pk: { S: 'parity' }, sk: { S: sk } },
      UpdateExpression,
      ...over,
    }),
  );

const transact = ({ dynamodb, tableName }: Ground, sks: readonly string[]): Promise<unknown> =>
  dynamodb.send(
    new TransactWriteItemsCommand({
      TransactItems: sks.map((sk) => ({
        Put: { TableName: tableName, Item: { pk: { S: 'parity' }, sk: { S: sk } }, ...IS_NEW },
      })),
    }),
  );

const DYNAMODB_PROBES: readonly Probe[] = [
  {
    title: 'a new item on the condition that there is none',
    call: 'PutItem',
    run: (ground) => put(ground, 'a', IS_NEW),
    aws: 'ok',
    page: `${DYNAMODB}/API_PutItem.html`,
  },
  {
    title: 'the same again',
    call: 'PutItem',
    run: (ground) => put(ground, 'a', IS_NEW),
    aws: 'ConditionalCheckFailedException',
    page: `${DYNAMODB}/API_PutItem.html`,
  },
  {
    title: 'a change on a condition that is not met',
    call: 'UpdateItem',
    run: (ground) =>
      update(ground, 'a', 'SET n = :new', {
        ConditionExpression: 'n = :old',
        ExpressionAttributeValues: { ':new': { N: '3' }, ':old': { N: '2' } },
      }),
    aws: 'ConditionalCheckFailedException',
    page: `${DYNAMODB}/API_UpdateItem.html`,
  },
  {
    title: 'a reserved word in an expression',
    call: 'UpdateItem',
    run: (ground) => update(ground, 'a', 'SET status = :new', { ExpressionAttributeValues: { ':new': { N: '3' } } }),
    aws: 'ValidationException',
    page: 'https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html',
  },
  {
    title: 'the last member of a set is taken, and the attribute is gone',
    call: 'UpdateItem',
    run: async (ground) => {
      const values = { ExpressionAttributeValues: { ':one': { SS: ['one'] } } };
      await update(ground, 'set', 'ADD members :one', values);
      const asked = { ...values, ReturnValues: 'ALL_NEW' } as const;
      const answer = (await update(ground, 'set', 'DELETE members :one', asked)) as { Attributes?: object };
      return Object.keys(answer.Attributes ?? {})
        .toSorted()
        .join(', ');
    },
    aws: 'pk, sk',
    page: `${DYNAMODB}/API_UpdateItem.html`,
  },
  {
    title: 'an empty set',
    call: 'UpdateItem',
    run: (ground) =>
      update(ground, 'set', 'SET members = :none', { ExpressionAttributeValues: { ':none': { SS: [] } } }),
    aws: 'ValidationException',
    page: 'https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html',
    moto: { answers: 'ok', why: 'keeps it' },
  },
  {
    title: 'two writes in one transaction, one of which may not be',
    call: 'TransactWriteItems',
    run: async (ground) => {
      try {
        return await transact(ground, ['b', 'a']);
      } catch (error) {
        if (!(error instanceof TransactionCanceledException)) throw error;
        return (error.CancellationReasons ?? []).map(({ Code }) => Code).join(', ');
      }
    },
    aws: 'None, ConditionalCheckFailed',
    page: `${DYNAMODB}/API_TransactWriteItems.html`,
  },
  {
    title: 'what a cancelled transaction would have written is not there',
    call: 'TransactWriteItems',
    run: (ground) => transact(ground, ['b']),
    aws: 'ok',
    page: `${DYNAMODB}/API_TransactWriteItems.html`,
  },
  {
    title: 'two writes of one item in one transaction',
    call: 'TransactWriteItems',
    run: (ground) => transact(ground, ['c', 'c']),
    aws: 'ValidationException',
    page: `${DYNAMODB}/API_TransactWriteItems.html`,
  },
  {
    title: 'a long list in pages of two, in order of the sort key',
    call: 'Query',
    run: async (ground) => {
      for (const sk of ['page#4', 'page#1', 'page#3', 'other', 'page#5', 'page#2']) await put(ground, sk);
      const keys: string[] = [];
      let pages = 0;
      for await (const { Items = [] } of paginateQuery(
        { client: ground.dynamodb, pageSize: 2 },
        {
          TableName: ground.tableName,
          KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
          ExpressionAttributeValues: { ':pk': { S: 'parity' }, ':prefix': { S: 'page#' } },
        },
      )) {
        pages += 1;
        keys.push(...Items.map(({ sk }) => sk?.S ?? ''));
      }
      return `${pages} pages: ${keys.join(' ')}`;
    },
    aws: '3 pages: page#1 page#2 page#3 page#4 page#5',
    page: 'https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html',
  },
];

const start = ({ sfn, stateMachineArn }: Ground, over: object): Promise<unknown> =>
  sfn.send(new StartExecutionCommand({ stateMachineArn, name: 'first', input: '{"caseId":1}', ...over }));

const STATES_PROBES: readonly Probe[] = [
  {
    title: 'the same name and input while it runs is the same execution',
    call: 'StartExecution',
    run: async (ground) => {
      const [one, other] = [await start(ground, {}), await start(ground, {})] as { executionArn?: string }[];
      return one?.executionArn === other?.executionArn ? 'the same' : 'another';
    },
    aws: 'the same',
    page: `${STATES}/API_StartExecution.html`,
  },
  {
    title: 'the same name with another input',
    call: 'StartExecution',
    run: (ground) => start(ground, { input: '{"caseId":2}' }),
    aws: 'ExecutionAlreadyExists',
    page: `${STATES}/API_StartExecution.html`,
  },
  {
    title: 'an input that is no JSON',
    call: 'StartExecution',
    run: (ground) => start(ground, { name: 'second', input: 'caseId' }),
    aws: 'InvalidExecutionInput',
    page: `${STATES}/API_StartExecution.html`,
  },
  {
    title: 'a name with a character that is not allowed',
    call: 'StartExecution',
    run: (ground) => start(ground, { name: 'case/1' }),
    aws: 'InvalidName',
    page: `${STATES}/API_StartExecution.html`,
  },
  {
    title: 'a state machine whose ARN is none',
    call: 'StartExecution',
    run: (ground) => start(ground, { stateMachineArn: 'flowcut-respond', name: 'third' }),
    aws: 'InvalidArn',
    page: `${STATES}/API_StartExecution.html`,
  },
  {
    title: 'an execution that is not there',
    call: 'DescribeExecution',
    run: ({ sfn, stateMachineArn }) =>
      sfn.send(
        new DescribeExecutionCommand({
          executionArn: `${stateMachineArn.replace(':stateMachine:', ':execution:')}:nobody`,
        }),
      ),
    aws: 'ExecutionDoesNotExist',
    page: `${STATES}/API_DescribeExecution.html`,
  },
];

/** Every probe, by service. */
export const PROBES: Readonly<Record<string, readonly Probe[]>> = {
  EC2: EC2_PROBES,
  'Systems Manager': SSM_PROBES,
  'Auto Scaling': SCALING_PROBES,
  DynamoDB: DYNAMODB_PROBES,
  'Step Functions': STATES_PROBES,
};
