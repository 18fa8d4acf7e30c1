import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KnownFlow } from '../../../functions/core/model.ts';
import {
  earFor,
  findingsOf,
  type Hearing,
  type Listening,
  longestPause,
  mayBeRecordOf,
  parseFlowLogLine,
} from '../../../functions/core/verdict/flow-log.ts';
import { DEFAULT_LOG_FORMAT } from '../../../functions/core/verdict/log-format.ts';
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

const INTERVAL = 60;
const PAUSE = longestPause(INTERVAL);

const listening = (change: Partial<Listening> = {}): Listening => ({
  networkInterfaceId: 'eni-1',
  localAddresses: ['10.0.1.10', '2001:db8:1::10'],
  formats: [DEFAULT_LOG_FORMAT],
  intervalSeconds: INTERVAL,
  peers: new Set(['198.51.100.7']),
  since: SINCE,
  isYoung: false,
  until: SINCE + 100_000,
  ...change,
});

function hear(lines: readonly string[], change: Partial<Listening> = {}): Hearing {
  const ear = earFor(listening(change));
  for (const line of lines) ear.take(line);
  return ear.heard();
}

const read = (...lines: string[]) => hear(lines);

/** A healthy log: a line without data per minute, from the beginning of the window on. */
const minutes = (count: number, eni = 'eni-1'): string[] =>
  Array.from({ length: count }, (_, minute) => bare('NODATA', SINCE + minute * 60, SINCE + minute * 60 + 60, eni));

