import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseFlowLogLine } from '../../../functions/core/verdict/flow-log.ts';
import {
  DEFAULT_LOG_FORMAT,
  LOG_FIELDS,
  missingFields,
  readLogFormat,
} from '../../../functions/core/verdict/log-format.ts';
import { formatText } from '../../support/flow-log.ts';

const VALUES: Readonly<Record<string, string>> = {
  version: '10',
  'interface-id': 'eni-1',
  srcaddr: '10.0.1.10',
  dstaddr: '198.51.100.7',
  srcport: '51234',
  dstport: '4444',
  protocol: '6',
  start: '1768471360',
  end: '1768471420',
  action: 'ACCEPT',
  'log-status': 'OK',
  'flow-direction': 'egress',
};

const lineFor = (names: readonly string[], values: Readonly<Record<string, string>> = VALUES): string =>
  names.map((name) => values[name] ?? '-').join(' ');

const NEEDED = ['interface-id', 'srcaddr', 'dstaddr', 'start', 'end', 'action', 'log-status'];

const read = (names: readonly string[], values?: Readonly<Record<string, string>>) =>
  parseFlowLogLine(lineFor(names, values), readLogFormat(formatText(...names)));

describe('a flow log format', () => {
  it('is the default one where EC2 does not say', () => {
    expect(readLogFormat(null)).toBe(DEFAULT_LOG_FORMAT);
    expect(readLogFormat('')).toBe(DEFAULT_LOG_FORMAT);
    expect([DEFAULT_LOG_FORMAT.count, missingFields(DEFAULT_LOG_FORMAT)]).toEqual([14, []]);
  });

  it('places every documented field, in whatever order it names them', () => {
    const others = LOG_FIELDS.filter((name) => !NEEDED.includes(name));
    const names = fc
      .subarray(others)
      .chain((some) => fc.shuffledSubarray([...NEEDED, ...some], { minLength: NEEDED.length + some.length }));
    fc.assert(
      fc.property(names, (order) => {
        const has = (name: string, value: unknown) => (order.includes(name) ? value : null);
        expect(read(order)).toMatchObject({
          kind: 'record',
          networkInterfaceId: 'eni-1',
          source: '10.0.1.10',
          destination: '198.51.100.7',
          start: 1_768_471_360,
          end: 1_768_471_420,
          action: 'ACCEPT',
          sourcePort: has('srcport', 51_234),
          destinationPort: has('dstport', 4444),
          protocol: has('protocol', 6),
        });
      }),
      { numRuns: 300 },
    );
  });

  it('reads the fields of version 5 behind those of version 2', () => {
    const names = [...LOG_FIELDS.slice(0, 14), 'vpc-id', 'pkt-srcaddr', 'pkt-dstaddr', 'flow-direction'];
    expect(read(names)).toMatchObject({ kind: 'record', direction: 'out', destination: '198.51.100.7' });
  });

  it('places a field that nobody has documented yet', () => {
    expect(read(['something-new', ...NEEDED])).toMatchObject({ kind: 'record', networkInterfaceId: 'eni-1' });
  });

  it('takes the addresses of the packet where it names no others', () => {
    const names = NEEDED.map((name) => name.replace(/^(src|dst)addr$/, 'pkt-$1addr'));
    const values = { ...VALUES, 'pkt-srcaddr': '10.0.1.99', 'pkt-dstaddr': '203.0.113.5' };
    expect(missingFields(readLogFormat(formatText(...names)))).toEqual([]);
    expect(read(names, values)).toMatchObject({ source: '10.0.1.99', destination: '203.0.113.5' });
  });

  it.each(['NODATA', 'SKIPDATA'])('reads a line that says %s, in any order of fields', (status) => {
    const values = { 'interface-id': 'eni-1', start: '5', end: '65', 'log-status': status };
    expect(read([...NEEDED].reverse(), values)).toEqual({
      kind: status === 'NODATA' ? 'no-data' : 'skipped',
      networkInterfaceId: 'eni-1',
      start: 5,
      end: 65,
    });
  });

  it.each<[string, readonly string[]]>([
    ['interface-id', ['interface-id']],
    ['action', ['action']],
    ['log-status', ['log-status']],
    ['start', ['start']],
    ['end', ['end']],
    ['srcaddr', ['srcaddr', 'dstaddr']],
    ['dstaddr', ['srcaddr', 'dstaddr']],
  ])('says nothing of a flow without %s', (name, missing) => {
    const names = NEEDED.filter((other) => other !== name);
    expect(missingFields(readLogFormat(formatText(...names)))).toEqual(missing);
    expect(read(names)).toBeNull();
  });
});
