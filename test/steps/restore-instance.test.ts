import { describe, expect, it } from 'vitest';
import { readBefore } from '../../functions/aws/case-table/before-states.ts';
import { ledgerOf } from '../../functions/aws/case-table/deny-ledger.ts';
import { createDeny, deleteEntry } from '../../functions/aws/network-acls.ts';
import { setGroups, setTimeouts } from '../../functions/aws/network-interfaces.ts';
import type { CaseDocument } from '../../functions/core/case/case.ts';
import { SHORTEST_TIMEOUTS } from '../../functions/core/case/expiry.ts';
import type { RestoreItem, RestoreResult } from '../../functions/core/case/record.ts';
import type { HostAccount } from '../../functions/core/host/host-account.ts';
import { parseRestoreRequest } from '../../functions/core/intake/restore-request.ts';
import type { TrackingTimeouts } from '../../functions/core/model.ts';
import { restoreEvidence } from '../../functions/restore-evidence/step.ts';
import { restoreInstance } from '../../functions/restore-instance/step.ts';
import {
  type Bench,
  defaultWorld,
  ids,
  onBench,
  readEvent,
  refusedBy,
  shellAlone,
  shellWatched,
  twoInterfaces,
} from '../support/bench.ts';
import { wholeAnswer } from '../support/incident.ts';
import { updateCase } from '../support/update-case.ts';

const finding = readEvent('guardduty-ec2-c2activity');

/** Without a flow log nothing outside the host proves the flow dead: the case is held. */
async function held(bench: Bench): Promise<string> {
  const { case: ref, verdict } = await bench.contain(finding);
  expect(verdict?.kind).toBe('held');
  return ref.caseId;
}

/** The flow log was silent over the longest timer, and the host lists the flow no longer. */
async function contained(bench: Bench): Promise<string> {
  const { case: ref, verdict } = await bench.contain(finding);
  expect(verdict?.kind).toBe('contained');
  return ref.caseId;
}

const restore = ({ tools }: Bench, caseId: string, force = true): Promise<RestoreResult> =>
  restoreInstance(tools, { caseId, force });

/** With the step behind it, which closes the case. */
async function wholeRestore(bench: Bench, caseId: string, force = true): Promise<RestoreResult> {
  const result = await restore(bench, caseId, force);
  await restoreEvidence(bench.tools, { restore: result });
  return result;
}

function itemsOf(result: RestoreResult): readonly RestoreItem[] {
  if (result.kind === 'refused') throw new Error(result.reason);
  return result.items;
}

const outcomes = (result: RestoreResult) => itemsOf(result).map(({ item, outcome }) => `${item}: ${outcome}`);
const denies = (bench: Bench) => bench.entries().filter((line) => line.includes('deny'));

