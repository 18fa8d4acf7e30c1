import {
  AttachInstancesCommand,
  AutoScalingClient,
  DescribeAutoScalingInstancesCommand,
  DetachInstancesCommand,
  EnterStandbyCommand,
  ExitStandbyCommand,
} from '@aws-sdk/client-auto-scaling';
import {
  CreateSnapshotsCommand,
  CreateTagsCommand,
  DeleteTagsCommand,
  DescribeInstanceAttributeCommand,
  DescribeSnapshotsCommand,
  EC2Client,
  ModifyInstanceAttributeCommand,
} from '@aws-sdk/client-ec2';
import {
  DeregisterInstancesFromLoadBalancerCommand,
  DescribeLoadBalancersCommand,
  ElasticLoadBalancingClient,
  RegisterInstancesWithLoadBalancerCommand,
} from '@aws-sdk/client-elastic-load-balancing';
import {
  DeregisterTargetsCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
  RegisterTargetsCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { mockClient } from 'aws-sdk-client-mock';
import 'aws-sdk-client-mock-vitest/extend';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  readProtection,
  readShutdownBehavior,
  setDeleteOnTermination,
  setProtection,
  setShutdownBehavior,
  tag,
  untag,
} from '../../functions/aws/instance-attributes.ts';
import {
  classicBalancersOf,
  deregister,
  joinClassic,
  leaveClassic,
  register,
  targetsIn,
  targetsOf,
} from '../../functions/aws/load-balancers.ts';
import { attach, detach, enterStandby, exitStandby, membershipOf } from '../../functions/aws/scaling.ts';
import { createSnapshots, snapshotsOfCase } from '../../functions/aws/snapshots.ts';

const mocks = {
  ec2: mockClient(EC2Client),
  scaling: mockClient(AutoScalingClient),
  elb: mockClient(ElasticLoadBalancingV2Client),
  classic: mockClient(ElasticLoadBalancingClient),
};
const ec2 = new EC2Client({});
const scaling = new AutoScalingClient({});
const elb = new ElasticLoadBalancingV2Client({});
const classic = new ElasticLoadBalancingClient({});

beforeEach(() => {
  for (const mock of Object.values(mocks)) mock.reset();
});

describe('protection and shutdown', () => {
  it('are read one attribute at a time, and absent means off', async () => {
    mocks.ec2
      .on(DescribeInstanceAttributeCommand, { InstanceId: 'i-1', Attribute: 'disableApiTermination' })
      .resolves({ DisableApiTermination: { Value: true } })
      .on(DescribeInstanceAttributeCommand, { InstanceId: 'i-1', Attribute: 'disableApiStop' })
      .resolves({})
      .on(DescribeInstanceAttributeCommand, { InstanceId: 'i-1', Attribute: 'instanceInitiatedShutdownBehavior' })
      .resolves({ InstanceInitiatedShutdownBehavior: { Value: 'terminate' } });
    expect(await readProtection(ec2, 'i-1', 'disableApiTermination')).toBe(true);
    expect(await readProtection(ec2, 'i-1', 'disableApiStop')).toBe(false);
    expect(await readShutdownBehavior(ec2, 'i-1')).toBe('terminate');
  });

  it('are changed one attribute per call, which is all that EC2 takes', async () => {
    mocks.ec2.on(ModifyInstanceAttributeCommand).resolves({});
    await setProtection(ec2, 'i-1', 'disableApiTermination', true);
    await setProtection(ec2, 'i-1', 'disableApiStop', false);
    await setShutdownBehavior(ec2, 'i-1', 'stop');
    await setDeleteOnTermination(ec2, 'i-1', '/dev/xvda', false);
    expect(mocks.ec2.commandCalls(ModifyInstanceAttributeCommand).map((call) => call.args[0].input)).toEqual([
      { InstanceId: 'i-1', DisableApiTermination: { Value: true } },
      { InstanceId: 'i-1', DisableApiStop: { Value: false } },
      { InstanceId: 'i-1', InstanceInitiatedShutdownBehavior: { Value: 'stop' } },
      { InstanceId: 'i-1', BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { DeleteOnTermination: false } }] },
    ]);
  });

  it('tags are taken away with their value, so that one that was changed since stays', async () => {
    mocks.ec2.on(CreateTagsCommand).resolves({}).on(DeleteTagsCommand).resolves({});
    await tag(ec2, 'i-1', { 'flowcut:case': 'case-1' });
    await untag(ec2, 'i-1', { 'flowcut:case': 'case-1' });
    const input = { Resources: ['i-1'], Tags: [{ Key: 'flowcut:case', Value: 'case-1' }] };
    expect(mocks.ec2).toHaveReceivedCommandExactlyOnceWith(CreateTagsCommand, input);
    expect(mocks.ec2).toHaveReceivedCommandExactlyOnceWith(DeleteTagsCommand, input);
  });
});

