import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  HOST_OUTPUT_LIMIT,
  type HostFlowLine,
  type HostVerdictLine,
  parseHostOutput,
} from '../../../functions/core/host/host-protocol.ts';
import { theLine } from '../../support/host-report.ts';

const caseId = 'case-0123456789abcdef0123';
const expected = { verb: 'cut', caseId } as const;

const verdictOf = (lines: number, change: Partial<HostVerdictLine> = {}): HostVerdictLine => ({
  v: 1,
  kind: 'verdict',
  verb: 'cut',
  caseId,
  listed: lines,
  omitted: 0,
  closed: lines,
  survived: 0,
  sources: ['ss', 'proc'],
  firewall: 'nftables',
  errors: [],
  ...change,
});

const printed = (...lines: unknown[]): string => `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`;
const parse = (output: string) => parseHostOutput(output, expected);

describe('the processes that a host says it stopped', () => {
  const pids = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);

  it.each([
    ['none', []],
    ['the lowest and the highest that Linux gives', [1, 4_194_304]],
    ['as many as are kept', pids(1024)],
  ])('are %s', (_, stopped) => {
    expect(parse(printed(verdictOf(0, { stopped })))).toMatchObject({ kind: 'evidence', verdict: { stopped } });
  });

  it.each([
    ['-1, which is every process', [-1]],
    ['0', [0]],
    ['a number beyond what Linux gives', [4_194_305]],
    ['a fraction', [1.5]],
    ['more than a case keeps', pids(1025)],
  ])('cannot be %s: then nothing of it is believed', (_, stopped) => {
    expect(parse(printed(verdictOf(0, { stopped })))).toMatchObject({ kind: 'no-evidence' });
    expect(
      parse(printed(verdictOf(0, { killed: stopped.map((pid) => (pid > 4_194_304 ? 2 ** 32 : pid)) }))),
    ).toMatchObject({
      kind: 'no-evidence',
    });
  });

  it('may be killed with ids of 32 bits, as Windows gives them', () => {
    expect(parse(printed(verdictOf(0, { killed: [4_294_967_292] })))).toMatchObject({ kind: 'evidence' });
  });
});

