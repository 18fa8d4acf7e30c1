import { describe, expect, it } from 'vitest';
import { joinDeny, ledgerOf } from '../../functions/aws/case-table/deny-ledger.ts';
import { createDeny } from '../../functions/aws/network-acls.ts';
import { setGroups } from '../../functions/aws/network-interfaces.ts';
import { denyAtNacl } from '../../functions/deny-at-nacl/step.ts';
import { restoreInstance } from '../../functions/restore-instance/step.ts';
import { liftDenies } from '../../functions/shared/lift-denies.ts';
import { type Bench, defaultWorld, ids, onBench, refusedBy, shellAlone } from '../support/bench.ts';
import { updateCase } from '../support/update-case.ts';

const CHANGES = ['ModifyNetworkInterfaceAttribute', 'DeleteNetworkAclEntry'];

/** For so many seconds after each change, EC2 answers this read as it did before it. */
function lag({ tools, world }: Bench, api: string, seconds: number): { end: () => void; reads: () => number } {
  let changedAt = Number.NEGATIVE_INFINITY;
  let before: object | undefined;
  let last: object | undefined;
  let reads = 0;
  let isOn = true;
  tools.ec2.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (given) => {
        const call = commandName.replace(/Command$/, '');
        if (CHANGES.includes(call)) {
          before ??= last;
          changedAt = world.clock.now();
          return next(given);
        }
        if (call !== api) return next(given);
        reads += 1;
        const answer = await next(given);
        last = structuredClone(answer.output);
        const isStale = isOn && before !== undefined && world.clock.now() - changedAt < seconds;
        return isStale ? { ...answer, output: structuredClone(before) as never } : answer;
      },
    { step: 'initialize' },
  );
  return {
    end: () => {
      isOn = false;
    },
    reads: () => reads,
  };
}

const GROUPS = `${ids.eni} groups`;
const TIMEOUTS = `${ids.eni} tracking timeouts`;

async function held(bench: Bench): Promise<string> {
  const { case: ref, verdict } = await bench.contain();
  expect(verdict?.kind).toBe('held');
  return ref.caseId;
}

async function itemsOf(bench: Bench, caseId: string) {
  const result = await restoreInstance(bench.tools, { caseId, force: true });
  if (result.kind === 'refused') throw new Error(result.reason);
  return { kind: result.kind, items: new Map(result.items.map(({ item, ...outcome }) => [item, outcome])) };
}

