import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CaseFlow } from '../../../functions/core/case/case.ts';
import {
  type DenyStanding,
  type InterfaceStanding,
  judge,
  type Verdict,
  type VerdictKind,
  type VerdictQuestion,
} from '../../../functions/core/verdict/verdict.ts';
import type { LogRecord, Witness } from '../../../functions/core/verdict/witness.ts';
import { caseFlowOf, denyOf, theAcl, theConfig, theShell, tracking, wholeAnswer } from '../../support/incident.ts';

const TIMER = 432_000;
/** Epoch seconds from which the flow log is watched. */
const SINCE = 1_768_471_300;

const gone = caseFlowOf({ host: 'gone' });
const isolated: InterfaceStanding = { id: 'eni-1', isolation: 'in-force', reason: null };
const sealed: InterfaceStanding = { ...isolated, sealed: true, alone: true };
const failed: InterfaceStanding = { ...isolated, isolation: 'failed', reason: 'UnauthorizedOperation: no' };
const secondary: InterfaceStanding = { id: 'si-1', isolation: 'not-modifiable', reason: null, outOfReach: true };
const fixed: InterfaceStanding = { ...isolated, isolation: 'not-modifiable', reason: 'requester-managed' };

const denied = { ...theAcl, entries: [denyOf('198.51.100.7/32', 1, true), ...theAcl.entries] };

type Seen = Partial<LogRecord>;
const seen = (action: 'ACCEPT' | 'REJECT', until: number, change: Seen = {}): LogRecord => ({
  ...theShell,
  source: 'flow-log',
  action,
  direction: 'out',
  at: until - 60,
  until,
  ...change,
});

const watched = (seconds: number | null, ...records: LogRecord[]): Witness => ({
  findings: { coveredUntil: seconds === null ? null : SINCE + seconds, records },
  since: SINCE,
});
const unheard = (why: string): Witness => ({
  findings: { coveredUntil: null, records: [], unheard: why },
  since: SINCE,
});

/** Denied, isolated, the host lists nothing any more; and a flow log that was silent for the longest timer. */
const proven: VerdictQuestion = {
  flows: [gone],
  denies: new Map([[gone.id, 'in-force']]),
  interfaces: [isolated],
  host: wholeAnswer,
  agentAskedAt: null,
  isolatedAt: '2026-01-15T10:00:08.000Z',
  cutAgainAt: null,
  witness: watched(TIMER),
  openings: theConfig.openings,
  acls: [denied],
  longestTimerSeconds: TIMER,
  released: false,
  channels: [],
  terminated: false,
};
/** The same before anything outside the host has spoken. */
const testified: VerdictQuestion = { ...proven, witness: null };

/** A question about one flow, whose denies stand as said. */
function about(change: Partial<CaseFlow>, deny: DenyStanding = 'in-force', more: Partial<VerdictQuestion> = {}) {
  const flow = caseFlowOf({ host: 'gone', ...change });
  return { ...testified, flows: [flow], denies: new Map([[flow.id, deny]]), ...more };
}
const untracked = { tracking: tracking('untracked'), staysUntracked: true } as const;
const openTo = (cidr: string) => ({ openings: { agentEgress: [], analystIngress: [cidr] } });

