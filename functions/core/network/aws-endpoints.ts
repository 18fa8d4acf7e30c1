import type { KnownFlow } from '../model.ts';
import { covers, hostNetwork, type Network, network } from './addresses.ts';

/**
 * Where the regional endpoints of AWS's services mostly are: ranges that AWS publishes for `AMAZON` in its Regions, less those
 * of EC2, S3, CloudFront, API Gateway and the other services in which anybody may put something of their own. A part of the
 * list, on purpose: an endpoint that is missing here is treated like any peer.
 * https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-ranges.html, as published on 2026-08-22.
 */
const ENDPOINT_RANGES = [
  '52.46.64.0/18 52.46.128.0/19 52.46.168.0/21 52.46.176.0/22 52.46.192.0/19 52.46.224.0/20',
  '52.46.240.0/22 52.46.249.0/24 52.46.250.0/23 52.46.252.0/22 52.94.0.0/20 52.94.16.0/22 52.94.20.0/24',
  '52.94.22.0/23 52.94.24.0/22 52.94.28.0/23 52.94.30.0/24 52.94.32.0/19 52.94.64.0/22 52.94.68.0/23',
  '52.94.72.0/21 52.94.80.0/20 52.94.96.0/20 52.94.112.0/22 52.94.120.0/21 52.94.128.0/20',
  '52.94.148.0/22 52.94.160.0/19 52.94.192.0/22 52.94.196.0/23 52.94.199.0/24 52.94.200.0/24',
  '52.94.204.0/22 52.94.208.0/20 52.94.224.0/20 52.94.240.0/21 52.94.252.0/22 52.95.0.0/20',
  '52.95.16.0/21 52.95.24.0/22 52.95.28.0/24 52.95.30.0/23 52.95.34.0/23 52.95.36.0/22 52.95.40.0/23',
  '52.95.42.0/24 52.95.48.0/20 52.95.64.0/19 52.95.96.0/21 52.95.104.0/22 52.95.108.0/23 52.95.111.0/24',
  '52.95.112.0/20 52.95.192.0/20 52.95.208.0/21 52.119.128.0/18 52.119.192.0/21 52.119.206.0/23',
  '52.119.208.0/20 52.119.224.0/20 52.119.240.0/21 52.119.248.0/23 52.119.252.0/22 54.239.0.0/19',
  '54.239.32.0/21 54.239.48.0/20 54.239.64.0/21 54.239.96.0/24 54.239.98.0/23 54.239.100.0/23',
  '54.239.102.0/24 54.239.104.0/21 54.239.112.0/23 54.239.116.0/22 54.239.120.0/21 176.32.96.0/20',
  '176.32.112.0/21 176.32.120.0/22 176.32.125.0/24',
];

let read: readonly Network[] | null = null;

/** The address is one of AWS's own, where its services answer. IPv4 only: of IPv6 endpoints nothing is known here. */
function isAwsEndpoint(address: string): boolean {
  if (address.includes(':')) return false;
  read ??= ENDPOINT_RANGES.flatMap((line) => line.split(' ')).map(network);
  const host = hostNetwork(address);
  return read.some((range) => covers(range, host));
}

/**
 * The services that the agent dials, as their endpoints name them. What is not AWS's is called `com.amazonaws.vpce.<region>.vpce-svc-...`.
 * https://docs.aws.amazon.com/systems-manager/latest/userguide/setup-create-vpc.html
 * https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
 */
const AGENT_SERVICE = /^(?:[a-z0-9]+\.)+[a-z]{2,5}(?:-[a-z0-9]+)+\.(?:ssm|ssmmessages|ec2messages)$/;

export const isAgentService = (serviceName: string): boolean => AGENT_SERVICE.test(serviceName);

/**
 * May the flow be the SSM agent's own connection? It goes out to port 443 of a service endpoint: a public one, or an
 * interface endpoint of one of its services. A flow that is wrongly taken for it would be denied nowhere, so what is not
 * known is not the agent's.
 */
export const mayBeAgents = (
  flow: Pick<KnownFlow, 'protocol' | 'remoteAddress' | 'remotePort' | 'openedBy'>,
  holdsEndpoint: boolean,
): boolean =>
  flow.protocol === 'tcp' &&
  flow.remotePort === 443 &&
  flow.openedBy !== 'remote' &&
  (holdsEndpoint || isAwsEndpoint(flow.remoteAddress));
