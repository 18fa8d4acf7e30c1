import {
  AttachInstancesCommand,
  AutoScalingClient,
  DescribeAutoScalingGroupsCommand,
  DescribeAutoScalingInstancesCommand,
  DetachInstancesCommand,
  EnterStandbyCommand,
  ExitStandbyCommand,
  SuspendProcessesCommand,
} from '@aws-sdk/client-auto-scaling';
import {
  DeregisterInstancesFromLoadBalancerCommand,
  DescribeLoadBalancersCommand as DescribeClassicLoadBalancersCommand,
  ElasticLoadBalancingClient,
  RegisterInstancesWithLoadBalancerCommand,
} from '@aws-sdk/client-elastic-load-balancing';
import {
  DeregisterTargetsCommand,
  DescribeLoadBalancersCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
  ElasticLoadBalancingV2Client,
  RegisterTargetsCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { describe, expect, it } from 'vitest';
import type { ApiState, AutoScalingGroup } from '../../../local/world/api/shapes.ts';
import { ids, instanceOf, inWorld, outcome, type Scene } from './small-world.ts';

const AutoScalingGroupName = 'web';
const perfectGroup: AutoScalingGroup = {
  AutoScalingGroupName,
  MinSize: 1,
  MaxSize: 2,
  DesiredCapacity: 1,
  Instances: [{ InstanceId: ids.instance, LifecycleState: 'InService', HealthStatus: 'Healthy' }],
};
const one = { AutoScalingGroupName, InstanceIds: [ids.instance] };

function withGroup<T>(
  over: Partial<AutoScalingGroup>,
  body: (scene: Scene & { scaling: AutoScalingClient }) => Promise<T>,
) {
  const state: Partial<ApiState> = {
    AutoScalingGroups: [{ ...structuredClone(perfectGroup), ...over }],
    Reservations: [{ Instances: [instanceOf(ids.instance), instanceOf(ids.spot)] }],
  };
  return inWorld(state, (scene) =>
    body({ ...scene, scaling: scene.world.attach(new AutoScalingClient({ region: 'eu-central-1' })) }),
  );
}

const lifecycle = async (scaling: AutoScalingClient, id: string = ids.instance) => {
  const { AutoScalingInstances } = await scaling.send(new DescribeAutoScalingInstancesCommand({ InstanceIds: [id] }));
  return AutoScalingInstances?.[0]?.LifecycleState;
};

describe('Auto Scaling', () => {
  it('puts an instance on standby and back, raising the desired capacity on the way back', () =>
    withGroup({}, async ({ scaling, clock, state }) => {
      await scaling.send(new EnterStandbyCommand({ ...one, ShouldDecrementDesiredCapacity: false }));
      expect(await lifecycle(scaling)).toBe('EnteringStandby');
      await clock.sleep(5);
      expect(await lifecycle(scaling)).toBe('Standby');
      expect(state.AutoScalingGroups[0]?.DesiredCapacity).toBe(1);

      await scaling.send(new ExitStandbyCommand(one));
      await clock.sleep(5);
      expect(await lifecycle(scaling)).toBe('InService');
      expect(state.AutoScalingGroups[0]?.DesiredCapacity).toBe(2);
    }));

  it('does not lower the capacity below its least, nor raise it above its most', () =>
    withGroup({ MaxSize: 1 }, async ({ scaling, clock }) => {
      const enter = (ShouldDecrementDesiredCapacity: boolean) =>
        outcome(scaling.send(new EnterStandbyCommand({ ...one, ShouldDecrementDesiredCapacity })));

      expect(await enter(true)).toBe('ValidationError');
      expect(await enter(false)).toBe('ok');
      await clock.sleep(10);
      expect(await outcome(scaling.send(new ExitStandbyCommand(one)))).toBe('ValidationError');
    }));

  it('takes only from InService to standby, and only from standby back', () =>
    withGroup({ Instances: [{ InstanceId: ids.instance, LifecycleState: 'Pending' }] }, async ({ scaling }) => {
      const enter = new EnterStandbyCommand({ ...one, ShouldDecrementDesiredCapacity: false });
      expect(await outcome(scaling.send(enter))).toBe('ValidationError');
      expect(await outcome(scaling.send(new ExitStandbyCommand(one)))).toBe('ValidationError');
      const other = new EnterStandbyCommand({ ...one, InstanceIds: [ids.spot], ShouldDecrementDesiredCapacity: false });
      expect(await outcome(scaling.send(other))).toBe('ValidationError');
      const nowhere = new ExitStandbyCommand({ ...one, AutoScalingGroupName: 'nowhere' });
      expect(await outcome(scaling.send(nowhere))).toBe('ValidationError');
    }));

  it('detaches and attaches', () =>
    withGroup({}, async ({ scaling, clock, state }) => {
      await scaling.send(new DetachInstancesCommand({ ...one, ShouldDecrementDesiredCapacity: false }));
      await clock.sleep(5);
      expect(await lifecycle(scaling)).toBeUndefined();
      expect(state.AutoScalingGroups[0]?.Instances).toEqual([]);

      const attach = new AttachInstancesCommand(one);
      await scaling.send(attach);
      await clock.sleep(5);
      expect(await lifecycle(scaling)).toBe('InService');
      expect(state.AutoScalingGroups[0]?.DesiredCapacity).toBe(2);
      expect(await outcome(scaling.send(attach))).toBe('ValidationError');
      const full = new AttachInstancesCommand({ AutoScalingGroupName, InstanceIds: [ids.spot] });
      expect(await outcome(scaling.send(full))).toBe('ValidationError');
    }));

  it('knows a group by its instances alone', () =>
    inWorld(
      { AutoScalingInstances: [{ InstanceId: ids.instance, AutoScalingGroupName, LifecycleState: 'InService' }] },
      async ({ world, state }) => {
        const scaling = world.attach(new AutoScalingClient({ region: 'eu-central-1' }));
        await scaling.send(new EnterStandbyCommand({ ...one, ShouldDecrementDesiredCapacity: true }));

        expect(state.AutoScalingInstances[0]?.LifecycleState).toBe('EnteringStandby');
      },
    ));

  it('suspends processes that exist', () =>
    withGroup({}, async ({ scaling }) => {
      const suspend = (name: string) =>
        outcome(scaling.send(new SuspendProcessesCommand({ AutoScalingGroupName, ScalingProcesses: [name] })));

      expect(await suspend('Terminate')).toBe('ok');
      expect(await suspend('Terminate')).toBe('ok');
      expect(await suspend('Sleep')).toBe('ValidationError');
      const { AutoScalingGroups } = await scaling.send(
        new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: ['web'] }),
      );
      expect(AutoScalingGroups?.[0]?.SuspendedProcesses).toMatchObject([{ ProcessName: 'Terminate' }]);
      expect(AutoScalingGroups?.[0]?.Instances).toMatchObject([{ InstanceId: ids.instance }]);
    }));
});

