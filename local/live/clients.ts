import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { EC2Client } from '@aws-sdk/client-ec2';
import { ElasticLoadBalancingClient } from '@aws-sdk/client-elastic-load-balancing';
import { ElasticLoadBalancingV2Client } from '@aws-sdk/client-elastic-load-balancing-v2';
import { SSMClient } from '@aws-sdk/client-ssm';
import {
  CLIENT_SETTINGS,
  type ClientSettings,
  HOST_SETTINGS,
  SEARCH_SETTINGS,
} from '../../functions/aws/client-settings.ts';
import { InputError, quote } from '../../functions/core/errors.ts';
import { needInstanceId } from '../../functions/core/instance-id.ts';
import { timely } from '../step-deadline.ts';

/** Real SDK clients of an account in which nothing of flowcut is installed. */
export interface Clients {
  readonly ec2: EC2Client;
  readonly ssm: SSMClient;
  readonly logs: CloudWatchLogsClient;
  readonly scaling: AutoScalingClient;
  readonly elb: ElasticLoadBalancingV2Client;
  readonly classicElb: ElasticLoadBalancingClient;
}

/** Where the calls go; what is not given comes from the ordinary chain: environment, shared files, role. */
export interface Where {
  readonly region?: string | undefined;
  readonly endpoint?: string | undefined;
}

export function createClients({ region, endpoint }: Where): Clients {
  const settings = (how: ClientSettings) => ({ ...how, ...(region && { region }), ...(endpoint && { endpoint }) });
  const ours = settings(CLIENT_SETTINGS);
  return {
    ec2: timely(new EC2Client(ours)),
    ssm: timely(new SSMClient(settings(HOST_SETTINGS))),
    logs: timely(new CloudWatchLogsClient(settings(SEARCH_SETTINGS))),
    scaling: timely(new AutoScalingClient(ours)),
    elb: timely(new ElasticLoadBalancingV2Client(ours)),
    classicElb: timely(new ElasticLoadBalancingClient(ours)),
  };
}

/** The Region that the clients were told or found. */
export async function regionOf({ ec2 }: Pick<Clients, 'ec2'>): Promise<string> {
  try {
    return await ec2.config.region();
  } catch (error) {
    throw new InputError('--region', 'is not given, and neither the environment nor the AWS configuration has one', {
      cause: error,
    });
  }
}

/** Options of every command that speaks to an account. */
export const WHERE_OPTIONS = { region: { type: 'string' }, endpoint: { type: 'string' } } as const;

/** Reads them; a Region or an endpoint that cannot be one is an InputError. */
export function whereOf({ region, endpoint }: Where): Where {
  if (region !== undefined && !/^[a-z]{2,4}(-[a-z]+)+-\d{1,2}$/.test(region)) {
    throw new InputError('--region', `${quote(region)} is not the name of a Region`);
  }
  if (endpoint !== undefined && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? '')) {
    throw new InputError('--endpoint', `${quote(endpoint)} is not an http or https URL`);
  }
  return { region, endpoint };
}

/** An instance id from the command line. */
export function instanceIdOf(text: string | undefined): string {
  if (text === undefined) throw new InputError('--instance-id', 'is missing');
  return needInstanceId(text, '--instance-id');
}

export const ACCOUNT_OPTION = { account: { type: 'string' } } as const;

/** An account id from the command line; null = not given. */
export function accountOf(text: string | undefined): string | null {
  if (text !== undefined && !/^\d{12}$/.test(text)) {
    throw new InputError('--account', `${quote(text)} is not a 12-digit account id`);
  }
  return text ?? null;
}
