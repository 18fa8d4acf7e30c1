import { describe, expect, it } from 'vitest';
import { readBefore } from '../../functions/aws/case-table/before-states.ts';
import type { IsolationResult, Opened } from '../../functions/core/case/record.ts';
import { prepareIsolation } from '../../functions/prepare-isolation/step.ts';
import { swapSecurityGroups } from '../../functions/swap-security-groups/step.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { type Bench, defaultWorld, ids, onBench, refusedBy, twoInterfaces } from '../support/bench.ts';

const swap = (bench: Bench, opened: Opened): Promise<IsolationResult> => swapSecurityGroups(bench.tools, opened);

const ours = ({ file }: Bench) =>
  file.SecurityGroups.filter(({ GroupName }) => GroupName?.startsWith('flowcut-isolation'));
const isolationGroup = (bench: Bench): string => ours(bench)[0]?.GroupId ?? 'none';

const secondOf = (world: WorldFile) =>
  world.NetworkInterfaces.find(({ NetworkInterfaceId }) => NetworkInterfaceId === ids.secondEni);

describe('isolate', () => {
  it('puts every interface on one new group without a rule, and shortens its timeouts', async () => {
    await onBench(defaultWorld(twoInterfaces), async (bench) => {
      const result = await swap(bench, await bench.open());
      expect(result.interfaces).toEqual([
        { id: ids.eni, isolation: 'in-force', reason: null },
        { id: ids.secondEni, isolation: 'in-force', reason: null },
      ]);
      for (const id of [ids.eni, ids.secondEni]) {
        expect(bench.groupsOf(id)).toEqual([isolationGroup(bench)]);
        expect(bench.interfaceOf(id).ConnectionTrackingConfiguration).toEqual({
          TcpEstablishedTimeout: 60,
          UdpTimeout: 30,
          UdpStreamTimeout: 60,
        });
      }
    });
  });

  it('leaves the neighbour alone', async () => {
    await onBench(defaultWorld(), async (bench) => {
      await swap(bench, await bench.open());
      expect(bench.groupsOf('eni-00000000000000e02')).toEqual([ids.web]);
    });
  });

  it('never calls ModifyInstanceAttribute, which fails on several interfaces', async () => {
    await onBench(defaultWorld(twoInterfaces), async (bench) => {
      await swap(bench, await bench.open());
      expect(bench.calls('ModifyInstanceAttribute')).toBe(0);
    });
  });

  it('run twice changes nothing the second time and makes no second group', async () => {
    await onBench(defaultWorld(twoInterfaces), async (bench) => {
      const opened = await bench.open();
      const first = await swap(bench, opened);
      const before = bench.state();
      expect((await swap(bench, opened)).interfaces).toEqual(first.interfaces);
      expect(bench.state()).toBe(before);
      expect(ours(bench)).toHaveLength(1);
    });
  });

  it('keeps the first before-state when it runs again', async () => {
    await onBench(defaultWorld(twoInterfaces), async (bench) => {
      const opened = await bench.open();
      await swap(bench, opened);
      await swap(bench, opened);
      expect((await readBefore(bench.tools.cases, opened.case.caseId)).map(({ groupIds }) => groupIds)).toEqual([
        [ids.web],
        [ids.second, ids.web],
      ]);
    });
  });

  it('goes on with the others when one interface fails, and reports it', async () => {
    await onBench(defaultWorld(twoInterfaces), async (bench) => {
      const opened = await bench.open();
      bench.fail(({ call, input }) => {
        const { NetworkInterfaceId, Groups } = input as { NetworkInterfaceId?: string; Groups?: unknown };
        return call === 'ModifyNetworkInterfaceAttribute' && NetworkInterfaceId === ids.eni && Groups !== undefined;
      }, refusedBy('UnauthorizedOperation'));
      const { interfaces } = await swap(bench, opened);
      expect(interfaces).toEqual([
        { id: ids.eni, isolation: 'failed', reason: expect.stringContaining('UnauthorizedOperation') },
        { id: ids.secondEni, isolation: 'in-force', reason: null },
      ]);
      expect(bench.groupsOf(ids.secondEni)).toEqual([isolationGroup(bench)]);
      expect((await bench.document(opened.case.caseId)).isolatedAt).toBeNull();
    });
  });

  it.each<[string, (world: WorldFile) => void, string]>([
    [
      'requester-managed',
      (world) => Object.assign(secondOf(world) ?? {}, { RequesterManaged: true }),
      'requester-managed',
    ],
    [
      'operator-managed',
      (world) => Object.assign(secondOf(world) ?? {}, { Operator: { Managed: true, Principal: 'eks.amazonaws.com' } }),
      'operated by eks.amazonaws.com',
    ],
    [
      'a branch interface',
      (world) => Object.assign(secondOf(world) ?? {}, { InterfaceType: 'branch' }),
      'branch interface',
    ],
  ])('skips an interface that is %s, says why, and isolates the rest', async (_, change, reason) => {
    const file = defaultWorld((world) => {
      twoInterfaces(world);
      change(world);
    });
    await onBench(file, async (bench) => {
      const opened = await bench.open();
      const { interfaces } = await swap(bench, opened);
      expect(interfaces).toEqual([
        { id: ids.eni, isolation: 'in-force', reason: null },
        { id: ids.secondEni, isolation: 'not-modifiable', reason: expect.stringContaining(reason) },
      ]);
      expect(bench.groupsOf(ids.secondEni)).toEqual([ids.second, ids.web]);
      expect((await bench.document(opened.case.caseId)).isolatedAt).not.toBeNull();
    });
  });

  it('isolates all the same where timeouts cannot be set: nothing rests on them', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const opened = await bench.open();
      bench.fail(
        ({ call, input }) =>
          call === 'ModifyNetworkInterfaceAttribute' && JSON.stringify(input).includes('ConnectionTracking'),
        refusedBy('UnsupportedOperation'),
      );
      expect((await swap(bench, opened)).interfaces).toMatchObject([{ isolation: 'in-force' }]);
    });
  });

  it('isolates an instance whose agent is not there', async () => {
    const file = defaultWorld((world) => {
      world.InstanceInformationList = [];
    });
    await onBench(file, async (bench) => {
      expect((await swap(bench, await bench.open())).interfaces).toMatchObject([{ isolation: 'in-force' }]);
    });
  });

  it('records an interface that was attached after the assessment before it touches it', async () => {
    await onBench(defaultWorld(twoInterfaces), async (bench) => {
      const second = bench.interfaceOf(ids.secondEni);
      const { Attachment } = second;
      delete second.Attachment;
      const opened = await bench.open();
      expect(await readBefore(bench.tools.cases, opened.case.caseId)).toHaveLength(1);
      if (Attachment) second.Attachment = Attachment;
      await swap(bench, opened);
      expect(await readBefore(bench.tools.cases, opened.case.caseId)).toMatchObject([
        { groupIds: [ids.web] },
        { networkInterfaceId: ids.secondEni, groupIds: [ids.second, ids.web] },
      ]);
      expect(bench.groupsOf(ids.secondEni)).toEqual([isolationGroup(bench)]);
    });
  });

  it('makes one group for two instances of one VPC that are isolated at the same time', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const opened = await Promise.all([ids.instance, ids.neighbour].map((instanceId) => bench.open({ instanceId })));
      const results = await Promise.all(opened.map((one) => swap(bench, one)));
      expect(results.flatMap(({ interfaces }) => interfaces.map(({ isolation }) => isolation))).toEqual([
        'in-force',
        'in-force',
      ]);
      expect(ours(bench)).toHaveLength(1);
    });
  });
});

