import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { EC2Client } from '@aws-sdk/client-ec2';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { commonTools, handlerOf, timely } from '../shared/lambda.ts';
import { sealSubnet } from './step.ts';

const tools = {
  ...commonTools(),
  ec2: timely(new EC2Client(CLIENT_SETTINGS)),
  scaling: timely(new AutoScalingClient(CLIENT_SETTINGS)),
};

export const handler = handlerOf((input: Parameters<typeof sealSubnet>[1]) => sealSubnet(tools, input));
