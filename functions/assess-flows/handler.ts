import { EC2Client } from '@aws-sdk/client-ec2';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { commonTools, handlerOf, timely } from '../shared/lambda.ts';
import { once } from '../shared/once.ts';
import { assessExecution } from './execution.ts';

const elb = once(() => timely(new ElasticLoadBalancingV2Client(CLIENT_SETTINGS)));
const tools = {
  ...commonTools(),
  ec2: timely(new EC2Client(CLIENT_SETTINGS)),
  get elb() {
    return elb();
  },
  later: async () => (await import('../shared/later-clients.ts')).LATER_CLIENTS,
};

export const handler = handlerOf((input: Parameters<typeof assessExecution>[1]) => assessExecution(tools, input));
