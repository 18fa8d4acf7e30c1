import { readFileSync } from 'node:fs';
import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { EC2Client } from '@aws-sdk/client-ec2';
import { ElasticLoadBalancingClient } from '@aws-sdk/client-elastic-load-balancing';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { SSMClient } from '@aws-sdk/client-ssm';
import type { Clients } from '../../local/live/clients.ts';
import type { World } from '../../local/simulate.ts';
import { parseWorld, type WorldFile } from '../../local/world/parse-world.ts';

/** A world that comes with the project. */
export function readWorld(name: string): WorldFile {
  return parseWorld(JSON.parse(readFileSync(new URL(`../../local/worlds/${name}.json`, import.meta.url), 'utf8')));
}

/** The account of a world, as the commands that speak to an account see it. */
export function clientsOf(world: World): Clients {
  const settings = { region: 'eu-central-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
  return {
    ec2: world.attach(new EC2Client(settings)),
    ssm: world.attach(new SSMClient(settings)),
    logs: world.attach(new CloudWatchLogsClient(settings)),
    scaling: world.attach(new AutoScalingClient(settings)),
    elb: world.attach(new ElasticLoadBalancingV2Client(settings)),
    classicElb: world.attach(new ElasticLoadBalancingClient(settings)),
  };
}
