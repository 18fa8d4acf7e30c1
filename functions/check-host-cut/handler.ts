import { EC2Client } from '@aws-sdk/client-ec2';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { SSMClient } from '@aws-sdk/client-ssm';
import { CLIENT_SETTINGS, HOST_SETTINGS } from '../aws/client-settings.ts';
import { commonTools, handlerOf, timely } from '../shared/lambda.ts';
import { once } from '../shared/once.ts';
import { checkHostCut } from './step.ts';

const elb = once(() => timely(new ElasticLoadBalancingV2Client(CLIENT_SETTINGS)));
const tools = {
  ...commonTools(),
  ec2: timely(new EC2Client(CLIENT_SETTINGS)),
  get elb() {
    return elb();
  },
  ssm: timely(new SSMClient(HOST_SETTINGS)),
};

export const handler = handlerOf((input: Parameters<typeof checkHostCut>[1]) => checkHostCut(tools, input));
