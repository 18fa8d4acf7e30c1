import { describe, expect, it } from 'vitest';
import { nextLook } from '../../../functions/core/case/next-look.ts';
import { theCase } from '../../support/incident.ts';

const ISOLATED = Date.parse(theCase.isolatedAt ?? '');
const inSeconds = (seconds: number) => new Date(ISOLATED + seconds * 1000).toISOString();
const held = { kind: 'held', nextProof: inSeconds(432_000) } as const;
const question = {
  document: { ...theCase, verdict: 'held' },
  verdict: held,
  toDeny: 0,
  cutsMade: 0,
  hasJustCut: false,
  isBlind: false,
  now: ISOLATED + 90_000,
};

describe('the next look', () => {
  it('cuts again what lacks a deny, three times without a pause, and then once at each look', () => {
    expect(nextLook({ ...question, toDeny: 2 }).kind).toBe('cut-again');
    expect(nextLook({ ...question, toDeny: 2, cutsMade: 2 }).kind).toBe('cut-again');
    expect(nextLook({ ...question, toDeny: 2, cutsMade: 3, hasJustCut: true }).kind).toBe('wait');
    expect(nextLook({ ...question, toDeny: 2, cutsMade: 3 }).kind).toBe('cut-again');
  });

  it.each([
    ['five minutes after the first', 90, 300],
    ['half the time that has passed', 3600, 1800],
    ['when it can be proven, where that is sooner', 400_000, 32_000],
    ['a sixteenth of the time that has passed at the soonest', 431_000, 26_938],
    ['half the time that has passed, where it should have been proven by now', 433_000, 216_500],
  ])('comes %s', (_, elapsed, seconds) => {
    expect(nextLook({ ...question, now: ISOLATED + elapsed * 1000 })).toEqual({ kind: 'wait', seconds });
  });

  it('comes after more than a day too, where it is held or what is in force cannot be read', () => {
    const later = { ...question, now: ISOLATED + 25 * 3_600_000 };
    expect(nextLook(later).kind).toBe('wait');
    expect(nextLook({ ...later, isBlind: true, verdict: { ...held, kind: 'not-proven' } }).kind).toBe('wait');
  });

  it('reaches the proof of five days in some twenty looks', () => {
    let elapsed = 90;
    let looks = 0;
    for (; elapsed < 432_000; looks += 1) {
      const next = nextLook({ ...question, now: ISOLATED + elapsed * 1000 });
      elapsed += next.kind === 'report' ? Number.POSITIVE_INFINITY : next.seconds;
    }
    expect(looks).toBeGreaterThan(10);
    expect(looks).toBeLessThan(25);
  });

  it('comes again where nothing could be read back, be it ever isolated or not', () => {
    const blind = { ...question, isBlind: true, verdict: { kind: 'not-proven', nextProof: null } } as const;
    expect(nextLook(blind)).toEqual({ kind: 'wait', seconds: 300 });
    expect(nextLook({ ...blind, document: { ...theCase, isolatedAt: null } }).kind).toBe('wait');
    expect(nextLook({ ...blind, now: ISOLATED + 31 * 24 * 3600 * 1000 }).kind).toBe('report');
  });

  it('is told of before it is waited for, where the look before it has cut again', () => {
    expect(nextLook({ ...question, cutsMade: 1, hasJustCut: true }).kind).toBe('tell-and-wait');
  });

  it.each(['leaking', 'not-proven'] as const)('is told of before it is waited for, where it has become %s', (kind) => {
    expect(nextLook({ ...question, verdict: { ...held, kind } }).kind).toBe('tell-and-wait');
    expect(nextLook({ ...question, verdict: { ...held, kind }, document: { ...theCase, verdict: kind } }).kind).toBe(
      'wait',
    );
  });

  it.each<[string, Partial<typeof question>]>([
    ['it is proven', { verdict: { kind: 'contained', nextProof: null } as never }],
    ['nothing will prove it', { verdict: { ...held, nextProof: null } as never }],
    ['a restore has begun', { document: { ...theCase, status: 'restoring' } as never }],
    ['it was never isolated', { document: { ...theCase, isolatedAt: null } as never }],
    ['a month has passed', { now: ISOLATED + 31 * 24 * 3600 * 1000 }],
    [
      'it leaks, and a day has passed',
      { verdict: { ...held, kind: 'leaking' } as never, now: ISOLATED + 25 * 3_600_000 },
    ],
    [
      'it is in doubt, and a day has passed',
      { verdict: { ...held, kind: 'not-proven' } as never, now: ISOLATED + 25 * 3_600_000 },
    ],
  ])('is none where %s', (_, change) => {
    expect(nextLook({ ...question, ...change }).kind).toBe('report');
  });
});
