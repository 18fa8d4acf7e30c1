import fc from 'fast-check';
import { Address4, Address6 } from 'ip-address';
import { describe, expect, it } from 'vitest';
import { readIp, writeIp } from '../../../functions/core/network/ip-text.ts';

const RUNS = process.env['CI_LONG'] ? 200_000 : 5000;

/** As another reader understands it. */
function asOthersRead(text: string): { family: string; value: bigint; text: string } | null {
  const Ip = text.includes(':') ? Address6 : Address4;
  if (!Ip.isValid(text)) return null;
  const ip = new Ip(text);
  return { family: ip instanceof Address4 ? 'ipv4' : 'ipv6', value: ip.bigInt(), text: ip.correctForm() };
}

function asRead(text: string): ReturnType<typeof asOthersRead> {
  const ip = readIp(text);
  return ip && { ...ip, text: writeIp(ip) };
}

const byte = fc.oneof(fc.nat(255).map(String), fc.constantFrom('0', '00', '01', '255', '256', '1000', ''));
const dotted = fc.oneof(
  fc.ipV4(),
  fc.array(byte, { minLength: 3, maxLength: 5 }).map((bytes) => bytes.join('.')),
);
const group = fc.oneof(
  fc.constant('0'),
  fc.nat(0xff_ff).map((value) => value.toString(16)),
  fc.constantFrom('00', '0A', 'FFFF', '10000', ''),
);
const groups = fc.array(group, { maxLength: 9 }).map((parts) => parts.join(':'));
const coloned = fc.oneof(
  fc.ipV6(),
  groups,
  fc.tuple(groups, groups).map(([before, after]) => `${before}::${after}`),
  fc.tuple(groups, dotted).map(([before, after]) => `${before}:${after}`),
  fc.tuple(groups, dotted).map(([before, after]) => `${before}::${after}`),
);
const anything = fc.string({ unit: fc.constantFrom('0', '0', '1', '9', 'a', 'f', 'F', ':', '.'), maxLength: 20 });

describe('readIp and writeIp', () => {
  it('read and write what is nearly an address as another reader does', () => {
    const texts = fc.oneof(dotted, coloned, anything);
    fc.assert(
      fc.property(texts, (text) => {
        expect(asRead(text)).toEqual(asOthersRead(text));
      }),
      { numRuns: RUNS },
    );
  });

  it('read every text that they write', () => {
    const ips = fc.oneof(
      fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((value) => ({ family: 'ipv4' as const, value })),
      fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((value) => ({ family: 'ipv6' as const, value })),
    );
    fc.assert(
      fc.property(ips, (ip) => {
        expect(readIp(writeIp(ip))).toEqual(ip);
      }),
      { numRuns: RUNS },
    );
  });

  it.each([
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:0:2:3:0:0:4', '1::2:3:0:0:4'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['1::3:4:5:6:7:8', '1:0:3:4:5:6:7:8'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ])('write %s as %s', (text, canonical) => {
    expect(asRead(text)?.text).toBe(canonical);
  });

  it.each([
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '1::2::3',
    ':1:2:3:4:5:6:7',
    '1.2.3.4::',
    '::1.2.3.256',
    '1:2:3:4:5:6:7:1.2.3.4',
  ])('refuse %s', (text) => {
    expect(readIp(text)).toBeNull();
  });
});
