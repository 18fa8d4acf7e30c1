import { EC2Client } from '@aws-sdk/client-ec2';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { commonTools, handlerOf } from '../shared/lambda.ts';
import { once } from '../shared/once.ts';
import { assessFlows } from './step.ts';

const elb = once(() => new ElasticLoadBalancingV2Client(CLIENT_SETTINGS));
const tools = {
  ...commonTools(),
  ec2: new EC2Client(CLIENT_SETTINGS),
  get elb() {
    return elb();
  },
  later: async () => (await import('../shared/later-clients.ts')).LATER_CLIENTS,
};

export const handler = handlerOf((input: Parameters<typeof assessFlows>[1]) => assessFlows(tools, input));
