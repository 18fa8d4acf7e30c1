import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { ElasticLoadBalancingClient } from '@aws-sdk/client-elastic-load-balancing';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { timely } from './lambda.ts';

/** Clients of what only a plan reads. */
export const LATER_CLIENTS = {
  scaling: timely(new AutoScalingClient(CLIENT_SETTINGS)),
  elb: timely(new ElasticLoadBalancingV2Client(CLIENT_SETTINGS)),
  classicElb: timely(new ElasticLoadBalancingClient(CLIENT_SETTINGS)),
};
