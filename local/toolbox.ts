import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EC2Client } from '@aws-sdk/client-ec2';
import { ElasticLoadBalancingClient } from '@aws-sdk/client-elastic-load-balancing';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SNSClient } from '@aws-sdk/client-sns';
import { SSMClient } from '@aws-sdk/client-ssm';
import { CLIENT_SETTINGS } from '../functions/aws/client-settings.ts';
import type { Config } from '../functions/core/config.ts';
import type { Toolbox } from '../functions/shared/toolbox.ts';
import type { EmbeddedWorld } from './world/embedded-world.ts';
import type { WorldPhysics } from './world/physics.ts';

export type World = EmbeddedWorld<WorldPhysics>;

/** Real SDK clients that talk to the world and to nothing else. */
export function localToolbox(world: World, config: Config): Toolbox {
  const { maxAttempts, retryMode } = CLIENT_SETTINGS;
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const settings = { region: config.region, credentials, maxAttempts, retryMode };
  const later = {
    scaling: world.attach(new AutoScalingClient(settings)),
    elb: world.attach(new ElasticLoadBalancingV2Client(settings)),
    classicElb: world.attach(new ElasticLoadBalancingClient(settings)),
  };
  return {
    ...later,
    config,
    ec2: world.attach(new EC2Client(settings)),
    ssm: world.attach(new SSMClient(settings)),
    sfn: world.attach(new SFNClient(settings)),
    logs: world.attach(new CloudWatchLogsClient(settings)),
    sns: world.attach(new SNSClient(settings)),
    cases: { client: world.attach(new DynamoDBClient(settings)), name: 'flowcut-cases' },
    log: { info: () => undefined, warn: () => undefined },
    later: () => Promise.resolve(later),
    now: () => new Date(),
    sleep: (seconds) => world.clock.sleep(seconds),
  };
}
