import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CaseFlow } from '../../../functions/core/case/case.ts';
import type { FlowLogFindings } from '../../../functions/core/verdict/flow-log.ts';
import {
  type DenyStanding,
  FRESH_ENUMERATION_SECONDS,
  type InterfaceStanding,
  judge,
  type Verdict,
  type VerdictKind,
  type VerdictQuestion,
} from '../../../functions/core/verdict/verdict.ts';
import { caseFlowOf, theConfig, theShell, tracking, wholeAnswer } from '../../support/incident.ts';

const TIMER = 432_000;
/** Epoch seconds from which the flow log is watched. */
const SINCE = 1_768_471_300;

const dead = caseFlowOf({ host: 'gone' });
const isolated: InterfaceStanding = { id: 'eni-1', isolation: 'in-force', reason: null };
const failed: InterfaceStanding = { ...isolated, isolation: 'failed', reason: 'UnauthorizedOperation: no' };
const fixed: InterfaceStanding = { ...isolated, isolation: 'not-modifiable', reason: 'requester-managed' };

/** Everything as it should be: denied, isolated, and the host lists nothing any more. */
const contained: VerdictQuestion = {
  flows: [dead],
  denies: new Map([[dead.id, 'in-force']]),
  interfaces: [isolated],
  host: wholeAnswer,
  isolatedAt: '2026-01-15T10:00:08.000Z',
  cutAgainAt: null,
  flowLog: null,
  openings: theConfig.openings,
  longestTimerSeconds: TIMER,
  released: false,
};

/** The question with one flow, whose denies stand as said. */
function about(change: Partial<CaseFlow>, deny: DenyStanding = 'in-force', more: Partial<VerdictQuestion> = {}) {
  const flow = caseFlowOf({ host: 'gone', ...change });
  return { ...contained, flows: [flow], denies: new Map([[flow.id, deny]]), ...more };
}

type LogRecord = FlowLogFindings['records'][number];

const seen = (action: 'ACCEPT' | 'REJECT', until: number, change: Partial<LogRecord> = {}): LogRecord => ({
  ...theShell,
  source: 'flow-log',
  action,
  direction: 'out',
  at: until - 60,
  until,
  ...change,
});

const watched = (seconds: number | null, ...records: LogRecord[]): VerdictQuestion['flowLog'] => ({
  findings: { coveredUntil: seconds === null ? null : SINCE + seconds, records },
  since: SINCE,
});

