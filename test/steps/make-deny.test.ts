import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { forgetDeny, leaveDeny, ledgerOf, reserveDeny } from '../../functions/aws/case-table/deny-ledger.ts';
import { noteRefusal } from '../../functions/aws/case-table/rate-limit.ts';
import { createDeny } from '../../functions/aws/network-acls.ts';
import type { WantedDeny } from '../../functions/core/case/case.ts';
import { bucketTimes, rateOf } from '../../functions/core/pacing.ts';
import { DENY_API, type DenyFor, type DenyOutcome, makeDeny } from '../../functions/deny-at-nacl/make-deny.ts';
import { type Bench, defaultWorld, ids, onBench, refusedBy } from '../support/bench.ts';

const STANDS: DenyOutcome = { kind: 'stands' };
const CIDR = `${ids.peer}/32`;
const STRANGER = '203.0.113.200/32';

/** Outbound, at 1, as planned when the ACL allowed everything at 100. */
const OUT = {
  aclId: ids.acl,
  egress: true,
  cidr: CIDR,
  ruleNumber: 1,
  highestNumber: 99,
} as const satisfies WantedDeny;
/** Something denied the peer when the ACL was read. */
const COVERED: WantedDeny = { aclId: ids.acl, egress: true, cidr: CIDR, ruleNumber: null };

/** The turn is had, half a minute is left in the run and five minutes in all. */
const asked = ({ tools }: Bench, change: Partial<DenyFor> = {}): DenyFor => ({
  caseId: 'case-a',
  urgency: 0,
  turn: Promise.resolve(true),
  until: tools.now().getTime() + 30_000,
  deadline: new Date(tools.now().getTime() + 300_000).toISOString(),
  ...change,
});

const refused = (reason: string, { cidr, aclId }: WantedDeny = OUT): DenyOutcome => ({
  kind: 'refused',
  refusal: { address: cidr.slice(0, cidr.indexOf('/')), aclId, reason },
});

const onAcl = (body: (bench: Bench) => Promise<void>, config: Parameters<typeof onBench>[2] = {}): Promise<void> =>
  onBench(defaultWorld(), body, config);

/** Somebody's entry, which no ledger knows. */
const stands = ({ tools }: Bench, ruleNumber: number, cidr = STRANGER, egress = true): Promise<void> =>
  createDeny(tools.ec2, { aclId: ids.acl, egress, ruleNumber }, cidr);

/** The ledger's deny of another case, whose entry may not have been made yet. */
const recorded = (
  { tools }: Bench,
  deny: { readonly cidr?: string; readonly ruleNumber: number; readonly egress?: boolean },
) => reserveDeny(tools.cases, { ...OUT, ...deny }, 'case-b');

const ledger = async ({ tools }: Bench) =>
  (await ledgerOf(tools.cases, ids.acl)).map(
    ({ egress, ruleNumber, cidr, cases }) => `${egress ? 'out' : 'in'} ${ruleNumber} ${cidr} ${cases.join(' ')}`,
  );
const numbers = ({ world }: Bench) =>
  world.dumpTable().flatMap(({ sk }) => (String(sk).startsWith('NUMBER#') ? [String(sk)] : []));
const denies = (bench: Bench) => bench.entries().filter((line) => line.includes('deny'));

/** Calls of one API in the body, answered or not. */
async function callsIn(bench: Bench, api: string, body: () => Promise<unknown>): Promise<number> {
  const before = bench.inputsOf(api).length;
  await body();
  return bench.inputsOf(api).length - before;
}

/** Fails calls of one API so many times; `meanwhile` is begun beside the first. */
function failTimes(bench: Bench, api: string, times: number, error: () => Error, meanwhile = (): unknown => undefined) {
  let failed = 0;
  bench.fail(
    ({ call }) => call === api && failed < times,
    () => {
      failed += 1;
      if (failed === 1) meanwhile();
      return error();
    },
  );
}

const cancelled = () =>
  new TransactionCanceledException({
    message: 'Transaction cancelled',
    $metadata: {},
    CancellationReasons: [{ Code: 'None' }, { Code: 'ConditionalCheckFailed' }],
  });

/** What the dice say, from 0 up to 1. */
function luck(value: number): void {
  const random = vi.spyOn(Math, 'random').mockReturnValue(value);
  onTestFinished(() => random.mockRestore());
}

