import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KnownFlow } from '../../../functions/core/model.ts';
import {
  type FlowLogAnswer,
  mayBeRecordOf,
  parseFlowLogLine,
  readFlowLogs,
} from '../../../functions/core/verdict/flow-log.ts';
import { theShell } from '../../support/incident.ts';

const SINCE = 1_768_471_300;

const lineOf = (
  change: Partial<
    Record<
      'eni' | 'src' | 'dst' | 'sport' | 'dport' | 'protocol' | 'start' | 'end' | 'action' | 'status' | 'version',
      string | number
    >
  > = {},
): string => {
  const line = {
    version: 2,
    eni: 'eni-1',
    src: '10.0.1.10',
    dst: '198.51.100.7',
    sport: 51_234,
    dport: 4444,
    protocol: 6,
    start: SINCE + 60,
    end: SINCE + 120,
    action: 'ACCEPT',
    status: 'OK',
    ...change,
  };
  return `${line.version} 111122223333 ${line.eni} ${line.src} ${line.dst} ${line.sport} ${line.dport} ${line.protocol} 4 216 ${line.start} ${line.end} ${line.action} ${line.status}`;
};

/** As AWS prints it: every field that there is nothing to say of is a dash. */
const bare = (status: 'NODATA' | 'SKIPDATA', start: number, end: number, eni = 'eni-1'): string =>
  `2 111122223333 ${eni} - - - - - - - ${start} ${end} - ${status}`;

describe('parseFlowLogLine', () => {
  it('reads the examples of the VPC User Guide', () => {
    expect(
      parseFlowLogLine(
        '2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK',
      ),
    ).toEqual({
      kind: 'record',
      networkInterfaceId: 'eni-1235b8ca123456789',
      source: '172.31.16.139',
      destination: '172.31.16.21',
      sourcePort: 20_641,
      destinationPort: 22,
      protocol: 6,
      start: 1_418_530_010,
      end: 1_418_530_070,
      action: 'ACCEPT',
    });
    expect(
      parseFlowLogLine(
        '2 123456789010 eni-1235b8ca123456789 2001:db8:1234:a100:8d6e:3477:df66:f105 2001:db8:1234:a102:3304:8879:34cf:4071 34892 22 6 54 8855 1477913708 1477913820 ACCEPT OK',
      ),
    ).toMatchObject({ kind: 'record', source: '2001:db8:1234:a100:8d6e:3477:df66:f105' });
    const times = { networkInterfaceId: 'eni-1235b8ca123456789', start: 1_431_280_876, end: 1_431_280_934 };
    expect(
      parseFlowLogLine('2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA'),
    ).toEqual({ kind: 'no-data', ...times });
    expect(
      parseFlowLogLine('2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - SKIPDATA'),
    ).toEqual({ kind: 'skipped', ...times });
  });

  it.each([
    ['of another version', lineOf({ version: 5 })],
    ['with a field more', `${lineOf()} extra`],
    ['with a field less', lineOf().replace(' OK', '')],
    ['with another status', lineOf({ status: 'FINE' })],
    ['with another action', lineOf({ action: 'DROP' })],
    ['without a source address', lineOf({ src: '-' })],
    ['with a range for an address', lineOf({ dst: '198.51.100.0/24' })],
    ['without times', lineOf({ start: '-' })],
    ['that is empty', ''],
    [
      'that is the header',
      'version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status',
    ],
  ])('takes a line %s for nothing', (_, line) => {
    expect(parseFlowLogLine(line)).toBeNull();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string(), (line) => {
        expect(() => parseFlowLogLine(line)).not.toThrow();
      }),
      { numRuns: 300 },
    );
  });
});

const answer = (lines: readonly string[], eni = 'eni-1'): FlowLogAnswer => ({
  networkInterfaceId: eni,
  localAddresses: ['10.0.1.10', '2001:db8:1::10'],
  lines,
});

