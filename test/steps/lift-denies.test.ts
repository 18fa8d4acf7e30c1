import { describe, expect, it } from 'vitest';
import { joinDeny, ledgerOf, reserveDeny } from '../../functions/aws/case-table/deny-ledger.ts';
import { createDeny } from '../../functions/aws/network-acls.ts';
import { denyAtNacl } from '../../functions/deny-at-nacl/step.ts';
import { liftDenies } from '../../functions/shared/lift-denies.ts';
import type { CallInfo } from '../../local/world/api/middleware.ts';
import { type Bench, defaultWorld, ids, onBench, refusedBy, slowTools } from '../support/bench.ts';

const ours = (bench: Bench) => bench.entries().filter((line) => line.includes(`deny -1 ${ids.peer}`));
const allDenies = (bench: Bench) => bench.entries().filter((line) => line.includes('deny'));
const BOTH = [`in 1 deny -1 ${ids.peer}/32`, `out 1 deny -1 ${ids.peer}/32`];
const outcomes = (items: Awaited<ReturnType<typeof liftDenies>>) => items.map(({ outcome }) => outcome);

/** A case with its two denies. */
async function denied(bench: Bench, instanceId: string = ids.instance, peer: string = ids.peer): Promise<string> {
  const opened = await bench.open({ instanceId, remoteAddresses: [peer] });
  await denyAtNacl(bench.tools, opened);
  return opened.case.caseId;
}

const other = 'acl-00000000000000d02';
/** A second ACL, with the entries of the first one. */
const withSecondAcl = () =>
  defaultWorld((world) => {
    const [acl] = world.NetworkAcls;
    if (acl)
      world.NetworkAcls.push({ ...structuredClone(acl), NetworkAclId: other, Associations: [], IsDefault: false });
  });

const lift = (bench: Bench, caseId: string) => liftDenies(bench.tools, caseId, [ids.acl]);

/** From the first call that matches on, the process is gone: nothing that it asks for has an effect. */
function dieAt(bench: Bench, which: (call: CallInfo) => boolean, when: 'before' | 'after'): () => void {
  let state: 'alive' | 'dead' | 'another process' = 'alive';
  const killed = refusedBy('Killed');
  bench.world.interceptors.push({
    before: (call) => {
      if (state === 'dead') throw killed();
      if (state === 'alive' && when === 'before' && which(call)) {
        state = 'dead';
        throw killed();
      }
    },
    after: (call) => {
      if (state !== 'alive' || when !== 'after' || !which(call)) return;
      state = 'dead';
      throw killed();
    },
  });
  return () => {
    state = 'another process';
  };
}