describe('restore', () => {
  it('puts back groups in their order on every interface, then the denies', async () => {
    await onBench(shellAlone(twoInterfaces), async (bench) => {
      const before = bench.entries();
      const caseId = await held(bench);
      expect(denies(bench)).toHaveLength(2);
      const result = await restore(bench, caseId);
      expect(result.kind).toBe('restored');
      expect(bench.groupsOf(ids.eni)).toEqual([ids.web]);
      expect(bench.groupsOf(ids.secondEni)).toEqual([ids.second, ids.web]);
      expect(bench.entries()).toEqual(before);
      expect(outcomes(result)).toEqual([
        `${ids.eni} groups: restored`,
        `${ids.eni} tracking timeouts: restored`,
        `${ids.secondEni} groups: restored`,
        `${ids.secondEni} tracking timeouts: restored`,
        `${ids.acl} rule 1 inbound deny 198.51.100.7/32: restored`,
        `${ids.acl} rule 1 outbound deny 198.51.100.7/32: restored`,
      ]);
      expect(bench.world.dumpTable().filter(({ pk }) => String(pk).startsWith('ACL#'))).toEqual([]);
      const swapped = bench.world
        .timeline()
        .findLast(({ call, input }) => call === 'ModifyNetworkInterfaceAttribute' && input.includes('Groups'));
      const lifted = bench.world.timeline().find(({ call }) => call === 'DeleteNetworkAclEntry');
      expect(lifted?.at).toBeGreaterThan(swapped?.at ?? 0);
    });
  });

  it("puts back timeouts that were set, and the family's default where none was, and says so", async () => {
    const file = shellAlone((world) => {
      twoInterfaces(world);
      const [first] = world.NetworkInterfaces;
      if (first)
        first.ConnectionTrackingConfiguration = { TcpEstablishedTimeout: 600, UdpTimeout: 45, UdpStreamTimeout: 120 };
    });
    await onBench(file, async (bench) => {
      const items = itemsOf(await restore(bench, await held(bench)));
      expect(bench.interfaceOf(ids.eni).ConnectionTrackingConfiguration).toEqual({
        TcpEstablishedTimeout: 600,
        UdpTimeout: 45,
        UdpStreamTimeout: 120,
      });
      expect(bench.interfaceOf(ids.secondEni).ConnectionTrackingConfiguration).toEqual({
        TcpEstablishedTimeout: 432_000,
        UdpTimeout: 30,
        UdpStreamTimeout: 180,
      });
      expect(items.filter(({ item }) => item.endsWith('timeouts')).map(({ detail }) => detail)).toEqual([
        undefined,
        "not set before; now the instance family's default is",
      ]);
    });
  });

  it('writes the shorter default of a Nitro v6 family where none was set', async () => {
    const file = shellAlone((world) => {
      const instance = world.Reservations[0]?.Instances[0];
      if (instance) instance.InstanceType = 'm8i.large';
    });
    await onBench(file, async (bench) => {
      await restore(bench, await held(bench));
      expect(bench.interfaceOf(ids.eni).ConnectionTrackingConfiguration).toMatchObject({ TcpEstablishedTimeout: 350 });
    });
  });

  it('run twice changes nothing the second time', async () => {
    await onBench(shellAlone(twoInterfaces), async (bench) => {
      const caseId = await held(bench);
      await restore(bench, caseId);
      const before = bench.state();
      const again = await restore(bench, caseId);
      expect(bench.state()).toBe(before);
      expect(new Set(itemsOf(again).map(({ outcome }) => outcome))).toEqual(new Set(['already']));
    });
  });

  it('works by instance, on its current case', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      expect(await restoreInstance(bench.tools, { instanceId: ids.instance, force: true })).toMatchObject({
        kind: 'restored',
        caseId,
      });
    });
  });

  it('leaves groups that somebody changed since, and says what it found', async () => {
    await onBench(shellAlone(twoInterfaces), async (bench) => {
      const caseId = await held(bench);
      await setGroups(bench.tools.ec2, ids.eni, [ids.second]);
      const result = await restore(bench, caseId);
      expect(bench.groupsOf(ids.eni)).toEqual([ids.second]);
      expect(bench.groupsOf(ids.secondEni)).toEqual([ids.second, ids.web]);
      expect(itemsOf(result)[0]).toMatchObject({
        outcome: 'drifted',
        detail: `found ${ids.second}; expected the isolation group`,
      });
    });
  });

  it.each<[string, Partial<TrackingTimeouts>, string]>([
    ['TCP', { tcpEstablishedSeconds: 999 }, 'established 999 s, UDP 30 s, UDP stream 60 s'],
    ['UDP', { udpSeconds: 33 }, 'established 60 s, UDP 33 s, UDP stream 60 s'],
    ['UDP streams', { udpStreamSeconds: 77 }, 'established 60 s, UDP 30 s, UDP stream 77 s'],
  ])('leaves timeouts of which somebody changed only that of %s', async (_, change, found) => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      await setTimeouts(bench.tools.ec2, ids.eni, { ...SHORTEST_TIMEOUTS, ...change });
      const before = bench.interfaceOf(ids.eni).ConnectionTrackingConfiguration;
      const drifted = itemsOf(await restore(bench, caseId)).find(({ item }) => item.endsWith('timeouts'));
      expect(drifted).toEqual({
        item: `${ids.eni} tracking timeouts`,
        outcome: 'drifted',
        detail: `found ${found}; expected established 60 s, UDP 30 s, UDP stream 60 s`,
      });
      expect(bench.interfaceOf(ids.eni).ConnectionTrackingConfiguration).toEqual(before);
    });
  });

  it('tells of a timeout that is not set any more that it is not', async () => {
    const file = shellAlone((world) => {
      const [first] = world.NetworkInterfaces;
      if (first)
        first.ConnectionTrackingConfiguration = { TcpEstablishedTimeout: 600, UdpTimeout: 45, UdpStreamTimeout: 120 };
    });
    await onBench(file, async (bench) => {
      const caseId = await held(bench);
      bench.interfaceOf(ids.eni).ConnectionTrackingConfiguration = { UdpTimeout: 30 };
      const items = itemsOf(await restore(bench, caseId));
      expect(items.find(({ item }) => item.endsWith('timeouts'))?.detail).toBe(
        'found established not set, UDP 30 s, UDP stream not set; expected established 60 s, UDP 30 s, UDP stream 60 s',
      );
    });
  });

  it('leaves groups of which somebody took one away, or put another in its place', async () => {
    await onBench(shellAlone(twoInterfaces), async (bench) => {
      const caseId = await held(bench);
      const [isolation = ''] = bench.groupsOf(ids.secondEni);
      for (const groups of [[ids.second], [ids.second, isolation]]) {
        await setGroups(bench.tools.ec2, ids.secondEni, groups);
        const items = itemsOf(await restore(bench, caseId));
        expect(items.find(({ item }) => item === `${ids.secondEni} groups`)).toEqual({
          item: `${ids.secondEni} groups`,
          outcome: 'drifted',
          detail: `found ${groups.join(', ')}; expected the isolation group`,
        });
        expect(bench.groupsOf(ids.secondEni)).toEqual(groups);
      }
    });
  });

  it("says that the family's default is there now also where one timeout of three was not set", async () => {
    const file = shellAlone((world) => {
      const [first] = world.NetworkInterfaces;
      if (first) first.ConnectionTrackingConfiguration = { TcpEstablishedTimeout: 600 };
    });
    await onBench(file, async (bench) => {
      const items = itemsOf(await restore(bench, await held(bench)));
      expect(items.find(({ item }) => item.endsWith('timeouts'))).toEqual({
        item: `${ids.eni} tracking timeouts`,
        outcome: 'restored',
        detail: "not set before; now the instance family's default is",
      });
      expect(bench.interfaceOf(ids.eni).ConnectionTrackingConfiguration).toEqual({
        TcpEstablishedTimeout: 600,
        UdpTimeout: 30,
        UdpStreamTimeout: 180,
      });
    });
  });

  it('waits for nothing where no group is made again', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      const waits: number[] = [];
      const sleep = (seconds: number) => {
        waits.push(seconds);
        return Promise.resolve();
      };
      await restoreInstance({ ...bench.tools, sleep }, { caseId, force: true });
      expect(waits).toEqual([]);
    });
  });

  it('still says that a timeout was not set before, where the process died once it had written it', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      const written = ({ call, input }: { call: string; input: unknown }) =>
        call === 'ModifyNetworkInterfaceAttribute' && JSON.stringify(input).includes('Tracking');
      let isDead = false;
      bench.fail(
        (call) => isDead || written(call),
        () => {
          isDead = true;
          return refusedBy('Killed')();
        },
        'after',
      );
      await restore(bench, caseId).catch(() => undefined);
      isDead = false;
      bench.world.interceptors.pop();
      expect(itemsOf(await restore(bench, caseId))).toContainEqual({
        item: `${ids.eni} tracking timeouts`,
        outcome: 'already',
        detail: expect.stringContaining('not set before'),
      });
    });
  });

  it('leaves an entry that somebody has changed since, reports it, and lifts the other', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      const place = { aclId: ids.acl, egress: true, ruleNumber: 1 };
      await deleteEntry(bench.tools.ec2, place);
      await createDeny(bench.tools.ec2, place, '203.0.113.200/32');
      const result = await restore(bench, caseId);
      expect(denies(bench)).toEqual(['out 1 deny -1 203.0.113.200/32']);
      expect(itemsOf(result).slice(-2)).toMatchObject([
        { outcome: 'restored' },
        { outcome: 'drifted', detail: 'found deny 203.0.113.200/32, protocol -1' },
      ]);
    });
  });

  it('says of an entry and of an interface that are gone that they are gone', async () => {
    await onBench(shellAlone(twoInterfaces), async (bench) => {
      const caseId = await held(bench);
      await deleteEntry(bench.tools.ec2, { aclId: ids.acl, egress: true, ruleNumber: 1 });
      bench.file.NetworkInterfaces = bench.file.NetworkInterfaces.filter(
        ({ NetworkInterfaceId }) => NetworkInterfaceId !== ids.secondEni,
      );
      const result = await restore(bench, caseId);
      expect(result.kind).toBe('restored');
      expect(outcomes(result)).toEqual(
        expect.arrayContaining([
          `${ids.secondEni} groups: gone`,
          `${ids.acl} rule 1 outbound deny 198.51.100.7/32: gone`,
        ]),
      );
    });
  });

  it('keeps a deny that another case needs, until that one lets go too', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      const other = await bench.contain({ instanceId: ids.neighbour, remoteAddresses: [ids.peer] });
      const result = await restore(bench, caseId);
      expect(itemsOf(result).at(-1)).toMatchObject({ outcome: 'restored', detail: 'stands on: another case needs it' });
      expect(denies(bench)).toHaveLength(2);
      await restore(bench, other.case.caseId);
      expect(denies(bench)).toEqual([]);
    });
  });

  it.each<[string, string | null, Partial<RestoreItem>]>([
    [
      'changed',
      '203.0.113.200/32',
      { outcome: 'drifted', detail: 'found deny 203.0.113.200/32, protocol -1; another case needs the deny' },
    ],
    ['removed', null, { outcome: 'gone', detail: 'another case needs the deny' }],
  ])(
    'does not say of a shared deny that it stands on where somebody has %s it, and leaves it',
    async (_, cidr, told) => {
      await onBench(shellAlone(), async (bench) => {
        const caseId = await held(bench);
        const other = await bench.contain({ instanceId: ids.neighbour, remoteAddresses: [ids.peer] });
        const place = { aclId: ids.acl, egress: true, ruleNumber: 1 };
        await deleteEntry(bench.tools.ec2, place);
        if (cidr !== null) await createDeny(bench.tools.ec2, place, cidr);
        const before = bench.entries();
        expect(itemsOf(await restore(bench, caseId)).slice(-2)).toMatchObject([
          { outcome: 'restored', detail: 'stands on: another case needs it' },
          told,
        ]);
        expect(bench.entries()).toEqual(before);
        const ledger = await ledgerOf(bench.tools.cases, ids.acl);
        expect(ledger.map(({ cases }) => cases)).toEqual([[other.case.caseId], [other.case.caseId]]);
      });
    },
  );

  it('leaves an interface alone that was never isolated', async () => {
    const file = shellAlone((world) => {
      twoInterfaces(world);
      const second = world.NetworkInterfaces.at(-1);
      if (second) second.RequesterManaged = true;
    });
    await onBench(file, async (bench) => {
      const { case: ref } = await bench.contain(finding);
      expect(outcomes(await restore(bench, ref.caseId))).toEqual(
        expect.arrayContaining([`${ids.secondEni} groups: already`, `${ids.secondEni} tracking timeouts: already`]),
      );
    });
  });

  it('has nothing to put back of a case in which nothing was changed', async () => {
    await onBench(shellAlone(), async (bench) => {
      const { case: ref } = await bench.open({ instanceId: ids.instance, mode: 'observe' });
      const before = bench.state();
      expect(await restore(bench, ref.caseId, false)).toMatchObject({ kind: 'refused' });
      expect(bench.state()).toBe(before);
      // Closed, it would keep the next response from containing anything.
      expect((await bench.document(ref.caseId)).status).not.toMatch(/^restor/);
    });
  });
});