describe('earFor', () => {
  it('sees flows from the instance, and which way the packet went', () => {
    const flow = {
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
    };
    const back = lineOf({ src: '198.51.100.7', dst: '10.0.1.10', sport: 4444, dport: 51_234 });
    expect(read(lineOf()).records).toEqual([{ ...flow, direction: 'out' }]);
    expect(read(back).records).toEqual([{ ...flow, direction: 'in' }]);
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

  it('keeps one entry of a flow, from its first record to its last, in whatever order they come', () => {
    const at = (minute: number) => lineOf({ start: SINCE + minute * 60, end: SINCE + minute * 60 + 60 });
    expect(read(at(3), at(1), at(2)).records).toMatchObject([{ at: SINCE + 60, until: SINCE + 240 }]);
    expect(read(at(1), lineOf({ action: 'REJECT' })).records).toHaveLength(2);
  });

  it('keeps what was rejected on its way in for the peers of the case alone', () => {
    const scan = { dst: '10.0.1.10', sport: 4444, dport: 51_234, action: 'REJECT' };
    const { records } = read(
      lineOf({ ...scan, src: '203.0.113.99' }),
      lineOf({ ...scan, src: '198.51.100.7' }),
      lineOf({ dst: '203.0.113.99', action: 'REJECT' }),
    );
    expect(records.map(({ remoteAddress, direction }) => `${direction} ${remoteAddress}`)).toEqual([
      'in 198.51.100.7',
      'out 203.0.113.99',
    ]);
  });

  it.each<[string, readonly string[], number | null]>([
    ['to the end of the last line', [...minutes(2), lineOf({ start: SINCE + 120, end: SINCE + 180 })], 180],
    ['after a line without data alone', minutes(1), 60],
    ['in whatever order the lines come', minutes(30).reverse(), 1800],
    ['never without a line', [], null],
    ['never with a skipped interval', [...minutes(2), bare('SKIPDATA', SINCE + 120, SINCE + 180)], null],
    ['never when it is silent at the beginning', [bare('NODATA', SINCE + PAUSE + 1, SINCE + PAUSE + 61)], null],
    ['when it speaks late, but in time', [bare('NODATA', SINCE + 120, SINCE + 180)], 180],
    ['never when it speaks later than that', [bare('NODATA', SINCE + 121, SINCE + 181)], null],
    ['never by lines from before the window', [bare('NODATA', SINCE - 600, SINCE)], null],
    ['by the line that spans its beginning', [bare('NODATA', SINCE - 600, SINCE + 1)], 1],
    ['never with a hole in the middle', [...minutes(2), bare('NODATA', SINCE + 121 + PAUSE, SINCE + 400)], null],
    ['never with one interval missing', [...minutes(2), bare('NODATA', SINCE + 180, SINCE + 240)], null],
    ['over the seconds between idle intervals', [...minutes(2), bare('NODATA', SINCE + 149, SINCE + 209)], 209],
    ['over a pause to a packet', [...minutes(2), lineOf({ start: SINCE + 240, end: SINCE + 240 })], 240],
    [
      'over a pause between two packets',
      [lineOf({ start: SINCE, end: SINCE }), lineOf({ start: SINCE + PAUSE, end: SINCE + 200 })],
      200,
    ],
    ['not by a line that tells of days to come', [...minutes(2), bare('NODATA', SINCE, SINCE + 500_000)], 120],
    ['not by a line that ends before it begins', [...minutes(2), bare('NODATA', SINCE + 400, SINCE + 300)], 120],
  ])('covers the window %s', (_, lines, covered) => {
    expect(read(...lines).coveredUntil).toBe(covered === null ? null : SINCE + covered);
    expect(read(...lines).unheard === null).toBe(covered !== null);
  });

  it('hears a young log from its first record on, and an old one from the beginning of the window', () => {
    const late = minutes(20).slice(6);
    expect(hear(late)).toMatchObject({ coveredFrom: SINCE, coveredUntil: null });
    expect(hear(late, { isYoung: true })).toMatchObject({ coveredFrom: SINCE + 360, coveredUntil: SINCE + 1200 });
    expect(hear(minutes(20), { isYoung: true })).toMatchObject({ coveredFrom: SINCE, coveredUntil: SINCE + 1200 });
    const holed = [...minutes(3), ...minutes(20).slice(10)];
    expect(hear(holed, { isYoung: true }).coveredUntil).toBeNull();
    expect(hear([], { isYoung: true }).coveredUntil).toBeNull();
  });

  it('waits longer for a log that aggregates longer', () => {
    const lines = [bare('NODATA', SINCE, SINCE + 600), bare('NODATA', SINCE + 900, SINCE + 1500)];
    expect(hear(lines).coveredUntil).toBeNull();
    expect(hear(lines, { intervalSeconds: 600 }).coveredUntil).toBe(SINCE + 1500);
  });

  it.each(['ACCEPT', 'REJECT'])('proves nothing with a packet of strangers, as of a delegated prefix: %s', (action) => {
    const { coveredUntil, records } = read(bare('NODATA', SINCE, SINCE + 60), lineOf({ src: '10.0.9.9', action }));
    expect([coveredUntil, records]).toEqual([null, []]);
  });

  it('proves nothing in a flood, and still tells of flows that live', () => {
    const flood = Array.from({ length: 20_001 }, (_, port) => lineOf({ sport: port, dst: `203.0.113.${port % 250}` }));
    const { coveredUntil, records } = read(...minutes(3), ...flood);
    expect(coveredUntil).toBeNull();
    expect(records).toHaveLength(20_000);
  });

  it('covers less or the same when a skipped interval joins, wherever it is', () => {
    const starts = fc.uniqueArray(fc.nat({ max: 500 }), { maxLength: 10 });
    fc.assert(
      fc.property(starts, fc.nat({ max: 500 }), (known, gap) => {
        const lines = known.map((minute) => bare('NODATA', SINCE + minute * 60, SINCE + minute * 60 + 60));
        expect(read(...lines, bare('SKIPDATA', SINCE + gap * 60, SINCE + gap * 60 + 60)).coveredUntil).toBeNull();
        expect(read(...lines).records).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it('sees a hole of any place and size, and no other hole', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 1, max: 90 }), (from, length) => {
        const lines = minutes(500).filter((_, minute) => minute < from || minute >= from + length);
        // Before the first record there may have been packets.
        const isSeen = from > 0 || length > 2;
        expect(read(...lines).coveredUntil === null).toBe(isSeen);
      }),
      { numRuns: 100 },
    );
  });

  it('never throws, whoever wrote the line', () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom('2', '-', 'eni-1', 'OK', 'NODATA', 'ACCEPT', '10.0.1.10', '1e9'),
    );
    const line = fc.oneof(
      fc.string(),
      fc.array(word, { minLength: 14, maxLength: 14 }).map((words) => words.join(' ')),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), (lines) => {
        expect(() => read(...lines)).not.toThrow();
      }),
      { numRuns: 300 },
    );
  });
});

describe('findingsOf', () => {
  it('covers an instance as far as its worst ENI is covered', () => {
    const good = hear(minutes(11));
    const worse = hear(minutes(1, 'eni-2'), { networkInterfaceId: 'eni-2' });
    expect(findingsOf([good, worse], ['eni-1', 'eni-2']).coveredUntil).toBe(SINCE + 60);
    expect(findingsOf([good], ['eni-1', 'eni-2'])).toMatchObject({
      coveredUntil: null,
      unheard: 'no flow log covers eni-2',
    });
    expect(findingsOf([good], []).coveredUntil).toBeNull();
  });

  it('begins with the log that began last', () => {
    const [older, younger] = [hear(minutes(20)), hear(minutes(20).slice(5), { isYoung: true })];
    expect(findingsOf([older, { ...younger, networkInterfaceId: 'eni-2' }], ['eni-1', 'eni-2'])).toMatchObject({
      from: SINCE + 300,
      coveredUntil: SINCE + 1200,
    });
  });

  it('says why nothing is proven, and keeps what was seen all the same', () => {
    const deaf = { ...hear([lineOf()]), coveredUntil: null, unheard: 'it could not be read' };
    expect(findingsOf([deaf], ['eni-1'])).toMatchObject({ coveredUntil: null, unheard: 'it could not be read' });
    expect(findingsOf([deaf], ['eni-1']).records).toHaveLength(1);
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
