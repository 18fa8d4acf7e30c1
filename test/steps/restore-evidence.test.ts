import { describe, expect, it } from 'vitest';
import { recordPreserved } from '../../functions/aws/cases.ts';
import { setProtection } from '../../functions/aws/instance-attributes.ts';
import { preserveEvidence } from '../../functions/preserve-evidence/step.ts';
import { restoreEvidence } from '../../functions/restore-evidence/step.ts';
import { worldOf } from '../first-moves/worlds.ts';
import { type Bench, ids, onBench, refusedBy } from '../support/bench.ts';

const GROUP = 'Auto Scaling group shop-web';
const lifecycle = ({ file }: Bench) =>
  file.AutoScalingInstances.find(({ InstanceId }) => InstanceId === ids.instance)?.LifecycleState;

/** Evidence is preserved, and a restore of it begins so many seconds later. */
async function restoredAfter(bench: Bench, seconds: number) {
  const opened = await bench.open();
  await preserveEvidence(bench.tools, opened);
  await bench.tools.sleep(seconds);
  const { caseId } = opened.case;
  const restore = { kind: 'restored', caseId, instanceId: ids.instance, items: [], host: null } as const;
  const again = () => restoreEvidence(bench.tools, { restore });
  const { items } = await again();
  return { items, again, outcome: items.find(({ item }) => item === GROUP) };
}

describe('giving the instance back to its Auto Scaling group', () => {
  it.each(['standby', 'detach'] as const)('waits while it is still on its way out (%s)', async (autoScaling) => {
    const file = worldOf('auto-scaling-member');
    await onBench(
      file,
      async (bench) => {
        const { outcome } = await restoredAfter(bench, 0);
        expect(outcome?.outcome).toBe('restored');
        await bench.tools.sleep(600);
        bench.world.snapshot();
        const members = file.AutoScalingGroups.flatMap(({ Instances = [] }) => Instances);
        const all = [...members, ...file.AutoScalingInstances].filter(({ InstanceId }) => InstanceId === ids.instance);
        expect(all.map(({ LifecycleState }) => LifecycleState)).toContain('InService');
      },
      { autoScaling },
    );
  });

  it('says that it failed, and not that it was done, where the group never lets go; a later restore does it', async () => {
    await onBench(worldOf('auto-scaling-member'), async (bench) => {
      let isStuck = true;
      bench.world.interceptors.push({
        before: ({ call }) => {
          const member = bench.file.AutoScalingInstances.find(({ InstanceId }) => InstanceId === ids.instance);
          const leaves = member?.LifecycleState === 'Standby';
          if (call === 'DescribeAutoScalingInstances' && isStuck && leaves && member) {
            member.LifecycleState = 'EnteringStandby';
          }
        },
      });
      const { outcome, again } = await restoredAfter(bench, 60);
      expect(outcome).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('EnteringStandby') });
      isStuck = false;
      const member = bench.file.AutoScalingInstances.find(({ InstanceId }) => InstanceId === ids.instance);
      if (member) member.LifecycleState = 'Standby';
      const { items } = await again();
      expect(items.find(({ item }) => item === GROUP)?.outcome).toBe('restored');
      expect(lifecycle(bench)).toMatch(/Pending|InService/);
    });
  });
});

describe('preserving evidence, started again by Step Functions', () => {
  it('tells what the first run did as done, though it finds it done already', async () => {
    await onBench(worldOf('auto-scaling-member'), async (bench) => {
      const opened = await bench.open();
      let isDead = false;
      // Everything is taken, and the process dies before it says so.
      bench.fail(
        ({ call, input }) => !isDead && call === 'UpdateItem' && JSON.stringify(input).includes('evidence'),
        () => {
          isDead = true;
          return refusedBy('Killed')();
        },
      );
      await expect(preserveEvidence(bench.tools, opened)).rejects.toThrow('Killed');
      await preserveEvidence(bench.tools, opened);
      const { evidence } = await bench.document(opened.case.caseId);
      const done = evidence.filter(({ outcome }) => outcome === 'done').map(({ item }) => item);
      expect(done).toEqual(
        expect.arrayContaining([GROUP, 'snapshots', 'tags', 'termination protection', 'stop protection']),
      );
      expect(evidence.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
      expect(bench.world.snapshot()['Snapshots']).toHaveLength(3);
    });
  });
});

describe('evidence that a response takes again after a restore has put it back', () => {
  const isProtected = ({ file }: Bench) => file.InstanceAttributes[ids.instance]?.['DisableApiTermination'];

  it('is put back by the next restore', async () => {
    await onBench(worldOf('auto-scaling-member'), async (bench) => {
      const { again } = await restoredAfter(bench, 30);
      expect(isProtected(bench)).toBe(false);
      await bench.tools.sleep(60);
      await preserveEvidence(bench.tools, await bench.open());
      expect(isProtected(bench)).toBe(true);
      const { items } = await again();
      expect(items.find(({ item }) => item === 'termination protection')?.outcome).toBe('restored');
      expect(isProtected(bench)).toBe(false);
    });
  });

  it('is not taken for put back where it is taken while the restore runs', async () => {
    await onBench(worldOf('auto-scaling-member'), async (bench) => {
      const opened = await bench.open();
      await preserveEvidence(bench.tools, opened);
      await bench.tools.sleep(30);
      const { caseId } = opened.case;
      const take = async (): Promise<void> => {
        const before = { kind: 'protection', attribute: 'disableApiStop', before: false } as const;
        await recordPreserved(bench.tools.cases, caseId, before);
        await setProtection(bench.tools.ec2, ids.instance, 'disableApiStop', true);
      };
      let response: Promise<void> | undefined;
      bench.world.interceptors.push({
        // Begun with the first item, the taking is through after the protection was lifted and before that is noted.
        after: ({ call }) => {
          if (call === 'DeleteTags') response ??= take();
        },
      });
      const restore = { kind: 'restored', caseId, instanceId: ids.instance, items: [], host: null } as const;
      await restoreEvidence(bench.tools, { restore });
      await response;
      await bench.tools.sleep(60);
      await restoreEvidence(bench.tools, { restore });
      expect(bench.file.InstanceAttributes[ids.instance]?.['DisableApiStop']).toBe(false);
    });
  });
});