describe('one deny', () => {
  it('is recorded and made at the number that was planned, without another look', () =>
    onAcl(async (bench) => {
      const looks = await callsIn(bench, 'DescribeNetworkAcls', async () => {
        expect(await makeDeny(bench.tools, OUT, asked(bench))).toEqual(STANDS);
      });
      expect(looks).toBe(0);
      expect(denies(bench)).toEqual([`out 1 deny -1 ${CIDR}`]);
      expect(await ledger(bench)).toEqual([`out 1 ${CIDR} case-a`]);
    }));

  it('is refused with the address, the ACL and what AWS says', () =>
    onAcl(async (bench) => {
      bench.fail(({ call }) => call === DENY_API, refusedBy('UnauthorizedOperation'));
      const outcome = await makeDeny(bench.tools, OUT, asked(bench));
      expect(outcome).toEqual(refused('UnauthorizedOperation: UnauthorizedOperation: by the test'));
      expect([await ledger(bench), numbers(bench)]).toEqual([[], []]);
    }));

  it('is refused at once where the ledger may not be read', () =>
    onAcl(async (bench) => {
      bench.fail(({ call }) => call === 'Query', refusedBy('AccessDeniedException'));
      const from = bench.world.clock.now();
      expect(await makeDeny(bench.tools, COVERED, asked(bench))).toEqual(
        refused('AccessDeniedException: AccessDeniedException: by the test'),
      );
      expect(bench.world.clock.now() - from).toBeLessThan(1);
    }));

  it('is refused where the ACL has gone', () =>
    onAcl(async (bench) => {
      const aclId = 'acl-00000000000000d09';
      expect(await makeDeny(bench.tools, { ...COVERED, aclId }, asked(bench))).toEqual(
        refused(`network ACL ${aclId} cannot be read`, { ...OUT, aclId }),
      );
      expect(await makeDeny(bench.tools, { ...OUT, aclId }, asked(bench))).toEqual(
        refused(expect.stringMatching(/^InvalidNetworkAclID\.NotFound: /) as string, { ...OUT, aclId }),
      );
    }));

  it('is refused in an IPv6 address as well, in its own words', () =>
    onAcl(async (bench) => {
      bench.fail(({ call }) => call === DENY_API, refusedBy('UnauthorizedOperation'));
      const ipv6 = { ...OUT, cidr: '2001:db8::7/128' };
      expect(await makeDeny(bench.tools, ipv6, asked(bench))).toMatchObject({ refusal: { address: '2001:db8::7' } });
    }));

  it('is of a private address where that is wanted: who wants it has decided that', () =>
    onAcl(async (bench) => {
      const cidr = '10.9.8.7/32';
      expect(await makeDeny(bench.tools, { ...COVERED, cidr }, asked(bench))).toEqual(STANDS);
      expect(denies(bench)).toEqual([`out 1 deny -1 ${cidr}`]);
    }));

  it.each([
    ['ipv4', CIDR],
    ['ipv6', '2001:db8::7/128'],
  ])('counts the room of its own family: %s', (family, cidr) =>
    onAcl(async (bench) => {
      const full = family === 'ipv4' ? (n: number) => `203.0.113.${n}/32` : (n: number) => `2001:db8:1::${n}/128`;
      // With the default deny and, in IPv4, the allow.
      const listed = family === 'ipv4' ? 18 : 19;
      for (let n = 1; n <= listed; n += 1) await stands(bench, n, full(n));
      expect(await makeDeny(bench.tools, { ...COVERED, cidr }, asked(bench))).toEqual(
        refused(`${ids.acl} has no room for another outbound ${family} entry (quota 20, the default deny included)`, {
          ...OUT,
          cidr,
        }),
      );
      const other = family === 'ipv4' ? '2001:db8::7/128' : CIDR;
      expect(await makeDeny(bench.tools, { ...COVERED, cidr: other }, asked(bench))).toEqual(STANDS);
    }),
  );
});

