import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { EC2Client } from '@aws-sdk/client-ec2';
import { ElasticLoadBalancingClient } from '@aws-sdk/client-elastic-load-balancing';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { commonTools, handlerOf, timely } from '../shared/lambda.ts';
import { preserveEvidence } from './step.ts';

const tools = {
  ...commonTools(),
  ec2: timely(new EC2Client(CLIENT_SETTINGS)),
  scaling: timely(new AutoScalingClient(CLIENT_SETTINGS)),
  elb: timely(new ElasticLoadBalancingV2Client(CLIENT_SETTINGS)),
  classicElb: timely(new ElasticLoadBalancingClient(CLIENT_SETTINGS)),
};

export const handler = handlerOf((input: Parameters<typeof preserveEvidence>[1]) => preserveEvidence(tools, input));
