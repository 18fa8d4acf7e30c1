import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { EC2Client } from '@aws-sdk/client-ec2';
import { SNSClient } from '@aws-sdk/client-sns';
import { commonTools, handlerOf } from '../shared/lambda.ts';
import { reportCase } from './step.ts';

const tools = { ...commonTools(), ec2: new EC2Client({}), logs: new CloudWatchLogsClient({}), sns: new SNSClient({}) };

export const handler = handlerOf((input: Parameters<typeof reportCase>[1]) => reportCase(tools, input));
