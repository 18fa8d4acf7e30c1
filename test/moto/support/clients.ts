import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EC2Client } from '@aws-sdk/client-ec2';
import { ElasticLoadBalancingClient } from '@aws-sdk/client-elastic-load-balancing';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SNSClient } from '@aws-sdk/client-sns';
import { SSMClient } from '@aws-sdk/client-ssm';
import { CLIENT_SETTINGS } from '../../../functions/aws/client-settings.ts';

export const TABLE = 'flowcut-cases';
/** The bucket of our own flow logs. */
export const BUCKET = 'flowcut-flow-logs';

/** The account that moto gives to everybody, and the Region that the tests use. */
export const ACCOUNT = '123456789012';
export const REGION = 'eu-central-1';

/** The ten clients of the product with the product's own settings, over HTTP to moto. */
export function clientsAt(endpoint: string) {
  const settings = {
    ...CLIENT_SETTINGS,
    // moto is one Python process: on a busy machine an answer may take longer than AWS ever does.
    requestHandler: { ...CLIENT_SETTINGS.requestHandler, requestTimeout: 60_000 },
    region: REGION,
    endpoint,
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'not-a-secret' },
  };
  return {
    ec2: new EC2Client(settings),
    ssm: new SSMClient(settings),
    sfn: new SFNClient(settings),
    logs: new CloudWatchLogsClient(settings),
    sns: new SNSClient(settings),
    scaling: new AutoScalingClient(settings),
    // moto serves every bucket under its own address.
    s3: new S3Client({ ...settings, forcePathStyle: true }),
    elb: new ElasticLoadBalancingV2Client(settings),
    classicElb: new ElasticLoadBalancingClient(settings),
    dynamodb: new DynamoDBClient(settings),
  };
}

export type Clients = ReturnType<typeof clientsAt>;

/** The case table as template.yaml has it. */
export async function createCaseTable({ dynamodb }: Pick<Clients, 'dynamodb'>): Promise<void> {
  await dynamodb.send(
    new CreateTableCommand({
      TableName: TABLE,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['pk', 'sk'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
    }),
  );
}

export async function createFlowLogBucket({ s3 }: Pick<Clients, 's3'>): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET, CreateBucketConfiguration: { LocationConstraint: REGION } }));
}