describe('the restore of a case that a newer one has followed', () => {
  it('says of each interface how it stands, and touches none of them', async () => {
    await onBench(shellAlone(twoInterfaces), async (bench) => {
      const caseId = await held(bench);
      await wholeRestore(bench, caseId);
      const { case: next } = await bench.contain(finding);
      expect(next.caseId).not.toBe(caseId);
      const [isolation = ''] = bench.groupsOf(ids.eni);
      const left = `${next.caseId} has it now: restore that case`;
      // A person has given the second interface back by hand.
      await setGroups(bench.tools.ec2, ids.secondEni, [ids.second, ids.web]);
      expect(itemsOf(await restore(bench, caseId))).toEqual([
        { item: `${ids.eni} groups`, outcome: 'drifted', detail: `found ${isolation}; ${left}` },
        { item: `${ids.secondEni} groups`, outcome: 'already' },
      ]);
      await setGroups(bench.tools.ec2, ids.eni, [ids.second, isolation]);
      bench.file.NetworkInterfaces = bench.file.NetworkInterfaces.filter(
        ({ NetworkInterfaceId }) => NetworkInterfaceId !== ids.secondEni,
      );
      expect(itemsOf(await restore(bench, caseId))).toEqual([
        { item: `${ids.eni} groups`, outcome: 'drifted', detail: `found ${ids.second}, ${isolation}; ${left}` },
        { item: `${ids.secondEni} groups`, outcome: 'gone' },
      ]);
      expect(bench.groupsOf(ids.eni)).toEqual([ids.second, isolation]);
    });
  });
});

