import { DescribeVpcEndpointsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { mockClient } from 'aws-sdk-client-mock';
import 'aws-sdk-client-mock-vitest/extend';
import { beforeEach, describe, expect, it } from 'vitest';
import { endpointServices } from '../../functions/aws/vpc-endpoints.ts';

const ec2 = mockClient(EC2Client);
const client = new EC2Client({ region: 'eu-central-1' });

beforeEach(() => ec2.reset());

describe('endpointServices', () => {
  it('reads which service answers in each ENI, page by page, those of other Regions left out', async () => {
    ec2
      .on(DescribeVpcEndpointsCommand)
      .resolvesOnce({
        VpcEndpoints: [
          { ServiceName: 'com.amazonaws.eu-central-1.ssm', NetworkInterfaceIds: ['eni-1', 'eni-2'] },
          { ServiceName: 'com.amazonaws.us-east-1.ssm', ServiceRegion: 'us-east-1', NetworkInterfaceIds: ['eni-3'] },
        ],
        NextToken: 'more',
      })
      .resolvesOnce({
        VpcEndpoints: [
          {
            ServiceName: 'com.amazonaws.eu-central-1.logs',
            ServiceRegion: 'eu-central-1',
            NetworkInterfaceIds: ['eni-4'],
          },
          { NetworkInterfaceIds: ['eni-5'] },
          { ServiceName: 'com.amazonaws.eu-central-1.s3' },
        ],
      });

    expect(await endpointServices(client, ['vpc-1'])).toEqual([
      { networkInterfaceId: 'eni-1', service: 'com.amazonaws.eu-central-1.ssm' },
      { networkInterfaceId: 'eni-2', service: 'com.amazonaws.eu-central-1.ssm' },
      { networkInterfaceId: 'eni-4', service: 'com.amazonaws.eu-central-1.logs' },
    ]);
    expect(ec2).toHaveReceivedNthCommandWith(DescribeVpcEndpointsCommand, 1, {
      Filters: [
        { Name: 'vpc-id', Values: ['vpc-1'] },
        { Name: 'vpc-endpoint-type', Values: ['Interface'] },
      ],
    });
  });

  it('asks for nothing where no peer is an endpoint', async () => {
    expect(await endpointServices(client, [])).toEqual([]);
    expect(ec2).not.toHaveReceivedAnyCommand();
  });
});
