import { describe, expect, it } from 'vitest';
import { ledgerOf } from '../../functions/aws/case-table/deny-ledger.ts';
import { noteRefusal } from '../../functions/aws/case-table/rate-limit.ts';
import { createDeny } from '../../functions/aws/network-acls.ts';
import type { Cuts, Denying, DenyResult, HostResult, Opened, VerifyResult } from '../../functions/core/case/record.ts';
import { packDenies, unpackDenies } from '../../functions/core/network/packed-denies.ts';
import { bucketTimes, rateOf } from '../../functions/core/pacing.ts';
import { denyAtNacl } from '../../functions/deny-at-nacl/step.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { type Bench, defaultWorld, ids, onBench, refusedBy } from '../support/bench.ts';
import { updateCase } from '../support/update-case.ts';

type Entry = WorldFile['NetworkAcls'][number]['Entries'][number];

const entriesOf = (world: WorldFile): Entry[] => world.NetworkAcls[0]?.Entries ?? [];
const entry = (RuleNumber: number, Egress: boolean, change: Partial<Entry> = {}): Entry => ({
  RuleNumber,
  Egress,
  Protocol: '-1',
  RuleAction: 'deny',
  CidrBlock: '203.0.113.200/32',
  ...change,
});
const bothWays = (number: number, change: Partial<Entry> = {}): Entry[] =>
  [true, false].map((egress) => entry(number, egress, change));

const ALLOWS = ['in 100 allow -1 0.0.0.0/0', 'out 100 allow -1 0.0.0.0/0'];
const denies = (number: number, peer: string = ids.peer): string[] => [
  `in ${number} deny -1 ${peer}/32`,
  `out ${number} deny -1 ${peer}/32`,
];
const sorted = (...lines: readonly string[]): string[] => [...lines].sort();

const inAcl = <T>(entries: readonly Entry[], body: (bench: Bench) => Promise<T>): Promise<T> =>
  onBench(
    defaultWorld((world) => {
      entriesOf(world).push(...entries);
    }),
    body,
  );

const refusalsOf = async (bench: Bench, opened: Opened) => (await bench.document(opened.case.caseId)).denyRefusals;

/** EC2 refuses every entry, or those of one direction, until the given second. */
const busyUntil = (bench: Bench, seconds: number, egress?: boolean) =>
  bench.fail(
    ({ call, input, at }) =>
      call === 'CreateNetworkAclEntry' &&
      at < seconds &&
      (egress === undefined || (input as { Egress: boolean }).Egress === egress),
    refusedBy('RequestLimitExceeded'),
  );
const now = ({ world }: Bench): number => world.clock.now();

/** How far a turn moves the moment at which the bucket is full, in ms. */
const tokensOf = (input: unknown): number => {
  const { ':next': next, ':now': before } = (
    input as { ExpressionAttributeValues: Readonly<Record<string, { N: string } | undefined>> }
  ).ExpressionAttributeValues;
  return Number(next?.N) - Number(before?.N);
};

const NO_HOST = { kind: 'failed', reason: 'no host' } as const;
/** The record of the cut: what became of the first denies, and of those that the host's list asked for. */
const cutOf = (deny: DenyResult, hostDenies: Cuts['hostDenies'] = { kind: 'none' }): Cuts => ({
  deny,
  host: NO_HOST,
  hostDenies,
  preparation: { kind: 'ready' },
});

