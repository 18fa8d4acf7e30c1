import { EC2Client } from '@aws-sdk/client-ec2';
import { commonTools, handlerOf } from '../shared/lambda.ts';
import { assessFlows } from './step.ts';

const tools = { ...commonTools(), ec2: new EC2Client({}) };

export const handler = handlerOf((input: Parameters<typeof assessFlows>[1]) => assessFlows(tools, input));