/** Nobody waits. */
const noSleep = (): Promise<void> => Promise.resolve();

describe('snapshots', () => {
  const tooSoon = Object.assign(new Error('wait'), { name: 'x', Code: 'SnapshotCreationPerVolumeRateExceeded' });

  it('that another one was begun just before are asked for again, after more than 15 seconds', async () => {
    const slept: number[] = [];
    mocks.ec2
      .on(CreateSnapshotsCommand)
      .rejectsOnce(tooSoon)
      .rejectsOnce(tooSoon)
      .resolves({ Snapshots: [{ SnapshotId: 'snap-1' }] });

    const made = await createSnapshots(ec2, 'i-1', 'case-1', (seconds) => {
      slept.push(seconds);
      return Promise.resolve();
    });

    expect(made).toEqual(['snap-1']);
    expect(slept.length).toBe(2);
    expect(Math.min(...slept)).toBeGreaterThan(15);
  });

  it('that are refused so again and again are given up; those that fail otherwise are not asked for twice', async () => {
    mocks.ec2.on(CreateSnapshotsCommand).rejects(tooSoon);
    await expect(createSnapshots(ec2, 'i-1', 'case-1', noSleep)).rejects.toThrow('wait');
    const givenUp = mocks.ec2.commandCalls(CreateSnapshotsCommand).length;
    mocks.ec2.reset();
    mocks.ec2.on(CreateSnapshotsCommand).rejects(Object.assign(new Error('no'), { name: 'UnauthorizedOperation' }));
    await expect(createSnapshots(ec2, 'i-1', 'case-1', noSleep)).rejects.toThrow('no');

    expect([givenUp, mocks.ec2.commandCalls(CreateSnapshotsCommand).length]).toEqual([4, 1]);
  });

  it('are of all volumes at one moment and carry the case', async () => {
    mocks.ec2.on(CreateSnapshotsCommand).resolves({ Snapshots: [{ SnapshotId: 'snap-1' }, { SnapshotId: 'snap-2' }] });
    expect(await createSnapshots(ec2, 'i-1', 'case-1', noSleep)).toEqual(['snap-1', 'snap-2']);
    expect(mocks.ec2).toHaveReceivedCommandWith(CreateSnapshotsCommand, {
      InstanceSpecification: { InstanceId: 'i-1', ExcludeBootVolume: false },
      TagSpecifications: [{ ResourceType: 'snapshot', Tags: [{ Key: 'flowcut:case', Value: 'case-1' }] }],
    });
  });

  it('are found again by the case, among our own, page by page', async () => {
    mocks.ec2
      .on(DescribeSnapshotsCommand)
      .resolvesOnce({ Snapshots: [{ SnapshotId: 'snap-1' }], NextToken: 'more' })
      .resolvesOnce({ Snapshots: [{ SnapshotId: 'snap-2' }] });
    expect(await snapshotsOfCase(ec2, 'case-1')).toEqual(['snap-1', 'snap-2']);
    expect(mocks.ec2).toHaveReceivedNthCommandWith(DescribeSnapshotsCommand, 1, {
      OwnerIds: ['self'],
      Filters: [{ Name: 'tag:flowcut:case', Values: ['case-1'] }],
    });
  });
});

describe('the Auto Scaling group', () => {
  it('is known by the instance, with the state that it is in', async () => {
    mocks.scaling
      .on(DescribeAutoScalingInstancesCommand)
      .resolvesOnce({
        AutoScalingInstances: [
          { InstanceId: 'i-1', AutoScalingGroupName: 'web', LifecycleState: 'InService' } as never,
        ],
      })
      .resolvesOnce({ AutoScalingInstances: [] });
    expect(await membershipOf(scaling, 'i-1')).toEqual({ groupName: 'web', lifecycleState: 'InService' });
    expect(await membershipOf(scaling, 'i-1')).toBeNull();
  });

  it('keeps its capacity when the instance leaves it: a replacement is launched', async () => {
    mocks.scaling
      .on(EnterStandbyCommand)
      .resolves({})
      .on(DetachInstancesCommand)
      .resolves({})
      .on(ExitStandbyCommand)
      .resolves({})
      .on(AttachInstancesCommand)
      .resolves({});
    const input = { AutoScalingGroupName: 'web', InstanceIds: ['i-1'] };
    await enterStandby(scaling, 'web', 'i-1');
    await detach(scaling, 'web', 'i-1');
    await exitStandby(scaling, 'web', 'i-1');
    await attach(scaling, 'web', 'i-1');
    expect(mocks.scaling).toHaveReceivedCommandWith(EnterStandbyCommand, {
      ...input,
      ShouldDecrementDesiredCapacity: false,
    });
    expect(mocks.scaling).toHaveReceivedCommandWith(DetachInstancesCommand, {
      ...input,
      ShouldDecrementDesiredCapacity: false,
    });
    expect(mocks.scaling).toHaveReceivedCommandWith(ExitStandbyCommand, input);
    expect(mocks.scaling).toHaveReceivedCommandWith(AttachInstancesCommand, input);
  });
});

