import { describe, expect, it } from 'vitest';
import { recordBefore } from '../../functions/aws/case-table/before-states.ts';
import { createCase, readCase } from '../../functions/aws/case-table/cases.ts';
import { writeClaim } from '../../functions/aws/case-table/claims.ts';
import { setGroups } from '../../functions/aws/network-interfaces.ts';
import { type BeforeInterface, caseIdOf } from '../../functions/core/case/case.ts';
import { SHORTEST_TIMEOUTS } from '../../functions/core/case/expiry.ts';
import { restoreExecution, restoreInstance } from '../../functions/restore-instance/step.ts';
import { type Bench, ids, onBench, shellAlone, twoInterfaces } from '../support/bench.ts';
import { updateCase } from '../support/update-case.ts';

const key = { accountId: '111122223333', region: 'eu-central-1', instanceId: ids.instance };
const idOf = (generation: number) => caseIdOf({ ...key, generation });

async function contained(bench: Bench): Promise<string> {
  const { case: ref } = await bench.contain();
  return ref.caseId;
}

async function itemsOf(bench: Bench, caseId: string) {
  const result = await restoreInstance(bench.tools, { caseId, force: true });
  if (result.kind === 'refused') throw new Error(result.reason);
  return result.items;
}

describe('what a restore is asked', () => {
  it('is the bare request, or what the state machine passes', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await contained(bench);
      const begunBy = async () => (await readCase(bench.tools.cases, caseId))?.restoredBy;
      await restoreExecution(bench.tools, { caseId, force: true });
      expect(await begunBy()).toBeNull();
      await updateCase(bench.tools.cases, caseId, (stored) => ({ ...stored, status: 'open' }));
      await restoreExecution(bench.tools, { request: { caseId, force: true }, execution: 'arn' });
      expect(await begunBy()).toBe('arn');
      await updateCase(bench.tools.cases, caseId, (stored) => ({ ...stored, status: 'open' }));
      await restoreExecution(bench.tools, { request: { caseId, force: true }, execution: 5 });
      expect(await begunBy()).toBeNull();
    });
  });

  it.each<[unknown, RegExp]>([
    [null, /^input: /],
    [undefined, /^input: /],
    ['case-1', /^input: /],
    [{ request: { caseId: 'case-1' } }, /"request"/],
    [{ execution: 'arn', caseId: 'case-1' }, /"execution"/],
  ])('is refused where it is neither: %j', async (input, message) => {
    await onBench(shellAlone(), async (bench) => {
      await expect(restoreExecution(bench.tools, input)).rejects.toThrow(message);
    });
  });

  it('by hand is never taken for a retry', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await contained(bench);
      const isolated = bench.groupsOf(ids.eni);
      await restoreInstance(bench.tools, { caseId, force: true });
      await setGroups(bench.tools.ec2, ids.eni, isolated);
      await updateCase(bench.tools.cases, caseId, (stored) => ({ ...stored, status: 'open' }));
      await restoreInstance(bench.tools, { caseId, force: true });
      expect(bench.groupsOf(ids.eni)).toEqual([ids.web]);
    });
  });

  it('by the same execution, whose case nobody has taken up, goes on', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await contained(bench);
      const isolated = bench.groupsOf(ids.eni);
      await restoreInstance(bench.tools, { caseId, force: true }, 'arn');
      await setGroups(bench.tools.ec2, ids.eni, isolated);
      await restoreInstance(bench.tools, { caseId, force: true }, 'arn');
      expect(bench.groupsOf(ids.eni)).toEqual([ids.web]);
    });
  });
});

describe('a restore without force, where the flow is not proven dead', () => {
  const silent = () =>
    shellAlone((world) => {
      world.InstanceInformationList = [];
    });

  it.each(['terminated', 'gone'] as const)('is done where the instance is %s', async (how) => {
    await onBench(silent(), async (bench) => {
      const caseId = await contained(bench);
      expect((await restoreInstance(bench.tools, { caseId })).kind).toBe('refused');
      for (const { Instances } of bench.file.Reservations)
        for (const instance of Instances)
          if (instance.InstanceId === ids.instance) instance.State = { Code: 48, Name: 'terminated' };
      if (how === 'gone') bench.file.Reservations = [];
      const result = await restoreInstance(bench.tools, { caseId });
      // Nothing is left of its firewall and its processes, and no agent would come back for the undo.
      expect(result).toMatchObject({ caseId, host: null });
      expect(result.kind).not.toBe('refused');
      expect(bench.entries().filter((line) => line.includes('deny'))).toEqual([]);
    });
  });
});