describe('deny at the subnet', () => {
  it('denies the peer both ways, below the allow, and nothing else', async () => {
    await inAcl([], async (bench) => {
      const opened = await bench.open();
      expect(await denyAtNacl(bench.tools, opened)).toEqual({ kind: 'done', made: 2, refused: 0 });
      expect(bench.entries()).toEqual(sorted(...ALLOWS, ...denies(1)));
    });
  });

  it('denies an IPv6 peer in its own family', async () => {
    const file = defaultWorld((world) => {
      const [eni] = world.NetworkInterfaces;
      const [vpc] = world.Vpcs;
      if (eni) eni.Ipv6Addresses = [{ Ipv6Address: '2001:db8:10:1::10' }];
      if (vpc) Object.assign(vpc, { Ipv6CidrBlockAssociationSet: [{ Ipv6CidrBlock: '2001:db8:10::/56' }] });
      for (const { CidrBlock: _ipv4, ...one } of bothWays(101, { RuleAction: 'allow' })) {
        entriesOf(world).push({ ...one, Ipv6CidrBlock: '::/0' });
      }
    });
    await onBench(file, async (bench) => {
      const opened = await bench.open({ instanceId: ids.instance, remoteAddresses: ['2001:db8:ffff::7'] });
      expect(await denyAtNacl(bench.tools, opened)).toMatchObject({ made: 2 });
      expect(bench.entries()).toEqual(
        expect.arrayContaining(['in 1 deny -1 2001:db8:ffff::7/128', 'out 1 deny -1 2001:db8:ffff::7/128']),
      );
    });
  });

  it('run twice leaves the same two entries and one owner', async () => {
    await inAcl([], async (bench) => {
      const opened = await bench.open();
      await denyAtNacl(bench.tools, opened);
      const before = bench.state();
      expect(await denyAtNacl(bench.tools, opened)).toEqual({ kind: 'done', made: 2, refused: 0 });
      expect(bench.state()).toBe(before);
      const ledger = bench.world.dumpTable().filter(({ sk }) => String(sk).startsWith('DENY#'));
      expect(ledger.map(({ cases }) => cases)).toEqual([new Set([opened.case.caseId]), new Set([opened.case.caseId])]);
    });
  });

  it.each<[string, readonly Entry[], readonly string[]]>([
    ['above its own number, leaving it where it is', bothWays(1), [...denies(1, '203.0.113.200'), ...denies(2)]],
    [
      'below a low allow that matches',
      [...bothWays(5, { RuleAction: 'allow', CidrBlock: '198.51.100.0/24' })],
      ['in 5 allow -1 198.51.100.0/24', 'out 5 allow -1 198.51.100.0/24', ...denies(1)],
    ],
    [
      'in the gap between others',
      [...bothWays(1), ...bothWays(3, { CidrBlock: '203.0.113.201/32' })],
      [...denies(1, '203.0.113.200'), ...denies(2), ...denies(3, '203.0.113.201')],
    ],
  ])('takes a number %s', async (_, entries, expected) => {
    await inAcl(entries, async (bench) => {
      await denyAtNacl(bench.tools, await bench.open());
      expect(bench.entries()).toEqual(sorted(...ALLOWS, ...expected));
    });
  });

  it('is never at or above an allow that matches, however many peers there are', async () => {
    await inAcl(bothWays(4, { RuleAction: 'allow', CidrBlock: '198.51.100.0/24' }), async (bench) => {
      const remoteAddresses = ['198.51.100.1', '198.51.100.2', '198.51.100.3', '198.51.100.4'];
      const opened = await bench.open({ instanceId: ids.instance, remoteAddresses });
      expect(await denyAtNacl(bench.tools, opened)).toMatchObject({ made: 6 });
      const ours = bench.entries().filter((line) => line.includes('deny'));
      expect(ours.map((line) => Number(line.split(' ')[1])).every((number) => number < 4)).toBe(true);
      expect(await refusalsOf(bench, opened)).toMatchObject([{ address: '198.51.100.4' }]);
    });
  });

  it('refuses a peer where number 1 is an allow, and overwrites nothing', async () => {
    await inAcl(bothWays(1, { RuleAction: 'allow', CidrBlock: '0.0.0.0/0' }), async (bench) => {
      const before = bench.state();
      const opened = await bench.open();
      expect(await denyAtNacl(bench.tools, opened)).toMatchObject({ made: 0 });
      expect(bench.state()).toBe(before);
      expect(JSON.stringify(await refusalsOf(bench, opened))).toContain('no number below it is free');
    });
  });

  it('refuses the peer for which a full ACL has no room, and the others go on', async () => {
    // 16 strangers and the allow: room for two more in each direction.
    const strangers = Array.from({ length: 16 }, (_, i) => bothWays(i + 1, { CidrBlock: `203.0.113.${i}/32` })).flat();
    await inAcl(strangers, async (bench) => {
      const before = bench.entries();
      const opened = await bench.open({
        instanceId: ids.instance,
        remoteAddresses: ['198.51.100.1', '198.51.100.2', '198.51.100.3'],
      });
      await denyAtNacl(bench.tools, opened);
      const after = bench.entries();
      expect(after).toEqual(expect.arrayContaining([...before]));
      expect(after).toEqual(expect.arrayContaining([...denies(17, '198.51.100.1'), ...denies(18, '198.51.100.2')]));
      expect(after).toHaveLength(before.length + 4);
      const refusals = await refusalsOf(bench, opened);
      expect(refusals.map(({ address }) => address)).toEqual(expect.arrayContaining(['198.51.100.3']));
      expect(refusals.some(({ address }) => address === '198.51.100.1')).toBe(false);
    });
  });

  it('finds out that the ACL has become full, and says so', async () => {
    await inAcl([], async (bench) => {
      const opened = await bench.open();
      bench.fail(({ call }) => call === 'CreateNetworkAclEntry', refusedBy('NetworkAclEntryLimitExceeded'));
      expect(await denyAtNacl(bench.tools, opened)).toEqual({ kind: 'refused', made: 0, refused: 2 });
      expect(JSON.stringify(await refusalsOf(bench, opened))).toContain('NetworkAclEntryLimitExceeded');
      expect(bench.world.dumpTable().filter(({ pk }) => String(pk).startsWith('ACL#'))).toEqual([]);
    });
  });

  it('skips a number that somebody else has taken in the meantime, and leaves that entry alone', async () => {
    await inAcl([], async (bench) => {
      const opened = await bench.open();
      await createDeny(bench.tools.ec2, { aclId: ids.acl, egress: true, ruleNumber: 1 }, '203.0.113.200/32');
      expect(await denyAtNacl(bench.tools, opened)).toEqual({ kind: 'done', made: 2, refused: 0 });
      expect(bench.entries()).toEqual(
        sorted(
          ...ALLOWS,
          'in 1 deny -1 198.51.100.7/32',
          'out 1 deny -1 203.0.113.200/32',
          'out 2 deny -1 198.51.100.7/32',
        ),
      );
    });
  });

  it('adopts its own entry when the answer was lost', async () => {
    await inAcl([], async (bench) => {
      const opened = await bench.open();
      let lost = 0;
      bench.fail(
        ({ call }) => call === 'CreateNetworkAclEntry' && lost < 2,
        () => {
          lost += 1;
          return Object.assign(new Error('no answer'), { name: 'TimeoutError' });
        },
        'after',
      );
      expect(await denyAtNacl(bench.tools, opened)).toEqual({ kind: 'done', made: 2, refused: 0 });
      expect(lost).toBe(2);
      expect(bench.entries()).toEqual(sorted(...ALLOWS, ...denies(1)));
    });
  });

  it('takes an entry that denies the same network already as enough, and does not own it', async () => {
    await inAcl(bothWays(50, { CidrBlock: '198.51.100.0/24' }), async (bench) => {
      const opened = await bench.open();
      const before = bench.state();
      expect(await denyAtNacl(bench.tools, opened)).toEqual({ kind: 'done', made: 2, refused: 0 });
      expect(bench.state()).toBe(before);
      expect(bench.world.dumpTable().filter(({ sk }) => String(sk).startsWith('DENY#'))).toEqual([]);
    });
  });

  it('does what it can where it may not write: says so for each direction', async () => {
    await inAcl([], async (bench) => {
      const opened = await bench.open();
      bench.fail(
        ({ call, input }) => call === 'CreateNetworkAclEntry' && (input as { Egress: boolean }).Egress,
        refusedBy('UnauthorizedOperation'),
      );
      expect(await denyAtNacl(bench.tools, opened)).toEqual({ kind: 'refused', made: 1, refused: 1 });
      expect(bench.entries()).toEqual(sorted(...ALLOWS, 'in 1 deny -1 198.51.100.7/32'));
    });
  });

  it('makes one pair of entries for two instances with the same peer, and both cases own it', async () => {
    await inAcl([], async (bench) => {
      const [one, two] = await Promise.all(
        [ids.instance, ids.neighbour].map((instanceId) => bench.open({ instanceId, remoteAddresses: [ids.peer] })),
      );
      if (!one || !two) throw new Error('unreachable');
      await Promise.all([denyAtNacl(bench.tools, one), denyAtNacl(bench.tools, two)]);
      expect(bench.entries()).toEqual(sorted(...ALLOWS, ...denies(1)));
      const owners = bench.world
        .dumpTable()
        .flatMap(({ sk, cases }) => (String(sk).startsWith('DENY#') ? [cases] : []));
      const both = new Set([one.case.caseId, two.case.caseId]);
      expect(owners).toEqual([both, both]);
    });
  });

  it('gives ten peers of ten cases numbers of their own, all at once', async () => {
    await inAcl([], async (bench) => {
      const opened = await bench.open();
      const wanted = Array.from({ length: 8 }, (_, i) => ({
        aclId: ids.acl,
        egress: true,
        cidr: `198.51.100.${i + 1}/32`,
        ruleNumber: 1,
      }));
      if (opened.assessment.kind !== 'contain') throw new Error(opened.assessment.reason);
      const { assessment } = opened;
      await Promise.all(
        wanted.map((deny) =>
          denyAtNacl(bench.tools, { ...opened, assessment: { ...assessment, denies: packDenies([deny]) } }),
        ),
      );
      const numbers = bench
        .entries()
        .filter((line) => line.startsWith('out') && line.includes('deny'))
        .map((line) => Number(line.split(' ')[1]));
      expect([...numbers].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    });
  });

  it("moves a deny, for every case that needs it, where somebody else's entry has taken its number", async () => {
    await inAcl([], async (bench) => {
      const first = await bench.open();
      await denyAtNacl(bench.tools, first);
      // By hand: ours is replaced by something else under the same number.
      const [acl] = bench.file.NetworkAcls;
      if (acl === undefined) throw new Error('the default world has lost its ACL');
      acl.Entries = acl.Entries.map((one) => (one.RuleNumber === 1 && one.Egress ? entry(1, true) : one));
      const second = await bench.open({ instanceId: ids.neighbour, remoteAddresses: [ids.peer] });
      expect(await denyAtNacl(bench.tools, second)).toEqual({ kind: 'done', made: 2, refused: 0 });
      expect(bench.entries()).toEqual(
        sorted(
          ...ALLOWS,
          `in 1 deny -1 ${ids.peer}/32`,
          `out 2 deny -1 ${ids.peer}/32`,
          'out 1 deny -1 203.0.113.200/32',
        ),
      );
      const outbound = (await ledgerOf(bench.tools.cases, ids.acl)).find(({ egress }) => egress);
      expect(outbound).toMatchObject({ ruleNumber: 2, cases: [first.case.caseId, second.case.caseId].sort() });
      const numbers = bench.world.dumpTable().flatMap(({ sk }) => (String(sk).startsWith('NUMBER#out') ? [sk] : []));
      expect(numbers).toEqual(['NUMBER#out#00002']);
    });
  });

  describe('in a storm', () => {
    it('lets the isolation go ahead, and keeps what is still to be denied', async () => {
      await inAcl([], async (bench) => {
        const opened = await bench.open();
        const from = now(bench);
        busyUntil(bench, from + 600);
        const result = await denyAtNacl(bench.tools, opened);
        expect(result).toMatchObject({ kind: 'waiting', made: 0, refused: 0 });
        expect(now(bench) - from).toBeLessThan(40);
        expect(await refusalsOf(bench, opened)).toEqual([]);
      });
    });

    it('makes in a later run what had to wait, and only that', async () => {
      await inAcl([], async (bench) => {
        const opened = await bench.open();
        busyUntil(bench, now(bench) + 60, false);
        const first = await denyAtNacl(bench.tools, opened);
        expect(first).toMatchObject({ kind: 'waiting', made: 1, refused: 0 });
        expect(bench.entries()).toEqual(sorted(...ALLOWS, 'out 1 deny -1 198.51.100.7/32'));
        await bench.tools.sleep(60);
        const cut = cutOf(first);
        expect(await denyAtNacl(bench.tools, { ...opened, cut })).toMatchObject({ kind: 'done', made: 1, refused: 0 });
        expect(bench.entries()).toEqual(sorted(...ALLOWS, ...denies(1)));
      });
    });

    it('makes them all in a later run where the first one failed as a whole', async () => {
      await inAcl([], async (bench) => {
        const opened = await bench.open();
        const failed = { kind: 'failed', made: 0, refused: 0, reason: 'it died' } as const;
        const cut = cutOf(failed);
        expect(await denyAtNacl(bench.tools, { ...opened, cut })).toMatchObject({ kind: 'done', made: 2 });
      });
    });

    it('refuses after the deadline what still has no turn, with the reason, and lets go of the number', async () => {
      await inAcl([], async (bench) => {
        const opened = await bench.open();
        busyUntil(bench, Number.POSITIVE_INFINITY);
        let lateDenies = await denyAtNacl(bench.tools, opened);
        const cut = cutOf(lateDenies);
        for (let run = 1; lateDenies.kind === 'waiting'; run += 1) {
          if (run > 20) throw new Error('it waits for ever');
          lateDenies = await denyAtNacl(bench.tools, { ...opened, cut, lateDenies });
        }
        expect(lateDenies).toMatchObject({ kind: 'refused', made: 0, refused: 2 });
        expect(JSON.stringify(await refusalsOf(bench, opened))).toContain('EC2 refuses CreateNetworkAclEntry');
        expect(bench.world.dumpTable().filter(({ pk }) => String(pk).startsWith('ACL#'))).toEqual([]);
        expect(bench.entries()).toEqual(sorted(...ALLOWS));
      });
    });

    it('tries again within its time where EC2 has no room for what it has to read', async () => {
      await inAcl(bothWays(50, { CidrBlock: '198.51.100.0/24' }), async (bench) => {
        // An entry covers the peer: it is looked at again, and nothing is made.
        const opened = await bench.open();
        const from = now(bench);
        bench.fail(
          ({ call, at }) => call === 'DescribeNetworkAcls' && at < from + 120,
          refusedBy('RequestLimitExceeded'),
        );
        const first = await denyAtNacl(bench.tools, opened);
        expect(first).toMatchObject({ kind: 'waiting', made: 0, refused: 0 });
        const cut = cutOf(first);
        let lateDenies = first;
        let runs = 0;
        for (; lateDenies.kind === 'waiting'; runs += 1) {
          lateDenies = await denyAtNacl(bench.tools, { ...opened, cut, lateDenies });
        }
        expect(lateDenies).toMatchObject({ kind: 'done', made: 2, refused: 0 });
        expect(runs).toBeLessThanOrEqual(4);
      });
    });

    it('denies nothing late where a restore has begun', async () => {
      await inAcl([], async (bench) => {
        const opened = await bench.open();
        busyUntil(bench, now(bench) + 30);
        const first = await denyAtNacl(bench.tools, opened);
        await updateCase(bench.tools.cases, opened.case.caseId, (stored) => ({ ...stored, status: 'restored' }));
        await bench.tools.sleep(60);
        const cut = cutOf(first);
        expect(await denyAtNacl(bench.tools, { ...opened, cut })).toEqual({ kind: 'done', made: 0, refused: 0 });
        expect(bench.entries()).toEqual(sorted(...ALLOWS));
      });
    });

    it('gives the outbound entries of all their turn before the inbound ones', async () => {
      await inAcl([], async (bench) => {
        const { accountId, region } = bench.tools.config;
        const api = 'CreateNetworkAclEntry';
        const remoteAddresses = ['198.51.100.1', '198.51.100.2', '198.51.100.3'];
        const opened = await bench.open({ instanceId: ids.instance, remoteAddresses });
        await noteRefusal(
          bench.tools.cases,
          { accountId, region, api },
          bucketTimes(rateOf(api), 0, bench.tools.now().getTime()),
        );
        await denyAtNacl(bench.tools, opened);
        const directions = bench.inputsOf(api).map((input) => (input as { Egress: boolean }).Egress);
        expect(directions).toEqual([true, true, true, false, false, false]);
      });
    });
  });

  describe('in a record that has several lists', () => {
    const wantedOf = (address: string) =>
      packDenies([{ aclId: ids.acl, egress: true, cidr: `${address}/32`, ruleNumber: 1 }]);
    const later = '2026-01-15T23:00:00.000Z';
    const waitingFor = (address: string, deadline = later) =>
      ({ kind: 'waiting', made: 0, refused: 0, denies: wantedOf(address), deadline }) as const;
    const done = { kind: 'done', made: 1, refused: 0 } as const;
    const failed = { kind: 'failed', made: 0, refused: 0, reason: 'it died' } as const;
    const answered: HostResult = { kind: 'answered', summary: 'it was asked', denies: wantedOf('203.0.113.2') };
    const verdict: VerifyResult = {
      kind: 'leaking',
      reason: 'a deny is missing',
      attempt: 1,
      cuts: 1,
      next: { kind: 'cut-again', seconds: 90 },
      denies: wantedOf('203.0.113.6'),
    };

    it.each<[string, Partial<Denying>, readonly string[]]>([
      ['the assessment, first', {}, [ids.peer]],
      ['what the host has listed', { host: answered }, ['203.0.113.2']],
      ['the assessment, where the host has listed nothing', { host: NO_HOST }, [ids.peer]],
      ['what waits of the first', { cut: cutOf(waitingFor('203.0.113.1')) }, ['203.0.113.1']],
      ['nothing, where nothing waits', { cut: cutOf(done, done) }, []],
      [
        'what waits of both',
        { cut: cutOf(waitingFor('203.0.113.1'), waitingFor('203.0.113.3')) },
        ['203.0.113.1', '203.0.113.3'],
      ],
      [
        'the assessment, where the first run failed, and what waits',
        { cut: cutOf(failed, waitingFor('203.0.113.3')) },
        [ids.peer, '203.0.113.3'],
      ],
      [
        'what the late run has left',
        { cut: cutOf(waitingFor('203.0.113.1')), lateDenies: waitingFor('203.0.113.4') },
        ['203.0.113.4'],
      ],
      [
        'what the cut has left, where the late run failed',
        { cut: cutOf(waitingFor('203.0.113.1')), lateDenies: failed },
        ['203.0.113.1'],
      ],
      [
        'what the verdict misses',
        { cut: cutOf(waitingFor('203.0.113.1')), lateDenies: waitingFor('203.0.113.4'), verdict },
        ['203.0.113.6'],
      ],
      ['what the cut after the verdict has left', { verdict, cutAgain: waitingFor('203.0.113.7') }, ['203.0.113.7']],
      [
        'what the verdict misses, where the cut after the last one is done',
        { verdict, cutAgain: done },
        ['203.0.113.6'],
      ],
    ])('makes %s', async (_, change, addresses) => {
      await inAcl([], async (bench) => {
        const opened = await bench.open();
        await denyAtNacl(bench.tools, { ...opened, ...change });
        const denied = bench.entries().filter((line) => line.startsWith('out') && line.includes('deny'));
        expect(denied.map((line) => line.split(' ')[4] ?? '').sort()).toEqual(
          addresses.map((one) => `${one}/32`).sort(),
        );
      });
    });

    it('waits to the earliest of the deadlines', async () => {
      await inAcl([], async (bench) => {
        const opened = await bench.open();
        busyUntil(bench, Number.POSITIVE_INFINITY);
        const earlier = '2026-01-15T22:00:00.000Z';
        const cut = cutOf(waitingFor('203.0.113.1'), waitingFor('203.0.113.3', earlier));
        const result = await denyAtNacl(bench.tools, { ...opened, cut });
        expect(result).toEqual({
          kind: 'waiting',
          made: 0,
          refused: 0,
          denies: packDenies([...unpackDenies(wantedOf('203.0.113.1')), ...unpackDenies(wantedOf('203.0.113.3'))]),
          deadline: earlier,
        });
      });
    });

    it.each<[string, Partial<Denying>]>([
      ['after the cut', { cut: cutOf(waitingFor('203.0.113.1')) }],
      ['after the verdict', { verdict }],
    ])('says when it has made what came late, %s, and waits for it as long as a function can', async (_, change) => {
      await inAcl([], async (bench) => {
        const opened = await bench.open();
        const from = now(bench);
        busyUntil(bench, from + 30);
        const result = await denyAtNacl(bench.tools, { ...opened, ...change });
        expect(now(bench) - from).toBeGreaterThan(30);
        expect(result).toEqual({ kind: 'done', made: 1, refused: 0, at: expect.stringMatching(/^2026-01-15T/) });
        expect(Date.parse((result as { at: string }).at)).toBeGreaterThan(
          Date.parse(bench.file.Now) + (from + 30) * 1000,
        );
      });
    });

    it('says no such time where nothing was made', async () => {
      await inAcl([], async (bench) => {
        const opened = await bench.open();
        bench.fail(({ call }) => call === 'CreateNetworkAclEntry', refusedBy('UnauthorizedOperation'));
        const cut = cutOf(waitingFor('203.0.113.1'));
        expect(await denyAtNacl(bench.tools, { ...opened, cut })).toEqual({ kind: 'refused', made: 0, refused: 1 });
      });
    });
  });

  it('tells the timeline how many denies stand, are refused and wait', async () => {
    await inAcl([], async (bench) => {
      const remoteAddresses = ['198.51.100.1', '198.51.100.2', '198.51.100.3'];
      const opened = await bench.open({ instanceId: ids.instance, remoteAddresses });
      const is = (input: unknown, address: string) => (input as { CidrBlock: string }).CidrBlock === `${address}/32`;
      bench.fail(
        ({ call, input }) => call === 'CreateNetworkAclEntry' && is(input, '198.51.100.2'),
        refusedBy('UnauthorizedOperation'),
      );
      bench.fail(
        ({ call, input }) =>
          call === 'CreateNetworkAclEntry' && is(input, '198.51.100.3') && (input as { Egress: boolean }).Egress,
        refusedBy('RequestLimitExceeded'),
      );
      await denyAtNacl(bench.tools, opened);
      const entries = bench.world.dumpTable().filter(({ step }) => step === 'deny-at-nacl');
      expect(entries.map(({ what }) => what)).toEqual(['of 6 denies 3 stand, 2 are refused, 1 wait for their turn']);
    });
  });

  it('keeps the newest reason of a peer and an ACL, however often the step is run, and writes nothing else', async () => {
    await inAcl([], async (bench) => {
      const remoteAddresses = ['198.51.100.1', '198.51.100.2'];
      const opened = await bench.open({ instanceId: ids.instance, remoteAddresses });
      let code = 'UnauthorizedOperation';
      bench.fail(
        ({ call }) => call === 'CreateNetworkAclEntry',
        () => refusedBy(code)(),
      );
      await denyAtNacl(bench.tools, opened);
      const reasons = async () =>
        (await refusalsOf(bench, opened)).map(({ address, aclId, reason }) => [address, aclId, reason.split(':')[0]]);
      const first = remoteAddresses.map((address) => [address, ids.acl, 'UnauthorizedOperation']);
      expect(await reasons()).toEqual(first);
      const versions = bench.world.dumpTable().flatMap(({ sk, version }) => (sk === 'CASE' ? [version] : []));
      await denyAtNacl(bench.tools, opened);
      expect(bench.world.dumpTable().flatMap(({ sk, version }) => (sk === 'CASE' ? [version] : []))).toEqual(versions);
      code = 'InvalidParameterValue';
      await denyAtNacl(bench.tools, opened);
      expect(await reasons()).toEqual(remoteAddresses.map((address) => [address, ids.acl, code]));
    });
  });

  it('keeps the same reason of the same peer once for each ACL', async () => {
    await inAcl([], async (bench) => {
      const opened = await bench.open();
      if (opened.assessment.kind !== 'contain') throw new Error(opened.assessment.reason);
      bench.fail(({ call }) => call === 'CreateNetworkAclEntry', refusedBy('UnauthorizedOperation'));
      const deny = { aclId: ids.acl, egress: true, cidr: `${ids.peer}/32`, ruleNumber: 1 };
      const denies = packDenies([deny, { ...deny, aclId: 'acl-00000000000000d02' }]);
      await denyAtNacl(bench.tools, { ...opened, assessment: { ...opened.assessment, denies } });
      const refusals = await refusalsOf(bench, opened);
      expect(refusals.map(({ aclId }) => aclId ?? '').sort()).toEqual([ids.acl, 'acl-00000000000000d02']);
    });
  });

  it('asks once for the turns of all its calls, and for none where there is no call', async () => {
    // Outbound somebody denies one of the peers already.
    await inAcl([entry(50, true, { CidrBlock: '198.51.100.1/32' })], async (bench) => {
      const remoteAddresses = ['198.51.100.1', '198.51.100.2'];
      const opened = await bench.open({ instanceId: ids.instance, remoteAddresses });
      expect(await denyAtNacl(bench.tools, opened)).toMatchObject({ made: 4 });
      const turns = bench
        .inputsOf('UpdateItem')
        .filter((input) => JSON.stringify(input).includes('"CreateNetworkAclEntry"'));
      const { step } = bucketTimes(rateOf('CreateNetworkAclEntry'), 0, 0, 3);
      expect(turns.map(tokensOf)).toEqual([step]);
    });
  });

  it('leaves the last tokens to the first cuts of others', async () => {
    await inAcl([], async (bench) => {
      const { accountId, region } = bench.tools.config;
      const api = 'CreateNetworkAclEntry';
      const opened = await bench.open();
      const moment = bench.tools.now().getTime();
      await noteRefusal(bench.tools.cases, { accountId, region, api }, bucketTimes(rateOf(api), 0, moment));
      // Ten tokens are there, thirty are left to others by what can wait.
      await bench.tools.sleep(2);
      const made: number[] = [];
      bench.world.interceptors.push({ after: ({ call, at }) => void (call === api && made.push(at)) });
      await denyAtNacl(bench.tools, opened);
      expect((made[1] ?? 0) - (made[0] ?? 0)).toBeGreaterThan(3);
    });
  });

  it('reads no case where nothing is refused', async () => {
    await inAcl([], async (bench) => {
      const opened = await bench.open();
      const before = bench.calls('GetItem');
      await denyAtNacl(bench.tools, opened);
      expect(bench.calls('GetItem')).toBe(before);
    });
  });

  it('looks, instead of calling, where another case needs the deny as well', async () => {
    await inAcl([], async (bench) => {
      const [one, two] = [
        await bench.open({ instanceId: ids.instance, remoteAddresses: [ids.peer] }),
        await bench.open({ instanceId: ids.neighbour, remoteAddresses: [ids.peer] }),
      ];
      await denyAtNacl(bench.tools, one);
      expect(await denyAtNacl(bench.tools, two)).toMatchObject({ made: 2 });
      expect(bench.calls('CreateNetworkAclEntry')).toBe(2);
    });
  });

  it('has nothing to deny where no peer is known', async () => {
    await inAcl([], async (bench) => {
      const before = bench.state();
      const opened = await bench.open({ instanceId: ids.instance });
      expect(await denyAtNacl(bench.tools, opened)).toEqual({ kind: 'done', made: 0, refused: 0 });
      expect(bench.state()).toBe(before);
    });
  });
});
