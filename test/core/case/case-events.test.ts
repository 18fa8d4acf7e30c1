import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assess } from '../../../functions/core/case/assess.ts';
import type { CaseDocument, HostOutcome } from '../../../functions/core/case/case.ts';
import { apply, type CaseEvent, MOST_FLOWS } from '../../../functions/core/case/case-events.ts';
import { DEFAULT_HOST_OPTIONS } from '../../../functions/core/host/host-options.ts';
import { theLine, theVerdict } from '../../support/host-report.ts';
import { caseFlowOf, theCase, theConfig, theFacts, theRequest, wholeAnswer } from '../../support/incident.ts';

const AT = '2026-01-15T10:00:09.000Z';
const LATER = '2026-01-15T10:30:00.000Z';
const assessment = assess(theRequest, theFacts, theConfig);
const fresh: CaseDocument = { ...theCase, flows: [], aclIds: [], host: null, isolatedAt: null, status: 'open' };
const { account: _account, ...answer } = wholeAnswer;
const silent: Exclude<HostOutcome, { kind: 'answered' }> = { kind: 'unavailable', reason: 'no agent' };
const refusal = { address: '10.0.7.7', aclId: 'acl-1', reason: 'a private address' };
const listing = { flows: [], boundless: false, twoSources: true, omitted: 0, survived: 0 };
const hostAsked = { pids: [], ports: [], options: DEFAULT_HOST_OPTIONS };

const EVENTS = {
  joined: { kind: 'joined', request: theRequest, decision: 'act' },
  planned: { kind: 'planned', ...assessment },
  cutBegun: { kind: 'cutBegun', ...assessment, hostAsked, at: AT, isolated: false, isolatedAtBefore: null },
  deniesRefused: { kind: 'deniesRefused', refusals: [refusal] },
  hostAnswered: {
    kind: 'hostAnswered',
    answer,
    report: { kind: 'evidence', flows: [theLine], verdict: theVerdict },
    listing,
    denies: [],
    refusals: [],
  },
  hostSilent: { kind: 'hostSilent', outcome: silent },
  hostUndone: { kind: 'hostUndone' },
  agentAsked: { kind: 'agentAsked', at: AT },
  isolated: { kind: 'isolated', at: AT, complete: true, watched: true, silence: silent, takesUp: true },
  flowsSeen: {
    kind: 'flowsSeen',
    flows: [caseFlowOf({ remoteAddress: '203.0.113.66', named: false, seenAlive: true })],
  },
  verified: { kind: 'verified', denies: [], cutAgainAt: null, isolatedAt: LATER },
  retaken: { kind: 'retaken', items: ['eni-1 groups'], at: LATER },
  told: { kind: 'told', verdict: 'held', isFinal: true },
  preserved: { kind: 'preserved', items: [{ item: 'tags', outcome: 'done' }] },
  released: { kind: 'released' },
  restoreBegun: { kind: 'restoreBegun', by: 'arn:aws:states:::execution:restore:1' },
  evidenceReturning: { kind: 'evidenceReturning' },
  restored: { kind: 'restored' },
} as const satisfies { readonly [K in CaseEvent['kind']]: Extract<CaseEvent, { kind: K }> };

const played = (...events: readonly CaseEvent[]): CaseDocument => events.reduce(apply, fresh);

