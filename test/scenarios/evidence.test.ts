import { describe, expect, it } from 'vitest';
import type { RestoreItem } from '../../functions/core/case/record.ts';
import type { Simulation, SimulationOptions } from '../../local/simulate.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { ids, readEvent } from '../support/bench.ts';
import { inEpisode } from '../support/episode.ts';
import { simulate } from '../support/own-flow-log.ts';
import { worldOf } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const member = (change?: (world: WorldFile) => void) => worldOf('auto-scaling-member', change);
const respond = (file: WorldFile, options: SimulationOptions = {}) => simulate(file, finding, options);
const restored = (file: WorldFile, options: SimulationOptions = {}) =>
  respond(file, { ...options, restore: { force: true } });

/** Of the final state, in the file's own shapes. */
const worldAfter = ({ finalState }: Simulation) => finalState as unknown as WorldFile & { Snapshots?: Snapshot[] };
interface Snapshot {
  readonly VolumeId: string;
  readonly Tags: readonly { readonly Key: string; readonly Value: string }[];
}

function lifecycleIn(world: WorldFile): string | undefined {
  const inList = world.AutoScalingInstances.find(({ InstanceId }) => InstanceId === ids.instance)?.LifecycleState;
  const inGroup = world.AutoScalingGroups[0]?.Instances?.find(
    ({ InstanceId }) => InstanceId === ids.instance,
  )?.LifecycleState;
  expect(inGroup).toBe(inList);
  return inList;
}

const targetsIn = (world: WorldFile) =>
  world.TargetHealth.map(({ Target, TargetHealth }) => `${Target.Id}:${Target.Port} ${TargetHealth?.State}`).sort();
const classicIn = (world: WorldFile) =>
  world.ClassicLoadBalancers?.flatMap(({ Instances = [] }) => Instances.map(({ InstanceId }) => InstanceId)).sort();
const doomedIn = (world: WorldFile) =>
  world.Reservations[0]?.Instances.find(({ InstanceId }) => InstanceId === ids.instance)
    ?.BlockDeviceMappings?.filter(({ Ebs }) => Ebs?.DeleteOnTermination === true)
    .map(({ DeviceName }) => DeviceName);
const tagsIn = (world: WorldFile) =>
  world.Reservations[0]?.Instances.find(({ InstanceId }) => InstanceId === ids.instance)?.Tags?.map(
    ({ Key, Value }) => `${Key}=${Value}`,
  );
const outcomeOf = (items: readonly RestoreItem[] | undefined, item: string) =>
  items?.find((entry) => entry.item === item)?.outcome;

describe('a member of an Auto Scaling group', () => {
  it('is held, goes to Standby, and its group keeps the capacity that was wanted', async () => {
    const run = await respond(member());
    expect(run.report.verdict).toBe('held');
    const after = worldAfter(run);
    expect(lifecycleIn(after)).toBe('Standby');
    expect(after.AutoScalingGroups[0]).toMatchObject({ DesiredCapacity: 2, MinSize: 2, MaxSize: 4 });
    const neighbour = after.AutoScalingInstances.find(({ InstanceId }) => InstanceId === ids.neighbour);
    expect(neighbour?.LifecycleState).toBe('InService');
    expect(run.report.preserved).toContain('Auto Scaling group shop-web');
  });

  it('comes back into service on restore', async () => {
    const run = await restored(member(), { between: (world) => world.clock.sleep(600) });
    expect(lifecycleIn(worldAfter(run))).toMatch(/Pending|InService/);
    expect(outcomeOf(run.restored, 'Auto Scaling group shop-web')).toBe('restored');
  });

  it('stays in Standby where the group is full, which is reported; all else is restored', async () => {
    const full = member((world) => {
      const [group] = world.AutoScalingGroups;
      if (group) group.MaxSize = 2;
    });
    const run = await restored(full);
    const after = worldAfter(run);
    expect(lifecycleIn(after)).toBe('Standby');
    const failed = run.restored.filter(({ outcome }) => outcome === 'failed');
    expect(failed).toEqual([
      { item: 'Auto Scaling group shop-web', outcome: 'failed', detail: expect.stringContaining('max-size=2') },
    ]);
    expect(targetsIn(after)).toContain(`${ids.instance}:8443 initial`);
    expect(classicIn(after)).toEqual([ids.instance, ids.neighbour]);
    expect(doomedIn(after)).toEqual(['/dev/xvda', '/dev/sdg']);
    expect(run.restore?.kind).toBe('restored');
  });

  it('is detached instead where that is configured, capacity kept, and attached again on restore', async () => {
    const config = { autoScaling: 'detach' } as const;
    const run = await respond(member(), { config });
    const after = worldAfter(run);
    expect(run.report.verdict).toBe('held');
    expect(lifecycleIn(after)).toBeUndefined();
    expect(after.AutoScalingGroups[0]?.DesiredCapacity).toBe(2);
    expect(run.calls.byApi['EnterStandby']).toBeUndefined();
    const back = await restored(member(), { config });
    const [group] = worldAfter(back).AutoScalingGroups;
    expect(group?.Instances?.map(({ InstanceId }) => InstanceId).sort()).toEqual([ids.instance, ids.neighbour]);
    expect(outcomeOf(back.restored, 'Auto Scaling group shop-web')).toBe('restored');
  });

  it.each([
    ['Standby', []],
    ['Terminating:Wait', [expect.stringContaining('Terminating:Wait')]],
  ])('that is %s already is left as it is', async (LifecycleState, reasons) => {
    const file = member((world) => {
      for (const one of [...world.AutoScalingInstances, ...(world.AutoScalingGroups[0]?.Instances ?? [])]) {
        if (one.InstanceId === ids.instance) one.LifecycleState = LifecycleState;
      }
    });
    const run = await respond(file);
    expect(run.report.verdict).toBe('held');
    expect(run.calls.byApi['EnterStandby']).toBeUndefined();
    expect(lifecycleIn(worldAfter(run))).toBe(LifecycleState);
    const said = run.report.skipped.filter(({ id }) => id === 'Auto Scaling group shop-web');
    expect(said.map(({ reason }) => reason)).toEqual(reasons);
  });
});

