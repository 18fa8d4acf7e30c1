import { describe, expect, it } from 'vitest';
import { nextLook } from '../../../functions/core/case/next-look.ts';
import { LOOK_PARTS, type LookPart } from '../../../functions/core/case/watch.ts';
import { theCase } from '../../support/incident.ts';

const ISOLATED = Date.parse(theCase.isolatedAt ?? '');
const inSeconds = (seconds: number) => new Date(ISOLATED + seconds * 1000).toISOString();
const held = { kind: 'held', nextProof: inSeconds(432_000) } as const;
const question = {
  document: { ...theCase, verdict: 'held' },
  verdict: held,
  toTake: 0,
  toDeny: 0,
  cutsMade: 0,
  hasJustCut: false,
  isBlind: false,
  longestTimerSeconds: 432_000,
  now: ISOLATED + 90_000,
};

describe('the next look', () => {
  it('cuts again what lacks a deny, three times without a pause, and then once at each look', () => {
    expect(nextLook({ ...question, toDeny: 2 }).kind).toBe('cut-again');
    expect(nextLook({ ...question, toDeny: 2, cutsMade: 2 }).kind).toBe('cut-again');
    expect(nextLook({ ...question, toDeny: 2, cutsMade: 3, hasJustCut: true }).kind).toBe('wait');
    expect(nextLook({ ...question, toDeny: 2, cutsMade: 3 }).kind).toBe('cut-again');
  });

  it('takes again what is not in force, before and beside any cut', () => {
    expect(nextLook({ ...question, toTake: 1, toDeny: 2 }).kind).toBe('take-again');
    const contained = { kind: 'contained', nextProof: null } as const;
    expect(nextLook({ ...question, toTake: 1, verdict: contained }).kind).toBe('take-again');
  });

  it.each([
    ['five minutes after the first', 90, 300],
    ['five minutes later in the first hour', 3599, 300],
    ['an hour later in the first day', 3600, 3600],
    ['six hours later from then on', 86_400, 21_600],
    ['six hours later, where it should have been proven by now', 433_000, 21_600],
  ])('comes %s', (_, elapsed, seconds) => {
    expect(nextLook({ ...question, now: ISOLATED + elapsed * 1000 })).toEqual({ kind: 'wait', seconds });
  });

  it.each([
    ['when it can be proven, where that is sooner', 20_500, 1500],
    ['a sixteenth of the time that has passed at the soonest', 19_100, 1188],
  ])('comes %s', (_, provenAfter, seconds) => {
    const verdict = { ...held, nextProof: inSeconds(provenAfter) };
    expect(nextLook({ ...question, verdict, now: ISOLATED + 19_000_000 })).toEqual({ kind: 'wait', seconds });
  });

  it('comes after more than a day too, where it is held or what is in force cannot be read', () => {
    const later = { ...question, now: ISOLATED + 25 * 3_600_000 };
    expect(nextLook(later).kind).toBe('wait');
    expect(nextLook({ ...later, isBlind: true, verdict: { ...held, kind: 'not-proven' } }).kind).toBe('wait');
  });

  it('reaches the proof of five days in some fifty looks', () => {
    let elapsed = 90;
    let looks = 0;
    for (; elapsed < 432_000; looks += 1) {
      const next = nextLook({ ...question, now: ISOLATED + elapsed * 1000 });
      elapsed += 'seconds' in next ? next.seconds : Number.POSITIVE_INFINITY;
    }
    expect(looks).toBeGreaterThan(40);
    expect(looks).toBeLessThan(60);
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

describe('a look of the watch', () => {
  const known = { ...theCase, verdict: 'held', endedAs: ['held'] };
  const look = { ...question, look: 'alone', document: known } as const;
  const contained = { kind: 'contained', nextProof: null } as const;
  const leaking = { kind: 'leaking', nextProof: null } as const;

  it('cuts again what lacks a deny, and tells once that it did', () => {
    expect(nextLook({ ...look, toDeny: 2 }).kind).toBe('cut-again');
    expect(nextLook({ ...look, hasJustCut: true, cutsMade: 1 }).kind).toBe('report');
  });

  it('never waits', () => {
    for (const as of LOOK_PARTS)
      for (const isBlind of [true, false])
        for (const verdict of [held, contained, leaking])
          expect(['report', 'rest']).toContain(nextLook({ ...look, look: as, isBlind, verdict }).kind);
  });

  it.each<[string, Partial<typeof question> & { readonly look?: LookPart }, string]>([
    ['rests on what people know', {}, 'rest'],
    ['rests where nothing can be read', { isBlind: true, verdict: leaking as never }, 'rest'],
    ['rests where a restore has begun', { document: { ...known, status: 'restoring' } as never }, 'rest'],
    ['tells another verdict', { verdict: leaking as never }, 'report'],
    ['tells a better one too', { verdict: contained as never }, 'report'],
    ['tells the end of a response that died before it', { document: { ...known, endedAs: [] } }, 'report'],
    ['tells that nobody heard anything', { document: { ...known, verdict: null } as never }, 'report'],
    ['beside a response tells what is worse', { look: 'beside', verdict: leaking as never }, 'report'],
    ['beside a response leaves the proof to it', { look: 'beside', verdict: contained as never }, 'rest'],
    ['beside a response leaves the end to it', { look: 'beside', document: { ...known, endedAs: [] } }, 'rest'],
    ['that is the last tells in any case', { look: 'last' }, 'report'],
    [
      'that is the last tells nobody of a restored case',
      { look: 'last', document: { ...known, status: 'restored' } as never },
      'rest',
    ],
  ])('%s', (_, change, kind) => {
    expect(nextLook({ ...look, ...change }).kind).toBe(kind);
  });
});
