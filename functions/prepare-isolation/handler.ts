import { EC2Client } from '@aws-sdk/client-ec2';
import { commonTools, handlerOf } from '../shared/lambda.ts';
import { prepareIsolation } from './step.ts';

const tools = { ...commonTools(), ec2: new EC2Client({}) };

export const handler = handlerOf((input: Parameters<typeof prepareIsolation>[1]) => prepareIsolation(tools, input));