describe('a number that another deny has', () => {
  it('is left for one of the next in the ledger, without another look at the ACL', () =>
    onAcl(async (bench) => {
      luck(0);
      await recorded(bench, { cidr: STRANGER, ruleNumber: 1 });
      await recorded(bench, { cidr: '203.0.113.201/32', ruleNumber: 2 });
      // The numbers of the other direction are no concern.
      await recorded(bench, { cidr: STRANGER, ruleNumber: 3, egress: false });
      let attempts = 0;
      const looks = await callsIn(bench, 'DescribeNetworkAcls', async () => {
        attempts = await callsIn(bench, 'TransactWriteItems', async () => {
          expect(await makeDeny(bench.tools, OUT, asked(bench))).toEqual(STANDS);
        });
      });
      expect(denies(bench)).toEqual([`out 3 deny -1 ${CIDR}`]);
      expect([attempts, looks]).toEqual([2, 0]);
    }));

  it('widens the choice, so that many that look at once part', () =>
    onAcl(async (bench) => {
      luck(0.99);
      await recorded(bench, { cidr: STRANGER, ruleNumber: 1 });
      await makeDeny(bench.tools, OUT, asked(bench));
      expect(denies(bench)).toEqual([`out 3 deny -1 ${CIDR}`]);
    }));

  it('is not tried twice, whatever the ledger says', () =>
    onAcl(async (bench) => {
      luck(0);
      failTimes(bench, 'TransactWriteItems', 2, cancelled);
      expect(await makeDeny(bench.tools, OUT, asked(bench))).toEqual(STANDS);
      expect(denies(bench)).toEqual([`out 3 deny -1 ${CIDR}`]);
    }));

  it.each<[string, WantedDeny]>([
    ['the plan does not say how high the numbers go', { ...COVERED, ruleNumber: 1 }],
    ['no number is left of those that were planned', { ...OUT, highestNumber: 1 }],
  ])('is looked for in the ACL where %s', (_, deny) =>
    onAcl(async (bench) => {
      await recorded(bench, { cidr: STRANGER, ruleNumber: 1 });
      const looks = await callsIn(bench, 'DescribeNetworkAcls', async () => {
        expect(await makeDeny(bench.tools, deny, asked(bench))).toEqual(STANDS);
      });
      expect(looks).toBe(1);
      expect(denies(bench)).toEqual([`out 2 deny -1 ${CIDR}`]);
    }),
  );

  it('ends in a refusal after forty tries, and no sooner', () =>
    onAcl(async (bench) => {
      failTimes(bench, 'TransactWriteItems', 40, cancelled);
      const tries = await callsIn(bench, 'TransactWriteItems', async () => {
        expect(await makeDeny(bench.tools, OUT, asked(bench))).toEqual(
          refused('the rule numbers were taken by others faster than this run could use them'),
        );
      });
      expect(tries).toBe(40);
      expect(denies(bench)).toEqual([]);
    }));
});

describe('a deny that is planned again', () => {
  it('passes over what the ledger has for others, and keeps what it has for itself', () =>
    onAcl(
      async (bench) => {
        await recorded(bench, { cidr: STRANGER, ruleNumber: 1 });
        // Its own, from a run that died before the entry was made; no other number is left.
        await recorded(bench, { ruleNumber: 2 });
        expect(await makeDeny(bench.tools, COVERED, asked(bench))).toEqual(STANDS);
        expect(denies(bench)).toEqual([`out 2 deny -1 ${CIDR}`]);
        expect(await ledger(bench)).toEqual([`out 2 ${CIDR} case-a case-b`, `out 1 ${STRANGER} case-b`]);
      },
      { aclRuleNumbers: { first: 1, last: 2 } },
    ));

  it('takes the first number that is free in the ledger, at the first try', () =>
    onAcl(async (bench) => {
      await recorded(bench, { cidr: STRANGER, ruleNumber: 1 });
      const tries = await callsIn(bench, 'TransactWriteItems', async () => {
        expect(await makeDeny(bench.tools, COVERED, asked(bench))).toEqual(STANDS);
      });
      expect(tries).toBe(1);
      expect(denies(bench)).toEqual([`out 2 deny -1 ${CIDR}`]);
    }));

  it('does not take a number again that it could not have', () =>
    onAcl(async (bench) => {
      failTimes(bench, 'TransactWriteItems', 1, cancelled);
      expect(await makeDeny(bench.tools, COVERED, asked(bench))).toEqual(STANDS);
      expect(denies(bench)).toEqual([`out 2 deny -1 ${CIDR}`]);
    }));

  it('is refused with the reason where there is no number', () =>
    onAcl(
      async (bench) => {
        await stands(bench, 1);
        expect(await makeDeny(bench.tools, COVERED, asked(bench))).toEqual(
          refused(`all numbers from 1 to 1 are taken for outbound entries of ${ids.acl}`),
        );
      },
      { aclRuleNumbers: { first: 1, last: 1 } },
    ));
});

