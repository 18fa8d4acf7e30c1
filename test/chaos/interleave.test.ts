import { describe, expect, it } from 'vitest';
import { runInterleavings } from './interleave.ts';
import { type FindingPlan, type Plan, planOf } from './interleave-plan.ts';
import { createRules } from './interleave-rules.ts';
import { type Run, runPlan, type Said } from './interleave-run.ts';

/** Two instances with one peer and no agent: only the denies hold their flows. Nothing is restored early. */
const held: Plan = {
  ...planOf('one peer', 2, 1),
  policy: 'uniform',
  slow: null,
  instances: [0, 1].map(() => ({
    account: 0,
    subnet: 0,
    secondInterface: false,
    agent: 'none' as const,
    secondStage: false,
  })),
  findings: [0, 1].map((instance) => ({ instance, peer: 0, at: 0, wave: 'first' as const })),
  isolationsPerHour: 10,
  flowLog: false,
  releaseDenies: 'never',
  restoredEarly: [],
};

const isOurs = (number: number): boolean => number < 100;
const removeDenies = ({ file, accounts }: Run): void => {
  for (const acl of file.NetworkAcls) acl.Entries = acl.Entries.filter(({ RuleNumber }) => !isOurs(RuleNumber));
  accounts[0]?.world.physics.networkChanged();
};
/** Meddles right after the n-th call of an API. */
const afterFirst = (api: string, number: number, meddle: (run: Run) => void) => (run: Run) => {
  run.accounts[0]?.world.interceptors.unshift({
    after: (call) => {
      if (call.call === api && call.number === number) meddle(run);
    },
  });
};
const violationsOf = async (plan: Plan, meddle: (run: Run) => void): Promise<string> =>
  (await runPlan({ ...plan }, createRules(), meddle)).violations.join('\n');

describe('a seeded interleaving', () => {
  it('is the same each time', async () => {
    const options = { families: ['one peer'], sizes: [3], seed: 4, seeds: 1 } as const;
    const [first, second] = [await runInterleavings(options), await runInterleavings(options)];
    expect(first.releases).toBeGreaterThan(100);
    expect(second).toEqual(first);
  });

  it('is another one under another seed', async () => {
    const outcome = async (schedule: number) => {
      const order: string[] = [];
      const { violations } = await runPlan({ ...held, schedule }, createRules(), ({ accounts }) => {
        accounts[0]?.world.interceptors.unshift({
          after: ({ call, input }) => order.push(JSON.stringify([call, input])),
        });
      });
      return { order, violations };
    };
    const [first, second] = [await outcome(1), await outcome(2)];
    expect(first.violations).toEqual([]);
    expect(second.violations).toEqual([]);
    expect(second.order).not.toEqual(first.order);
  });
});

describe('the rules of an interleaving notice', () => {
  it('a deny that a case needs and that is gone', async () => {
    // Two messages of each case: the interim one and the verdict.
    expect(await violationsOf(held, afterFirst('Publish', 4, removeDenies))).toContain('and does not stand');
  });

  it('a packet that passes after the verdict', async () => {
    // The flows have had packets by the time of the findings.
    const later = { ...held, findings: held.findings.map((finding) => ({ ...finding, at: 20 })) };
    const violations = await violationsOf(later, ({ said }) => {
      const list = said as Said[];
      const push = list.push.bind(list);
      // As if each had been said before anything was denied as well.
      list.push = (...items) => push(...items, ...items.map((one) => ({ ...one, at: 0 })));
    });
    expect(violations).toMatch(/was (held|contained) at 0 s, and .* had a packet at/);
  });

  it('an entry that the ledger does not know, and an ACL with more entries than its quota', async () => {
    const violations = await violationsOf(
      held,
      afterFirst('CreateNetworkAclEntry', 1, ({ file }) => {
        const [acl] = file.NetworkAcls;
        for (let number = 50; number < 70; number += 1) {
          const CidrBlock = `192.0.2.${number}/32`;
          acl?.Entries.push({ RuleNumber: number, Egress: true, RuleAction: 'deny', Protocol: '-1', CidrBlock });
        }
      }),
    );
    expect(violations).toContain('stands in the ACL and not in the ledger');
    expect(violations).toMatch(/has 2\d out entries of one family/);
  });

  it('a second isolation group in a VPC', async () => {
    const violations = await violationsOf(
      held,
      afterFirst('CreateSecurityGroup', 1, ({ file }) => {
        const group = file.SecurityGroups.at(-1);
        if (group !== undefined) file.SecurityGroups.push({ ...group, GroupId: 'sg-00000000000000fff' });
      }),
    );
    expect(violations).toContain('there are two: isolation group');
  });

  it('what is left when everything is restored', async () => {
    const violations = await violationsOf(
      held,
      afterFirst('Publish', 4, ({ file }) => {
        file.Reservations[0]?.Instances[0]?.Tags?.push({ Key: 'left', Value: 'behind' });
      }),
    );
    expect(violations).toMatch(/"left".* after every restore/);
  });

  it('a finding that its case has lost', async () => {
    const violations = await violationsOf(
      held,
      afterFirst('Publish', 4, ({ plan, sent }) => {
        // As if one more had been taken, of a peer that the case never heard of.
        Object.assign(plan, { peers: [...plan.peers, '198.51.100.99'] });
        (sent as FindingPlan[]).push({ instance: 0, peer: 1, at: 0, wave: 'first' });
      }),
    );
    expect(violations).toContain('has lost the peer of the finding');
  });

  it('more new isolations in an hour than there are places', async () => {
    const violations = await violationsOf(
      held,
      afterFirst('Publish', 4, ({ plan }) => {
        Object.assign(plan, { isolationsPerHour: 1 });
      }),
    );
    expect(violations).toContain('has 2 places, not 1');
  });
});
