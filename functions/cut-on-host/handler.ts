import { SSMClient } from '@aws-sdk/client-ssm';
import { HOST_SETTINGS } from '../aws/client-settings.ts';
import { commonTools, handlerOf, timely } from '../shared/lambda.ts';
import { onHost } from './step.ts';

const tools = { ...commonTools(), ssm: timely(new SSMClient(HOST_SETTINGS)) };

export const handler = handlerOf((input: Parameters<typeof onHost>[1]) => onHost(tools, input));