describe('an address that is denied already', () => {
  it("by an entry of another case's: that one is needed from now on by both", () =>
    onAcl(async (bench) => {
      await makeDeny(bench.tools, OUT, asked(bench, { caseId: 'case-b' }));
      await makeDeny(bench.tools, { ...OUT, egress: false }, asked(bench, { caseId: 'case-b' }));
      await makeDeny(bench.tools, { ...OUT, cidr: STRANGER, ruleNumber: 2 }, asked(bench, { caseId: 'case-b' }));
      const looks = await callsIn(bench, 'DescribeNetworkAcls', async () => {
        expect(await makeDeny(bench.tools, COVERED, asked(bench))).toEqual(STANDS);
      });
      expect(looks).toBe(1);
      expect(await ledger(bench)).toEqual([
        `in 1 ${CIDR} case-b`,
        `out 1 ${CIDR} case-a case-b`,
        `out 2 ${STRANGER} case-b`,
      ]);
    }));

  it('by an entry of nobody in the ledger: it may be one that is just being removed, so it is looked at twice', () =>
    onAcl(async (bench) => {
      await stands(bench, 50, '198.51.100.0/24');
      const looks = await callsIn(bench, 'DescribeNetworkAcls', async () => {
        expect(await makeDeny(bench.tools, COVERED, asked(bench))).toEqual(STANDS);
      });
      expect(looks).toBe(2);
      expect(await ledger(bench)).toEqual([]);
    }));

  it('by an entry that goes away between the two looks: it is made', () =>
    onAcl(async (bench) => {
      const [acl] = bench.file.NetworkAcls;
      await stands(bench, 50, '198.51.100.0/24');
      bench.world.interceptors.push({
        after: ({ call }) => {
          if (call === 'DescribeNetworkAcls' && acl)
            acl.Entries = acl.Entries.filter(({ RuleNumber }) => RuleNumber !== 50);
        },
      });
      expect(await makeDeny(bench.tools, COVERED, asked(bench))).toEqual(STANDS);
      expect(denies(bench)).toEqual([`out 1 deny -1 ${CIDR}`]);
    }));

  it('by an entry that a restore forgets in the very moment: only two looks at a stranger count', () =>
    onAcl(async (bench) => {
      await makeDeny(bench.tools, OUT, asked(bench, { caseId: 'case-b' }));
      const [entry] = await ledgerOf(bench.tools.cases, ids.acl);
      if (entry === undefined) throw new Error('the ledger is empty');
      // The restore of the other case has taken it off; then it forgets the deny while this one joins.
      await leaveDeny(bench.tools.cases, entry, 'case-b');
      failTimes(bench, 'UpdateItem', 1, refusedBy('ConditionalCheckFailedException'), () =>
        forgetDeny(bench.tools.cases, entry),
      );
      const looks = await callsIn(bench, 'DescribeNetworkAcls', async () => {
        expect(await makeDeny(bench.tools, COVERED, asked(bench))).toEqual(STANDS);
      });
      expect(looks).toBe(3);
    }));

  it("by an entry that is a stranger's, then another case's, then forgotten: two looks in a row are one stranger", () =>
    onAcl(async (bench) => {
      await stands(bench, 50, CIDR);
      const { cases } = bench.tools;
      const deny = { ...OUT, ruleNumber: 50, cases: [] };
      let looked = 0;
      const others: Promise<unknown>[] = [];
      bench.world.interceptors.push({
        // Recorded with the second look.
        after: ({ call }) => {
          looked += call === 'DescribeNetworkAcls' ? 1 : 0;
          if (call === 'DescribeNetworkAcls' && looked === 2) others.push(reserveDeny(cases, deny, 'case-b'));
        },
        before: ({ call, input }) => {
          if (call !== 'UpdateItem' || !JSON.stringify(input).includes('ADD #cases') || looked > 2) return;
          // Its own restore is faster than this case can join.
          others.push(leaveDeny(cases, deny, 'case-b').then(() => forgetDeny(cases, deny)));
          throw refusedBy('ConditionalCheckFailedException')();
        },
      });
      expect(await makeDeny(bench.tools, COVERED, asked(bench))).toEqual(STANDS);
      await Promise.all(others);
      expect([looked, await ledger(bench)]).toEqual([4, []]);
    }));
});

