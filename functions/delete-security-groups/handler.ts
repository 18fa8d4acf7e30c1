import { EC2Client } from '@aws-sdk/client-ec2';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { commonTools, handlerOf } from '../shared/lambda.ts';
import { deleteSecurityGroups } from './step.ts';

const tools = { ...commonTools(), ec2: new EC2Client(CLIENT_SETTINGS) };

export const handler = handlerOf((input: Parameters<typeof deleteSecurityGroups>[1]) =>
  deleteSecurityGroups(tools, input),
);
