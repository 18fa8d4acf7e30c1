import { autoScalingHandlers } from './auto-scaling.ts';
import { classicElbHandlers } from './classic-elb.ts';
import type { Handlers } from './context.ts';
import { dynamoDbHandlers } from './dynamodb/index.ts';
import { ec2Handlers } from './ec2/index.ts';
import { elbV2Handlers } from './elb.ts';
import { guardDutyHandlers } from './guardduty.ts';
import { logsHandlers } from './logs.ts';
import { s3Handlers } from './s3.ts';
import type { ServiceName } from './sdk.ts';
import { sfnHandlers } from './sfn.ts';
import { snsHandlers } from './sns.ts';
import { ssmHandlers } from './ssm.ts';

/** Who answers: service → command → handler. */
export const HANDLERS: Record<ServiceName, Handlers> = {
  ec2: ec2Handlers,
  ssm: ssmHandlers,
  states: sfnHandlers,
  dynamodb: dynamoDbHandlers,
  autoscaling: autoScalingHandlers,
  elbv2: elbV2Handlers,
  elb: classicElbHandlers,
  logs: logsHandlers,
  s3: s3Handlers,
  guardduty: guardDutyHandlers,
  sns: snsHandlers,
};