describe('the isolation group', () => {
  it('loses its way out in both families, read back, before any interface gets it', async () => {
    await onBench(defaultWorld(twoInterfaces), async (bench) => {
      const opened = await bench.open();
      const openAtSwap: number[] = [];
      bench.fail(({ call, input }) => {
        const { Groups } = input as { Groups?: readonly string[] };
        if (call === 'ModifyNetworkInterfaceAttribute' && Groups !== undefined) {
          const group = bench.file.SecurityGroups.find(({ GroupId }) => GroupId === Groups[0]);
          openAtSwap.push((group?.IpPermissions.length ?? 9) + (group?.IpPermissionsEgress.length ?? 9));
        }
        return false;
      }, refusedBy('never'));
      await swap(bench, opened);
      expect(openAtSwap).toEqual([0, 0]);
      const looks = bench.world.timeline().map(({ call, state: _state, ...rest }) => ({ call, at: rest.at }));
      const revoked = looks.findLast(({ call }) => call === 'RevokeSecurityGroupEgress')?.at ?? 0;
      const read = looks.findLast(
        ({ call }) => call === 'DescribeSecurityGroups' || call === 'DescribeSecurityGroupRules',
      );
      expect(read?.at).toBeGreaterThan(revoked);
    });
  });

  it('has its way out over IPv6 revoked too: a new group of an IPv6 VPC has one', async () => {
    await onBench(defaultWorld(twoInterfaces), async (bench) => {
      await swap(bench, await bench.open());
      const [group] = ours(bench);
      expect(group).toMatchObject({ IpPermissions: [], IpPermissionsEgress: [] });
    });
  });

  it('is never attached when its rules cannot be revoked: the interface stays, and that is said', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const opened = await bench.open();
      bench.fail(({ call }) => call === 'RevokeSecurityGroupEgress', refusedBy('UnauthorizedOperation'));
      const { interfaces } = await swap(bench, opened);
      expect(interfaces).toEqual([
        { id: ids.eni, isolation: 'failed', reason: expect.stringContaining('UnauthorizedOperation') },
      ]);
      expect(bench.groupsOf(ids.eni)).toEqual([ids.web]);
    });
  });

  it.each<[string, boolean]>([
    ['somebody else has taken its name', false],
    ['ours is there with rules that somebody added', true],
  ])('is right although %s', async (_, tagged) => {
    const file = defaultWorld((world) => {
      const [web] = world.SecurityGroups;
      if (web === undefined) return;
      const Tags = tagged ? [{ Key: 'flowcut:purpose', Value: 'isolation' }] : [];
      world.SecurityGroups.push({
        ...structuredClone(web),
        GroupId: 'sg-00000000000000c09',
        GroupName: 'flowcut-isolation',
        Tags,
      });
    });
    await onBench(file, async (bench) => {
      const taken = structuredClone(ours(bench)[0]);
      expect((await swap(bench, await bench.open())).interfaces).toMatchObject([{ isolation: 'in-force' }]);
      const [held = 'none'] = bench.groupsOf(ids.eni);
      expect(bench.file.SecurityGroups.find(({ GroupId }) => GroupId === held)).toMatchObject({
        IpPermissions: [],
        IpPermissionsEgress: [],
      });
      expect(held === taken?.GroupId).toBe(tagged);
      // Ours is emptied, somebody else's is left as it is.
      expect(JSON.stringify(ours(bench)[0]) === JSON.stringify(taken)).toBe(!tagged);
    });
  });

  it.each([8, 12, 60])('is attached, seen without rules, where EC2 shows for %s s what was before', async (lag) => {
    const file = defaultWorld((world) => Object.assign(world, { Assumptions: { ReadLagSeconds: lag } }));
    await onBench(file, async (bench) => {
      const opened = await bench.open();
      const rulesAtSwap: number[] = [];
      bench.fail(({ call, input }) => {
        const { Groups } = input as { Groups?: readonly string[] };
        if (call === 'ModifyNetworkInterfaceAttribute' && Groups !== undefined)
          rulesAtSwap.push(ours(bench)[0]?.IpPermissionsEgress.length ?? 9);
        return false;
      }, refusedBy('never'));
      await prepareIsolation(bench.tools, opened);
      await swap(bench, opened);
      expect([bench.groupsOf(ids.eni), rulesAtSwap]).toEqual([[isolationGroup(bench)], [0]]);
      expect(bench.calls('RevokeSecurityGroupEgress')).toBe(1);
    });
  });

  it('that is never seen without rules is not attached, and the step ends in its time', async () => {
    const file = defaultWorld((world) => Object.assign(world, { Assumptions: { ReadLagSeconds: 400 } }));
    await onBench(file, async (bench) => {
      const opened = await bench.open();
      const began = bench.tools.now().getTime();
      expect((await swap(bench, opened)).interfaces).toMatchObject([{ isolation: 'failed' }]);
      expect(bench.groupsOf(ids.eni)).toEqual([ids.web]);
      expect((bench.tools.now().getTime() - began) / 1000).toBeLessThan(110);
    });
  });

  it('is adopted when the answer to its creation was lost: no orphan', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const opened = await bench.open();
      let lost = false;
      bench.fail(
        ({ call }) => call === 'CreateSecurityGroup' && !lost,
        () => {
          lost = true;
          return Object.assign(new Error('no answer'), { name: 'TimeoutError' });
        },
        'after',
      );
      expect((await swap(bench, opened)).interfaces).toMatchObject([{ isolation: 'in-force' }]);
      expect(ours(bench)).toHaveLength(1);
    });
  });

  it('is prepared beside the cuts, and the swap then needs no more than a look', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const opened = await bench.open();
      expect(await prepareIsolation(bench.tools, opened)).toEqual({ kind: 'ready' });
      expect(bench.groupsOf(ids.eni)).toEqual([ids.web]);
      expect(await prepareIsolation(bench.tools, opened)).toEqual({ kind: 'ready' });
      await swap(bench, opened);
      expect(bench.calls('CreateSecurityGroup')).toBe(1);
    });
  });

  it('that cannot be prepared stops nothing: the step says so and ends', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const opened = await bench.open();
      bench.fail(({ call }) => call === 'CreateSecurityGroup', refusedBy('SecurityGroupLimitExceeded'));
      expect(await prepareIsolation(bench.tools, opened)).toEqual({
        kind: 'failed',
        reason: expect.stringContaining('SecurityGroupLimitExceeded'),
      });
    });
  });
});