describe('a flow', () => {
  const only = (question: VerdictQuestion) => judge(question).flows[0];

  it.each<[string, VerdictQuestion, 'deny' | 'seal' | 'swap' | null]>([
    ['denied both ways at a boundary that it crosses', about({}), 'deny'],
    ['whose deny was only requested', about({}, 'requested'), null],
    ['without a deny', about({}, 'none'), null],
    ['denied, with a peer in the same subnet', about({ crossesSubnetBoundary: false }), null],
    ['in a sealed subnet', about({}, 'none', { interfaces: [sealed] }), 'seal'],
    [
      'possibly in a subnet that is not sealed',
      about({ interfaceIds: ['eni-1', 'eni-2'] }, 'none', { interfaces: [sealed, { ...isolated, id: 'eni-2' }] }),
      null,
    ],
    ['untracked whoever opens it, on an isolated ENI', about(untracked, 'none'), 'swap'],
    [
      'untracked, and tracked if it is opened from inside',
      about({ ...untracked, staysUntracked: false }, 'none'),
      null,
    ],
    [
      'untracked, with a peer in the same subnet',
      about({ ...untracked, crossesSubnetBoundary: false }, 'none'),
      'swap',
    ],
    ['untracked, on an ENI that is not isolated', about(untracked, 'none', { interfaces: [failed] }), null],
    [
      'untracked, possibly on an ENI that is not isolated',
      about({ ...untracked, interfaceIds: ['eni-1', 'eni-2'] }, 'none', {
        interfaces: [isolated, { ...fixed, id: 'eni-2' }],
      }),
      null,
    ],
    ['tracked, on an isolated ENI', about({}, 'none'), null],
    ['untracked, which an opening may let pass', about(untracked, 'none', openTo('198.51.100.0/24')), null],
    ['untracked, beside an opening for another peer', about(untracked, 'none', openTo('192.0.2.0/24')), 'swap'],
    ['automatically tracked, on an isolated ENI', about({ tracking: tracking('auto-tracked') }, 'none'), null],
    ['of unknown tracking, on an isolated ENI', about({ tracking: tracking('unknown') }, 'none'), null],
  ])('%s', (_, question, blockedBy) => {
    expect(only(question)?.blockedBy).toBe(blockedBy);
  });

  const heard = (change: Partial<CaseFlow>, witness: Witness, more: Partial<VerdictQuestion> = {}) =>
    about({ host: null, ...change }, 'in-force', { witness, ...more });

  it.each<[string, VerdictQuestion, readonly string[]]>([
    ["gone from the host's lists: that is testimony", about({}), []],
    ['untracked and swapped', about({ host: null, ...untracked }), ['untracked']],
    ['untracked and not swapped', about({ host: null, ...untracked }, 'in-force', { interfaces: [failed] }), []],
    ['silent for its whole timer', heard({}, watched(TIMER)), ['flow-log']],
    ['silent for a second less', heard({}, watched(TIMER - 1)), []],
    [
      'rejected by an ACL on its way out: that refreshes the entry',
      heard({}, watched(TIMER, seen('REJECT', SINCE + 60))),
      [],
    ],
    [
      'rejected on its way in: that reaches no entry',
      heard({}, watched(TIMER, seen('REJECT', SINCE + 60, { direction: 'in' }))),
      ['flow-log'],
    ],
    [
      'rejected on its way out, then silent for its timer',
      heard({}, watched(TIMER + 60, seen('REJECT', SINCE + 60))),
      ['flow-log'],
    ],
    [
      'rejected on its way out after its denies were lifted',
      heard({}, watched(TIMER, seen('REJECT', SINCE + 60)), { acls: [theAcl], released: true }),
      ['flow-log'],
    ],
    ['silent in a log with a hole', heard({}, watched(null)), []],
    ['silent in a log that cannot be read', heard({}, unheard('its format has no action')), []],
    ['silent, on an ENI that is not isolated', heard({}, watched(TIMER), { interfaces: [failed] }), []],
    ['accepted after the cut', heard(untracked, watched(TIMER, seen('ACCEPT', SINCE + 60))), []],
  ])('%s', (_, question, words) => {
    expect(only(question)?.dead).toEqual(words);
  });

  it.each<[string, VerdictQuestion, string]>([
    ['the network was silent for its timer', heard({}, watched(TIMER)), 'observed'],
    ['the deny was read back', about({}), 'in-force'],
    ['the swap was read back', about(untracked, 'none'), 'in-force'],
    ['only the host says that it is gone', about({}, 'none'), 'gone'],
    ['the call returned', about({ host: null }, 'requested'), 'requested'],
    ['nothing was done', about({ host: null }, 'none'), 'unproven'],
    ['it is alive', about({ host: 'open' }, 'none'), 'unproven'],
  ])('is told by what is known best: %s', (_, question, evidence) => {
    expect(only(question)?.evidence).toBe(evidence);
  });
});

