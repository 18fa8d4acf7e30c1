import { SFNClient } from '@aws-sdk/client-sfn';
import { commonTools, handlerOf } from '../shared/lambda.ts';
import { startResponse } from './step.ts';

const tools = { ...commonTools(), sfn: new SFNClient({}) };

export const handler = handlerOf((input: Parameters<typeof startResponse>[1]) => startResponse(tools, input));
