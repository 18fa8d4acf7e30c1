import { SSMClient } from '@aws-sdk/client-ssm';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { commonTools, handlerOf } from '../shared/lambda.ts';
import { cutOnHost } from './step.ts';

const tools = { ...commonTools(), ssm: new SSMClient(CLIENT_SETTINGS) };

export const handler = handlerOf((input: Parameters<typeof cutOnHost>[1]) => cutOnHost(tools, input));
