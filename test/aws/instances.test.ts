import { DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { mockClient } from 'aws-sdk-client-mock';
import 'aws-sdk-client-mock-vitest/extend';
import { beforeEach, describe, expect, it } from 'vitest';
import { getInstance } from '../../functions/aws/instances.ts';

const ec2 = mockClient(EC2Client);
const client = new EC2Client({});
const instanceId = 'i-0000000000000ab01';

beforeEach(() => ec2.reset());

const reservationOf = (instance: object) => ({
  OwnerId: '111122223333',
  Instances: [{ InstanceId: instanceId, ...instance }],
});

describe('getInstance', () => {
  it('asks for the one instance and reads what a response needs', async () => {
    ec2.on(DescribeInstancesCommand).resolves({
      Reservations: [
        reservationOf({
          State: { Name: 'running' },
          InstanceType: 'm6i.large',
          Platform: 'windows',
          InstanceLifecycle: 'spot',
          VpcId: 'vpc-1',
          SubnetId: 'subnet-1',
          Tags: [{ Key: 'Name', Value: 'web' }, { Key: 'flowcut:exempt' }],
          SecondaryInterfaces: [
            {
              SecondaryInterfaceId: 'si-1',
              SecondarySubnetId: 'ss-1',
              PrivateIpAddresses: [{ PrivateIpAddress: '172.16.0.9' }],
            },
          ],
          BlockDeviceMappings: [
            { DeviceName: '/dev/xvda', Ebs: { VolumeId: 'vol-1', DeleteOnTermination: true } },
            { DeviceName: '/dev/xvdb', Ebs: { VolumeId: 'vol-2', DeleteOnTermination: false } },
          ],
        }),
      ],
    });
    expect(await getInstance(client, instanceId)).toEqual({
      id: instanceId,
      state: 'running',
      accountId: '111122223333',
      instanceType: 'm6i.large',
      defaultTimeouts: null,
      secondaryInterfaces: [{ id: 'si-1', addresses: ['172.16.0.9'] }],
      platform: 'windows',
      spot: true,
      vpcId: 'vpc-1',
      subnetId: 'subnet-1',
      volumes: [
        { deviceName: '/dev/xvda', volumeId: 'vol-1', isDoomed: true },
        { deviceName: '/dev/xvdb', volumeId: 'vol-2', isDoomed: false },
      ],
      tags: { Name: 'web', 'flowcut:exempt': '' },
    });
    expect(ec2).toHaveReceivedCommandExactlyOnceWith(DescribeInstancesCommand, { InstanceIds: [instanceId] });
  });

  it('claims nothing where EC2 says nothing', async () => {
    ec2.on(DescribeInstancesCommand).resolves({ Reservations: [reservationOf({})] });
    expect(await getInstance(client, instanceId)).toMatchObject({
      state: 'unknown',
      platform: 'linux',
      spot: false,
      tags: {},
    });
  });

  it.each(['InvalidInstanceID.NotFound', 'InvalidInstanceID.Malformed'])(
    'knows by %s that there is none',
    async (Code) => {
      ec2.on(DescribeInstancesCommand).rejects(Object.assign(new Error('no'), { Code }));
      expect(await getInstance(client, instanceId)).toBeNull();
    },
  );

  it('knows by an answer without it that there is none', async () => {
    ec2.on(DescribeInstancesCommand).resolves({ Reservations: [] });
    expect(await getInstance(client, instanceId)).toBeNull();
  });

  it('never takes a refusal for absence', async () => {
    ec2.on(DescribeInstancesCommand).rejects(Object.assign(new Error('no'), { Code: 'UnauthorizedOperation' }));
    await expect(getInstance(client, instanceId)).rejects.toThrow('no');
  });
});
