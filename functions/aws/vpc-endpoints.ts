import { type EC2Client, paginateDescribeVpcEndpoints } from '@aws-sdk/client-ec2';

/** An ENI in which an interface endpoint answers, and for what service. */
export interface EndpointService {
  readonly networkInterfaceId: string;
  readonly service: string;
}

/**
 * The interface endpoints of the VPCs, by the ENI in which each answers: what service it leads to. One whose service is in
 * another Region is left out.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcEndpoint.html
 */
export async function endpointServices(ec2: EC2Client, vpcIds: readonly string[]): Promise<readonly EndpointService[]> {
  if (vpcIds.length === 0) return [];
  const found: EndpointService[] = [];
  const input = {
    Filters: [
      { Name: 'vpc-id', Values: [...vpcIds] },
      { Name: 'vpc-endpoint-type', Values: ['Interface'] },
    ],
  };
  const region = await ec2.config.region();
  for await (const page of paginateDescribeVpcEndpoints({ client: ec2, pageSize: 100 }, input)) {
    for (const { ServiceName, ServiceRegion = region, NetworkInterfaceIds = [] } of page.VpcEndpoints ?? []) {
      if (ServiceName === undefined || ServiceRegion !== region) continue;
      for (const networkInterfaceId of NetworkInterfaceIds) found.push({ networkInterfaceId, service: ServiceName });
    }
  }
  return found;
}
