import { SFNClient } from '@aws-sdk/client-sfn';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { commonTools, handlerOf, timely } from '../shared/lambda.ts';
import { startResponse } from './step.ts';

const tools = { ...commonTools(), sfn: timely(new SFNClient(CLIENT_SETTINGS)) };

export const handler = handlerOf((input: Parameters<typeof startResponse>[1]) => startResponse(tools, input));