const TargetGroupArn = 'arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/web/0123456789abcdef';

function withTargets<T>(body: (scene: Scene & { elb: ElasticLoadBalancingV2Client }) => Promise<T>) {
  const state: Partial<ApiState> = {
    TargetGroups: [
      {
        TargetGroupArn,
        TargetGroupName: 'web',
        Port: 80,
        TargetType: 'instance',
        VpcId: ids.vpc,
        LoadBalancerArns: ['lb'],
      },
    ],
    TargetHealth: [{ TargetGroupArn, Target: { Id: ids.instance, Port: 80 }, TargetHealth: { State: 'healthy' } }],
    LoadBalancers: [{ LoadBalancerArn: 'lb', LoadBalancerName: 'front' }],
  };
  return inWorld(state, (scene) =>
    body({ ...scene, elb: scene.world.attach(new ElasticLoadBalancingV2Client({ region: 'eu-central-1' })) }),
  );
}

describe('target groups', () => {
  it('drain a target for five minutes, and take it back', () =>
    withTargets(async ({ elb, clock }) => {
      const Targets = [{ Id: ids.instance }];
      const health = async () => {
        const { TargetHealthDescriptions } = await elb.send(
          new DescribeTargetHealthCommand({ TargetGroupArn, Targets }),
        );
        return TargetHealthDescriptions?.[0]?.TargetHealth?.State;
      };
      await elb.send(new DeregisterTargetsCommand({ TargetGroupArn, Targets }));
      expect(await health()).toBe('draining');
      await clock.sleep(300);
      expect(await health()).toBe('unused');
      expect(await outcome(elb.send(new DeregisterTargetsCommand({ TargetGroupArn, Targets })))).toBe('ok');

      await elb.send(new RegisterTargetsCommand({ TargetGroupArn, Targets }));
      expect(await health()).toBe('initial');
      await clock.sleep(60);
      expect(await health()).toBe('healthy');
    }));

  it.each([
    ['TargetGroupNotFoundException', new DescribeTargetHealthCommand({ TargetGroupArn: 'x' })],
    ['TargetGroupNotFoundException', new DescribeTargetGroupsCommand({ Names: ['x'] })],
    [
      'InvalidTargetException',
      new RegisterTargetsCommand({ TargetGroupArn, Targets: [{ Id: 'i-0000000000000dead' }] }),
    ],
    ['ValidationError', new DeregisterTargetsCommand({ TargetGroupArn, Targets: [] })],
    ['LoadBalancerNotFoundException', new DescribeLoadBalancersCommand({ Names: ['x'] })],
    ['ok', new DescribeLoadBalancersCommand({ Names: ['front'] })],
    ['ok', new DescribeTargetGroupsCommand({ LoadBalancerArn: 'lb' })],
  ])('answer %s', (code, command) =>
    withTargets(async ({ elb }) => {
      expect(await outcome(elb.send(command as DescribeTargetHealthCommand))).toBe(code);
    }),
  );
});

describe('classic load balancers', () => {
  it('let go of instances and take them back', () =>
    inWorld(
      { ClassicLoadBalancers: [{ LoadBalancerName: 'old', Instances: [{ InstanceId: ids.instance }] }] },
      async ({ world }) => {
        const elb = world.attach(new ElasticLoadBalancingClient({ region: 'eu-central-1' }));
        const input = { LoadBalancerName: 'old', Instances: [{ InstanceId: ids.instance }] };

        expect((await elb.send(new DeregisterInstancesFromLoadBalancerCommand(input))).Instances).toEqual([]);
        expect((await elb.send(new RegisterInstancesWithLoadBalancerCommand(input))).Instances).toEqual(
          input.Instances,
        );
        const { LoadBalancerDescriptions } = await elb.send(new DescribeClassicLoadBalancersCommand({}));
        expect(LoadBalancerDescriptions).toMatchObject([{ LoadBalancerName: 'old', Instances: input.Instances }]);
        const unknown = elb.send(new DeregisterInstancesFromLoadBalancerCommand({ ...input, LoadBalancerName: 'x' }));
        await expect(unknown).rejects.toMatchObject({
          name: 'AccessPointNotFoundException',
          Code: 'LoadBalancerNotFound',
        });
        const stranger = { ...input, Instances: [{ InstanceId: 'i-0000000000000dead' }] };
        expect(await outcome(elb.send(new RegisterInstancesWithLoadBalancerCommand(stranger)))).toBe(
          'InvalidEndPointException',
        );
      },
    ));
});