describe('a restore whose case a response takes up again', () => {
  const TAKEN_UP = 'a response has taken the case up again: restore again when it has ended';
  const takeUp = ({ tools }: Bench, caseId: string) =>
    updateCase(tools.cases, caseId, (stored) => ({ ...stored, status: 'open' }));

  /** The response takes the case up when the restore makes its n-th call of the API. */
  function takenUpAt(bench: Bench, caseId: string, api: string, nth = 1) {
    let calls = 0;
    const taken: Promise<unknown>[] = [];
    bench.world.interceptors.push({
      before: ({ call }) => {
        if (call !== api) return;
        calls += 1;
        if (calls === nth) taken.push(takeUp(bench, caseId));
      },
    });
    return taken;
  }

  it('before it has touched anything leaves everything, and names it', async () => {
    await onBench(shellAlone(twoInterfaces), async (bench) => {
      const caseId = await held(bench);
      const before = bench.state();
      const touched = bench.calls('ModifyNetworkInterfaceAttribute');
      const taken = takenUpAt(bench, caseId, 'DescribeSecurityGroups');
      const result = await restore(bench, caseId);
      await Promise.all(taken);
      expect(bench.state()).toBe(before);
      expect(bench.calls('ModifyNetworkInterfaceAttribute')).toBe(touched);
      expect(result).toEqual({
        kind: 'partly-restored',
        caseId,
        instanceId: ids.instance,
        host: null,
        items: [
          `${ids.eni} groups`,
          `${ids.secondEni} groups`,
          `${ids.acl} rule 1 inbound deny ${ids.peer}/32`,
          `${ids.acl} rule 1 outbound deny ${ids.peer}/32`,
        ].map((item) => ({ item, outcome: 'drifted', detail: TAKEN_UP })),
      });
      const told = bench.world.dumpTable().find(({ step }) => step === 'restore-instance')?.['what'];
      expect(String(told).startsWith(`${ids.eni} groups: drifted (${TAKEN_UP}); `)).toBe(true);
      expect(told).not.toContain('this case holds no deny any more');
    });
  });

  it('while an interface is given back isolates that one again, and touches no timeouts', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      const isolated = [bench.groupsOf(ids.eni), bench.interfaceOf(ids.eni).ConnectionTrackingConfiguration];
      // With the look before the interface is touched: it is through when the interface is.
      const taken = takenUpAt(bench, caseId, 'GetItem', 4);
      const items = itemsOf(await restore(bench, caseId));
      await Promise.all(taken);
      expect(items[0]).toEqual({ item: `${ids.eni} groups`, outcome: 'drifted', detail: TAKEN_UP });
      expect(items[1]?.item).toContain('deny');
      expect([bench.groupsOf(ids.eni), bench.interfaceOf(ids.eni).ConnectionTrackingConfiguration]).toEqual(isolated);
    });
  });

  it('says so where the isolation cannot be put back', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      // With the look before the interface is touched: it is through when the interface is.
      const taken = takenUpAt(bench, caseId, 'GetItem', 4);
      let calls = 0;
      bench.fail(({ call }) => {
        calls += call === 'ModifyNetworkInterfaceAttribute' ? 1 : 0;
        return call === 'ModifyNetworkInterfaceAttribute' && calls === 2;
      }, refusedBy('UnauthorizedOperation'));
      const [item] = itemsOf(await restore(bench, caseId));
      await Promise.all(taken);
      expect(item).toEqual({
        item: `${ids.eni} groups`,
        outcome: 'failed',
        detail:
          'a response has taken the case up again, and its isolation could not be put back: UnauthorizedOperation: UnauthorizedOperation: by the test',
      });
    });
  });

  it('leaves an interface that was given back by hand as it is', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      await setGroups(bench.tools.ec2, ids.eni, [ids.web]);
      const before = bench.calls('ModifyNetworkInterfaceAttribute');
      // With the read before the first look: it is through before a second one could be.
      const taken = takenUpAt(bench, caseId, 'Query', 2);
      const items = itemsOf(await restore(bench, caseId));
      await Promise.all(taken);
      expect(items[0]).toEqual({ item: `${ids.eni} groups`, outcome: 'already' });
      // The timeouts alone.
      expect(bench.calls('ModifyNetworkInterfaceAttribute') - before).toBe(1);
      expect(bench.groupsOf(ids.eni)).toEqual([ids.web]);
    });
  });
});