describe('load balancers', () => {
  it('hold the instance by id or by address, in groups of its VPCs, unless it is draining', async () => {
    mocks.elb
      .on(DescribeTargetGroupsCommand)
      .resolvesOnce({
        TargetGroups: [
          { TargetGroupArn: 'tg-1', VpcId: 'vpc-1' },
          { TargetGroupArn: 'tg-9', VpcId: 'vpc-9' },
        ],
        NextMarker: 'more',
      })
      .resolvesOnce({ TargetGroups: [{ TargetGroupArn: 'tg-2', VpcId: 'vpc-1' }] });
    mocks.elb
      .on(DescribeTargetHealthCommand, { TargetGroupArn: 'tg-1' })
      .resolves({
        TargetHealthDescriptions: [
          { Target: { Id: 'i-1', Port: 443 }, TargetHealth: { State: 'healthy' } },
          { Target: { Id: 'i-1', Port: 80 }, TargetHealth: { State: 'draining' } },
          { Target: { Id: 'i-2', Port: 443 } },
        ],
      })
      .on(DescribeTargetHealthCommand, { TargetGroupArn: 'tg-2' })
      .resolves({ TargetHealthDescriptions: [{ Target: { Id: '10.0.1.10' } }] });
    expect(await targetsOf(elb, { vpcIds: ['vpc-1'] }, ['i-1', '10.0.1.10'])).toEqual([
      { targetGroupArn: 'tg-1', targetId: 'i-1', port: 443 },
      { targetGroupArn: 'tg-2', targetId: '10.0.1.10', port: null },
    ]);
    expect(await targetsIn(elb, ['tg-2'], ['10.0.1.10'])).toHaveLength(1);
  });

  it('let go of one target at its port, and take it back', async () => {
    mocks.elb.on(DeregisterTargetsCommand).resolves({}).on(RegisterTargetsCommand).resolves({});
    await deregister(elb, { targetGroupArn: 'tg-1', targetId: 'i-1', port: 443 });
    await register(elb, { targetGroupArn: 'tg-1', targetId: 'i-1', port: null });
    expect(mocks.elb).toHaveReceivedCommandExactlyOnceWith(DeregisterTargetsCommand, {
      TargetGroupArn: 'tg-1',
      Targets: [{ Id: 'i-1', Port: 443 }],
    });
    expect(mocks.elb).toHaveReceivedCommandExactlyOnceWith(RegisterTargetsCommand, {
      TargetGroupArn: 'tg-1',
      Targets: [{ Id: 'i-1' }],
    });
  });

  it('of the classic kind are searched page by page', async () => {
    mocks.classic
      .on(DescribeLoadBalancersCommand)
      .resolvesOnce({
        LoadBalancerDescriptions: [{ LoadBalancerName: 'old', Instances: [{ InstanceId: 'i-1' }] }],
        NextMarker: 'more',
      })
      .resolvesOnce({ LoadBalancerDescriptions: [{ LoadBalancerName: 'other', Instances: [{ InstanceId: 'i-2' }] }] });
    mocks.classic
      .on(DeregisterInstancesFromLoadBalancerCommand)
      .resolves({})
      .on(RegisterInstancesWithLoadBalancerCommand)
      .resolves({});
    expect(await classicBalancersOf(classic, 'i-1')).toEqual(['old']);
    await leaveClassic(classic, 'old', 'i-1');
    await joinClassic(classic, 'old', 'i-1');
    const input = { LoadBalancerName: 'old', Instances: [{ InstanceId: 'i-1' }] };
    expect(mocks.classic).toHaveReceivedCommandExactlyOnceWith(DeregisterInstancesFromLoadBalancerCommand, input);
    expect(mocks.classic).toHaveReceivedCommandExactlyOnceWith(RegisterInstancesWithLoadBalancerCommand, input);
  });
});
