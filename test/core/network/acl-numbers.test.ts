import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AclEntry, AclFacts } from '../../../functions/core/model.ts';
import {
  type DenyQuestion,
  denyEntry,
  mayDrop,
  type PlannedEntry,
  planDeny,
  protects,
  sameEntry,
} from '../../../functions/core/network/acl-numbers.ts';
import { contains } from '../../../functions/core/network/addresses.ts';

const allowAll: AclEntry = {
  ruleNumber: 100,
  egress: false,
  action: 'allow',
  protocol: '-1',
  cidr: '0.0.0.0/0',
  family: 'ipv4',
  fromPort: null,
  toPort: null,
};
const allowAllOut: AclEntry = { ...allowAll, egress: true };
const deny: AclEntry = { ...allowAll, ruleNumber: 1, action: 'deny', cidr: '198.51.100.7/32' };

/** The default network ACL of a VPC with IPv4. */
const theDefault: AclFacts = {
  id: 'acl-1',
  vpcId: 'vpc-1',
  ownerId: null,
  subnetIds: ['subnet-1'],
  entries: [allowAll, allowAllOut],
};

const question: DenyQuestion = {
  acl: theDefault,
  address: '198.51.100.7',
  family: 'ipv4',
  range: { first: 1, last: 90 },
  entriesPerDirection: 20,
};

const withEntries = (...entries: readonly AclEntry[]): DenyQuestion => ({
  ...question,
  acl: { ...theDefault, entries },
});
const create = (ruleNumber: number, egress: boolean, highestNumber = 90) => ({
  kind: 'create',
  ruleNumber,
  highestNumber,
  egress,
  cidr: '198.51.100.7/32',
  family: 'ipv4',
});
const refused = (why: string) => ({ kind: 'refused', why, reason: expect.stringMatching(/\w+/) });

function applied(entries: readonly AclEntry[], planned: PlannedEntry): readonly AclEntry[] {
  if (planned.kind !== 'create') return entries;
  const { ruleNumber, egress, cidr, family } = planned;
  return [
    ...entries,
    { ruleNumber, egress, action: 'deny', protocol: '-1', cidr, family, fromPort: null, toPort: null },
  ];
}