describe('parseHostOutput', () => {
  it('reads flow lines and the verdict after them', () => {
    const output = printed(theLine, { ...theLine, localPort: 1 }, verdictOf(2));
    expect(parse(output)).toEqual({
      kind: 'evidence',
      flows: [theLine, { ...theLine, localPort: 1 }],
      verdict: verdictOf(2),
    });
  });

  it('reads a verdict alone, empty lines, and the line ends of Windows', () => {
    expect(parse(printed(verdictOf(0))).kind).toBe('evidence');
    expect(parse(`\r\n${printed(theLine, verdictOf(1)).replaceAll('\n', '\r\n\r\n')}`).kind).toBe('evidence');
  });

  it('counts the lines that were left out', () => {
    expect(parse(printed(theLine, verdictOf(9, { omitted: 8 }))).kind).toBe('evidence');
  });

  it('takes what a host may add, and drops what it may not', () => {
    const added = {
      ...theLine,
      executable: '/usr/bin/bash',
      timer: 'keepalive',
      bytesSent: 10,
      asked: 'peer',
      seenBy: ['ss'],
    };
    expect(parse(printed({ ...added, secret: 'x' }, verdictOf(1, { notes: ['a note'], killed: [4242] })))).toEqual({
      kind: 'evidence',
      flows: [added],
      verdict: verdictOf(1, { notes: ['a note'], killed: [4242] }),
    });
  });

  it.each<[string, string, string]>([
    ['nothing', '', 'the host printed nothing'],
    ['white space', ' \n\t\n', 'the host printed nothing'],
    ['text', 'Segmentation fault', 'the last line is not a verdict of this version'],
    ['a flow without a verdict', printed(theLine), 'the last line is not a verdict of this version'],
    [
      'a verdict that is cut off',
      printed(theLine, verdictOf(1)).slice(0, -20),
      'the last line is not a verdict of this version',
    ],
    ['text after the verdict', `${printed(verdictOf(0))}done\n`, 'the last line is not a verdict of this version'],
    [
      'a verdict of a version to come',
      printed({ ...verdictOf(0), v: 2 }),
      'the last line is not a verdict of this version',
    ],
    ['another verb', printed(verdictOf(0, { verb: 'list' })), 'the verdict belongs to another command or case'],
    ['another case', printed(verdictOf(0, { caseId: 'case-9' })), 'the verdict belongs to another command or case'],
    ['a flow too many', printed(theLine, theLine, verdictOf(1)), 'the flow lines do not add up to the count'],
    ['a flow too few', printed(theLine, verdictOf(2)), 'the flow lines do not add up to the count'],
    [
      'a line of text among the flows',
      `hello\n${printed(theLine, verdictOf(1))}`,
      'a line is not a flow of this version',
    ],
    ['a verdict among the flows', printed(verdictOf(0), verdictOf(1)), 'a line is not a flow of this version'],
    ['null', 'null\n', 'the last line is not a verdict of this version'],
    ['a list', printed([verdictOf(0)]), 'the last line is not a verdict of this version'],
  ])('takes %s for no evidence', (_, output, reason) => {
    expect(parse(output)).toEqual({ kind: 'no-evidence', reason });
  });

  it('takes output that may have been cut for no evidence', () => {
    const long = printed(...Array.from({ length: 100 }, () => theLine), verdictOf(100));
    expect(long.length).toBeGreaterThan(HOST_OUTPUT_LIMIT);
    expect(parse(long)).toMatchObject({ kind: 'no-evidence' });
  });

  it.each<[string, Partial<Record<keyof HostFlowLine, unknown>>]>([
    ['a port out of range', { remotePort: 65_536 }],
    ['a negative port', { localPort: -1 }],
    ['a port as text', { remotePort: '4444' }],
    ['a fractional pid', { pid: 1.5 }],
    ['an unknown protocol', { protocol: 'sctp' }],
    ['an unknown outcome', { after: 'closed' }],
    ['no outcome', { after: undefined }],
    ['an unknown opener', { openedBy: 'me' }],
    ['a name longer than any', { process: 'x'.repeat(257) }],
    ['an address that is a list', { remoteAddress: ['198.51.100.7'] }],
    ['negative traffic', { bytesSent: -1 }],
    ['another kind', { kind: 'flows' }],
  ])('takes an output with %s for no evidence', (_, change) => {
    expect(parse(printed(theLine, { ...theLine, ...change }, verdictOf(2))).kind).toBe('no-evidence');
  });

  it.each<[string, Record<string, unknown>]>([
    ['a negative count', { survived: -1 }],
    ['a fractional count', { closed: 0.5 }],
    ['a count as text', { listed: '0' }],
    ['a source that is none', { sources: ['ss', 'trust-me'] }],
    ['one source that is not in a list', { sources: 'ss' }],
    ['no errors', { errors: null }],
    ['a firewall that is none', { firewall: 'ufw' }],
  ])('takes a verdict with %s for no evidence', (_, change) => {
    expect(parse(printed({ ...verdictOf(0), ...change })).kind).toBe('no-evidence');
  });

  const lines = fc.array(
    fc
      .record({
        localPort: fc.nat(65_535),
        after: fc.constantFrom('gone' as const, 'open' as const, 'unknown' as const),
      })
      .map((change) => ({ ...theLine, ...change })),
    { maxLength: 5 },
  );

  it('never gives evidence with a wrong count, verb or case, and never throws, however the output is mangled', () => {
    const good = lines.map((flows) => printed(...flows, verdictOf(flows.length)));
    const mangled = good.chain((output) =>
      fc
        .array(
          fc.record({
            at: fc.nat(output.length),
            remove: fc.nat(40),
            insert: fc.oneof(
              fc.constant(''),
              fc.constantFrom('0', '}', '"', '\n', 'null', ',', printed(theLine)),
              fc.string({ maxLength: 5 }),
            ),
          }),
          { maxLength: 3 },
        )
        .map((edits) =>
          edits.reduce((text, { at, remove, insert }) => text.slice(0, at) + insert + text.slice(at + remove), output),
        ),
    );
    fc.assert(
      fc.property(mangled, (output) => {
        const report = parse(output);
        if (report.kind === 'no-evidence') return report.reason !== '';
        const { flows, verdict } = report;
        expect(flows.length + verdict.omitted).toBe(verdict.listed);
        expect({ verb: verdict.verb, caseId: verdict.caseId }).toEqual(expected);
        expect(output.split('\n').filter((line) => line.trim() !== '')).toHaveLength(flows.length + 1);
        return flows.every(({ after }) => ['gone', 'open', 'unknown'].includes(after));
      }),
      { numRuns: 1500 },
    );
  });

  it('gives no evidence where a line is missing or doubled', () => {
    fc.assert(
      fc.property(lines, fc.nat(), (flows, pick) => {
        fc.pre(flows.length > 0);
        const at = pick % flows.length;
        const missing = [...flows.slice(0, at), ...flows.slice(at + 1)];
        const doubled = [...flows, ...flows.slice(at, at + 1)];
        for (const wrong of [missing, doubled])
          expect(parse(printed(...wrong, verdictOf(flows.length))).kind).toBe('no-evidence');
      }),
      { numRuns: 100 },
    );
  });
});