describe('a flow', () => {
  const only = (question: VerdictQuestion) => judge(question).flows[0];

  it.each<[string, VerdictQuestion, boolean]>([
    ['denied both ways at a boundary that it crosses', about({}), true],
    ['whose deny was only requested', about({}, 'requested'), false],
    ['without a deny', about({}, 'none'), false],
    ['denied, with a peer in the same subnet', about({ crossesSubnetBoundary: false }), false],
    ['untracked, on an isolated ENI', about({ tracking: tracking('untracked') }, 'none'), true],
    [
      'untracked, with a peer in the same subnet',
      about({ tracking: tracking('untracked'), crossesSubnetBoundary: false }, 'none'),
      true,
    ],
    [
      'untracked, on an ENI that is not isolated',
      about({ tracking: tracking('untracked') }, 'none', { interfaces: [failed] }),
      false,
    ],
    [
      'untracked, possibly on an ENI that is not isolated',
      about({ tracking: tracking('untracked'), interfaceIds: ['eni-1', 'eni-2'] }, 'none', {
        interfaces: [isolated, { ...fixed, id: 'eni-2' }],
      }),
      false,
    ],
    ['tracked, on an isolated ENI', about({}, 'none'), false],
    [
      'untracked, which an opening of the isolation group may let pass',
      about({ tracking: tracking('untracked') }, 'none', {
        openings: { agentEgress: [], analystIngress: ['198.51.100.0/24'] },
      }),
      false,
    ],
    [
      'untracked, beside an opening for another peer and port',
      about({ tracking: tracking('untracked') }, 'none', {
        openings: { agentEgress: ['198.51.100.0/24'], analystIngress: ['192.0.2.0/24'] },
      }),
      true,
    ],
    ['automatically tracked, on an isolated ENI', about({ tracking: tracking('auto-tracked') }, 'none'), false],
    ['of unknown tracking, on an isolated ENI', about({ tracking: tracking('unknown') }, 'none'), false],
  ])('%s', (_, question, blocked) => {
    expect(only(question)?.blocked).toBe(blocked);
  });

  it.each<[string, VerdictQuestion, readonly string[]]>([
    ["gone from the host's lists", about({}), ['host']],
    ['still on a list of the host', about({ host: 'open' }), []],
    ['that the host could not list again', about({ host: 'unknown' }), []],
    ['that nobody asked the host about', about({ host: null }), []],
    ['untracked and swapped', about({ host: null, tracking: tracking('untracked') }), ['untracked']],
    [
      'untracked and not swapped',
      about({ host: null, tracking: tracking('untracked') }, 'in-force', { interfaces: [failed] }),
      [],
    ],
    [
      'without a record for its whole timer',
      about({ host: null }, 'in-force', { flowLog: watched(TIMER) }),
      ['flow-log'],
    ],
    ['without a record for a second less', about({ host: null }, 'in-force', { flowLog: watched(TIMER - 1) }), []],
    [
      'rejected within its timer: that refreshes the entry',
      about({ host: null }, 'in-force', { flowLog: watched(TIMER, seen('REJECT', SINCE + 60)) }),
      [],
    ],
    [
      'rejected, then silent for its whole timer',
      about({ host: null }, 'in-force', { flowLog: watched(TIMER + 60, seen('REJECT', SINCE + 60)) }),
      ['flow-log'],
    ],
    ['silent in a log with a gap', about({ host: null }, 'in-force', { flowLog: watched(null) }), []],
    [
      'silent in a log, on an ENI that is not isolated',
      about({ host: null }, 'in-force', { flowLog: watched(TIMER), interfaces: [failed] }),
      [],
    ],
    [
      'accepted after the cut, whatever else speaks for its death',
      about({ tracking: tracking('untracked') }, 'in-force', { flowLog: watched(TIMER, seen('ACCEPT', SINCE + 60)) }),
      [],
    ],
  ])('%s', (_, question, words) => {
    expect(only(question)?.dead).toEqual(words);
  });

  it.each<[string, VerdictQuestion, string]>([
    ['the socket is gone', about({}), 'observed'],
    [
      'the log shows it rejected',
      about({ host: null }, 'none', { flowLog: watched(600, seen('REJECT', SINCE + 60)) }),
      'observed',
    ],
    ['the deny was read back', about({ host: null }), 'in-force'],
    ['the swap was read back', about({ host: null, tracking: tracking('untracked') }, 'none'), 'in-force'],
    ['the call returned', about({ host: null }, 'requested'), 'requested'],
    ['nothing was done', about({ host: null }, 'none'), 'unproven'],
    ['it is alive', about({ host: 'open' }, 'none'), 'unproven'],
  ])('%s', (_, question, evidence) => {
    expect(only(question)?.evidence).toBe(evidence);
  });
});

