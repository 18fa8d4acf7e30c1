import { SNSClient } from '@aws-sdk/client-sns';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { commonTools, handlerOf, toTheLast } from '../shared/lambda.ts';
import { type RestoreReportRequest, reportRestore } from './step.ts';

const tools = { ...commonTools(), sns: toTheLast(new SNSClient(CLIENT_SETTINGS)) };

export const handler = handlerOf((input: RestoreReportRequest) => reportRestore(tools, input));
