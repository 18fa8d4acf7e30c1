import { describe, expect, it } from 'vitest';
import { recordPreserved } from '../../functions/aws/case-table/preserved.ts';
import { setProtection } from '../../functions/aws/instance-attributes.ts';
import { register } from '../../functions/aws/load-balancers.ts';
import { preserveEvidence } from '../../functions/preserve-evidence/step.ts';
import { restoreEvidence } from '../../functions/restore-evidence/step.ts';
import { worldOf } from '../scenarios/worlds.ts';
import { type Bench, ids, onBench, refusedBy } from '../support/bench.ts';
import { updateCase } from '../support/update-case.ts';

const GROUP = 'Auto Scaling group shop-web';
const lifecycle = ({ file }: Bench) =>
  file.AutoScalingInstances.find(({ InstanceId }) => InstanceId === ids.instance)?.LifecycleState;

/** The second step of a restore, behind a first one that has put back all that isolates. */
async function giveBack({ tools }: Bench, caseId: string, kind: 'restored' | 'partly-restored' = 'restored') {
  await updateCase(tools.cases, caseId, (stored) => ({ ...stored, status: 'restoring' }));
  const items = kind === 'restored' ? [] : [{ item: `${ids.eni} groups`, outcome: 'failed' } as const];
  const restore = { kind, caseId, instanceId: ids.instance, items, host: null } as const;
  return restoreEvidence(tools, { restore });
}