describe('load balancers', () => {
  it('lose the instance and nobody else', async () => {
    const after = worldAfter(await respond(member()));
    expect(targetsIn(after)).toEqual([`${ids.instance}:8443 draining`, `${ids.neighbour}:8443 healthy`]);
    expect(classicIn(after)).toEqual([ids.neighbour]);
  });

  it('get it back on restore, at the port that it had, once it is drained', async () => {
    const before = member();
    const registered = before.TargetHealth.map(({ Target }) => `${Target.Id}:${Target.Port}`).sort();
    const run = await restored(before, { between: (world) => world.clock.sleep(900) });
    const after = worldAfter(run);
    expect(after.TargetHealth.map(({ Target }) => `${Target.Id}:${Target.Port}`).sort()).toEqual(registered);
    expect(classicIn(after)).toEqual([ids.instance, ids.neighbour]);
  });

  it('lose it at every port and by its address too', async () => {
    const file = member((world) => {
      const [group] = world.TargetGroups;
      const [target] = world.TargetHealth;
      if (!group || !target) throw new Error('the world has lost its target group');
      world.TargetHealth.push({ ...structuredClone(target), Target: { Id: ids.instance, Port: 9443 } });
      const arn = group.TargetGroupArn.replace('shop-web', 'shop-ip');
      world.TargetGroups.push({
        ...structuredClone(group),
        TargetGroupArn: arn,
        TargetGroupName: 'shop-ip',
        TargetType: 'ip',
      });
      world.TargetHealth.push({ TargetGroupArn: arn, Target: { Id: '10.0.1.10', Port: 80 } });
    });
    const run = await respond(file);
    expect(run.report.preserved.filter((item) => item.startsWith('target group'))).toEqual([
      `target group shop-web target ${ids.instance}:8443`,
      `target group shop-web target ${ids.instance}:9443`,
      'target group shop-ip target 10.0.1.10:80',
    ]);
    const still = worldAfter(run).TargetHealth.filter(({ TargetHealth }) => TargetHealth?.State !== 'draining');
    expect(still.map(({ Target }) => Target.Id)).toEqual([ids.neighbour]);
  });
});