describe('the life of a case', () => {
  it.each<[string, readonly CaseEvent[], CaseDocument['status']]>([
    ['is open while it is cut and isolated', [EVENTS.cutBegun, EVENTS.isolated], 'open'],
    ['is reported by a verdict', [EVENTS.cutBegun, EVENTS.isolated, EVENTS.verified], 'reported'],
    [
      'is restored by a restore that begins and ends',
      [EVENTS.verified, EVENTS.restoreBegun, EVENTS.restored],
      'restored',
    ],
    ['is not restored by an end without a beginning', [EVENTS.verified, EVENTS.restored], 'reported'],
    ['stays in its restore whatever a verification says', [EVENTS.restoreBegun, EVENTS.verified], 'restoring'],
    ['is taken up by a cut during its restore', [EVENTS.restoreBegun, EVENTS.cutBegun, EVENTS.restored], 'open'],
    ['is taken up by an isolation behind its restore', [EVENTS.restoreBegun, EVENTS.restored, EVENTS.isolated], 'open'],
    [
      'is not taken up by an isolation that holds nothing',
      [EVENTS.restoreBegun, EVENTS.restored, { ...EVENTS.isolated, takesUp: false }],
      'restored',
    ],
  ])('%s', (_, events, status) => {
    expect(played(...events).status).toBe(status);
  });

  it('knows when the agent was last asked to close its connection, until a restore wants it back', () => {
    const asked = played(EVENTS.cutBegun, EVENTS.isolated, EVENTS.agentAsked);

    expect(asked.agentAskedAt).toBe(AT);
    expect(apply(asked, { ...EVENTS.agentAsked, at: LATER }).agentAskedAt).toBe(LATER);
    expect(apply(apply(asked, { ...EVENTS.agentAsked, at: LATER }), EVENTS.agentAsked).agentAskedAt).toBe(LATER);
    expect(apply(asked, EVENTS.agentAsked)).toBe(asked);
    expect(apply(asked, EVENTS.restoreBegun).agentAskedAt).toBeUndefined();
    expect(apply(apply(asked, EVENTS.restoreBegun), EVENTS.agentAsked).agentAskedAt).toBeUndefined();
  });

  it('dates the isolation anew once it was lost, and believes no flow untracked that may have been opened in between', () => {
    const lost = played(EVENTS.cutBegun, EVENTS.isolated, EVENTS.retaken);
    expect(lost.isolatedAt).toBeNull();
    expect(lost.flows.some(({ staysUntracked }) => staysUntracked === true)).toBe(false);
    expect(apply(lost, { ...EVENTS.isolated, at: LATER }).isolatedAt).toBe(LATER);
    expect(played(EVENTS.isolated, { ...EVENTS.retaken, items: ['seal of subnet-1'] }).isolatedAt).toBe(AT);
  });

  it('dates the isolation when it is first seen, by the swap or by the verification', () => {
    expect(played(EVENTS.isolated, EVENTS.verified).isolatedAt).toBe(AT);
    expect(played({ ...EVENTS.isolated, complete: false }, EVENTS.verified).isolatedAt).toBe(LATER);
    expect(played(EVENTS.isolated, EVENTS.restoreBegun, EVENTS.verified).isolatedAt).toBeNull();
  });

  it('forgets an isolation that a new cut has not found, unless it was noted since', () => {
    const isolatedAt = played(EVENTS.isolated).isolatedAt;
    expect(played(EVENTS.isolated, { ...EVENTS.cutBegun, isolatedAtBefore: isolatedAt }).isolatedAt).toBeNull();
    expect(played(EVENTS.isolated, EVENTS.cutBegun).isolatedAt).toBe(AT);
  });

  it('dates a cut on top of the isolation, where it denies more', () => {
    const known = played(EVENTS.cutBegun, EVENTS.isolated);
    const again = { ...EVENTS.cutBegun, isolated: true, at: LATER };
    expect(apply(known, again).cutAgainAt).toBe(LATER);
    expect(apply(known, { ...again, denies: [] }).cutAgainAt).toBeNull();
  });

  it('keeps an answer of the host against a later silence', () => {
    expect(played(EVENTS.hostAnswered, EVENTS.hostSilent).host?.kind).toBe('answered');
    expect(played(EVENTS.hostSilent, EVENTS.hostAnswered).host?.kind).toBe('answered');
  });

  it('keeps one reason for each peer at each ACL, the newest', () => {
    const newer = { ...refusal, reason: 'no room' };
    expect(played(EVENTS.deniesRefused, { kind: 'deniesRefused', refusals: [newer] }).denyRefusals).toEqual([newer]);
  });

  it('marks a known flow that is seen alive, and takes in no more than an item holds', () => {
    const shell = played(EVENTS.cutBegun).flows;
    const seen: CaseEvent = { kind: 'flowsSeen', flows: shell };
    expect(played(EVENTS.cutBegun, seen).flows).toEqual(shell.map((flow) => ({ ...flow, seenAlive: true })));
    const many = Array.from({ length: MOST_FLOWS + 10 }, (__, port) => caseFlowOf({ localPort: port + 1024 }));
    expect(played({ kind: 'flowsSeen', flows: many }).flows).toHaveLength(MOST_FLOWS);
  });

  it('keeps each verdict that ended a response once, and none that people heard on the way', () => {
    const held: CaseEvent = { kind: 'told', verdict: 'held', isFinal: true };
    const leaking: CaseEvent = { kind: 'told', verdict: 'leaking', isFinal: false };

    expect(played(held, leaking, held)).toMatchObject({ verdict: 'held', endedAs: ['held'] });
    expect(played(leaking).endedAs).toBeUndefined();
  });

  it('takes nothing in once it is restored', () => {
    const closed = played(EVENTS.restoreBegun, EVENTS.restored);
    const other = { ...theRequest, flows: [{ ...theRequest.flows[0], remoteAddress: '203.0.113.1' }] };
    expect(apply(closed, { ...EVENTS.joined, request: other as typeof theRequest })).toBe(closed);
  });
});

describe('over every order of events', () => {
  const orders = fc.array(fc.constantFrom(...Object.values(EVENTS)), { maxLength: 12 });

  it('an event that is applied again changes nothing', () => {
    fc.assert(
      fc.property(orders, fc.constantFrom(...Object.values(EVENTS)), (events, event) => {
        const once = apply(played(...events), event);
        expect(apply(once, event)).toEqual(once);
      }),
      { numRuns: 1000 },
    );
  });

  it('no flow, no ACL and no named peer is forgotten, and nothing but a restore closes the case', () => {
    fc.assert(
      fc.property(orders, (events) => {
        let document = fresh;
        for (const event of events) {
          const next = apply(document, event);
          const ids = new Set(next.flows.map(({ id }) => id));
          expect(document.flows.every(({ id }) => ids.has(id))).toBe(true);
          expect(next.aclIds).toEqual(expect.arrayContaining([...document.aclIds]));
          const named = (one: CaseDocument) => one.flows.filter((flow) => flow.named).map(({ id }) => id);
          expect(named(next)).toEqual(expect.arrayContaining(named(document)));
          const closes = next.status !== document.status && ['restoring', 'restored'].includes(next.status);
          expect(!closes || ['restoreBegun', 'restored'].includes(event.kind)).toBe(true);
          document = next;
        }
      }),
      { numRuns: 1000 },
    );
  });
});