describe('what a restore writes down', () => {
  const told = (bench: Bench) => bench.world.dumpTable().find(({ step }) => step === 'restore-instance')?.['what'];

  it('is why it was refused', async () => {
    await onBench(shellAlone(), async (bench) => {
      bench.fail(({ call }) => call === 'SendCommand', refusedBy('AccessDeniedException'));
      const { case: ref } = await bench.contain(finding);
      const result = await restore(bench, ref.caseId, false);
      expect(result.kind === 'refused' && told(bench) === `refused: ${result.reason}`).toBe(true);
    });
  });

  it('is that the case is restored, what is as it was found, and that it needs its groups no more', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      const uses = () => bench.world.dumpTable().filter(({ pk }) => String(pk).startsWith('GROUP#'));
      expect(uses()).not.toEqual([]);
      await wholeRestore(bench, caseId);
      expect((await bench.document(caseId)).status).toBe('restored');
      expect(uses()).toEqual([]);
      expect(told(bench)).toBe(
        `as it was found: ${ids.eni} groups, ${ids.eni} tracking timeouts; this case holds no deny any more in ${ids.acl}`,
      );
    });
  });

  it('is that there was nothing to restore, where nothing was changed', async () => {
    await onBench(shellAlone(), async (bench) => {
      const { case: ref } = await bench.open({ instanceId: ids.instance, mode: 'observe' });
      await restore(bench, ref.caseId, false);
      expect(told(bench)).toBe('refused: this case has changed nothing: there is nothing to restore');
    });
  });

  it('leaves the case unfinished, with its groups, where something failed', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      const uses = () => bench.world.dumpTable().filter(({ pk }) => String(pk).startsWith('GROUP#'));
      const before = uses();
      bench.fail(({ call }) => call === 'DeleteNetworkAclEntry', refusedBy('UnauthorizedOperation'));
      await wholeRestore(bench, caseId);
      expect((await bench.document(caseId)).status).toBe('restoring');
      expect(uses()).toEqual(before);
    });
  });

  it('does not close a case that a response has taken up in the meantime', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      const taken: Promise<unknown>[] = [];
      bench.world.interceptors.push({
        before: ({ call }) => {
          if (call !== 'DeleteNetworkAclEntry') return;
          if (taken.length > 0) return;
          taken.push(updateCase(bench.tools.cases, caseId, (stored) => ({ ...stored, status: 'open' })));
        },
      });
      expect((await wholeRestore(bench, caseId)).kind).toBe('restored');
      await Promise.all(taken);
      expect((await bench.document(caseId)).status).toBe('open');
    });
  });
});

describe('what a restore says of the host', () => {
  const silent: HostAccount = {
    processes: [],
    processesOmitted: 0,
    stopped: [],
    killed: [],
    sessionsEnded: 0,
    probes: null,
    errors: [],
    notes: [],
  };
  const outcome = async (bench: Bench, change: Partial<CaseDocument>) => {
    const caseId = await held(bench);
    await updateCase(bench.tools.cases, caseId, (stored) => ({ ...stored, ...change }));
    const result = await restore(bench, caseId);
    return result.kind === 'refused' ? result.reason : result.host;
  };

  it.each<[string, Partial<CaseDocument>, unknown]>([
    ['its platform, where it answered', { host: wholeAnswer }, { platform: 'linux', stopped: [] }],
    [
      'which processes were stopped',
      { host: { ...wholeAnswer, account: { ...silent, stopped: [4242] } } },
      { platform: 'linux', stopped: [4242] },
    ],
    [
      'its platform, where its answer was lost',
      { host: { kind: 'no-evidence', reason: 'no answer' } },
      { platform: 'linux', stopped: [] },
    ],
    [
      'its platform, where it was asked and the execution stopped before an answer',
      { host: null },
      { platform: 'linux', stopped: [] },
    ],
    ['nothing, where it was never asked', { host: null, hostAsked: undefined }, null],
    [
      'its platform, in a case of before the order was kept',
      { host: wholeAnswer, hostAsked: undefined },
      { platform: 'linux', stopped: [] },
    ],
    ['nothing, where it is undone already', { host: wholeAnswer, hostUndone: true }, null],
  ])('is %s', async (_, change, host) => {
    await onBench(shellAlone(), async (bench) => {
      expect(await outcome(bench, change)).toEqual(host);
    });
  });
});