describe('the verdict', () => {
  const other = caseFlowOf({ named: false, remoteAddress: '203.0.113.9', host: 'gone' });
  const withOther = (change: Partial<CaseFlow>, deny: DenyStanding): VerdictQuestion => ({
    ...contained,
    flows: [dead, caseFlowOf({ ...other, ...change })],
    denies: new Map([...contained.denies, [other.id, deny]]),
  });

  it.each<[string, VerdictQuestion, VerdictKind, readonly string[]]>([
    // contained: every known flow blocked and dead, all enumerated, every ENI isolated.
    ['blocked, dead, enumerated by the host, isolated', contained, 'contained', ['host']],
    [
      'blocked by the swap alone, for the flow is untracked',
      about({ tracking: tracking('untracked'), host: null }, 'none'),
      'contained',
      ['host', 'untracked'],
    ],
    [
      'enumerated by a flow log that was silent for the whole timer',
      about({ host: null }, 'in-force', { host: null, flowLog: watched(TIMER) }),
      'contained',
      ['flow-log'],
    ],
    ['on the word of both', { ...contained, flowLog: watched(TIMER) }, 'contained', ['host', 'flow-log']],
    ['no flow open at all, on a complete list', { ...contained, flows: [], denies: new Map() }, 'contained', ['host']],
    ['a second flow that only the host has listed, blocked and dead', withOther({}, 'in-force'), 'contained', ['host']],

    // held: blocked by controls that stay, death or completeness not proven.
    ['blocked, death not proven', about({ host: 'unknown' }), 'held', []],
    ['blocked, and still on a list of the host', about({ host: 'open' }), 'held', []],
    ['dead, the host was not asked for the others', { ...contained, host: null }, 'held', ['host']],
    ['dead, the list is not complete', { ...contained, host: { ...wholeAnswer, complete: false } }, 'held', ['host']],
    [
      'dead, the host gave no evidence',
      { ...contained, host: { kind: 'no-evidence', reason: 'garbage' } },
      'held',
      ['host'],
    ],
    ['dead, a flow log is there and has not spoken yet', { ...contained, flowLog: watched(null) }, 'held', ['host']],
    ['dead, a flow log was silent for a second less', { ...contained, flowLog: watched(TIMER - 1) }, 'held', ['host']],
    [
      'an ENI that cannot be isolated',
      { ...contained, interfaces: [isolated, { ...fixed, id: 'eni-2' }] },
      'held',
      ['host'],
    ],
    ['a second flow, blocked and not proven dead', withOther({ host: 'unknown' }, 'in-force'), 'held', ['host']],
    [
      'the list was too old when the isolation came into force',
      {
        ...contained,
        isolatedAt: new Date(Date.parse(wholeAnswer.notBefore) + 1000 * FRESH_ENUMERATION_SECONDS + 1).toISOString(),
      },
      'held',
      ['host'],
    ],
    ['the isolation was never seen in force everywhere', { ...contained, isolatedAt: null }, 'held', ['host']],

    // leaking: seen alive, or reached by nothing and without evidence of death.
    ['open on the host, reached by nothing', about({ host: 'open' }, 'none'), 'leaking', []],
    [
      'accepted by the log after the cut',
      { ...contained, flowLog: watched(TIMER, seen('ACCEPT', SINCE + 60)) },
      'leaking',
      [],
    ],
    ['reached by nothing, no evidence of death', about({ host: 'unknown' }, 'none'), 'leaking', []],
    ['a deny that was only requested', about({ host: null }, 'requested'), 'leaking', []],
    [
      'a same-subnet peer under a deny, no evidence of death',
      about({ host: null, crossesSubnetBoundary: false }),
      'leaking',
      [],
    ],
    ['a second flow that is open and reached by nothing', withOther({ host: 'open' }, 'none'), 'leaking', []],
    ['a second flow that nothing reaches, no evidence of death', withOther({ host: 'unknown' }, 'none'), 'leaking', []],
    [
      'leaking though an ENI could not be isolated',
      about({ host: 'open' }, 'none', { interfaces: [failed] }),
      'leaking',
      [],
    ],

    // not-proven: the rest.
    ['no flow known, none enumerated', { ...contained, flows: [], denies: new Map(), host: null }, 'not-proven', []],
    ["only the host's word, no control reaches it", about({ crossesSubnetBoundary: false }), 'not-proven', ['host']],
    ["only the host's word, the deny failed", about({}, 'none'), 'not-proven', ['host']],
    ["only the host's word on a second flow", withOther({}, 'none'), 'not-proven', ['host']],
    ['an ENI that should be isolated and is not', { ...contained, interfaces: [failed] }, 'not-proven', []],
    ['no ENI could be read', { ...contained, interfaces: [] }, 'not-proven', []],
  ])('%s', (_, question, kind, basis) => {
    const verdict = judge(question);
    expect({ kind: verdict.kind, basis: verdict.basis }).toEqual({ kind, basis });
  });

  it('counts the list as fresh up to the last second', () => {
    const isolatedAt = new Date(Date.parse(wholeAnswer.notBefore) + 1000 * FRESH_ENUMERATION_SECONDS).toISOString();
    expect(judge({ ...contained, isolatedAt }).kind).toBe('contained');
  });

  it('takes a flow that nobody named for as suspect as one that the finding names', () => {
    const verdicts = [true, false].map((named) => judge(about({ named, host: 'unknown' }, 'none')));
    expect(verdicts.map(({ kind }) => kind)).toEqual(['leaking', 'leaking']);
  });

  it('is leaking while the flow log shows a packet of a flow that nobody knows', () => {
    const stranger = seen('ACCEPT', SINCE + 600, { remoteAddress: '203.0.113.66', remotePort: 8443 });
    const { kind, reason } = judge({ ...contained, flowLog: watched(TIMER, stranger) });
    expect(kind).toBe('leaking');
    expect(reason).toContain('203.0.113.66');
  });

  it('says since when a flow is held, and when it would have expired on an honest host', () => {
    const { kind, reason } = judge(about({ host: 'unknown' }));
    expect(kind).toBe('held');
    expect(reason).toContain('held since 2026-01-15T10:00:08.000Z');
    expect(reason).toContain('2026-01-20T10:15:33.000Z');
  });

  it('names the peers it speaks of, the first three, those of the finding first', () => {
    const flows = ['198.51.100.1', '198.51.100.2', '198.51.100.3', '198.51.100.4'].map((remoteAddress, index) =>
      caseFlowOf({ remoteAddress, host: 'open', named: index === 3 }),
    );
    expect(judge({ ...contained, flows, denies: new Map() }).reason).toBe(
      'a flow to 198.51.100.4, 198.51.100.1, 198.51.100.2 and 1 more was seen alive after the cut',
    );
  });
});

