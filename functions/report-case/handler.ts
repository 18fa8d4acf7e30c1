import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { EC2Client } from '@aws-sdk/client-ec2';
import { SNSClient } from '@aws-sdk/client-sns';
import { CLIENT_SETTINGS, SEARCH_SETTINGS } from '../aws/client-settings.ts';
import { commonTools, handlerOf, timely, toTheLast } from '../shared/lambda.ts';
import { type ReportRequest, reportExecution } from './step.ts';

const tools = {
  ...commonTools(),
  ec2: timely(new EC2Client(CLIENT_SETTINGS)),
  logs: timely(new CloudWatchLogsClient(SEARCH_SETTINGS)),
  bucket: async () => (await import('../shared/later-bucket.ts')).BUCKET_READER,
  sns: toTheLast(new SNSClient(CLIENT_SETTINGS)),
};

export const handler = handlerOf((input: ReportRequest) => reportExecution(tools, input));
