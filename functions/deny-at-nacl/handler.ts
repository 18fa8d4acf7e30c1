import { EC2Client } from '@aws-sdk/client-ec2';
import { commonTools, handlerOf } from '../shared/lambda.ts';
import { denyAtNacl } from './step.ts';

const tools = { ...commonTools(), ec2: new EC2Client({}) };

export const handler = handlerOf((input: Parameters<typeof denyAtNacl>[1]) => denyAtNacl(tools, input));