describe('over all questions', () => {
  const flows = fc.uniqueArray(
    fc
      .record({
        remoteAddress: fc.constantFrom('198.51.100.7', '203.0.113.9', '2001:db8::7'),
        remotePort: fc.constantFrom(4444, 443, null),
        protocol: fc.constantFrom('tcp', 'udp', 'unknown'),
        named: fc.boolean(),
        host: fc.constantFrom<CaseFlow['host'][]>('gone', 'open', 'unknown', null),
        crossesSubnetBoundary: fc.boolean(),
        interfaceIds: fc.subarray(['eni-1', 'eni-2'], { minLength: 1 }),
        tracking: fc.constantFrom(...(['tracked', 'untracked', 'auto-tracked', 'unknown'] as const).map(tracking)),
      })
      .map(caseFlowOf),
    { maxLength: 4, selector: (flow) => flow.id },
  );
  const logs = fc.option(
    fc
      .record({
        seconds: fc.constantFrom(null, 0, 60, TIMER - 1, TIMER, TIMER + 600),
        records: fc.array(
          fc
            .record({
              action: fc.constantFrom('ACCEPT' as const, 'REJECT' as const),
              until: fc.constantFrom(SINCE + 60, SINCE + 600),
              remoteAddress: fc.constantFrom('198.51.100.7', '203.0.113.9', '203.0.113.66'),
            })
            .map(({ action, until, remoteAddress }) => seen(action, until, { remoteAddress })),
          { maxLength: 3 },
        ),
      })
      .map(({ seconds, records }) => watched(seconds, ...records)),
    { nil: null },
  );
  const standing = (id: string) =>
    fc
      .constantFrom<InterfaceStanding['isolation'][]>('in-force', 'in-force', 'not-modifiable', 'failed')
      .map((isolation): InterfaceStanding => ({ id, isolation, reason: null }));
  const questions = fc
    .record({
      flows,
      denies: fc.infiniteStream(fc.constantFrom<DenyStanding[]>('in-force', 'in-force', 'requested', 'none')),
      interfaces: fc.tuple(standing('eni-1'), standing('eni-2')),
      host: fc.constantFrom<VerdictQuestion['host'][]>(
        null,
        wholeAnswer,
        wholeAnswer,
        { ...wholeAnswer, complete: false },
        { kind: 'unavailable', reason: 'no agent' },
      ),
      isolatedAt: fc.constantFrom('2026-01-15T10:00:08.000Z', '2026-01-15T10:05:00.000Z', null),
      flowLog: logs,
    })
    .map(({ denies, ...question }): VerdictQuestion => {
      const standings = denies[Symbol.iterator]();
      return {
        ...question,
        denies: new Map(question.flows.map((flow) => [flow.id, standings.next().value])),
        cutAgainAt: null,
        openings: theConfig.openings,
        longestTimerSeconds: TIMER,
        released: false,
      };
    });

  /** From the best answer to the worst. */
  const RANK = { contained: 3, held: 2, 'not-proven': 1, leaking: 0 } as const satisfies Record<VerdictKind, number>;
  const rank = (question: VerdictQuestion): number => RANK[judge(question).kind];

  it('contained says that every flow is blocked and dead, every ENI isolated, and somebody saw all flows', () => {
    fc.assert(
      fc.property(questions, (question) => {
        const verdict = judge(question);
        if (verdict.kind !== 'contained') return;
        expect(verdict.flows.every(({ blocked, alive, dead: words }) => blocked && !alive && words.length > 0)).toBe(
          true,
        );
        expect(question.interfaces.every(({ isolation }) => isolation === 'in-force')).toBe(true);
        expect(verdict.basis).not.toEqual([]);
        const byLog = (question.flowLog?.findings.coveredUntil ?? 0) >= SINCE + TIMER;
        const byHost = question.host?.kind === 'answered' && question.host.complete && question.isolatedAt !== null;
        expect(question.flowLog === null ? byHost : byLog).toBe(true);
        expect(question.flowLog?.findings.records.filter(({ action }) => action === 'ACCEPT') ?? []).toEqual([]);
      }),
      { numRuns: 1500 },
    );
  });

  it('held says that every flow is blocked and no ENI failed', () => {
    fc.assert(
      fc.property(questions, (question) => {
        const verdict = judge(question);
        if (verdict.kind !== 'held') return;
        expect(verdict.flows.every(({ blocked, alive }) => blocked && !alive)).toBe(true);
        expect(question.interfaces.some(({ isolation }) => isolation === 'failed')).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  it('evidence of life never betters it', () => {
    fc.assert(
      fc.property(questions, fc.nat(), (question, pick) => {
        const flow = question.flows[pick % Math.max(1, question.flows.length)];
        if (flow === undefined) return;
        const open = {
          ...question,
          flows: question.flows.map((one) => (one === flow ? { ...one, host: 'open' as const } : one)),
        };
        expect(rank(open)).toBeLessThanOrEqual(rank(question));
        const log = question.flowLog ?? watched(null);
        const life = seen('ACCEPT', SINCE + 60, flow);
        const accepted = {
          ...question,
          flowLog: log && { ...log, findings: { ...log.findings, records: [...log.findings.records, life] } },
        };
        expect(judge(accepted).kind).toBe('leaking');
      }),
      { numRuns: 1000 },
    );
  });

  it('a control less never betters it', () => {
    fc.assert(
      fc.property(questions, fc.nat(), (question, pick) => {
        const flow = question.flows[pick % Math.max(1, question.flows.length)];
        const weaker: VerdictQuestion[] = [
          { ...question, host: null },
          { ...question, isolatedAt: null },
          { ...question, denies: new Map([...question.denies, [flow?.id ?? '', 'none']]) },
          { ...question, interfaces: question.interfaces.map((eni) => ({ ...eni, isolation: 'failed' })) },
        ];
        for (const one of weaker) expect(rank(one)).toBeLessThanOrEqual(rank(question));
      }),
      { numRuns: 1000 },
    );
  });

  it('the order of the flows does not matter', () => {
    const shuffled = questions.chain((question) =>
      fc
        .shuffledSubarray([...question.flows], { minLength: question.flows.length })
        .map((order) => [question, { ...question, flows: order }] as const),
    );
    const byId = ({ kind, basis, flows: all }: Verdict) => ({
      kind,
      basis,
      flows: [...all].sort((a, b) => a.flow.id.localeCompare(b.flow.id)),
    });
    fc.assert(
      fc.property(shuffled, ([question, other]) => {
        expect(byId(judge(other))).toEqual(byId(judge(question)));
      }),
      { numRuns: 500 },
    );
  });
});
