import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { EC2Client } from '@aws-sdk/client-ec2';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { commonTools, handlerOf } from '../shared/lambda.ts';
import { swapSecurityGroups } from './step.ts';

const tools = {
  ...commonTools(),
  ec2: new EC2Client(CLIENT_SETTINGS),
  logs: new CloudWatchLogsClient(CLIENT_SETTINGS),
};

export const handler = handlerOf((input: Parameters<typeof swapSecurityGroups>[1]) => swapSecurityGroups(tools, input));
