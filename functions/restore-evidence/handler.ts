import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { EC2Client } from '@aws-sdk/client-ec2';
import { ElasticLoadBalancingClient } from '@aws-sdk/client-elastic-load-balancing';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { commonTools, handlerOf } from '../shared/lambda.ts';
import { restoreEvidence } from './step.ts';

const tools = {
  ...commonTools(),
  ec2: new EC2Client(CLIENT_SETTINGS),
  scaling: new AutoScalingClient(CLIENT_SETTINGS),
  elb: new ElasticLoadBalancingV2Client(CLIENT_SETTINGS),
  classicElb: new ElasticLoadBalancingClient(CLIENT_SETTINGS),
};

export const handler = handlerOf((input: Parameters<typeof restoreEvidence>[1]) => restoreEvidence(tools, input));