describe('restore while a flow may revive', () => {
  const silentAgent = () =>
    shellAlone((world) => {
      world.InstanceInformationList = [];
    });

  it('is refused, names the peer, and changes nothing', async () => {
    await onBench(silentAgent(), async (bench) => {
      const { case: ref, verdict } = await bench.contain(finding);
      expect(verdict?.kind).toBe('held');
      const before = bench.state();
      const result = await restore(bench, ref.caseId, false);
      expect(result).toEqual({
        kind: 'refused',
        caseId: ref.caseId,
        instanceId: ids.instance,
        reason: `the socket of the flow to ${ids.peer} may still be open on the host, and would go on (verdict: held); give "force": true to restore all the same`,
      });
      expect(bench.state()).toBe(before);
    });
  });

  it('is refused with each peer named once', async () => {
    await onBench(silentAgent(), async (bench) => {
      const { case: ref } = await bench.contain(finding);
      await updateCase(bench.tools.cases, ref.caseId, (stored) => {
        const [shell] = stored.flows;
        if (shell === undefined) throw new Error('the case has no flow');
        const second = { ...shell, id: 'second', localPort: 51_999 };
        return { ...stored, flows: [shell, second, { ...shell, id: 'third', remoteAddress: '203.0.113.9' }] };
      });
      expect(await restore(bench, ref.caseId, false)).toMatchObject({
        kind: 'refused',
        reason: expect.stringMatching(/^the socket of the flow to 198\.51\.100\.7, 203\.0\.113\.9 may still be open/),
      });
    });
  });

  it("is refused on the host's word alone, and done without force once the network agrees", async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      expect(await restore(bench, caseId, false)).toMatchObject({
        kind: 'refused',
        reason: expect.stringMatching(/^the verdict is held: /),
      });
    });
    await onBench(shellWatched(), async (bench) => {
      expect(await restore(bench, await contained(bench), false)).toMatchObject({ kind: 'restored' });
      expect(bench.groupsOf(ids.eni)).toEqual([ids.web]);
    });
  });

  it('is refused of a contained case while the host lists a flow, or nobody could ask it', async () => {
    await onBench(
      shellWatched((world) => {
        world.InstanceInformationList = [];
      }),
      async (bench) => {
        expect(await restore(bench, await contained(bench), false)).toMatchObject({
          kind: 'refused',
          reason: expect.stringContaining('(verdict: contained)'),
        });
      },
    );
  });

  /** Every packet passes the group both ways, so none of it is tracked; the host does not list the beacon. */
  const hiddenBeacon = (change: object) =>
    shellWatched((world) => {
      const everything = [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }];
      for (const group of world.SecurityGroups)
        Object.assign(group, { IpPermissions: everything, IpPermissionsEgress: everything });
      const [shell] = world.Flows;
      if (shell === undefined) throw new Error('the world has no flow');
      const beacon = { ...shell, Name: 'beacon', RemoteAddress: '203.0.113.99', RemotePort: 443, LocalPort: 40_001 };
      world.Flows.push({ ...beacon, OnHostLists: false, ...change });
    });

  it('is refused of a contained case while the instance still sends what the isolation rejects', async () => {
    await onBench(hiddenBeacon({ Protocol: 'udp', PacketEverySeconds: 30 }), async (bench) => {
      const caseId = await contained(bench);
      expect(await restore(bench, caseId, false)).toMatchObject({
        kind: 'refused',
        reason:
          'the flow log shows that the instance still sends to 203.0.113.99: what is rejected now would pass again (verdict: contained); give "force": true to restore all the same',
      });
      expect(denies(bench)).toHaveLength(2);
      expect(await restore(bench, caseId)).toMatchObject({ kind: 'restored' });
    });
  });

  /** It looks for its peer once, when the entries of the flows have nearly expired. */
  const late = (RemoteAddress: string) => ({ RemoteAddress, PacketEverySeconds: null, WakesAtSeconds: 431_000 });

  it.each<[string, object]>([
    ['looks for an endpoint of AWS, as its agent does', late('52.94.0.11')],
    ['has a socket that is silent', { PacketEverySeconds: null }],
  ])('is done of a contained case though the instance %s', async (_, change) => {
    await onBench(hiddenBeacon(change), async (bench) => {
      expect(await restore(bench, await contained(bench), false)).toMatchObject({ kind: 'restored' });
    });
  });

  it('is done of a contained case though an agent that was spared looks for its endpoint in the VPC', async () => {
    await onBench(hiddenBeacon(late('10.0.9.9')), async (bench) => {
      const caseId = await contained(bench);
      expect(await restore(bench, caseId, false)).toMatchObject({ kind: 'refused' });
      await updateCase(bench.tools.cases, caseId, (stored) => {
        const [shell] = stored.flows;
        if (shell === undefined) throw new Error('the case has no flow');
        const agent = { ...shell, id: 'agent', remoteAddress: '10.0.9.9', remotePort: 443, localPort: 1, spared: true };
        return { ...stored, flows: [shell, { ...agent, named: false }] };
      });
      expect(await restore(bench, caseId, false)).toMatchObject({ kind: 'restored' });
    });
  });

  it('is refused of a contained case whose flow has ended by the swap and the word of the host alone', async () => {
    await onBench(shellWatched(), async (bench) => {
      const caseId = await contained(bench);
      await updateCase(bench.tools.cases, caseId, (stored) => {
        const [shell] = stored.flows;
        if (shell === undefined) throw new Error('the case has no flow');
        const tracking = { ...shell.tracking, kind: 'untracked' as const, timeoutSeconds: 10_000_000 };
        return { ...stored, flows: [{ ...shell, tracking }] };
      });
      expect(await restore(bench, caseId, false)).toMatchObject({
        kind: 'refused',
        reason: `that the flow to ${ids.peer} has ended, only the host says: what drops its packets would be put back (verdict: contained); give "force": true to restore all the same`,
      });
    });
  });

  it('is done when a person forces it', async () => {
    await onBench(silentAgent(), async (bench) => {
      const { case: ref } = await bench.contain(finding);
      expect(await restore(bench, ref.caseId)).toMatchObject({
        kind: 'restored',
        host: { platform: 'linux', stopped: [] },
      });
      expect(bench.groupsOf(ids.eni)).toEqual([ids.web]);
      expect(denies(bench)).toEqual([]);
    });
  });

  it('is refused where what is in force cannot be read back', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      let denied = true;
      bench.fail(({ call }) => call === 'DescribeNetworkAcls' && denied, refusedBy('UnauthorizedOperation'));
      expect(await restore(bench, caseId, false)).toMatchObject({
        kind: 'refused',
        reason: `the verdict is not-proven: the flow to ${ids.peer} ended on the host's word alone: no control outside the host reaches it; give "force": true to restore all the same`,
      });
      denied = false;
      expect(await restore(bench, caseId)).toMatchObject({ kind: 'restored' });
    });
  });
});