describe('what a restore has written to an interface', () => {
  it('is looked for again while EC2 still shows what was there before', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      const { reads } = lag(bench, 'DescribeNetworkInterfaces', 3);
      const { kind, items } = await itemsOf(bench, caseId);
      expect(kind).toBe('restored');
      expect([items.get(GROUPS)?.outcome, items.get(TIMEOUTS)?.outcome]).toEqual(['restored', 'restored']);
      // To judge the flows, to begin, and then at once, after one second and after two more.
      expect(reads()).toBeGreaterThanOrEqual(4);
    });
  });

  it('is no longer waited for after seven seconds: it failed, says what is shown, and the next restore ends it', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      const isolation = bench.groupsOf(ids.eni);
      const { end } = lag(bench, 'DescribeNetworkInterfaces', Number.POSITIVE_INFINITY);
      const first = await itemsOf(bench, caseId);
      expect(first.kind).toBe('partly-restored');
      expect(first.items.get(GROUPS)).toEqual({
        outcome: 'failed',
        detail: `AWS has accepted the change and shows ${isolation.join(', ')}`,
      });
      expect(first.items.get(TIMEOUTS)).toEqual({
        outcome: 'failed',
        detail: 'AWS has accepted the change and shows established 60 s, UDP 30 s, UDP stream 60 s',
      });
      end();
      const second = await itemsOf(bench, caseId);
      expect(second.kind).toBe('restored');
      expect(second.items.get(GROUPS)).toEqual({ outcome: 'already' });
    });
  });

  it('is not called restored where nobody may look', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      let isWritten = false;
      bench.world.interceptors.push({
        before: ({ call }) => {
          isWritten ||= call === 'ModifyNetworkInterfaceAttribute';
          if (isWritten && call === 'DescribeNetworkInterfaces') throw refusedBy('UnauthorizedOperation')();
        },
      });
      const { kind, items } = await itemsOf(bench, caseId);
      expect(kind).toBe('partly-restored');
      for (const item of [GROUPS, TIMEOUTS]) {
        expect(items.get(item)).toEqual({
          outcome: 'failed',
          detail: expect.stringMatching(
            /^AWS has accepted the change, and it could not be read back: .*UnauthorizedOperation/,
          ),
        });
      }
      // What is no interface has its own reads.
      expect(items.get(`${ids.acl} rule 1 inbound deny ${ids.peer}/32`)?.outcome).toBe('restored');
    });
  });

  it('is gone where the interface is gone meanwhile', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      bench.world.interceptors.push({
        before: ({ call }) => {
          if (call === 'DeleteNetworkAclEntry') bench.file.NetworkInterfaces = [];
        },
      });
      const { items } = await itemsOf(bench, caseId);
      expect([items.get(GROUPS), items.get(TIMEOUTS)]).toEqual([{ outcome: 'gone' }, { outcome: 'gone' }]);
    });
  });

  it('is left to a response that has isolated the instance meanwhile', async () => {
    await onBench(shellAlone(), async (bench) => {
      const caseId = await held(bench);
      const isolation = bench.groupsOf(ids.eni);
      const taken: Promise<unknown>[] = [];
      bench.world.interceptors.push({
        before: ({ call }) => {
          if (call !== 'DeleteNetworkAclEntry' || taken.length > 0) return;
          taken.push(
            updateCase(bench.tools.cases, caseId, (stored) => ({ ...stored, status: 'open' })),
            setGroups(bench.tools.ec2, ids.eni, isolation),
          );
        },
      });
      const { kind, items } = await itemsOf(bench, caseId);
      await Promise.all(taken);
      expect(kind).toBe('partly-restored');
      expect(items.get(GROUPS)).toEqual({
        outcome: 'drifted',
        detail: 'a response has taken the case up again: restore again when it has ended',
      });
      expect(items.get(TIMEOUTS)?.outcome).toBe('restored');
      expect(bench.groupsOf(ids.eni)).toEqual(isolation);
    });
  });
});

