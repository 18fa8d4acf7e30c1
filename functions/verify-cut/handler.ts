import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { EC2Client } from '@aws-sdk/client-ec2';
import { CLIENT_SETTINGS, SEARCH_SETTINGS } from '../aws/client-settings.ts';
import { commonTools, handlerOf, timely } from '../shared/lambda.ts';
import { type VerifyRequest, verifyExecution } from './step.ts';

const tools = {
  ...commonTools(),
  ec2: timely(new EC2Client(CLIENT_SETTINGS)),
  logs: timely(new CloudWatchLogsClient(SEARCH_SETTINGS)),
  bucket: async () => (await import('../shared/later-bucket.ts')).BUCKET_READER,
};

export const handler = handlerOf((input: VerifyRequest) => verifyExecution(tools, input));