describe('planDeny', () => {
  it('takes the lowest free number of the range, in both directions', () => {
    expect(planDeny(question)).toEqual({ ingress: create(1, false), egress: create(1, true) });
    expect(planDeny({ ...question, range: { first: 20, last: 30 } }).egress).toEqual(create(20, true, 30));
  });

  it('denies one IPv6 address', () => {
    const plan = planDeny({ ...question, address: '2001:db8::7', family: 'ipv6' });
    expect(plan.ingress).toEqual({
      kind: 'create',
      ruleNumber: 1,
      highestNumber: 90,
      egress: false,
      cidr: '2001:db8::7/128',
      family: 'ipv6',
    });
  });

  it('passes over numbers that an entry of either family holds, or another case has claimed', () => {
    const taken: AclEntry = { ...deny, cidr: '2001:db8::9/128', family: 'ipv6' };
    const plan = planDeny({
      ...withEntries(allowAll, allowAllOut, taken),
      reserved: [{ egress: false, ruleNumber: 2 }],
    });
    expect(plan).toEqual({ ingress: create(3, false), egress: create(1, true) });
  });

  it('stays below every allow that matches the address, whatever its protocol, and minds no other', () => {
    const https: AclEntry = { ...allowAll, ruleNumber: 2, protocol: 'tcp', fromPort: 443, toPort: 443 };
    const elsewhere: AclEntry = { ...https, ruleNumber: 1, cidr: '203.0.113.0/24' };
    expect(planDeny(withEntries(allowAll, https, elsewhere)).ingress).toEqual(refused('no-number'));
    expect(planDeny(withEntries(allowAll, { ...https, ruleNumber: 3 }, elsewhere)).ingress).toEqual(
      create(2, false, 2),
    );
  });

  it('refuses in plain words when rule 1 is an allow that matches: entries are never moved', () => {
    expect(planDeny(withEntries({ ...allowAll, ruleNumber: 1 })).ingress).toEqual({
      kind: 'refused',
      why: 'no-number',
      reason:
        'inbound rule 1 of acl-1 allows 0.0.0.0/0, and no number below it is free from 1 on; entries are never moved',
    });
  });

  it('refuses when the range is used up', () => {
    const range = { first: 1, last: 1 };
    const other: AclEntry = { ...deny, cidr: '203.0.113.9/32' };
    expect(planDeny({ ...withEntries(allowAll, other), range }).ingress).toEqual({
      kind: 'refused',
      why: 'no-number',
      reason: 'all numbers from 1 to 1 are taken for inbound entries of acl-1',
    });
  });

  describe('the quota', () => {
    const others = Array.from(
      { length: 17 },
      (_, i): AclEntry => ({ ...deny, ruleNumber: i + 1, cidr: `203.0.113.${i}/32` }),
    );
    const last: AclEntry = { ...deny, ruleNumber: 18, cidr: '203.0.113.99/32' };

    it('counts the default deny: 19 of 20 are usable', () => {
      expect(planDeny(withEntries(allowAll, ...others)).ingress).toEqual(create(18, false));
      expect(planDeny(withEntries(allowAll, ...others, last)).ingress).toEqual(refused('full'));
    });

    it('counts each direction and each family apart', () => {
      expect(planDeny(withEntries(allowAll, ...others, last)).egress).toEqual(create(1, true));
      const six = { ...withEntries(allowAll, ...others, last), address: '2001:db8::7', family: 'ipv6' as const };
      expect(planDeny(six).ingress).toMatchObject({ kind: 'create', ruleNumber: 19 });
    });
  });

  it('names the direction in which there is no room', () => {
    const { ingress, egress } = planDeny({ ...withEntries(allowAllOut), entriesPerDirection: 2 });
    expect(ingress).toEqual(create(1, false));
    expect(egress).toEqual({
      kind: 'refused',
      why: 'full',
      reason: 'acl-1 has no room for another outbound ipv4 entry (quota 2, the default deny included)',
    });
  });

  describe('a deny that stands', () => {
    it.each<[string, Partial<AclEntry>]>([
      ['of the address', {}],
      ['of a wider network', { cidr: '198.51.100.0/24' }],
      ['outside our range', { ruleNumber: 99 }],
    ])('%s is enough', (_, change) => {
      const standing = { ...deny, ...change };
      expect(planDeny(withEntries(allowAll, standing)).ingress).toEqual({ kind: 'exists', entry: standing });
    });

    it('counts even in a full ACL', () => {
      expect(planDeny({ ...withEntries(allowAll, deny), entriesPerDirection: 3 }).ingress).toEqual({
        kind: 'exists',
        entry: deny,
      });
    });

    it.each<[string, Partial<AclEntry>]>([
      ['of one protocol', { protocol: 'tcp' }],
      ['of ports', { protocol: 'tcp', fromPort: 0, toPort: 65_535 }],
      ['of a neighbour', { cidr: '198.51.100.8/32' }],
      ['in the other direction', { egress: true }],
      ['behind an allow', { ruleNumber: 101 }],
    ])('%s is not enough', (_, change) => {
      expect(planDeny(withEntries(allowAll, { ...deny, ...change })).ingress.kind).toBe('create');
    });
  });

  it.each([
    ['169.254.169.254', 'ipv4', '169.254.169.254 is never denied: the instance metadata service'],
    ['127.0.0.1', 'ipv4', '127.0.0.1 is never denied: loopback (RFC 1122)'],
    ['fd00:ec2::254', 'ipv6', 'fd00:ec2::254 is never denied: services of EC2: metadata, time, DNS'],
  ] as const)('never denies %s', (address, family, reason) => {
    const planned = { kind: 'refused', why: 'address', reason };
    expect(planDeny({ ...question, address, family, privateAllowed: true })).toEqual({
      ingress: planned,
      egress: planned,
    });
  });

  it('denies a private peer only when told to', () => {
    const own = { ...question, address: '10.0.2.9' };
    expect(planDeny(own).ingress).toEqual(refused('address'));
    expect(planDeny({ ...own, privateAllowed: true }).ingress).toMatchObject({ kind: 'create', cidr: '10.0.2.9/32' });
  });

  it('never denies a range', () => {
    expect(() => planDeny({ ...question, address: '198.51.100.0/24' })).toThrow('is not a single IP address');
  });
});