describe('readFlowLogs', () => {
  const read = (...lines: string[]) => readFlowLogs([answer(lines)], SINCE, ['eni-1']);

  it('sees flows from the instance, whichever way the packet went', () => {
    const out = read(lineOf()).records;
    const back = read(lineOf({ src: '198.51.100.7', dst: '10.0.1.10', sport: 4444, dport: 51_234 })).records;
    expect(out).toEqual([
      {
        protocol: 'tcp',
        family: 'ipv4',
        remoteAddress: '198.51.100.7',
        remotePort: 4444,
        localAddress: '10.0.1.10',
        localPort: 51_234,
        openedBy: 'unknown',
        networkInterfaceId: 'eni-1',
        source: 'flow-log',
        action: 'ACCEPT',
        at: SINCE + 60,
        until: SINCE + 120,
      },
    ]);
    expect(back).toEqual(out);
  });

  it.each([
    [17, 'udp', 4444],
    [1, 'icmp', null],
    [58, 'icmpv6', null],
    [47, '47', null],
  ])('names protocol %i %s, with ports where it has some', (protocol, name, remotePort) => {
    expect(read(lineOf({ protocol })).records[0]).toMatchObject({ protocol: name, remotePort });
  });

  it('knows IPv6', () => {
    const line = lineOf({ src: '2001:db8:1::10', dst: '2001:DB8:0:0::7' });
    expect(read(line).records[0]).toMatchObject({ family: 'ipv6', remoteAddress: '2001:db8::7' });
  });

  it('leaves out what passed before the window, what is no line, and what is not between the instance and a peer', () => {
    const { records } = read(
      lineOf({ start: SINCE - 60, end: SINCE + 1 }),
      lineOf({ eni: 'eni-2' }),
      lineOf({ src: '192.0.2.1' }),
      'nonsense',
    );
    expect(records).toEqual([]);
  });

  it.each<[string, readonly string[], number | null]>([
    [
      'to the end of the last line',
      [bare('NODATA', SINCE, SINCE + 60), lineOf({ end: SINCE + 9000, start: SINCE + 8940 })],
      9000,
    ],
    ['only after a line without data too', [bare('NODATA', SINCE, SINCE + 60)], 60],
    ['never without a line', [], null],
    [
      'never with a skipped interval',
      [bare('NODATA', SINCE, SINCE + 60), bare('SKIPDATA', SINCE + 60, SINCE + 120)],
      null,
    ],
    ['never when it is silent at the beginning', [bare('NODATA', SINCE + 3701, SINCE + 3761)], null],
    ['when it speaks late, but in time', [bare('NODATA', SINCE + 3700, SINCE + 3760)], 3760],
    ['never by lines from before the window', [bare('NODATA', SINCE - 600, SINCE)], null],
  ])('covers the window %s', (_, lines, covered) => {
    expect(read(...lines).coveredUntil).toBe(covered === null ? null : SINCE + covered);
  });

  it.each(['ACCEPT', 'REJECT'])('proves nothing with a packet of strangers, as of a delegated prefix: %s', (action) => {
    const { coveredUntil, records } = read(bare('NODATA', SINCE, SINCE + 60), lineOf({ src: '10.0.9.9', action }));
    expect([coveredUntil, records]).toEqual([null, []]);
  });

  it('covers an instance as far as its worst ENI is covered', () => {
    const good = answer([bare('NODATA', SINCE, SINCE + 60), bare('NODATA', SINCE + 600, SINCE + 660)]);
    const worse = answer([bare('NODATA', SINCE, SINCE + 60, 'eni-2')], 'eni-2');
    expect(readFlowLogs([good, worse], SINCE, ['eni-1', 'eni-2']).coveredUntil).toBe(SINCE + 60);
    expect(readFlowLogs([good], SINCE, ['eni-1', 'eni-2']).coveredUntil).toBeNull();
    expect(readFlowLogs([good], SINCE, []).coveredUntil).toBeNull();
  });

  it('covers less or the same when a skipped interval joins, wherever it is', () => {
    const minutes = fc.uniqueArray(fc.nat({ max: 500 }), { maxLength: 10 });
    fc.assert(
      fc.property(minutes, fc.nat({ max: 500 }), (starts, gap) => {
        const lines = starts.map((minute) => bare('NODATA', SINCE + minute * 60, SINCE + minute * 60 + 60));
        expect(read(...lines, bare('SKIPDATA', SINCE + gap * 60, SINCE + gap * 60 + 60)).coveredUntil).toBeNull();
        expect(read(...lines).records).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});

describe('mayBeRecordOf', () => {
  const record = { ...theShell, source: 'flow-log' as const };
  const ipv6 = { ...theShell, family: 'ipv6' as const, remoteAddress: '2001:db8::7', localAddress: '2001:db8:1::10' };

  it.each<[string, KnownFlow, KnownFlow, boolean]>([
    ['the flow itself', record, theShell, true],
    ['a flow from another IPv4 address of the interface', record, { ...theShell, localAddress: '10.0.1.99' }, true],
    ['a flow from a container behind it', record, { ...theShell, localAddress: '172.17.0.2' }, true],
    ['a flow to another peer', record, { ...theShell, remoteAddress: '198.51.100.8' }, false],
    ['a flow from another port', record, { ...theShell, localPort: 1 }, false],
    ['the same IPv6 flow', ipv6, ipv6, true],
    ['a flow from another IPv6 address', ipv6, { ...ipv6, localAddress: '2001:db8:1::11' }, false],
  ])('says of %s', (_, seen, flow, expected) => {
    expect(mayBeRecordOf(seen, flow)).toBe(expected);
  });
});