describe('an interface that a later case found isolated', () => {
  /** Three cases of the instance; what each of them has recorded of its interface. */
  async function third(bench: Bench, states: Record<number, Partial<BeforeInterface>>): Promise<string> {
    const first = await contained(bench);
    const document = await bench.document(first);
    for (const generation of [2, 3]) {
      const claim = { caseId: idOf(generation), generation };
      await writeClaim(bench.tools.cases, key, claim, generation - 1);
      await createCase(bench.tools.cases, {
        ...document,
        ...claim,
        status: generation === 2 ? 'restored' : 'reported',
      });
    }
    await updateCase(bench.tools.cases, first, (stored) => ({ ...stored, status: 'restored' }));
    const base: BeforeInterface = {
      networkInterfaceId: ids.eni,
      vpcId: ids.vpc,
      subnetId: ids.subnet,
      groupIds: bench.groupsOf(ids.eni),
      timeouts: SHORTEST_TIMEOUTS,
      instanceType: 'm6i.large',
      recordedAt: '2026-01-20T10:00:00.000Z',
    };
    for (const [generation, state] of Object.entries(states))
      await recordBefore(bench.tools.cases, idOf(Number(generation)), { ...base, ...state });
    return idOf(3);
  }

  it('gets what the first case found, however many have found it isolated since', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await third(bench, { 2: {}, 3: {} });
      await itemsOf(bench, caseId);
      expect(bench.groupsOf(ids.eni)).toEqual([ids.web]);
    });
  });

  it('gets what the case before found, not what an older one did', async () => {
    await onBench(shellAlone(twoInterfaces), async (bench) => {
      const caseId = await third(bench, { 2: { groupIds: [ids.second] }, 3: {} });
      await itemsOf(bench, caseId);
      expect(bench.groupsOf(ids.eni)).toEqual([ids.second]);
    });
  });

  it('that was found with another group beside ours is not one of those', async () => {
    await onBench(shellAlone(twoInterfaces), async (bench) => {
      const mixed = [ids.second, ...bench.groupsOf(ids.eni)];
      const caseId = await third(bench, { 3: { groupIds: [ids.second, ids.web] } });
      expect(mixed).toHaveLength(2);
      await itemsOf(bench, caseId);
      expect(bench.groupsOf(ids.eni)).toEqual([ids.second, ids.web]);
    });
  });

  it('stays where no earlier case knows it', async () => {
    await onBench(shellAlone(twoInterfaces), async (bench) => {
      const caseId = await third(bench, { 3: {} });
      const isolation = bench.groupsOf(ids.secondEni);
      const unknown = 'eni-000000000000000f9';
      const [eni] = bench.file.NetworkInterfaces.slice(-1);
      if (eni) bench.file.NetworkInterfaces.push({ ...structuredClone(eni), NetworkInterfaceId: unknown });
      await recordBefore(bench.tools.cases, caseId, {
        networkInterfaceId: unknown,
        vpcId: ids.vpc,
        subnetId: ids.subnet,
        groupIds: isolation,
        timeouts: SHORTEST_TIMEOUTS,
        instanceType: 'm6i.large',
        recordedAt: '2026-01-20T10:00:00.000Z',
      });
      const items = await itemsOf(bench, caseId);
      expect(items).toContainEqual({ item: `${unknown} groups`, outcome: 'already' });
      expect(bench.groupsOf(unknown)).toEqual(isolation);
    });
  });
});

describe('an interface that somebody changes while it is given back', () => {
  it('has failed, with all the groups that it shows', async () => {
    await onBench(shellAlone(twoInterfaces), async (bench) => {
      const caseId = await contained(bench);
      bench.world.interceptors.push({
        after: ({ call, input }) => {
          const { Groups, NetworkInterfaceId } = input as { Groups?: readonly string[]; NetworkInterfaceId?: string };
          if (call !== 'ModifyNetworkInterfaceAttribute' || Groups === undefined || NetworkInterfaceId !== ids.eni)
            return;
          bench.interfaceOf(ids.eni).Groups = [
            { GroupId: ids.second, GroupName: 'shop-second' },
            { GroupId: ids.web, GroupName: 'shop-web' },
          ];
        },
      });
      expect((await itemsOf(bench, caseId))[0]).toEqual({
        item: `${ids.eni} groups`,
        outcome: 'failed',
        detail: `AWS has accepted the change and shows ${ids.second}, ${ids.web}`,
      });
    });
  });
});

describe('the restore of an older case', () => {
  it('leaves the instance to a newer one of which only the claim is written yet', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await contained(bench);
      const isolated = bench.groupsOf(ids.eni);
      await updateCase(bench.tools.cases, caseId, (stored) => ({ ...stored, status: 'restored' }));
      await writeClaim(bench.tools.cases, key, { caseId: idOf(2), generation: 2 }, 1);
      expect((await itemsOf(bench, caseId))[0]).toMatchObject({
        outcome: 'drifted',
        detail: expect.stringContaining(`${idOf(2)} has it now`),
      });
      expect(bench.groupsOf(ids.eni)).toEqual(isolated);
    });
  });
});