/** Evidence is preserved, and a restore of it begins so many seconds later. */
async function restoredAfter(bench: Bench, seconds: number) {
  const opened = await bench.open();
  await preserveEvidence(bench.tools, opened);
  await bench.tools.sleep(seconds);
  const again = () => giveBack(bench, opened.case.caseId);
  const { items } = await again();
  return { opened, items, again, outcome: items.find(({ item }) => item === GROUP) };
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

  it.each(['standby', 'detach'] as const)('is done where the answer to the call was lost (%s)', async (autoScaling) => {
    await onBench(
      worldOf('auto-scaling-member'),
      async (bench) => {
        const returned = ({ call }: { call: string }) => ['ExitStandby', 'AttachInstances'].includes(call);
        bench.fail(returned, refusedBy('ValidationError'), 'after');
        const { outcome } = await restoredAfter(bench, 60);
        expect(outcome?.outcome).toBe('restored');
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

describe('a restore that could not put back all groups', () => {
  it('keeps the instance protected, tagged, out of its balancers and in Standby, says so, and the next restore ends it', async () => {
    await onBench(worldOf('auto-scaling-member'), async (bench) => {
      const opened = await bench.open();
      const { caseId } = opened.case;
      await preserveEvidence(bench.tools, opened);
      await bench.tools.sleep(60);
      const { items } = await giveBack(bench, caseId, 'partly-restored');
      const failed = items.filter(({ outcome }) => outcome === 'failed');
      expect(failed.map(({ item }) => item)).toEqual([
        'tags',
        'delete on termination of /dev/sdg',
        'delete on termination of /dev/xvda',
        'shutdown behaviour',
        'stop protection',
        'termination protection',
        'classic load balancer shop-classic',
        `target group shop-web target ${ids.instance}:8443`,
        GROUP,
      ]);
      expect(failed[0]?.detail).toContain('restore again');
      expect(bench.file.InstanceAttributes[ids.instance]).toMatchObject({
        DisableApiTermination: true,
        DisableApiStop: true,
        InstanceInitiatedShutdownBehavior: 'stop',
      });
      expect(lifecycle(bench)).toBe('Standby');
      expect((await bench.document(caseId)).status).toBe('restoring');
      const again = await giveBack(bench, caseId);
      expect(again.items.filter(({ outcome }) => !['restored', 'already'].includes(outcome))).toEqual([]);
      expect(bench.file.InstanceAttributes[ids.instance]).toMatchObject({ DisableApiTermination: false });
      expect((await bench.document(caseId)).status).toBe('restored');
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

describe('preserving evidence that cannot be read again', () => {
  it('does not tell as done what an earlier run has only recorded', async () => {
    await onBench(worldOf('auto-scaling-member'), async (bench) => {
      const opened = await bench.open();
      let isDead = false;
      bench.fail(
        ({ call }) => isDead || call === 'EnterStandby',
        () => {
          isDead = true;
          return refusedBy('Killed')();
        },
      );
      await expect(preserveEvidence(bench.tools, opened)).rejects.toThrow('Killed');
      bench.world.interceptors.pop();
      bench.fail(({ call }) => call === 'DescribeAutoScalingInstances', refusedBy('AccessDenied'));
      await preserveEvidence(bench.tools, opened);
      const { evidence } = await bench.document(opened.case.caseId);
      expect(evidence).toContainEqual({
        item: GROUP,
        outcome: 'failed',
        reason: 'an earlier run was about to do it, and whether it is done could not be read',
      });
      expect(lifecycle(bench)).toBe('InService');
    });
  });
});

describe('evidence that a response takes again after a restore has put it back', () => {
  const isProtected = ({ file }: Bench) => file.InstanceAttributes[ids.instance]?.['DisableApiTermination'];

  it('is put back by the next restore', async () => {
    await onBench(worldOf('auto-scaling-member'), async (bench) => {
      const { opened, again } = await restoredAfter(bench, 30);
      expect(isProtected(bench)).toBe(false);
      await bench.tools.sleep(60);
      await preserveEvidence(bench.tools, opened);
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
        await recordPreserved(bench.tools.cases, caseId, 'stop protection', before);
        await setProtection(bench.tools.ec2, ids.instance, 'disableApiStop', true);
      };
      let response: Promise<void> | undefined;
      bench.world.interceptors.push({
        // Begun with the first item, the taking is through after the protection was lifted and before that is noted.
        after: ({ call }) => {
          if (call === 'DeleteTags') response ??= take();
        },
      });
      await giveBack(bench, caseId);
      await response;
      await bench.tools.sleep(60);
      await giveBack(bench, caseId);
      expect(bench.file.InstanceAttributes[ids.instance]?.['DisableApiStop']).toBe(false);
    });
  });
});

describe('evidence that somebody has changed since', () => {
  const FIRST_GROUP = 'target group shop-web';

  /** What the first restore says of each thing, after a hand in the world. */
  async function restoredWith(bench: Bench, change: () => void | Promise<void>, before?: (caseId: string) => void) {
    const opened = await bench.open();
    const { caseId } = opened.case;
    before?.(caseId);
    await preserveEvidence(bench.tools, opened);
    await bench.tools.sleep(60);
    bench.world.snapshot();
    await change();
    const run = async () => (await giveBack(bench, caseId)).items;
    return { caseId, items: await run(), again: run };
  }

  const instanceOf = ({ file }: Bench) => {
    const found = file.Reservations.flatMap(({ Instances }) => Instances).find(
      ({ InstanceId }) => InstanceId === ids.instance,
    );
    if (found === undefined) throw new Error('the instance is not in the world');
    return found;
  };

  it('drifted in nothing where nobody touched it', async () => {
    await onBench(worldOf('auto-scaling-member'), async (bench) => {
      const { items } = await restoredWith(bench, () => undefined);
      expect(items.filter(({ outcome }) => outcome === 'drifted')).toEqual([]);
      expect(items.length).toBeGreaterThan(5);
    });
  });

  it('is left where the tag has another value, and the value is told', async () => {
    await onBench(worldOf('auto-scaling-member'), async (bench) => {
      const { caseId, items } = await restoredWith(bench, () => {
        const tag = instanceOf(bench).Tags?.find(({ Key }) => Key === 'flowcut:case');
        if (tag) tag.Value = 'mine\u001b[2J';
      });
      expect(items.find(({ item }) => item === 'tags')).toEqual({
        item: 'tags',
        outcome: 'drifted',
        detail: `found "mine\\u001b[2J"; expected "${caseId}"`,
      });
      expect(instanceOf(bench).Tags).toContainEqual({ Key: 'flowcut:case', Value: 'mine\u001b[2J' });
    });
  });

  it('is told where the protection was switched off, or deletion on termination on again', async () => {
    await onBench(worldOf('auto-scaling-member'), async (bench) => {
      const { items, again } = await restoredWith(bench, async () => {
        await setProtection(bench.tools.ec2, ids.instance, 'disableApiTermination', false);
        for (const device of instanceOf(bench).BlockDeviceMappings ?? []) {
          if (device.Ebs) device.Ebs.DeleteOnTermination = true;
        }
      });
      expect(items.find(({ item }) => item === 'termination protection')).toMatchObject({
        outcome: 'drifted',
        detail: 'found off; expected on',
      });
      expect(items.find(({ item }) => item.startsWith('delete on termination'))).toMatchObject({
        outcome: 'drifted',
        detail: 'found on; expected off',
      });
      expect(items.find(({ item }) => item === 'stop protection')?.outcome).toBe('restored');
      expect(new Set((await again()).map(({ outcome }) => outcome))).toEqual(new Set(['already']));
    });
  });

  it('is left where the target is registered again at another port', async () => {
    await onBench(worldOf('auto-scaling-member'), async (bench) => {
      const [target] = bench.file.TargetHealth;
      if (target === undefined) throw new Error('there is no target');
      const { TargetGroupArn, Target } = target;
      const { items } = await restoredWith(bench, () =>
        register(bench.tools.elb, { targetGroupArn: TargetGroupArn, targetId: Target.Id, port: 9999 }),
      );
      expect(items.find(({ item }) => item.startsWith(FIRST_GROUP))).toMatchObject({
        outcome: 'drifted',
        detail: expect.stringMatching(/^found port 9999; expected no registration \(it was at port \d+\)$/),
      });
    });
  });

  it('has not drifted where the response could not protect it in the first place', async () => {
    await onBench(worldOf('auto-scaling-member'), async (bench) => {
      const isRefused = ({ call, input }: { call: string; input: unknown }) =>
        call === 'ModifyInstanceAttribute' && JSON.stringify(input).includes('DisableApiTermination');
      bench.fail(isRefused, refusedBy('UnauthorizedOperation'));
      const { items } = await restoredWith(bench, () => undefined);
      expect(items.find(({ item }) => item === 'termination protection')).toMatchObject({ outcome: 'already' });
    });
  });

  it('has not drifted where a restore died between putting it back and noting that', async () => {
    await onBench(worldOf('auto-scaling-member'), async (bench) => {
      const opened = await bench.open();
      await preserveEvidence(bench.tools, opened);
      await bench.tools.sleep(60);
      const { caseId } = opened.case;
      let isDead = false;
      bench.fail(
        ({ call, input }) =>
          isDead || (call === 'UpdateItem' && JSON.stringify(input).includes('termination protection')),
        () => {
          isDead = true;
          return refusedBy('Killed')();
        },
      );
      await giveBack(bench, caseId).catch(() => undefined);
      isDead = false;
      bench.world.interceptors.pop();
      const { items } = await giveBack(bench, caseId);
      expect(items.filter(({ outcome }) => !['restored', 'already'].includes(outcome))).toEqual([]);
    });
  });
});

describe('evidence that AWS shows as if it had not been put back', () => {
  /** From here on each read is answered as it was the first time, whatever is written in between. */
  function freeze({ tools }: Bench): () => void {
    const first = new Map<string, unknown>();
    let isOn = true;
    for (const client of [tools.ec2, tools.elb, tools.classicElb, tools.scaling]) {
      const stack = client.middlewareStack as unknown as typeof tools.ec2.middlewareStack;
      stack.add(
        (next, { commandName = '' }) =>
          async (given) => {
            const answer = await next(given);
            const key = `${commandName} ${JSON.stringify(given.input)}`;
            if (!isOn || !commandName.startsWith('Describe')) return answer;
            if (!first.has(key)) first.set(key, structuredClone(answer.output));
            return { ...answer, output: structuredClone(first.get(key)) as never };
          },
        { step: 'initialize' },
      );
    }
    return () => {
      isOn = false;
    };
  }

  it.each([
    [
      'standby',
      [
        `${GROUP}: failed (AWS has accepted the change and shows Standby)`,
        'delete on termination of /dev/xvda: failed (AWS has accepted the change and shows off)',
        'stop protection: failed (AWS has accepted the change and shows on)',
        'classic load balancer shop-classic: failed (AWS has accepted the change and shows it out of it)',
        'shutdown behaviour: failed (AWS has accepted the change and shows stop)',
        'tags: failed (AWS has accepted the change and shows "CASE")',
        'target group shop-web target i-0000000000000ab01:8443: failed (AWS has accepted the change and shows no registration)',
        'termination protection: failed (AWS has accepted the change and shows on)',
      ],
    ],
    ['detach', [`${GROUP}: failed (AWS has accepted the change and shows it in no group)`]],
  ] as const)('has failed, and the next restore finds it put back (%s)', async (autoScaling, expected) => {
    await onBench(
      worldOf('auto-scaling-member'),
      async (bench) => {
        const opened = await bench.open();
        const { caseId } = opened.case;
        await preserveEvidence(bench.tools, opened);
        await bench.tools.sleep(60);
        const thaw = freeze(bench);
        const { items } = await giveBack(bench, caseId);
        const lines = items.map(({ item, outcome, detail }) =>
          `${item}: ${outcome} (${detail})`.replace(caseId, 'CASE'),
        );
        expect(lines.sort()).toEqual(expect.arrayContaining([...expected]));
        thaw();
        const second = (await giveBack(bench, caseId)).items;
        expect(new Set(second.map(({ outcome }) => outcome))).toEqual(new Set(['already']));
      },
      { autoScaling },
    );
  });
});