describe('an entry that was made', () => {
  it('is made again where a restore has forgotten it in the meantime', () =>
    onAcl(async (bench) => {
      failTimes(bench, 'UpdateItem', 1, refusedBy('ConditionalCheckFailedException'));
      const made = await callsIn(bench, DENY_API, async () => {
        expect(await makeDeny(bench.tools, OUT, asked(bench))).toEqual(STANDS);
      });
      expect(made).toBe(2);
      expect(denies(bench)).toEqual([`out 1 deny -1 ${CIDR}`]);
      expect(await ledger(bench)).toEqual([`out 1 ${CIDR} case-a`]);
    }));

  it('is known again by its number, though others stand in the ACL, where the answer was lost', () =>
    onAcl(async (bench) => {
      await stands(bench, 1);
      let lost = false;
      bench.fail(
        ({ call }) => call === DENY_API && !lost,
        () => {
          lost = true;
          return Object.assign(new Error('no answer'), { name: 'TimeoutError' });
        },
        'after',
      );
      expect(await makeDeny(bench.tools, { ...OUT, ruleNumber: 2 }, asked(bench))).toEqual(STANDS);
      expect(denies(bench)).toEqual([`out 1 deny -1 ${STRANGER}`, `out 2 deny -1 ${CIDR}`]);
    }));
});

describe('an entry that EC2 does not show yet', () => {
  it.each([
    ['for seconds', 8],
    ['for minutes', 400],
  ])('%s is not made at a second number', (_, ReadLagSeconds) =>
    onBench(
      defaultWorld((world) => Object.assign(world, { Assumptions: { ReadLagSeconds } })),
      async (bench) => {
        expect(await makeDeny(bench.tools, OUT, asked(bench))).toEqual(STANDS);
        expect(await makeDeny(bench.tools, { ...OUT, ruleNumber: 1 }, asked(bench))).toEqual(STANDS);
        expect(denies(bench)).toEqual([`out 1 deny -1 ${CIDR}`]);
        expect(numbers(bench)).toEqual(['NUMBER#out#00001']);
      },
    ),
  );
});

describe("somebody else's entry at the number of a deny", () => {
  it('has the deny move, for every case that needs it, though one number is left', () =>
    onAcl(
      async (bench) => {
        await recorded(bench, { ruleNumber: 1 });
        await stands(bench, 1);
        expect(await makeDeny(bench.tools, OUT, asked(bench))).toEqual(STANDS);
        expect(denies(bench)).toEqual([`out 1 deny -1 ${STRANGER}`, `out 2 deny -1 ${CIDR}`]);
        expect([await ledger(bench), numbers(bench)]).toEqual([[`out 2 ${CIDR} case-a case-b`], ['NUMBER#out#00002']]);
      },
      { aclRuleNumbers: { first: 1, last: 2 } },
    ));

  it('leaves the number to the deny where it is gone at the next look', () =>
    onAcl(async (bench) => {
      failTimes(bench, DENY_API, 1, refusedBy('NetworkAclEntryAlreadyExists'));
      expect(await makeDeny(bench.tools, OUT, asked(bench))).toEqual(STANDS);
      expect(denies(bench)).toEqual([`out 1 deny -1 ${CIDR}`]);
      expect(numbers(bench)).toEqual(['NUMBER#out#00001']);
    }));

  it('may deny the peer itself: then nothing is left in the ledger', () =>
    onAcl(async (bench) => {
      await stands(bench, 1, '198.51.100.0/24');
      expect(await makeDeny(bench.tools, OUT, asked(bench))).toEqual(STANDS);
      expect(denies(bench)).toEqual(['out 1 deny -1 198.51.100.0/24']);
      expect([await ledger(bench), numbers(bench)]).toEqual([[], []]);
    }));

  it('may leave no number: refused with the reason, and nothing is left in the ledger', () =>
    onAcl(
      async (bench) => {
        await stands(bench, 1);
        expect(await makeDeny(bench.tools, OUT, asked(bench))).toEqual(
          refused(`all numbers from 1 to 1 are taken for outbound entries of ${ids.acl}`),
        );
        expect([await ledger(bench), numbers(bench)]).toEqual([[], []]);
      },
      { aclRuleNumbers: { first: 1, last: 1 } },
    ));

  it('may have made another move the deny at the same time: it is planned again, past both numbers', () =>
    onAcl(async (bench) => {
      await stands(bench, 1);
      let isFirst = true;
      bench.fail(
        ({ call, input }) => call === 'TransactWriteItems' && JSON.stringify(input).includes('"Update"') && isFirst,
        () => {
          isFirst = false;
          return cancelled();
        },
      );
      expect(await makeDeny(bench.tools, OUT, asked(bench))).toEqual(STANDS);
      expect(denies(bench)).toEqual([`out 1 deny -1 ${STRANGER}`, `out 3 deny -1 ${CIDR}`]);
      expect(numbers(bench)).toEqual(['NUMBER#out#00003']);
    }));
});