describe('a restore that fails half way', () => {
  /** Fails the first time that the call is made, then never again. */
  const failOnce = (bench: Bench, which: Parameters<Bench['fail']>[0], code = 'UnauthorizedOperation') => {
    let failed = false;
    bench.fail(
      (call) => !failed && which(call),
      () => {
        failed = true;
        return refusedBy(code)();
      },
    );
  };

  it('says what failed, and puts back all else', async () => {
    await onBench(shellAlone(twoInterfaces), async (bench) => {
      const caseId = await held(bench);
      failOnce(
        bench,
        ({ call, input }) => call === 'ModifyNetworkInterfaceAttribute' && JSON.stringify(input).includes(ids.eni),
      );
      const result = await restore(bench, caseId);
      expect(result.kind).toBe('partly-restored');
      expect(itemsOf(result)[0]).toMatchObject({
        outcome: 'failed',
        detail: expect.stringContaining('UnauthorizedOperation'),
      });
      expect(bench.groupsOf(ids.secondEni)).toEqual([ids.second, ids.web]);
      expect(denies(bench)).toEqual([]);
    });
  });

  it.each<[string, Parameters<Bench['fail']>[0]]>([
    [
      'the groups of an interface',
      ({ call, input }) => call === 'ModifyNetworkInterfaceAttribute' && JSON.stringify(input).includes(ids.eni),
    ],
    [
      'a timeout',
      ({ call, input }) => call === 'ModifyNetworkInterfaceAttribute' && JSON.stringify(input).includes('Tracking'),
    ],
    ['the deletion of a deny', ({ call }) => call === 'DeleteNetworkAclEntry'],
    ['the ledger', ({ call, input }) => call === 'UpdateItem' && JSON.stringify(input).includes('DELETE #cases')],
    ['forgetting a deny', ({ call }) => call === 'TransactWriteItems'],
  ])('at %s is finished by the next one with force', async (_, which) => {
    await onBench(shellAlone(twoInterfaces), async (bench) => {
      const caseId = await held(bench);
      failOnce(bench, which);
      expect(await restore(bench, caseId)).toMatchObject({ kind: 'partly-restored' });
      expect(await restore(bench, caseId)).toMatchObject({ kind: 'restored' });
      expect(bench.groupsOf(ids.eni)).toEqual([ids.web]);
      expect(bench.groupsOf(ids.secondEni)).toEqual([ids.second, ids.web]);
      expect(denies(bench)).toEqual([]);
      expect(bench.world.dumpTable().filter(({ pk }) => String(pk).startsWith('ACL#'))).toEqual([]);
    });
  });

  it.each<[string, Parameters<Bench['fail']>[0]]>([
    [
      'the groups of an interface',
      ({ call, input }) => call === 'ModifyNetworkInterfaceAttribute' && JSON.stringify(input).includes(ids.eni),
    ],
    ['the deletion of a deny', ({ call }) => call === 'DeleteNetworkAclEntry'],
  ])('at %s is finished by the next one without force: the flows were proven dead', async (_, which) => {
    await onBench(shellWatched(twoInterfaces), async (bench) => {
      const caseId = await contained(bench);
      failOnce(bench, which);
      expect(await restore(bench, caseId, false)).toMatchObject({ kind: 'partly-restored' });
      expect(await restore(bench, caseId, false)).toMatchObject({ kind: 'restored' });
    });
  });

  it('by an error, after the groups, is finished by the retry of the state machine', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      failOnce(
        bench,
        ({ call, input }) => call === 'DescribeNetworkAcls' && JSON.stringify(input).includes('network-acl-id'),
        'InvalidNetworkAclID.NotFound',
      );
      await expect(restore(bench, caseId)).rejects.toThrow('InvalidNetworkAclID.NotFound');
      expect(bench.groupsOf(ids.eni)).toEqual([ids.web]);
      expect(await restore(bench, caseId)).toMatchObject({ kind: 'restored' });
      expect(denies(bench)).toEqual([]);
    });
  });
});

