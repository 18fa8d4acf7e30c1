import { describe, expect, it } from 'vitest';
import { flowClassifier } from '../../../functions/core/case/assess.ts';
import type { CaseFlow } from '../../../functions/core/case/case.ts';
import { isComplete, joinListing, readListing } from '../../../functions/core/host/host-flows.ts';
import type { HostFlowLine, HostVerdictLine } from '../../../functions/core/host/host-protocol.ts';
import { theLine, theVerdict } from '../../support/host-report.ts';
import { caseFlowOf, theFacts } from '../../support/incident.ts';

const line = (change: Partial<HostFlowLine>): HostFlowLine => ({ ...theLine, ...change });
/** Somebody's SSH session, which no finding names. */
const ssh = line({
  localPort: 22,
  remoteAddress: '192.0.2.55',
  remotePort: 40_211,
  openedBy: 'remote',
  pid: 811,
  process: 'sshd',
});

function join(known: readonly CaseFlow[], flows: readonly HostFlowLine[], verdict: Partial<HostVerdictLine> = {}) {
  const report = { kind: 'evidence', flows, verdict: { ...theVerdict, ...verdict } } as const;
  const listing = readListing(report, flowClassifier(theFacts));
  return listing && { flows: joinListing(known, listing), complete: isComplete(listing) };
}

const joined = (...args: Parameters<typeof join>) => {
  const result = join(...args);
  if (result === null) throw new Error('the answer is no evidence');
  return result;
};

const shell = caseFlowOf({ process: null });
const vague = caseFlowOf({
  protocol: 'unknown',
  remotePort: null,
  localAddress: null,
  localPort: null,
  process: null,
  source: 'request',
});

