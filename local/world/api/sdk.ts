import * as autoscaling from '@aws-sdk/client-auto-scaling';
import * as logs from '@aws-sdk/client-cloudwatch-logs';
import * as dynamodb from '@aws-sdk/client-dynamodb';
import * as ec2 from '@aws-sdk/client-ec2';
import * as elb from '@aws-sdk/client-elastic-load-balancing';
import * as elbv2 from '@aws-sdk/client-elastic-load-balancing-v2';
import * as guardduty from '@aws-sdk/client-guardduty';
import * as s3 from '@aws-sdk/client-s3';
import * as states from '@aws-sdk/client-sfn';
import * as sns from '@aws-sdk/client-sns';
import * as ssm from '@aws-sdk/client-ssm';

/** The SDK packages of the services that the world answers for: commands and errors are looked up in them by name. */
export const SDK = {
  ec2: { Client: ec2.EC2Client, Exception: ec2.EC2ServiceException, module: ec2 as object },
  ssm: { Client: ssm.SSMClient, Exception: ssm.SSMServiceException, module: ssm as object },
  states: { Client: states.SFNClient, Exception: states.SFNServiceException, module: states as object },
  dynamodb: {
    Client: dynamodb.DynamoDBClient,
    Exception: dynamodb.DynamoDBServiceException,
    module: dynamodb as object,
  },
  autoscaling: {
    Client: autoscaling.AutoScalingClient,
    Exception: autoscaling.AutoScalingServiceException,
    module: autoscaling as object,
  },
  elbv2: {
    Client: elbv2.ElasticLoadBalancingV2Client,
    Exception: elbv2.ElasticLoadBalancingV2ServiceException,
    module: elbv2 as object,
  },
  elb: {
    Client: elb.ElasticLoadBalancingClient,
    Exception: elb.ElasticLoadBalancingServiceException,
    module: elb as object,
  },
  logs: { Client: logs.CloudWatchLogsClient, Exception: logs.CloudWatchLogsServiceException, module: logs as object },
  s3: { Client: s3.S3Client, Exception: s3.S3ServiceException, module: s3 as object },
  guardduty: {
    Client: guardduty.GuardDutyClient,
    Exception: guardduty.GuardDutyServiceException,
    module: guardduty as object,
  },
  sns: { Client: sns.SNSClient, Exception: sns.SNSServiceException, module: sns as object },
} as const;

export type ServiceName = keyof typeof SDK;

/** `EC2Client` → `ec2`. */
export function serviceOfClient(clientName: string): ServiceName | undefined {
  return (Object.keys(SDK) as ServiceName[]).find((name) => SDK[name].Client.name === clientName);
}

/** Something that a package exports under a name, if it is a class. */
export function exportedClass(service: ServiceName, name: string): (new (input: object) => object) | undefined {
  const member = (SDK[service].module as Record<string, unknown>)[name];
  return typeof member === 'function' ? (member as new (input: object) => object) : undefined;
}
