import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WantedDeny } from '../../../functions/core/case/case.ts';
import { packDenies, unpackDenies } from '../../../functions/core/network/packed-denies.ts';

const ruleNumbers = fc.integer({ min: 1, max: 32_766 });
const someDeny: fc.Arbitrary<WantedDeny> = fc
  .record({
    aclId: fc.constantFrom('acl-1', 'acl-2', 'acl-3'),
    egress: fc.boolean(),
    cidr: fc.oneof(
      fc.constantFrom('198.51.100.7/32', '2001:db8::7/128'),
      fc.ipV4().map((address) => `${address}/32`),
    ),
    ruleNumber: fc.option(ruleNumbers, { nil: null }),
    highestNumber: fc.option(ruleNumbers, { nil: undefined }),
  })
  .map(({ highestNumber, ...deny }) => (highestNumber === undefined ? deny : { ...deny, highestNumber }));
const someDenies = fc.array(someDeny, { maxLength: 30 });

const overTheWire = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
const sorted = (denies: readonly WantedDeny[]): readonly string[] => denies.map((deny) => JSON.stringify(deny)).sort();

describe('packed denies', () => {
  it('name each address and each ACL once, and let ACLs that want the same share their rows', () => {
    const place = { egress: false, cidr: '198.51.100.7/32', ruleNumber: 1, highestNumber: 99 };
    const packed = packDenies([
      { ...place, aclId: 'acl-1' },
      { ...place, aclId: 'acl-2' },
      { ...place, aclId: 'acl-3', ruleNumber: null },
    ]);

    expect(packed).toEqual({
      cidrs: ['198.51.100.7/32'],
      acls: [
        { ids: ['acl-1', 'acl-2'], in: [[0, 1, 99]], out: [] },
        { ids: ['acl-3'], in: [[0, null, 99]], out: [] },
      ],
    });
  });

  it('are the same denies when they are unpacked, whatever they are', () => {
    fc.assert(
      fc.property(someDenies, (denies) => {
        const unpacked = unpackDenies(overTheWire(packDenies(denies)));

        expect(sorted(unpacked)).toEqual(sorted(denies.map((deny) => ({ ...deny }))));
      }),
    );
  });

  it('keep the order of the addresses, so that the most urgent peer is denied first', () => {
    fc.assert(
      fc.property(someDenies, (denies) => {
        const order = (list: readonly WantedDeny[]) => [...new Set(list.map(({ cidr }) => cidr))];

        expect(order(unpackDenies(packDenies(denies)))).toEqual(order(denies));
      }),
    );
  });

  it('are packed to the same text each time, also after they were unpacked', () => {
    fc.assert(
      fc.property(someDenies, (denies) => {
        const once = packDenies(denies);

        expect(JSON.stringify(packDenies(denies))).toBe(JSON.stringify(once));
        const again = packDenies(unpackDenies(once));
        expect(JSON.stringify(packDenies(unpackDenies(again)))).toBe(JSON.stringify(again));
      }),
    );
  });

  it('may be a flat list, as executions of before this carry it', () => {
    const flat = [{ aclId: 'acl-1', egress: true, cidr: '198.51.100.7/32', ruleNumber: 1 }];

    expect(unpackDenies(flat)).toEqual(flat);
  });

  it('that name an address that is not there are an error, not a deny of something else', () => {
    expect(() => unpackDenies({ cidrs: [], acls: [{ ids: ['acl-1'], in: [[0, 1]], out: [] }] })).toThrow(
      'names address 0',
    );
  });
});