describe('the verdict', () => {
  const other = caseFlowOf({ named: false, remoteAddress: '203.0.113.9', host: 'gone' });
  const withOther = (change: Partial<CaseFlow>, deny: DenyStanding, base = testified): VerdictQuestion => ({
    ...base,
    flows: [gone, caseFlowOf({ ...other, ...change })],
    denies: new Map([...base.denies, [other.id, deny]]),
  });
  const stranger = { remoteAddress: '203.0.113.66', remotePort: 8443 };
  const agent = caseFlowOf({
    named: false,
    remoteAddress: '203.0.113.5',
    remotePort: 443,
    spared: true,
    seenAlive: true,
  });
  const withAgent = (base: VerdictQuestion): VerdictQuestion => ({
    ...base,
    flows: [...base.flows, agent],
    witness: watched(TIMER, seen('ACCEPT', SINCE + TIMER - 30, agent)),
  });
  const sealedQuestion = { ...testified, interfaces: [sealed], host: null };
  const domain = { what: 'the domain c2.example.com', state: 'open', carriesData: false } as const;

  it.each<[string, Partial<VerdictQuestion>, VerdictKind, boolean, boolean]>([
    // Asked or not, only the flow log's own record tells: how long ago the last packet was.
    ['was not asked, and goes on', { agentAskedAt: null }, 'held', false, true],
    ['was asked, and goes on all the same', {}, 'held', false, true],
    [
      'was asked, and its last packet was at that time',
      { witness: watched(TIMER, seen('ACCEPT', SINCE + 60, agent)) },
      'held',
      true,
      true,
    ],
    [
      'was asked, and its last packet was a whole timer ago',
      { witness: watched(TIMER + 60, seen('ACCEPT', SINCE + 60, agent)) },
      'contained',
      false,
      false,
    ],
    ['was asked, and no packet of it was ever seen', { witness: watched(TIMER) }, 'contained', false, false],
    ['was asked, and no flow log watches', { witness: null }, 'held', false, true],
    ['was asked, and the flow log does not speak', { witness: unheard('no') }, 'held', false, true],
  ])('on an agent that %s', (_, change, kind, isDated, isLeftOpen) => {
    const question = { ...withAgent(proven), agentAskedAt: '2026-01-15T10:00:10.000Z', ...change };

    const verdict = judge(question);

    expect(verdict.kind).toBe(kind);
    expect(verdict.provenAt !== null).toBe(isDated);
    expect(verdict.goesOn.some((what) => what.includes('SSM agent'))).toBe(isLeftOpen);
  });

  it('says of an agent that no list names that it may go on, until nothing can', () => {
    const asked = { ...testified, agentAskedAt: '2026-01-15T10:00:10.000Z' };

    expect(judge(asked).goesOn).toEqual(["the SSM agent's own connection"]);
    expect(judge({ ...asked, witness: watched(TIMER) })).toMatchObject({ kind: 'contained', goesOn: [] });
  });

  it.each<[string, VerdictQuestion, VerdictKind, readonly string[]]>([
    // contained: on the network's word alone, whatever the host says.
    ['silent for the longest timer, with the host', proven, 'contained', ['host', 'flow-log']],
    [
      'silent for the longest timer, without the host',
      about({ host: null }, 'in-force', { witness: watched(TIMER), host: null }),
      'contained',
      ['flow-log'],
    ],
    ['silent for the longest timer, no flow known', { ...proven, flows: [], host: null }, 'contained', ['flow-log']],
    [
      'silent though nothing blocks the flow any more',
      about({ host: null }, 'none', { witness: watched(TIMER), acls: [theAcl], released: true }),
      'contained',
      ['flow-log'],
    ],
    [
      'sealed, without the host',
      about({ host: null }, 'none', { interfaces: [sealed], host: null }),
      'contained',
      ['seal'],
    ],
    [
      'sealed, the flow still on a list of the host',
      about({ host: 'open' }, 'none', { interfaces: [sealed] }),
      'contained',
      ['seal'],
    ],
    ['sealed, an agent that was connected', { ...sealedQuestion, flows: [agent] }, 'contained', ['seal']],
    [
      'a packet of a stranger that the group itself rejected',
      { ...proven, witness: watched(TIMER, seen('REJECT', SINCE + 600, stranger)) },
      'contained',
      ['host', 'flow-log'],
    ],
    [
      'traffic that the isolation permits',
      { ...proven, ...openTo('203.0.113.66/32'), witness: watched(TIMER, seen('ACCEPT', SINCE + 600, stranger)) },
      'contained',
      ['host', 'flow-log'],
    ],
    ['the instance is terminated', { ...testified, interfaces: [], terminated: true }, 'contained', []],

    // held: blocked or gone, not proven.
    ["only the host's lists speak, whole and from two sources", testified, 'held', ['host']],
    ['blocked, the host was not asked', about({ host: null }, 'in-force', { host: null }), 'held', []],
    ['blocked, still on a list of the host', about({ host: 'open' }), 'held', []],
    ['blocked by the swap alone', about({ ...untracked, host: null }, 'none'), 'held', ['untracked']],
    ['the log was silent so far', { ...proven, witness: watched(600) }, 'held', ['host', 'flow-log']],
    ['the log was silent for a second less', { ...proven, witness: watched(TIMER - 1) }, 'held', ['host', 'flow-log']],
    ['the log cannot be read', { ...proven, witness: unheard('AccessDenied') }, 'held', ['host']],
    [
      'a beacon goes on under the deny',
      { ...proven, witness: watched(TIMER, seen('REJECT', SINCE + TIMER - 60)) },
      'held',
      ['host'],
    ],
    [
      "a stranger's packet that somebody's deny dropped",
      {
        ...proven,
        acls: [{ ...theAcl, entries: [denyOf('203.0.113.66/32', 1, true), ...theAcl.entries] }],
        witness: watched(TIMER, seen('REJECT', SINCE + TIMER - 60, stranger)),
      },
      'held',
      ['host', 'flow-log'],
    ],
    [
      'an ENI that cannot be isolated, beside all that is proven',
      { ...proven, interfaces: [isolated, { ...fixed, id: 'eni-2' }] },
      'held',
      ['host', 'flow-log'],
    ],
    [
      'an interface that no group reaches',
      { ...proven, interfaces: [isolated, secondary] },
      'held',
      ['host', 'flow-log'],
    ],
    [
      'sealed, with an interface that no group reaches',
      { ...sealedQuestion, interfaces: [sealed, secondary] },
      'held',
      ['host'],
    ],
    ["the agent's own connection goes on", withAgent(proven), 'held', ['host', 'flow-log']],
    ['one that nobody names is gone, and nothing blocks it', withOther({}, 'none'), 'held', ['host']],
    [
      'one that was seen alive is blocked since',
      withOther({ host: 'open', seenAlive: true }, 'in-force'),
      'held',
      ['host'],
    ],
    ['no flow known, on a list of the host', { ...testified, flows: [] }, 'held', []],

    // leaking: seen alive and not blocked, or a named one that nothing reaches and nothing shows to have ended.
    ['open on the host, reached by nothing', about({ host: 'open' }, 'none'), 'leaking', []],
    [
      'accepted by the log after the cut',
      { ...proven, witness: watched(TIMER, seen('ACCEPT', SINCE + 60)) },
      'leaking',
      [],
    ],
    [
      'a packet of a flow that nobody knows',
      { ...proven, witness: watched(TIMER, seen('ACCEPT', SINCE + 600, stranger)) },
      'leaking',
      [],
    ],
    ['reached by nothing, no word of its end', about({ host: 'unknown' }, 'none'), 'leaking', []],
    ['a deny that was only requested', about({ host: null }, 'requested'), 'leaking', []],
    [
      'a same-subnet peer under a deny, no word of its end',
      about({ host: null, crossesSubnetBoundary: false }),
      'leaking',
      [],
    ],
    [
      'one that nobody names, open and reached by nothing',
      withOther({ host: 'open', seenAlive: true }, 'none'),
      'leaking',
      [],
    ],
    [
      'leaking though an ENI could not be isolated',
      about({ host: 'open' }, 'none', { interfaces: [failed] }),
      'leaking',
      [],
    ],
    ['a channel that carries data is open', { ...proven, channels: [{ ...domain, carriesData: true }] }, 'leaking', []],

    // not-proven: the rest.
    ['no flow known, nobody could list any', { ...testified, flows: [], host: null }, 'not-proven', []],
    [
      "a named one, on the host's word alone, same subnet",
      about({ crossesSubnetBoundary: false }),
      'not-proven',
      ['host'],
    ],
    [
      "a second flow to the named peer, on the host's word alone, where no deny reaches it",
      withOther({ remoteAddress: gone.remoteAddress, remotePort: 8443 }, 'none'),
      'not-proven',
      ['host'],
    ],
    ["a named one, on the host's word alone, the deny failed", about({}, 'none'), 'not-proven', ['host']],
    [
      'a named one that may have reopened before the swap',
      about({ ...untracked, staysUntracked: false, host: null }, 'none'),
      'not-proven',
      ['untracked'],
    ],
    ['one that nobody names, without a word of its end', withOther({ host: 'unknown' }, 'none'), 'not-proven', []],
    ['an ENI that should be isolated and is not', { ...proven, interfaces: [failed] }, 'not-proven', []],
    ['no ENI could be read', { ...proven, interfaces: [] }, 'not-proven', []],
    ['a domain that the finding names resolves', { ...proven, channels: [domain] }, 'not-proven', []],
  ])('%s', (_, question, kind, basis) => {
    const verdict = judge(question);
    expect({ kind: verdict.kind, basis: verdict.basis }).toEqual({ kind, basis });
  });

  it('is contained once the channel is closed', () => {
    expect(judge({ ...proven, channels: [{ ...domain, carriesData: true, state: 'closed' }] }).kind).toBe('contained');
  });

  it("lists the agent's connection and permitted traffic as going on", () => {
    expect(judge(withAgent(proven)).goesOn).toEqual([expect.stringContaining('203.0.113.5')]);
    const permitted = {
      ...proven,
      ...openTo('203.0.113.66/32'),
      witness: watched(TIMER, seen('ACCEPT', SINCE + 600, stranger)),
    };
    expect(judge(permitted).goesOn).toEqual([expect.stringContaining('203.0.113.66')]);
  });

  it('says when it will be proven: the timer after the last packet that may have refreshed an entry, and the delivery', () => {
    const at = (witness: Witness | null) => judge(about({ host: 'gone' }, 'in-force', { witness })).provenAt;
    const delivery = 1200;
    const expected = (seconds: number) => new Date((SINCE + seconds + TIMER + delivery) * 1000).toISOString();
    expect(at(watched(600))).toBe(expected(0));
    expect(at(watched(600, seen('REJECT', SINCE + 300)))).toBe(expected(300));
    expect(at(null)).toBeNull();
    expect(at(unheard('AccessDenied'))).toBeNull();
    // One that was not asked yet does not say since when it counts.
    const unasked = { since: 0, findings: { coveredUntil: null, records: [] } };
    expect(at(unasked)).toBe(expected(-2));
  });

  it("does not say when, while the agent's own connection goes on, and is looked at again", () => {
    const verdict = judge(withAgent({ ...proven, witness: watched(600) }));
    expect(verdict).toMatchObject({ kind: 'held', provenAt: null, nextProof: expect.any(String) });
    expect(verdict.reason).not.toContain('proven at');
  });

  it('names the peers it speaks of, the first three, those of the finding first', () => {
    const flows = ['198.51.100.1', '198.51.100.2', '198.51.100.3', '198.51.100.4'].map((remoteAddress, index) =>
      caseFlowOf({ remoteAddress, host: 'open', named: index === 3 }),
    );
    expect(judge({ ...testified, flows, denies: new Map() }).reason).toBe(
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
        staysUntracked: fc.boolean(),
        crossesSubnetBoundary: fc.boolean(),
        interfaceIds: fc.subarray(['eni-1', 'eni-2'], { minLength: 1 }),
        tracking: fc.constantFrom(...(['tracked', 'untracked', 'auto-tracked', 'unknown'] as const).map(tracking)),
      })
      .map(caseFlowOf),
    { maxLength: 4, selector: (flow) => flow.id },
  );
  const records = fc.array(
    fc
      .record({
        action: fc.constantFrom('ACCEPT' as const, 'REJECT' as const, 'REJECT' as const),
        direction: fc.constantFrom('in' as const, 'out' as const),
        until: fc.constantFrom(SINCE + 60, SINCE + 600),
        remoteAddress: fc.constantFrom('198.51.100.7', '203.0.113.9', '203.0.113.66'),
      })
      .map(({ action, until, ...change }) => seen(action, until, change)),
    { maxLength: 3 },
  );
  const logs = fc.option(
    fc
      .record({ seconds: fc.constantFrom(null, 0, 60, TIMER - 1, TIMER, TIMER + 600), records })
      .map(({ seconds, records: all }) => watched(seconds, ...all)),
    { nil: null },
  );
  const standing = (id: string) =>
    fc
      .record({
        isolation: fc.constantFrom<InterfaceStanding['isolation'][]>(
          'in-force',
          'in-force',
          'not-modifiable',
          'failed',
        ),
        sealed: fc.boolean(),
      })
      .map((one): InterfaceStanding => ({ id, reason: null, ...one }));
  const questions = fc
    .record({
      flows,
      denies: fc.infiniteStream(fc.constantFrom<DenyStanding[]>('in-force', 'in-force', 'requested', 'none')),
      interfaces: fc.tuple(standing('eni-1'), standing('eni-2')),
      host: fc.constantFrom<VerdictQuestion['host'][]>(null, wholeAnswer, { kind: 'unavailable', reason: 'no agent' }),
      isolatedAt: fc.constantFrom('2026-01-15T10:00:08.000Z', null),
      witness: logs,
      acls: fc.constantFrom([theAcl], [denied]),
      channels: fc.constantFrom(
        [],
        [],
        [{ what: 'a domain', state: 'open' as const, carriesData: false }],
        [{ what: 'a domain', state: 'closed' as const, carriesData: true }],
      ),
    })
    .map(({ denies, ...question }): VerdictQuestion => {
      const standings = denies[Symbol.iterator]();
      return {
        ...testified,
        ...question,
        denies: new Map(question.flows.map((flow) => [flow.id, standings.next().value])),
      };
    });

  /** From the best answer to the worst. */
  const RANK = { contained: 3, held: 2, 'not-proven': 1, leaking: 0 } as const satisfies Record<VerdictKind, number>;
  const rank = (question: VerdictQuestion): number => RANK[judge(question).kind];

  it('contained rests on the network alone: the same question without any word of the host is contained too', () => {
    fc.assert(
      fc.property(questions, (question) => {
        const verdict = judge(question);
        if (verdict.kind !== 'contained') return;
        const silent = {
          ...question,
          host: null,
          flows: question.flows.map((flow) => ({ ...flow, host: flow.host === 'open' ? flow.host : null })),
        };
        expect(judge(silent).kind).toBe('contained');
        expect(question.interfaces.every(({ isolation }) => isolation === 'in-force')).toBe(true);
        expect(question.channels.every(({ state }) => state === 'closed')).toBe(true);
        const isSealed = question.interfaces.every((eni) => eni.sealed === true);
        const isSilent = (question.witness?.findings.coveredUntil ?? 0) >= SINCE + TIMER;
        expect(isSealed || isSilent).toBe(true);
        const heard = question.witness?.findings.records.filter(({ action }) => action === 'ACCEPT') ?? [];
        expect(isSealed || heard.length === 0).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  it('held says that every named flow, and every one seen alive, is blocked or dead, and no ENI failed', () => {
    fc.assert(
      fc.property(questions, (question) => {
        const verdict = judge(question);
        if (verdict.kind !== 'held') return;
        const named = verdict.flows.filter(({ flow }) => flow.named || flow.seenAlive === true);
        expect(named.every(({ blockedBy, dead }) => blockedBy !== null || dead.includes('flow-log'))).toBe(true);
        expect(
          verdict.flows.every(({ blockedBy, gone: isGone, dead }) => blockedBy !== null || isGone || dead.length > 0),
        ).toBe(true);
        expect(verdict.flows.some(({ alive }) => alive)).toBe(false);
        expect(question.interfaces.some(({ isolation }) => isolation === 'failed')).toBe(false);
      }),
      { numRuns: 1500 },
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
        const log = question.witness ?? watched(null);
        const life = seen('ACCEPT', SINCE + 60, flow);
        const witness = { ...log, findings: { ...log.findings, records: [...log.findings.records, life] } };
        expect(judge({ ...question, witness }).kind).toBe('leaking');
      }),
      { numRuns: 1000 },
    );
  });

  it('a control less, or a witness less, never betters it', () => {
    fc.assert(
      fc.property(questions, fc.nat(), (question, pick) => {
        const flow = question.flows[pick % Math.max(1, question.flows.length)];
        const isAccepted = question.witness?.findings.records.some(({ action }) => action === 'ACCEPT') === true;
        const weaker: VerdictQuestion[] = [
          { ...question, host: null },
          { ...question, denies: new Map([...question.denies, [flow?.id ?? '', 'none']]) },
          {
            ...question,
            interfaces: question.interfaces.map((eni) => ({ ...eni, isolation: 'failed', sealed: false })),
          },
          // What an accepted record says of life is lost with its log.
          ...(isAccepted ? [] : [{ ...question, witness: null }]),
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