describe('a deny that was removed', () => {
  const denied = async (bench: Bench): Promise<string> => {
    const opened = await bench.open();
    await denyAtNacl(bench.tools, opened);
    return opened.case.caseId;
  };
  const lift = async (bench: Bench, caseId: string) =>
    (await liftDenies(bench.tools, caseId, [ids.acl])).map(({ outcome, detail }) => ({ outcome, detail }));
  const ledger = (bench: Bench) => ledgerOf(bench.tools.cases, ids.acl);
  const twice = <T>(value: T): [T, T] => [value, value];

  it('is looked for again while EC2 still shows it', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      lag(bench, 'DescribeNetworkAcls', 3);
      expect(await lift(bench, caseId)).toEqual(twice({ outcome: 'restored', detail: undefined }));
      expect(await ledger(bench)).toEqual([]);
    });
  });

  it('that EC2 goes on showing failed, and stays in the ledger for the next restore', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      const { end } = lag(bench, 'DescribeNetworkAcls', Number.POSITIVE_INFINITY);
      const detail = 'EC2 has accepted its deletion and shows it still';
      expect(await lift(bench, caseId)).toEqual(twice({ outcome: 'failed', detail }));
      expect((await ledger(bench)).map(({ liftedBy }) => liftedBy)).toEqual(twice(caseId));
      end();
      expect(await lift(bench, caseId)).toEqual(twice({ outcome: 'already', detail: undefined }));
      expect(await ledger(bench)).toEqual([]);
    });
  });

  it('and cannot be looked for failed, and stays in the ledger for the next restore', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      let isBlind = false;
      bench.world.interceptors.push({
        before: ({ call }) => {
          isBlind ||= call === 'DeleteNetworkAclEntry';
          if (isBlind && call === 'DescribeNetworkAcls') throw refusedBy('UnauthorizedOperation')();
        },
      });
      const detail = expect.stringContaining('UnauthorizedOperation');
      expect(await lift(bench, caseId)).toEqual(twice({ outcome: 'failed', detail }));
      expect(await ledger(bench)).toHaveLength(2);
      bench.world.interceptors.pop();
      expect(await lift(bench, caseId)).toEqual(twice({ outcome: 'already', detail: undefined }));
    });
  });

  it('stands again where a case that joined has made it', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      const joins: Promise<unknown>[] = [];
      bench.world.interceptors.push({
        after: ({ call, input }) => {
          if (call !== 'DeleteNetworkAclEntry') return;
          const { Egress: egress } = input as { Egress: boolean };
          const deny = { aclId: ids.acl, egress, cidr: `${ids.peer}/32`, ruleNumber: 1 };
          joins.push(joinDeny(bench.tools.cases, deny, 'case-b'), createDeny(bench.tools.ec2, deny, deny.cidr));
        },
      });
      expect(await lift(bench, caseId)).toEqual(
        twice({ outcome: 'restored', detail: 'stands on: another case needs it' }),
      );
      await Promise.all(joins);
      expect((await ledger(bench)).map(({ cases, liftedBy }) => [cases, liftedBy])).toEqual(
        twice([['case-b'], undefined]),
      );
      expect(bench.entries().filter((line) => line.includes('deny'))).toHaveLength(2);
    });
  });

  it('whose deletion is refused has failed with that', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      bench.fail(({ call }) => call === 'DeleteNetworkAclEntry', refusedBy('UnauthorizedOperation'));
      const before = bench.world.clock.now();
      expect(await lift(bench, caseId)).toEqual(
        twice({ outcome: 'failed', detail: expect.stringContaining('UnauthorizedOperation') }),
      );
      // Nothing was deleted, so nothing is waited for.
      expect(bench.world.clock.now() - before).toBeLessThan(6);
    });
  });

  it('is waited for, and none that another case needs', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      const deny = { aclId: ids.acl, egress: true, cidr: `${ids.peer}/32` };
      await joinDeny(bench.tools.cases, deny, 'case-b');
      const before = bench.world.clock.now();
      expect((await lift(bench, caseId)).map(({ detail }) => detail)).toEqual([
        undefined,
        'stands on: another case needs it',
      ]);
      expect(bench.world.clock.now() - before).toBeLessThan(6);
    });
  });

  it('in one direction, and still shown in the other, is waited for', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      let changedAt = Number.POSITIVE_INFINITY;
      bench.tools.ec2.middlewareStack.add(
        (next, { commandName }) =>
          async (given) => {
            const answer = await next(given);
            if (commandName === 'DeleteNetworkAclEntryCommand') changedAt = bench.world.clock.now();
            if (commandName !== 'DescribeNetworkAclsCommand' || bench.world.clock.now() < changedAt) return answer;
            if (bench.world.clock.now() - changedAt > 2) return answer;
            const output = structuredClone(answer.output) as { NetworkAcls?: { Entries?: object[] }[] };
            const shown = {
              RuleNumber: 1,
              Egress: true,
              Protocol: '-1',
              RuleAction: 'deny',
              CidrBlock: `${ids.peer}/32`,
            };
            output.NetworkAcls?.[0]?.Entries?.push(shown);
            return { ...answer, output: output as never };
          },
        { step: 'initialize' },
      );
      expect(await lift(bench, caseId)).toEqual(twice({ outcome: 'restored', detail: undefined }));
    });
  });

  it('that is still shown failed, whatever other denies other cases need', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      const neighbour = await bench.open({ instanceId: ids.neighbour, remoteAddresses: ['203.0.113.9'] });
      await denyAtNacl(bench.tools, neighbour);
      lag(bench, 'DescribeNetworkAcls', Number.POSITIVE_INFINITY);
      const joins: Promise<unknown>[] = [];
      bench.world.interceptors.push({
        after: ({ call, input }) => {
          const { Egress: egress } = input as { Egress?: boolean };
          if (call !== 'DeleteNetworkAclEntry' || egress !== true) return;
          joins.push(joinDeny(bench.tools.cases, { aclId: ids.acl, egress, cidr: `${ids.peer}/32` }, 'case-b'));
        },
      });
      expect(await lift(bench, caseId)).toEqual([
        { outcome: 'failed', detail: 'EC2 has accepted its deletion and shows it still' },
        { outcome: 'restored', detail: 'stands on: another case needs it' },
      ]);
      await Promise.all(joins);
    });
  });
});
