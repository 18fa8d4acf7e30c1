// Functions load these late; loaded already, no virtual second passes meanwhile.
import '../functions/controls/planned.ts';
import '../functions/core/intake/intake.ts';
import '../functions/start-response/look.ts';
import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EC2Client } from '@aws-sdk/client-ec2';
import { ElasticLoadBalancingClient } from '@aws-sdk/client-elastic-load-balancing';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { S3Client } from '@aws-sdk/client-s3';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SNSClient } from '@aws-sdk/client-sns';
import { SSMClient } from '@aws-sdk/client-ssm';
import {
  CLIENT_SETTINGS,
  type ClientSettings,
  HOST_SETTINGS,
  SEARCH_SETTINGS,
} from '../functions/aws/client-settings.ts';
import type { Config } from '../functions/core/config.ts';
import { bucketReader } from '../functions/shared/bucket-reader.ts';
import type { Toolbox } from '../functions/shared/toolbox.ts';
import { stepDeadline, timely, toTheLast } from './step-deadline.ts';
import type { EmbeddedWorld } from './world/embedded-world.ts';
import type { WorldPhysics } from './world/physics.ts';

export type World = EmbeddedWorld<WorldPhysics>;

/** Real SDK clients that talk to the world and to nothing else. */
export function localToolbox(world: World, config: Config): Toolbox {
  const settings = ({ maxAttempts, retryMode }: ClientSettings) => ({
    region: config.region,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    maxAttempts,
    retryMode,
  });
  const ours = settings(CLIENT_SETTINGS);
  const later = {
    scaling: timely(world.attach(new AutoScalingClient(ours))),
    elb: timely(world.attach(new ElasticLoadBalancingV2Client(ours))),
    classicElb: timely(world.attach(new ElasticLoadBalancingClient(ours))),
  };
  const bucket = bucketReader(timely(world.attach(new S3Client(ours))));
  return {
    ...later,
    config,
    ec2: timely(world.attach(new EC2Client(ours))),
    ssm: timely(world.attach(new SSMClient(settings(HOST_SETTINGS)))),
    sfn: timely(world.attach(new SFNClient(ours))),
    logs: timely(world.attach(new CloudWatchLogsClient(settings(SEARCH_SETTINGS)))),
    sns: toTheLast(world.attach(new SNSClient(ours))),
    cases: { client: toTheLast(world.attach(new DynamoDBClient(ours))), name: 'flowcut-cases' },
    deadline: stepDeadline,
    log: { info: () => undefined, warn: () => undefined },
    later: () => Promise.resolve(later),
    bucket: () => Promise.resolve(bucket),
    now: () => new Date(),
    sleep: (seconds) => world.clock.sleep(seconds),
  };
}