describe('what the host lists', () => {
  it('tells a known flow by its 5-tuple and learns its process', () => {
    const { flows, complete } = joined([shell], [theLine]);
    expect(flows).toEqual([{ ...shell, host: 'gone', process: 'bash' }]);
    expect(complete).toBe(true);
  });

  it.each<[string, Partial<HostFlowLine>]>([
    ['an IPv4-mapped peer', { remoteAddress: '::ffff:198.51.100.7', localAddress: '::ffff:10.0.1.10' }],
    ['a mapped peer in hexadecimal', { remoteAddress: '::ffff:c633:6407', localAddress: '10.0.1.10' }],
  ])('knows it by %s too', (_, change) => {
    expect(joined([shell], [line(change)]).flows).toMatchObject([{ id: shell.id, host: 'gone', family: 'ipv4' }]);
  });

  it.each<[string, Partial<HostFlowLine>]>([
    ['another port of the peer', { remotePort: 4445 }],
    ['another local port', { localPort: 51_235 }],
    ['another local address', { localAddress: '10.0.1.11' }],
    ['another protocol', { protocol: 'udp' }],
    ['another peer', { remoteAddress: '198.51.100.8' }],
  ])('takes %s for another flow, which joins the case unnamed', (_, change) => {
    const { flows } = joined([shell], [line({ ...change, after: 'open' })]);
    expect(flows).toHaveLength(2);
    expect(flows[0]).toMatchObject({ id: shell.id, host: 'gone', named: true });
    expect(flows[1]).toMatchObject({ named: false, host: 'open', process: 'bash', source: 'host' });
  });

  it('replaces a peer of which only the address was known by its sockets, named by whoever named the address', () => {
    const { flows } = joined([vague], [theLine, line({ localPort: 40_000, remotePort: 443, process: 'curl' }), ssh]);
    expect(flows).toMatchObject([
      { remotePort: 4444, localPort: 51_234, named: true, source: 'request', process: 'bash', protocol: 'tcp' },
      { remotePort: 443, localPort: 40_000, named: true, source: 'request', process: 'curl' },
      { remoteAddress: '192.0.2.55', named: false, source: 'host' },
    ]);
  });

  it('keeps a peer of which only the address was known where the host lists no socket to it', () => {
    expect(joined([vague], [ssh]).flows[0]).toMatchObject({ id: vague.id, host: 'gone' });
  });

  it('lets the worst of several sockets count for a flow that may be any of them', () => {
    const halfKnown = caseFlowOf({ localPort: null, localAddress: null });
    const sockets = (...states: HostFlowLine['after'][]) =>
      states.map((after, i) => line({ localPort: 40_000 + i, after }));
    expect(joined([halfKnown], sockets('gone', 'open', 'unknown')).flows).toMatchObject([{ host: 'open' }]);
    expect(joined([halfKnown], sockets('gone', 'unknown')).flows).toMatchObject([{ host: 'unknown' }]);
    expect(joined([halfKnown], sockets('gone', 'gone')).flows).toMatchObject([{ host: 'gone' }]);
  });

  it.each<[string, Partial<HostVerdictLine>, CaseFlow['host']]>([
    ['gone by two sources on a whole list', {}, 'gone'],
    ['gone by PowerShell, whose list is made of two', { sources: ['powershell'] }, 'gone'],
    ['unknown by one source', { sources: ['ss'] }, 'unknown'],
    ['unknown by one source named twice', { sources: ['proc', 'proc'] }, 'unknown'],
    ['unknown without a source', { sources: [] }, 'unknown'],
    ['untold where lines were left out', { omitted: 3, listed: 3 }, null],
    ['untold where something survived', { survived: 1 }, null],
  ])('holds a flow that is not listed for %s', (_, verdict, host) => {
    expect(joined([shell], [], verdict).flows).toEqual([{ ...shell, host }]);
  });

  const peerless = line({ protocol: 'udp', remoteAddress: '0.0.0.0', remotePort: null, after: 'unknown' });

  it.each([
    ['udp', null],
    ['unknown', null],
    ['tcp', 'gone'],
  ] as const)(
    'holds a %s flow beside a UDP socket without a peer for %s: its datagrams are in no list',
    (protocol, host) => {
      const { flows, complete } = joined([caseFlowOf({ protocol })], [peerless]);
      expect(flows).toMatchObject([{ host }]);
      expect(complete).toBe(false);
    },
  );

  it('does not take an earlier word back where this answer says nothing', () => {
    expect(joined([{ ...shell, host: 'open' }], [], { omitted: 1, listed: 1 }).flows).toMatchObject([{ host: 'open' }]);
  });

  it.each(['icmp', 'icmpv6', '47', '50'])(
    'never holds a %s flow for gone because no socket of it is listed',
    (protocol) => {
      const flow = caseFlowOf({ protocol, remotePort: null, localPort: null });
      expect(joined([flow], []).flows).toMatchObject([{ host: null }]);
    },
  );

  it.each<[string, readonly HostFlowLine[], Partial<HostVerdictLine>, boolean]>([
    ['is when every line is gone, by two sources', [theLine, ssh], {}, true],
    ['is when nothing was open', [], {}, true],
    ['is not by one source', [theLine], { sources: ['ss'] }, false],
    ['is not when something survived', [theLine], { survived: 1 }, false],
    ['is not when a line is open', [theLine, line({ ...ssh, after: 'open' })], {}, false],
    ['is not when a line could not be listed again', [line({ after: 'unknown' })], {}, false],
  ])('a list: it %s', (_, lines, verdict, complete) => {
    expect(joined([shell], lines, verdict).complete).toBe(complete);
  });

  it('believes "gone" of one source no more than "unknown"', () => {
    expect(joined([shell], [theLine, ssh], { sources: ['ss'] }).flows).toMatchObject([
      { host: 'unknown' },
      { host: 'unknown' },
    ]);
  });

  it.each(['169.254.169.254', '169.254.169.253', '169.254.169.123', 'fd00:ec2::254'])(
    'leaves out a flow to %s, which nothing reaches',
    (remoteAddress) => {
      const { flows, complete } = joined([shell], [theLine, line({ remoteAddress, after: 'open', remotePort: 80 })]);
      expect(flows).toHaveLength(1);
      expect(complete).toBe(true);
    },
  );

  it.each(['198.19.4.4', '240.0.0.9', '64:ff9b::c633:64c8', '169.254.7.7', '2002::1'])(
    'keeps a flow to %s, which is not exactly a service of the VPC',
    (remoteAddress) => {
      const open = line({ remoteAddress, localAddress: '10.0.1.10', after: 'open', remotePort: 80 });
      const { flows, complete } = joined([shell], [theLine, open]);
      expect(flows[1]).toMatchObject({ remoteAddress, host: 'open', seenAlive: true });
      expect(complete).toBe(false);
    },
  );

  it('takes a list that was cut off for incomplete', () => {
    expect(joined([shell], [theLine], { omitted: 3 }).complete).toBe(false);
  });

  it.each(['0.0.0.0', '::'])('keeps a raw socket whose peer is %s: it may reach anyone', (remoteAddress) => {
    const raw = line({ protocol: 'raw', remoteAddress, remotePort: null, localPort: null, after: 'open' });
    const { flows, complete } = joined([shell], [theLine, raw], { survived: 1 });
    expect(flows[1]).toMatchObject({ protocol: 'raw', remoteAddress, host: 'open', named: false });
    expect(complete).toBe(false);
  });

  it('doubts its list where a raw socket was closed, whose peers nobody lists', () => {
    const raw = line({ protocol: 'raw', remoteAddress: '0.0.0.0', remotePort: null, localPort: null, after: 'gone' });
    const { flows, complete } = joined([shell], [theLine, raw]);
    expect(flows).toHaveLength(1);
    expect(complete).toBe(false);
  });

  it('takes the worst of sockets that look alike', () => {
    const open = line({ protocol: 'icmp', remotePort: null, localPort: null, after: 'open' });
    const { flows } = joined([], [open, { ...open, after: 'gone' }], { survived: 1 });
    expect(flows).toHaveLength(1);
    expect(flows[0]?.host).toBe('open');
  });

  it.each(['peer', 'pid', 'port'] as const)(
    'names no peer because the host says that its %s was asked for',
    (asked) => {
      expect(joined([], [line({ ...ssh, asked })]).flows).toMatchObject([{ process: 'sshd', named: false }]);
    },
  );

  it.each(['198.51.100.0/24', '', 'localhost', '10.1'])(
    'takes an answer with the peer %j for no evidence at all',
    (remoteAddress) => {
      expect(join([shell], [theLine, line({ remoteAddress })])).toBeNull();
    },
  );

  it('joins the same answer twice to the same flows', () => {
    const lines = [theLine, line({ localPort: 40_000, remotePort: 443 }), ssh];
    const once = joined([vague], lines);
    expect(joined(once.flows, lines)).toEqual(once);
  });
});