describe('mayDrop', () => {
  it.each<[string, readonly AclEntry[], boolean]>([
    ['a deny before the allow', [allowAll, deny], true],
    ['a deny of one protocol before it', [allowAll, { ...deny, protocol: 'udp' }], true],
    ['a deny of one port before it', [allowAll, { ...deny, protocol: 'tcp', fromPort: 22, toPort: 22 }], true],
    ['a deny behind the allow', [allowAll, { ...deny, ruleNumber: 101 }], false],
    ['a deny of another address', [allowAll, { ...deny, cidr: '203.0.113.9/32' }], false],
    ['a deny of the other direction', [allowAll, { ...deny, egress: true }], false],
    ['an allow of one protocol, then the default deny', [{ ...allowAll, protocol: 'tcp' }], true],
    ['nothing but the default deny', [], true],
  ])('with %s: %s', (_, entries, expected) => {
    expect(mayDrop(entries, '198.51.100.7', false)).toBe(expected);
  });
});

describe('protects', () => {
  it.each<[string, readonly AclEntry[], boolean]>([
    ['a deny before the allow', [allowAll, deny], true],
    ['a deny behind the allow', [allowAll, { ...deny, ruleNumber: 101 }], false],
    ['a deny of one protocol', [allowAll, { ...deny, protocol: 'tcp' }], false],
    [
      'an allow of one port before the deny',
      [
        { ...allowAll, ruleNumber: 1, protocol: 'tcp', fromPort: 22, toPort: 22 },
        { ...deny, ruleNumber: 2 },
      ],
      false,
    ],
    [
      'an allow of other addresses before the deny',
      [
        { ...allowAll, ruleNumber: 1, cidr: '203.0.113.0/24' },
        { ...deny, ruleNumber: 2 },
      ],
      true,
    ],
    ['only the default ACL', [allowAll], false],
    ['no entry at all: the default deny', [], true],
    ['a deny in the other direction', [allowAll, { ...deny, egress: true }], false],
  ])('%s: %s', (_, entries, safe) => {
    expect(protects(entries, '198.51.100.7', false)).toBe(safe);
  });
});

describe('sameEntry', () => {
  it.each<[string, Partial<AclEntry>]>([
    ['a CIDR that is not canonical', { cidr: '198.51.100.7/32', family: 'ipv4' }],
    ['another word for all protocols', { protocol: 'all' }],
    ['ports under protocol -1', { fromPort: 0, toPort: 65_535 }],
  ])('sees through %s', (_, change) => {
    expect(sameEntry(deny, { ...deny, ...change })).toBe(true);
  });

  it('compares networks, protocols and ports in canonical form', () => {
    const wide: AclEntry = { ...deny, protocol: 'tcp', cidr: '198.51.100.0/24' };
    expect(sameEntry(wide, { ...wide, cidr: '198.51.100.7/24', protocol: '6', fromPort: 0, toPort: 65_535 })).toBe(
      true,
    );
    expect(sameEntry(wide, { ...wide, fromPort: 1, toPort: 65_535 })).toBe(false);
    expect(sameEntry({ ...wide, cidr: '198.51.100.7/24' }, wide)).toBe(true);
  });

  it('compares networks letter by letter where one cannot be read', () => {
    const unreadable: AclEntry = { ...deny, cidr: 'no network' };
    expect(sameEntry(unreadable, { ...unreadable })).toBe(true);
    expect(sameEntry(unreadable, deny)).toBe(false);
    expect(sameEntry(deny, unreadable)).toBe(false);
  });

  it.each<Partial<AclEntry>>([
    { ruleNumber: 2 },
    { egress: true },
    { action: 'allow' },
    { protocol: 'tcp' },
    { cidr: '198.51.100.8/32' },
    { cidr: '198.51.100.0/24' },
  ])('tells %j apart', (change) => {
    expect(sameEntry(deny, { ...deny, ...change })).toBe(false);
  });
});

describe('the deny that we write', () => {
  it('denies every protocol of its network, and holds no ports', () => {
    expect(denyEntry({ ruleNumber: 7, egress: true, cidr: '198.51.100.7/32' })).toEqual({
      ruleNumber: 7,
      egress: true,
      action: 'deny',
      protocol: '-1',
      cidr: '198.51.100.7/32',
      family: 'ipv4',
      fromPort: null,
      toPort: null,
    });
  });

  it('is of the family of its network', () => {
    const six = denyEntry({ ruleNumber: 7, egress: false, cidr: '2001:db8:ffff::7/128' });
    expect(six).toMatchObject({ family: 'ipv6', egress: false });
  });
});