describe('a deny that cannot be made', () => {
  it('is told with the reason though a restore has forgotten it by then', () =>
    onAcl(async (bench) => {
      const forget = async () => {
        const [entry] = await ledgerOf(bench.tools.cases, ids.acl);
        if (entry === undefined) throw new Error('the ledger is empty');
        await leaveDeny(bench.tools.cases, entry, 'case-a');
        await forgetDeny(bench.tools.cases, entry);
      };
      let forgotten: Promise<void> | undefined;
      failTimes(bench, DENY_API, 1, refusedBy('UnauthorizedOperation'), () => {
        forgotten = forget();
      });
      // The look whether the entry stands all the same takes as long as the restore.
      failTimes(bench, 'DescribeNetworkAcls', 2, refusedBy('RequestLimitExceeded'));
      const outcome = await makeDeny(bench.tools, OUT, asked(bench));
      await forgotten;
      expect(outcome).toEqual(refused('UnauthorizedOperation: UnauthorizedOperation: by the test'));
      expect(await ledger(bench)).toEqual([]);
    }));

  it('stays in the ledger for another case that needs it', () =>
    onAcl(async (bench) => {
      await recorded(bench, { ruleNumber: 1 });
      bench.fail(({ call }) => call === DENY_API, refusedBy('UnauthorizedOperation'));
      const writes = await callsIn(bench, 'TransactWriteItems', () => makeDeny(bench.tools, OUT, asked(bench)));
      expect(await ledger(bench)).toEqual([`out 1 ${CIDR} case-b`]);
      // The reservation, which found it recorded; nothing is asked to be forgotten.
      expect(writes).toBe(1);
    }));
});

