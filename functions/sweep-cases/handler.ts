import { SFNClient } from '@aws-sdk/client-sfn';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { commonTools, handlerOf, timely } from '../shared/lambda.ts';
import { sweepCases } from './step.ts';

const tools = { ...commonTools(), sfn: timely(new SFNClient(CLIENT_SETTINGS)) };

export const handler = handlerOf((event: unknown) => sweepCases(tools, event));
