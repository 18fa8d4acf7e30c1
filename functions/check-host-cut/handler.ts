import { EC2Client } from '@aws-sdk/client-ec2';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { SSMClient } from '@aws-sdk/client-ssm';
import { CLIENT_SETTINGS } from '../aws/client-settings.ts';
import { commonTools, handlerOf } from '../shared/lambda.ts';
import { once } from '../shared/once.ts';
import { checkHostCut } from './step.ts';

const elb = once(() => new ElasticLoadBalancingV2Client(CLIENT_SETTINGS));
const tools = {
  ...commonTools(),
  ec2: new EC2Client(CLIENT_SETTINGS),
  get elb() {
    return elb();
  },
  ssm: new SSMClient(CLIENT_SETTINGS),
};

export const handler = handlerOf((input: Parameters<typeof checkHostCut>[1]) => checkHostCut(tools, input));
