import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addressClass,
  canonicalCidr,
  contains,
  hostCidr,
  parseAddress,
} from '../../../functions/core/network/addresses.ts';

const anyAddress = fc.oneof(fc.ipV4(), fc.ipV6());

describe('parseAddress', () => {
  it.each([
    ['198.51.100.7', '198.51.100.7', 'ipv4'],
    ['0.0.0.0', '0.0.0.0', 'ipv4'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1', 'ipv6'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1', 'ipv6'],
    ['::ffff:198.51.100.7', '198.51.100.7', 'ipv4'],
    ['::FFFF:c633:6407', '198.51.100.7', 'ipv4'],
    ['::', '::', 'ipv6'],
  ])('reads %s as %s', (text, address, family) => {
    expect(parseAddress(text)).toEqual({ address, family });
  });

  it.each([
    '198.51.100.7/32',
    '2001:db8::1/128',
    '0.0.0.0/0',
    'fe80::1%eth0',
    '010.0.0.5',
    '1.2.3.04',
    '::ffff:1.2.3.04',
    '10.1',
    '1.2.3.4.5',
    '256.1.1.1',
    '0x7f.0.0.1',
    '2130706433',
    ' 198.51.100.7',
    '198.51.100.7\n',
    '[2001:db8::1]',
    '2001:db8:::1',
    '1:2:3:4:5:6:7',
    '198.51.100.7, 198.51.100.8',
    'evil.example',
    '',
    7,
    null,
    undefined,
    {},
    ['198.51.100.7'],
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeNull();
  });

  it('gives the same text when it reads its own text again', () => {
    fc.assert(
      fc.property(anyAddress, (text) => {
        const once = parseAddress(text);
        expect(once).not.toBeNull();
        expect(parseAddress(once?.address)).toEqual(once);
      }),
    );
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.anything()), (text) => {
        expect(() => [parseAddress(text), canonicalCidr(text)]).not.toThrow();
      }),
    );
  });
});

describe('canonicalCidr', () => {
  it.each([
    ['203.0.113.9/24', '203.0.113.0/24', 'ipv4'],
    ['10.255.255.255/8', '10.0.0.0/8', 'ipv4'],
    ['1.2.3.4/0', '0.0.0.0/0', 'ipv4'],
    ['198.51.100.7/32', '198.51.100.7/32', 'ipv4'],
    ['0:0::/0', '::/0', 'ipv6'],
    ['2001:DB8:0:1::ffff/64', '2001:db8:0:1::/64', 'ipv6'],
    // Not "all IPv4 addresses": a group or ACL never sees mapped addresses on the wire.
    ['::ffff:0:0/96', '::ffff:0:0/96', 'ipv6'],
  ])('turns %s into %s', (text, cidr, family) => {
    expect(canonicalCidr(text)).toEqual({ cidr, family });
  });

  it.each([
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/',
    '/8',
    '::/129',
    'fe80::%1/64',
    '10.0/8',
    ' 10.0.0.0/8',
    'pl-1',
    8,
  ])('refuses %j', (text) => {
    expect(canonicalCidr(text)).toBeNull();
  });

  it('is idempotent, and keeps the address it was made of', () => {
    const v4 = fc.record({ ip: fc.ipV4(), length: fc.nat(32) });
    const v6 = fc
      .record({ ip: fc.ipV6(), length: fc.nat(128) })
      .filter(({ ip }) => parseAddress(ip)?.family === 'ipv6');
    fc.assert(
      fc.property(fc.oneof(v4, v6), ({ ip, length }) => {
        const once = canonicalCidr(`${ip}/${length}`);
        expect(canonicalCidr(once?.cidr)).toEqual(once);
        expect(contains(once?.cidr ?? '', ip)).toBe(true);
      }),
    );
  });
});

describe('hostCidr and contains', () => {
  it('gives a single address its own network', () => {
    expect(hostCidr('198.51.100.7')).toBe('198.51.100.7/32');
    expect(hostCidr('2001:db8::1')).toBe('2001:db8::1/128');
    expect(hostCidr('::ffff:198.51.100.7')).toBe('198.51.100.7/32');
  });

  it('holds each address in its own network and in all of its family, and in nothing of the other', () => {
    fc.assert(
      fc.property(anyAddress, (text) => {
        const { address, family } = parseAddress(text) ?? { address: '', family: 'ipv4' };
        expect(contains(hostCidr(address), address)).toBe(true);
        expect(contains('0.0.0.0/0', address)).toBe(family === 'ipv4');
        expect(contains('::/0', address)).toBe(family === 'ipv6');
      }),
    );
  });

  it.each([
    ['10.0.0.0/16', '10.0.255.255', true],
    ['10.0.0.0/16', '10.1.0.0', false],
    ['10.0.0.9/31', '10.0.0.8', true],
    ['2001:db8::/64', '2001:db8::ffff', true],
    ['2001:db8::/64', '2001:db8:0:1::', false],
  ])('%s holds %s: %s', (cidr, address, held) => {
    expect(contains(cidr, address)).toBe(held);
  });

  it('throws on what is no address, rather than saying that it is not held', () => {
    expect(() => contains('10.0.0.0/8', 'evil.example')).toThrow('"evil.example" is not a single IP address');
    expect(() => contains('10.0.0.0', '10.0.0.1')).toThrow('"10.0.0.0" is not a network in CIDR notation');
    expect(() => hostCidr('10.0.0.0/8')).toThrow('address');
  });
});

describe('addressClass', () => {
  it.each([
    ['198.51.100.7', 'public'],
    ['192.0.2.255', 'public'],
    ['203.0.113.1', 'public'],
    ['8.8.8.8', 'public'],
    ['100.63.255.255', 'public'],
    ['172.32.0.1', 'public'],
    ['2001:db8::1', 'public'],
    ['2600:1f18::1', 'public'],
    ['10.0.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.1.1', 'private'],
    ['100.64.0.1', 'private'],
    ['fc00::1', 'private'],
    ['fd12:3456::1', 'private'],
    ['::ffff:10.0.0.1', 'private'],
    ['0.0.0.0', 'reserved'],
    ['0.1.2.3', 'reserved'],
    ['127.0.0.53', 'reserved'],
    ['169.254.1.1', 'reserved'],
    ['169.254.169.254', 'reserved'],
    ['192.88.99.1', 'reserved'],
    ['198.19.255.255', 'private'],
    ['224.0.0.251', 'reserved'],
    ['239.255.255.255', 'reserved'],
    ['240.0.0.1', 'private'],
    ['255.255.255.255', 'reserved'],
    ['::', 'reserved'],
    ['::1', 'reserved'],
    ['::1.2.3.4', 'reserved'],
    ['64:ff9b::c633:6407', 'public'],
    ['64:ff9b::a00:7', 'private'],
    ['64:ff9b::a9fe:a9fe', 'reserved'],
    ['2001::1', 'reserved'],
    ['2002:c633:6407::1', 'reserved'],
    ['4000::1', 'reserved'],
    ['fd00:ec2::254', 'reserved'],
    ['fe80::1', 'reserved'],
    ['ff02::1', 'reserved'],
  ])('%s is %s', (address, expected) => {
    expect(addressClass(address)).toEqual({ kind: expected, because: expect.stringMatching(/\w/) });
  });

  it('names the service that a deny would break', () => {
    expect(addressClass('169.254.169.254').because).toBe('the instance metadata service');
  });

  it('knows every address', () => {
    fc.assert(
      fc.property(anyAddress, (address) => {
        expect(addressClass(address).because).not.toBe('unknown');
      }),
    );
  });
});