describe('a restored case that is started again', () => {
  const silentAgent = () =>
    shellAlone((world) => {
      world.InstanceInformationList = [];
    });

  async function startedAgain(bench: Bench): Promise<string> {
    const { case: ref } = await bench.contain(finding);
    await wholeRestore(bench, ref.caseId);
    // By an execution that was named before the restore ended, or by a person from the console.
    const again = await bench.contain({ caseId: ref.caseId });
    expect(again.verdict?.kind).toBe('held');
    return again.case.caseId;
  }

  it('is not restored without force while a flow may revive', async () => {
    await onBench(silentAgent(), async (bench) => {
      expect(await restore(bench, await startedAgain(bench), false)).toMatchObject({ kind: 'refused' });
    });
  });

  it('never records the isolation group as what was found', async () => {
    await onBench(silentAgent(), async (bench) => {
      await startedAgain(bench);
      const next = await bench.contain(finding);
      const before = await readBefore(bench.tools.cases, next.case.caseId);
      expect(before.map(({ groupIds }) => groupIds)).toEqual([[ids.web]]);
    });
  });
});

describe('the request for a restore', () => {
  const caseId = 'case-0123456789abcdef0123';

  it('names a case or an instance', () => {
    expect(parseRestoreRequest({ caseId })).toEqual({ caseId, instanceId: null, force: false });
    expect(parseRestoreRequest({ instanceId: ids.instance, force: true })).toEqual({
      caseId: null,
      instanceId: ids.instance,
      force: true,
    });
  });

  it.each<[unknown, string]>([
    [null, 'input: expected {"caseId": "case-..."} or {"instanceId": "i-..."}'],
    ['case-1', 'input: expected {"caseId": "case-..."} or {"instanceId": "i-..."}'],
    [[], 'input: expected {"caseId": "case-..."} or {"instanceId": "i-..."}'],
    [{}, 'caseId: give either a caseId or an instanceId'],
    [{ caseId, instanceId: ids.instance }, 'caseId: give either a caseId or an instanceId'],
    [{ caseId: 'case-1; reboot' }, 'caseId: "case-1; reboot" is not a case id such as "case-0123456789abcdef0123"'],
    [{ caseId: `a ${caseId}` }, `caseId: "a ${caseId}" is not a case id such as "case-0123456789abcdef0123"`],
    [{ caseId: `${caseId}\n` }, `caseId: "${caseId}\\n" is not a case id such as "case-0123456789abcdef0123"`],
    [{ caseId: { S: caseId } }, `caseId: {"S":"${caseId}"} is not a case id such as "case-0123456789abcdef0123"`],
    [{ caseId: [caseId] }, `caseId: ["${caseId}"] is not a case id such as "case-0123456789abcdef0123"`],
    [{ instanceId: 'i-1' }, 'instanceId: "i-1" is not an instance id'],
    [{ instanceId: `x${ids.instance}` }, `instanceId: "x${ids.instance}" is not an instance id`],
    [{ instanceId: `${ids.instance}\n` }, `instanceId: "${ids.instance}\\n" is not an instance id`],
    [{ instanceId: [ids.instance] }, `instanceId: ["${ids.instance}"] is not an instance id`],
    [{ caseId, force: 'true' }, 'force: "true" is neither true nor false'],
    [{ caseId, Force: true }, '"Force": is not a member of a restore request'],
  ])('%j is refused: %s', (input, message) => {
    const field = message.slice(0, message.indexOf(': '));
    expect(() => parseRestoreRequest(input)).toThrow(expect.objectContaining({ name: 'InputError', field, message }));
  });

  it('names an instance of the old kind as well', () => {
    expect(parseRestoreRequest({ instanceId: 'i-0123abcd' }).instanceId).toBe('i-0123abcd');
  });

  it('of a case or an instance that is not known is refused', async () => {
    await onBench(defaultWorld(), async (bench) => {
      await expect(restoreInstance(bench.tools, { caseId })).rejects.toMatchObject({
        name: 'InputError',
        field: 'caseId',
        message: `caseId: "${caseId}" is not in the case table`,
      });
      await expect(restoreInstance(bench.tools, { instanceId: ids.instance })).rejects.toMatchObject({
        name: 'InputError',
        field: 'instanceId',
        message: `instanceId: "${ids.instance}" has no case in the case table`,
      });
    });
  });
});
