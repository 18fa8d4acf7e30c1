import { describe, expect, it } from 'vitest';
import { denyEntry, planDeny, sameEntry } from '../../functions/core/acl-numbers.ts';
import { denyOf, theAcl } from '../support/incident.ts';

/** What a mutation run found that no other test asks. */

describe('the deny that we write', () => {
  it('denies every protocol of an IPv4 network, and holds no ports', () => {
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
    expect(denyEntry({ ruleNumber: 7, egress: false, cidr: '2001:db8:ffff::7/128' })).toMatchObject({
      family: 'ipv6',
      egress: false,
    });
  });
});

describe('two entries are the same', () => {
  it('where the first is not in canonical form', () => {
    expect(sameEntry(denyOf('198.51.100.7/24', 1, false), denyOf('198.51.100.0/24', 1, false))).toBe(true);
  });

  it('where the second is not in canonical form', () => {
    expect(sameEntry(denyOf('198.51.100.0/24', 1, false), denyOf('198.51.100.7/24', 1, false))).toBe(true);
  });

  it('letter by letter, where a network cannot be read', () => {
    expect(sameEntry(denyOf('no network', 1, false), denyOf('no network', 1, false))).toBe(true);
    expect(sameEntry(denyOf('no network', 1, false), denyOf('198.51.100.7/32', 1, false))).toBe(false);
    expect(sameEntry(denyOf('198.51.100.7/32', 1, false), denyOf('no network', 1, false))).toBe(false);
  });
});

describe('a refusal', () => {
  it('names the direction in which there is no room', () => {
    const acl = { ...theAcl, entries: theAcl.entries.filter((entry) => entry.egress) };
    const question = {
      acl,
      address: '198.51.100.7',
      family: 'ipv4',
      range: { first: 1, last: 99 },
      entriesPerDirection: 2,
    } as const;
    const { ingress, egress } = planDeny(question);
    expect(ingress.kind).toBe('create');
    expect(egress).toMatchObject({
      kind: 'refused',
      why: 'full',
      reason: expect.stringContaining('another outbound ipv4'),
    });
  });
});