describe('where EC2 or the table has no room', () => {
  const isThrottled = () => Object.assign(new Error('slow down'), { name: 'RequestThrottled' });

  /** The tools with a clock that stands still; its pauses are kept, and the table answers after the first of them. */
  function still(bench: Bench) {
    const now = bench.tools.now();
    const pauses: number[] = [];
    const sleep = (seconds: number) => {
      pauses.push(seconds);
      return Promise.resolve();
    };
    bench.fail(({ call }) => call === 'Query' && pauses.length === 0, isThrottled);
    return { now, pauses, tools: { ...bench.tools, now: () => now, sleep } };
  }

  it.each([
    [1999, 'waiting', []],
    [2000, 'waiting', []],
    [2001, 'stands', [2]],
  ])('a deny that has to be planned again with %i ms left is %s', (left, kind, pauses) =>
    onAcl(async (bench) => {
      const clock = still(bench);
      const until = clock.now.getTime() + left;
      expect(await makeDeny(clock.tools, COVERED, asked(bench, { until }))).toMatchObject({ kind });
      expect(clock.pauses).toEqual(pauses);
    }),
  );

  it('a deny asks for its turn anew after a pause: the one that it had may be used up', () =>
    onAcl(async (bench) => {
      await makeDeny(still(bench).tools, COVERED, asked(bench));
      const turns = bench.inputsOf('UpdateItem').filter((input) => JSON.stringify(input).includes('PACE#'));
      expect(turns).toHaveLength(1);
    }));

  it.each([
    ['waits before its deadline', 1, { kind: 'waiting', deny: OUT }],
    ['is refused at its deadline', 0, refused('RequestThrottled: slow down')],
  ])('a deny that cannot be recorded %s', (_, left, outcome) =>
    onAcl(async (bench) => {
      const clock = still(bench);
      bench.fail(({ call }) => call === 'TransactWriteItems', isThrottled);
      const given = { until: clock.now.getTime(), deadline: new Date(clock.now.getTime() + left).toISOString() };
      expect(await makeDeny(clock.tools, OUT, asked(bench, given))).toEqual(outcome);
    }),
  );

  const NO_TURN = `EC2 takes only so many ${DENY_API} calls per second in an account and Region, and there was no turn for this one`;

  it.each([
    ['waits before its deadline, with its number', 300, { kind: 'waiting', deny: OUT }, [`out 1 ${CIDR} case-a`]],
    ['is refused after its deadline, and gives its number back', 0, refused(NO_TURN), []],
  ])('a deny that gets no turn %s', (_, seconds, outcome, left) =>
    onAcl(async (bench) => {
      const { accountId, region } = bench.tools.config;
      const now = bench.tools.now().getTime();
      const times = bucketTimes(rateOf(DENY_API), 0, now + 60_000);
      await noteRefusal(bench.tools.cases, { accountId, region, api: DENY_API }, times);
      const deadline = new Date(now + seconds * 1000).toISOString();
      const given = { turn: Promise.resolve(false), until: now + 500, deadline };
      expect(await makeDeny(bench.tools, OUT, asked(bench, given))).toEqual(outcome);
      expect(await ledger(bench)).toEqual(left);
      expect(denies(bench)).toEqual([]);
    }),
  );

  it('a deny is not given up where its entry stands: made by a run that died, or by a call whose answer was lost', () =>
    onAcl(async (bench) => {
      let made = 0;
      bench.world.interceptors.push({
        before: ({ call }) => {
          if (call === DENY_API && made > 0) throw refusedBy('RequestLimitExceeded')();
        },
        after: ({ call }) => {
          if (call !== DENY_API) return;
          made += 1;
          throw Object.assign(new Error('no answer'), { name: 'TimeoutError' });
        },
      });
      const now = bench.tools.now().getTime();
      const given = { until: now + 3000, deadline: new Date(now + 3000).toISOString() };
      expect(await makeDeny(bench.tools, OUT, asked(bench, given))).toEqual(STANDS);
      expect([denies(bench), await ledger(bench)]).toEqual([[`out 1 deny -1 ${CIDR}`], [`out 1 ${CIDR} case-a`]]);
    }));

  it('a deny that the ledger has forgotten is given up without a look', () =>
    onAcl(async (bench) => {
      const clock = still(bench);
      bench.fail(({ call }) => call === 'TransactWriteItems', isThrottled);
      const given = { until: clock.now.getTime(), deadline: clock.now.toISOString() };
      const looks = await callsIn(bench, 'DescribeNetworkAcls', () => makeDeny(clock.tools, OUT, asked(bench, given)));
      expect(looks).toBe(0);
    }));

  it('a deny is given up where nothing stands at its number, and another case keeps it', () =>
    onAcl(async (bench) => {
      await recorded(bench, { ruleNumber: 1 });
      bench.fail(({ call }) => call === DENY_API, refusedBy('RequestLimitExceeded'));
      const now = bench.tools.now();
      const given = { until: now.getTime(), deadline: now.toISOString() };
      expect(await makeDeny(bench.tools, OUT, asked(bench, given))).toMatchObject({ kind: 'refused' });
      expect(await ledger(bench)).toEqual([`out 1 ${CIDR} case-b`]);
    }));

  it('a deny that is given up is refused though the ledger cannot be written', () =>
    onAcl(async (bench) => {
      const now = bench.tools.now();
      bench.fail(({ call }) => call === DENY_API, refusedBy('RequestLimitExceeded'));
      bench.fail(({ call }) => call === 'Query', refusedBy('AccessDeniedException'));
      const given = { until: now.getTime(), deadline: now.toISOString() };
      expect(await makeDeny(bench.tools, OUT, asked(bench, given))).toEqual(
        refused(`EC2 refuses ${DENY_API}: ThrottledError: RequestLimitExceeded: RequestLimitExceeded: by the test`),
      );
    }));
});
