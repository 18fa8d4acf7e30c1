import { describe, expect, it } from 'vitest';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { neighbourApart, worldOf } from '../scenarios/worlds.ts';
import { defaultWorld, ids, readEvent, shellWatched } from '../support/bench.ts';
import { simulate } from '../support/own-flow-log.ts';

const finding = readEvent('guardduty-ec2-c2activity');

const planOf = async (file: WorldFile, config: object = {}) => {
  const { report } = await simulate(file, finding, { mode: 'observe', config });
  return report.plan;
};
const textOf = async (...asked: Parameters<typeof planOf>) =>
  (await planOf(...asked)).map((step) => Object.values(step).join('; ')).join('\n');

describe('a plan', () => {
  it('says nothing of an Auto Scaling group or balancer of an instance that is in none', async () => {
    expect(await textOf(defaultWorld())).not.toMatch(/Auto Scaling|target group|load balancer/);
  });

  it.each([
    ['standby', /to Standby in the Auto Scaling group shop-web/],
    ['detach', /detached from the Auto Scaling group shop-web/],
  ] as const)('names the group, and what is configured: %s', async (autoScaling, expected) => {
    const text = await textOf(worldOf('auto-scaling-member'), { autoScaling });
    expect(text).toMatch(expected);
    expect(text).toContain('the Auto Scaling group shop-web launches a replacement');
    expect(text).toContain(`out of target group shop-web target ${ids.instance}:8443`);
    expect(text).toContain('out of the classic load balancer shop-classic');
  });

  it('says of what is so already nothing, and of what is not possible why', async () => {
    const isProtected = worldOf('auto-scaling-member', (world) => {
      world.InstanceAttributes = { [ids.instance]: { DisableApiTermination: true } };
    });
    const text = await textOf(isProtected);
    expect(text).not.toContain('termination protection on');
    expect(text).toContain('stop protection on');
    const spot = await planOf(worldOf('spot-instance'));
    expect(spot.find(({ change }) => change.startsWith('termination protection'))).toMatchObject({
      change: 'termination protection: left as it is',
      why: expect.stringContaining('Spot instance'),
    });
  });

  it('says of what cannot be read that it could not be', async () => {
    const file = worldOf('auto-scaling-member', (world) => {
      world.Faults = [{ Api: 'DescribeAutoScalingInstances', Call: '1+', Error: 'AccessDenied' }];
    });
    const step = (await planOf(file)).find(({ change }) => change.startsWith('Auto Scaling group'));
    expect(step).toMatchObject({
      change: expect.stringContaining('could not be read'),
      why: expect.stringContaining('AccessDenied'),
    });
  });

  it('says which security group would be deleted, where that is opted in', async () => {
    const config = { deleteReplacedGroups: true };
    expect(await textOf(defaultWorld(neighbourApart), config)).toContain(`security group ${ids.web}: deleted once`);
    expect(await textOf(defaultWorld(), config)).toContain(`security group ${ids.web}: kept`);
  });
});

describe('a report', () => {
  it('names the security group that was deleted, and how it comes back', async () => {
    const { report, finalState } = await simulate(shellWatched(neighbourApart), finding, {
      config: { deleteReplacedGroups: true },
    });
    const names = (finalState as unknown as WorldFile).SecurityGroups.map(({ GroupName }) => GroupName);
    expect(names).not.toContain('shop-web');
    expect(report.cleanUp).toEqual([
      `security group ${ids.web} (shop-web): deleted; restore makes it again under another id`,
    ]);
  });

  it('names the security group that was kept, and for whom', async () => {
    const { report } = await simulate(shellWatched(), finding, { config: { deleteReplacedGroups: true } });
    expect(report.cleanUp).toEqual([
      expect.stringMatching(new RegExp(`^security group ${ids.web}: kept: used by eni-`)),
    ]);
  });

  it('names each deny that was released', async () => {
    const { report } = await simulate(shellWatched(), finding, { config: { releaseDenies: 'after-proof' } });
    expect(report.verdict).toBe('contained');
    expect(report.held).toEqual([]);
    expect(report.cleanUp).toEqual(
      ['inbound', 'outbound'].map((side) => `${ids.acl} rule 1 ${side} deny ${ids.peer}/32: released`),
    );
  });

  it('does not call preserved what AWS accepted and does not show', async () => {
    const file = worldOf('auto-scaling-member');
    const { report } = await simulate(file, finding, {
      prepare: (world) => {
        const attributes = world.snapshot()['InstanceAttributes'];
        world.interceptors.push({
          after: ({ call }) => {
            // AWS accepts the change and keeps the old value.
            if (call !== 'ModifyInstanceAttribute') return;
            const now = file.InstanceAttributes;
            for (const key of Object.keys(now)) delete now[key];
            Object.assign(now, structuredClone(attributes));
          },
        });
      },
    });
    for (const item of ['termination protection', 'stop protection', 'shutdown behaviour']) {
      expect(report.preserved).not.toContain(item);
      expect(report.skipped).toContainEqual({
        id: item,
        reason: expect.stringContaining('AWS has accepted the change and shows'),
      });
    }
  });
});