describe('over all ACLs', () => {
  const number = fc.integer({ min: 1, max: 60 });
  const entry: fc.Arbitrary<AclEntry> = fc.record({
    ruleNumber: number,
    egress: fc.boolean(),
    action: fc.constantFrom('allow' as const, 'deny' as const),
    protocol: fc.constantFrom('-1', 'tcp', 'udp'),
    cidr: fc.constantFrom('0.0.0.0/0', '198.51.100.0/24', '198.51.100.7/32', '203.0.113.0/24', '198.51.100.9/32'),
    family: fc.constant('ipv4' as const),
    fromPort: fc.constant(null),
    toPort: fc.constant(null),
  });
  const entries = fc.uniqueArray(entry, {
    maxLength: 24,
    selector: ({ egress, ruleNumber }) => `${egress} ${ruleNumber}`,
  });
  it('one that denies an address entirely may drop its packets', () => {
    const property = fc.property(
      entries,
      fc.boolean(),
      (all, egress) => !protects(all, '198.51.100.7', egress) || mayDrop(all, '198.51.100.7', egress),
    );
    expect(fc.check(property).failed).toBe(false);
  });

  const questions = fc.record({
    acl: entries.map((all) => ({ ...theDefault, entries: all })),
    address: fc.constantFrom('198.51.100.7', '198.51.100.9', '203.0.113.1', '192.0.2.1'),
    family: fc.constant('ipv4' as const),
    range: fc.tuple(number, number).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) })),
    entriesPerDirection: fc.integer({ min: 2, max: 40 }),
    reserved: fc.array(fc.record({ egress: fc.boolean(), ruleNumber: number }), { maxLength: 5 }),
  });

  it('a planned deny is in range, free, unclaimed, within the quota and below every allow that matches', () => {
    fc.assert(
      fc.property(questions, (asked) => {
        for (const planned of Object.values(planDeny(asked))) {
          if (planned.kind !== 'create') continue;
          const { ruleNumber, egress } = planned;
          const sameWay = asked.acl.entries.filter((other) => other.egress === egress);
          expect(ruleNumber).toBeGreaterThanOrEqual(asked.range.first);
          expect(ruleNumber).toBeLessThanOrEqual(asked.range.last);
          expect(sameWay.map((other) => other.ruleNumber)).not.toContain(ruleNumber);
          expect(asked.reserved).not.toContainEqual({ egress, ruleNumber });
          expect(sameWay.length + 2).toBeLessThanOrEqual(asked.entriesPerDirection);
          const allows = sameWay.filter((other) => other.action === 'allow' && contains(other.cidr, asked.address));
          expect(Math.min(...allows.map((other) => other.ruleNumber))).toBeGreaterThan(ruleNumber);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('an address is protected once its plan is applied, and a refusal leaves nothing changed', () => {
    fc.assert(
      fc.property(questions, (asked) => {
        const { ingress, egress } = planDeny(asked);
        for (const [planned, way] of [
          [ingress, false],
          [egress, true],
        ] as const) {
          const after = applied(asked.acl.entries, planned);
          expect(after.length - asked.acl.entries.length).toBe(planned.kind === 'create' ? 1 : 0);
          expect(planned.kind === 'refused' || protects(after, asked.address, way)).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('asked again after its plan is applied, it finds the deny that stands', () => {
    fc.assert(
      fc.property(questions, (asked) => {
        const first = planDeny(asked);
        const after = applied(applied(asked.acl.entries, first.ingress), first.egress);
        const again = planDeny({ ...asked, acl: { ...asked.acl, entries: after } });
        expect(again.ingress.kind).toBe(first.ingress.kind === 'create' ? 'exists' : first.ingress.kind);
        expect(again.egress.kind).toBe(first.egress.kind === 'create' ? 'exists' : first.egress.kind);
      }),
    );
  });

  it('several peers, planned one after the other, never share a number', () => {
    fc.assert(
      fc.property(questions, (asked) => {
        let all: readonly AclEntry[] = asked.acl.entries;
        for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3']) {
          const plan = planDeny({ ...asked, address, acl: { ...asked.acl, entries: all } });
          all = applied(applied(all, plan.ingress), plan.egress);
        }
        const numbers = all.map(({ egress, ruleNumber }) => `${egress} ${ruleNumber}`);
        expect(new Set(numbers).size).toBe(numbers.length);
      }),
    );
  });
});