describe('the instance and its volumes', () => {
  it('are protected, tagged with the case, and kept; all of it is put back', async () => {
    const run = await respond(member());
    const after = worldAfter(run);
    expect(after.InstanceAttributes[ids.instance]).toEqual({
      DisableApiTermination: true,
      DisableApiStop: true,
      InstanceInitiatedShutdownBehavior: 'stop',
    });
    expect(doomedIn(after)).toEqual([]);
    expect(tagsIn(after)).toContain(`flowcut:case=${run.report.caseId}`);

    const before = member();
    const [doomed, tags] = [doomedIn(before), tagsIn(before)];
    const back = worldAfter(await restored(before));
    expect(back.InstanceAttributes[ids.instance]).toEqual({
      DisableApiTermination: false,
      DisableApiStop: false,
      InstanceInitiatedShutdownBehavior: 'terminate',
    });
    expect(doomedIn(back)).toEqual(doomed);
    expect(tagsIn(back)).toEqual(tags);
  });

  it('stay protected after a restore where they were before', async () => {
    const file = member((world) => {
      world.InstanceAttributes = { [ids.instance]: { DisableApiTermination: true, DisableApiStop: true } };
    });
    const run = await restored(file);
    expect(run.report.preserved).not.toContain('termination protection');
    expect(worldAfter(run).InstanceAttributes[ids.instance]).toMatchObject({
      DisableApiTermination: true,
      DisableApiStop: true,
    });
  });

  it('have every volume snapshot once, with the tag of the case, and a restore keeps the snapshots', async () => {
    const run = await restored(member());
    const snapshots = worldAfter(run).Snapshots ?? [];
    expect(snapshots.map(({ VolumeId }) => VolumeId).sort()).toEqual([
      'vol-0000000000000f001',
      'vol-0000000000000f002',
      'vol-0000000000000f003',
    ]);
    for (const { Tags } of snapshots) expect(Tags).toContainEqual({ Key: 'flowcut:case', Value: run.report.caseId });
    expect(outcomeOf(run.restored, 'snapshots')).toBe('already');
  });

  it('of a Spot instance cannot be protected, which is said and stops nothing', async () => {
    const run = await restored(worldOf('spot-instance'));
    expect(run.report.verdict).toBe('held');
    for (const id of ['termination protection', 'stop protection']) {
      expect(run.report.skipped).toContainEqual({ id, reason: expect.stringContaining('Spot instance') });
    }
    expect(run.report.preserved).toEqual(['delete on termination of /dev/xvda', 'tags', 'snapshots']);
    expect(run.restored.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
    expect(run.timeline.filter(({ input }) => input.includes('DisableApi'))).toEqual([]);
  });
});

describe('evidence and time', () => {
  it('is preserved after the first cut, and no call for it comes before', async () => {
    const { timeline } = await respond(member());
    const cut = timeline.findIndex(({ call }) => call === 'CreateNetworkAclEntry');
    const first = timeline.findIndex(({ state }) => state === 'Preserve evidence');
    expect(cut).toBeGreaterThan(0);
    expect(first).toBeGreaterThan(cut);
  });

  const swapAt = ({ timeline }: Simulation) =>
    timeline.find(({ call, input }) => call === 'ModifyNetworkInterfaceAttribute' && input.includes('Groups'))?.at;
  const hanging = (Api: string) =>
    respond(
      member((world) => {
        world.Faults = [{ Api, Call: '1+', Error: 'Timeout' }];
      }),
    );

  it('delays no isolation, whatever of it hangs for ever', async () => {
    const undisturbed = swapAt(await respond(member()));
    expect(undisturbed).toBeLessThan(15);
    for (const api of ['CreateSnapshots', 'EnterStandby', 'DescribeTargetHealth', 'DescribeInstanceAttribute']) {
      const hung = await hanging(api);
      expect(`${api}: ${swapAt(hung)}`).toBe(`${api}: ${undisturbed}`);
      expect(hung.report.verdict).toBe('held');
    }
  });

  it('delays no isolation, though the list of target groups hangs for ever', async () => {
    expect(swapAt(await hanging('DescribeTargetGroups'))).toBeLessThan(15);
  });
});

describe('a second restore', () => {
  it('changes nothing', async () => {
    await inEpisode(member(), async ({ send, restore, state, world }) => {
      const [report] = await send(finding);
      const caseId = report?.caseId ?? '';
      await restore(caseId, true);
      await world.clock.sleep(900);
      const before = state();
      const { evidence } = await restore(caseId, true);
      expect(state()).toBe(before);
      const claims = evidence.items.filter(({ item }) => !/tags|delete on termination/.test(item));
      expect(new Set(claims.map(({ outcome }) => outcome))).toEqual(new Set(['already']));
    });
  });

  it('finds everything put back', async () => {
    await inEpisode(member(), async ({ send, restore }) => {
      const [report] = await send(finding);
      const caseId = report?.caseId ?? '';
      await restore(caseId, true);
      const { evidence } = await restore(caseId, true);
      expect(evidence.items.filter(({ outcome }) => outcome !== 'already')).toEqual([]);
    });
  });

  it('says of an instance that is gone that everything is gone', async () => {
    await inEpisode(member(), async ({ send, restore, file }) => {
      const [report] = await send(finding);
      const instance = file.Reservations[0]?.Instances[0];
      if (instance) instance.State = { Code: 48, Name: 'terminated' };
      const { evidence } = await restore(report?.caseId ?? '', true);
      expect(new Set(evidence.items.map(({ outcome }) => outcome))).toEqual(new Set(['gone']));
    });
  });
});