describe('lifting the denies of a case', () => {
  it('removes them and forgets them; a second run finds nothing', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      expect(ours(bench)).toEqual(BOTH);
      expect(outcomes(await lift(bench, caseId))).toEqual(['restored', 'restored']);
      expect(ours(bench)).toEqual([]);
      expect(await ledgerOf(bench.tools.cases, ids.acl)).toEqual([]);
      expect(await lift(bench, caseId)).toEqual([]);
    });
  });

  it('leaves them to a case that still needs them', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      const neighbour = await denied(bench, ids.neighbour);
      const created = bench.calls('CreateNetworkAclEntry');
      const items = await lift(bench, caseId);
      expect(bench.calls('CreateNetworkAclEntry')).toBe(created);
      expect(items.map(({ detail }) => detail)).toEqual([
        'stands on: another case needs it',
        'stands on: another case needs it',
      ]);
      expect(ours(bench)).toEqual(BOTH);
      expect((await ledgerOf(bench.tools.cases, ids.acl)).map(({ cases }) => cases)).toEqual([
        [neighbour],
        [neighbour],
      ]);
    });
  });

  it.each(['before', 'after'] as const)(
    'killed %s the entry is removed while another case joins, makes it stand again when it is started again',
    async (when) => {
      await onBench(defaultWorld(), async (bench) => {
        const caseId = await denied(bench);
        const rise = dieAt(bench, ({ call }) => call === 'DeleteNetworkAclEntry', when);
        expect(outcomes(await lift(bench, caseId))).toEqual(['failed', 'failed']);
        rise();
        // The other case saw the entry stand before it was removed, and joins the ledger only.
        for (const egress of [true, false])
          await joinDeny(bench.tools.cases, { aclId: ids.acl, egress, cidr: `${ids.peer}/32` }, 'case-b');
        expect(outcomes(await lift(bench, caseId))).toEqual(['restored', 'restored']);
        expect(ours(bench)).toEqual(BOTH);
        expect(await ledgerOf(bench.tools.cases, ids.acl)).toEqual(
          [false, true].map((egress) => ({
            aclId: ids.acl,
            egress,
            cidr: `${ids.peer}/32`,
            ruleNumber: 1,
            cases: ['case-b'],
          })),
        );
      });
    },
  );

  /** Begun while the removal is on its way, the joining is there before the forgetting. */
  function joinMeanwhile(bench: Bench): readonly Promise<unknown>[] {
    const joins: Promise<unknown>[] = [];
    bench.world.interceptors.push({
      before: ({ call, input }) => {
        if (call !== 'DeleteNetworkAclEntry') return;
        const { Egress: egress } = input as { Egress: boolean };
        joins.push(joinDeny(bench.tools.cases, { aclId: ids.acl, egress, cidr: `${ids.peer}/32` }, 'case-b'));
      },
    });
    return joins;
  }

  it('puts back an entry for a case that joins while it is being removed', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      const joins = joinMeanwhile(bench);
      const items = await lift(bench, caseId);
      await Promise.all(joins);
      expect(items.map(({ detail }) => detail)).toContain('stands on: another case needs it');
      expect(ours(bench)).toEqual(BOTH);
      const ledger = await ledgerOf(bench.tools.cases, ids.acl);
      expect(ledger.map(({ cases, liftedBy }) => [cases, liftedBy])).toEqual([
        [['case-b'], undefined],
        [['case-b'], undefined],
      ]);
    });
  });

  it('fails where such an entry cannot be put back, and puts it back when it is started again', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      const joins = joinMeanwhile(bench);
      let refused = true;
      bench.fail(({ call }) => call === 'CreateNetworkAclEntry' && refused, refusedBy('UnauthorizedOperation'));
      expect(await lift(bench, caseId)).toMatchObject([
        { outcome: 'failed', detail: expect.stringContaining('UnauthorizedOperation') },
        { outcome: 'failed', detail: expect.stringContaining('UnauthorizedOperation') },
      ]);
      await Promise.all(joins);
      refused = false;
      expect(outcomes(await lift(bench, caseId))).toEqual(['restored', 'restored']);
      expect(ours(bench)).toEqual(BOTH);
    });
  });

  it('removes what a run that died left to nobody, before it said that it removes it', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      const marks = ({ call, input }: CallInfo) =>
        call === 'UpdateItem' && JSON.stringify(input).includes('SET #liftedBy');
      const rise = dieAt(bench, marks, 'before');
      expect(outcomes(await lift(bench, caseId))).toEqual(['failed', 'failed']);
      rise();
      expect(ours(bench)).toEqual(BOTH);
      expect(outcomes(await lift(bench, caseId))).toEqual(['restored', 'restored']);
      expect(ours(bench)).toEqual([]);
    });
  });

  it('looks for each entry in the ACL of its own, though another one has the same number', async () => {
    await onBench(withSecondAcl(), async (bench) => {
      const caseId = await denied(bench);
      // Recorded by a run that died before it made the entry.
      await reserveDeny(
        bench.tools.cases,
        { aclId: other, egress: true, cidr: `${ids.peer}/32`, ruleNumber: 1 },
        caseId,
      );
      const items = await liftDenies(bench.tools, caseId, [ids.acl, other]);
      expect(outcomes(items)).toEqual(['restored', 'restored', 'gone']);
      expect(bench.calls('DeleteNetworkAclEntry')).toBe(2);
    });
  });

  it('gives a number back that has become the deny of another case by the time the removal takes effect', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      // Two restores of one case at once, and the calls of one of them take long.
      const late = liftDenies(slowTools(bench, 'DeleteNetworkAclEntry', 5), caseId, [ids.acl]);
      expect(outcomes(await lift(bench, caseId))).toEqual(['restored', 'restored']);
      await denied(bench, ids.neighbour, '203.0.113.9');
      expect(outcomes(await late)).toEqual(['restored', 'restored']);
      expect(allDenies(bench)).toEqual(['in 1 deny -1 203.0.113.9/32', 'out 1 deny -1 203.0.113.9/32']);
    });
  });

  it('gives back that number alone, in its own direction', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const { tools } = bench;
      const place = { aclId: ids.acl, egress: true, ruleNumber: 1 };
      await reserveDeny(tools.cases, { ...place, cidr: `${ids.peer}/32` }, 'case-a');
      await createDeny(tools.ec2, place, `${ids.peer}/32`);
      const late = liftDenies(slowTools(bench, 'DeleteNetworkAclEntry', 5), 'case-a', [ids.acl]);
      await lift(bench, 'case-a');
      // Recorded, and not made: the other direction at the same number, and another number that comes first in the ledger.
      const others = [
        { ...place, ruleNumber: 2, cidr: '192.0.2.1/32' },
        { ...place, egress: false, cidr: '203.0.113.9/32' },
      ];
      for (const deny of others) await reserveDeny(tools.cases, deny, 'case-b');
      await reserveDeny(tools.cases, { ...place, cidr: '203.0.113.9/32' }, 'case-b');
      await late;
      expect(allDenies(bench)).toEqual(['out 1 deny -1 203.0.113.9/32']);
    });
  });

  it('lifts nothing where it is not wanted any more once all has been read', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      const ledger = await ledgerOf(bench.tools.cases, ids.acl);
      const items = await liftDenies(bench.tools, caseId, [ids.acl], () => Promise.resolve(false));
      expect(items).toEqual(
        ['inbound', 'outbound'].map((direction) => ({
          item: `${ids.acl} rule 1 ${direction} deny ${ids.peer}/32`,
          outcome: 'drifted',
          detail: 'a response has taken the case up again: restore again when it has ended',
        })),
      );
      expect([ours(bench), await ledgerOf(bench.tools.cases, ids.acl)]).toEqual([BOTH, ledger]);
    });
  });

  it('removes an entry that a response which still runs has made since the first look', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const { tools } = bench;
      const deny = { aclId: ids.acl, egress: true, cidr: `${ids.peer}/32`, ruleNumber: 1 };
      await reserveDeny(tools.cases, deny, 'case-a');
      const made: Promise<void>[] = [];
      bench.world.interceptors.push({
        after: ({ call }) => {
          if (call === 'DescribeNetworkAcls' && made.length === 0) made.push(createDeny(tools.ec2, deny, deny.cidr));
        },
      });
      expect(outcomes(await lift(bench, 'case-a'))).toEqual(['restored']);
      await Promise.all(made);
      expect(ours(bench)).toEqual([]);
      expect(await ledgerOf(tools.cases, ids.acl)).toEqual([]);
    });
  });

  it('looks for each entry in the ACL of its own', async () => {
    await onBench(withSecondAcl(), async (bench) => {
      const caseId = await denied(bench);
      const deny = { aclId: other, egress: true, cidr: `${ids.peer}/32`, ruleNumber: 7 };
      await reserveDeny(bench.tools.cases, deny, caseId);
      await createDeny(bench.tools.ec2, deny, deny.cidr);
      const items = await liftDenies(bench.tools, caseId, [ids.acl, other]);
      expect(items.map(({ item, outcome }) => `${item}: ${outcome}`)).toEqual([
        `${ids.acl} rule 1 inbound deny ${ids.peer}/32: restored`,
        `${ids.acl} rule 1 outbound deny ${ids.peer}/32: restored`,
        `${other} rule 7 outbound deny ${ids.peer}/32: restored`,
      ]);
      expect(bench.file.NetworkAcls.at(-1)?.Entries.map(({ RuleNumber }) => RuleNumber)).not.toContain(7);
    });
  });

  it('says "already" of one that an interrupted run has removed, and "gone" of one that somebody else has', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      const rise = dieAt(bench, ({ call, input }) => call === 'DeleteNetworkAclEntry' && isOut(input), 'after');
      await lift(bench, caseId);
      rise();
      expect(outcomes(await lift(bench, caseId))).toEqual(expect.arrayContaining(['already']));
      const again = await denied(bench);
      const [acl] = bench.file.NetworkAcls;
      if (acl) acl.Entries = acl.Entries.filter(({ RuleNumber }) => RuleNumber >= 100);
      expect(outcomes(await lift(bench, again))).toEqual(['gone', 'gone']);
    });
  });

  it('does not speak of the denies of another', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      await denied(bench, ids.neighbour, '203.0.113.9');
      const items = await lift(bench, caseId);
      expect(items.map(({ item }) => item).sort()).toEqual([
        `${ids.acl} rule 1 inbound deny ${ids.peer}/32`,
        `${ids.acl} rule 1 outbound deny ${ids.peer}/32`,
      ]);
      expect(allDenies(bench)).toHaveLength(2);
    });
  });

  it('is done where an entry goes away between the look and the deletion', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      const gone = refusedBy('InvalidNetworkAclEntry.NotFound');
      bench.fail(({ call }) => call === 'DeleteNetworkAclEntry', gone, 'after');
      const items = await lift(bench, caseId);
      expect(outcomes(items)).toEqual(['restored', 'restored']);
      expect(await ledgerOf(bench.tools.cases, ids.acl)).toEqual([]);
    });
  });

  it('says that denies of an ACL that is gone are gone', async () => {
    await onBench(defaultWorld(), async (bench) => {
      const caseId = await denied(bench);
      bench.file.NetworkAcls.splice(0);
      const items = await lift(bench, caseId);
      expect(outcomes(items)).toEqual(['gone', 'gone']);
    });
  });
});

const isOut = (input: unknown): boolean => (input as { Egress: boolean }).Egress;
