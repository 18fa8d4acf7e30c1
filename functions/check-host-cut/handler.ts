import { EC2Client } from '@aws-sdk/client-ec2';
import { SSMClient } from '@aws-sdk/client-ssm';
import { commonTools, handlerOf } from '../shared/lambda.ts';
import { checkHostCut } from './step.ts';

const tools = { ...commonTools(), ec2: new EC2Client({}), ssm: new SSMClient({}) };

export const handler = handlerOf((input: Parameters<typeof checkHostCut>[1]) => checkHostCut(tools, input));
