import { describe, expect, it } from 'vitest';
import {
  decideSweep,
  dueAfterLook,
  SWEEP_SECONDS,
  type SweepQuestion,
  type WatchedCase,
  watchInterval,
} from '../../../functions/core/case/watch.ts';
import { theCase } from '../../support/incident.ts';

const ISOLATED = Date.parse(theCase.isolatedAt ?? '');
const HOUR = 3600;
const DAY = 24 * HOUR;
/** ISO, so many seconds after the isolation. */
const at = (seconds: number): string => new Date(ISOLATED + seconds * 1000).toISOString();
const secondsOf = (iso: string): number => (Date.parse(iso) - ISOLATED) / 1000;

const watched: WatchedCase = {
  caseId: theCase.caseId,
  from: at(-60),
  due: at(2 * HOUR),
  execution: 'arn:aws:states:eu-central-1:111122223333:execution:flowcut-respond:one',
  wakesAt: null,
  look: null,
  wokenAt: null,
  isPending: false,
  touches: [],
};
const question: SweepQuestion = {
  watched,
  document: theCase,
  isRunning: false,
  isLooking: false,
  isOff: false,
  isWoken: false,
  watchDays: 30,
  now: ISOLATED + 2 * HOUR * 1000,
};
/** A response that sleeps for an hour from the question on. */
const asleep: Partial<SweepQuestion> = { isRunning: true, watched: { ...watched, wakesAt: at(3 * HOUR) } };

describe('the interval of the watch', () => {
  it.each([
    [0, 300],
    [HOUR - 1, 300],
    [HOUR, HOUR],
    [DAY - 1, HOUR],
    [DAY, 6 * HOUR],
    [29 * DAY, 6 * HOUR],
  ])('at %d s after the isolation is %d s', (elapsed, seconds) => {
    expect(watchInterval(elapsed)).toBe(seconds);
  });
});

describe('after a look', () => {
  it.each([0, 90, HOUR - 1, 2 * HOUR, 2 * DAY])(
    'that ends within two minutes of its tick, at %d s, the next tick of the interval finds the case due',
    (elapsed) => {
      for (const took of [1, 60, 119]) {
        const due = dueAfterLook(theCase, { pause: null, provenAt: null, now: ISOLATED + (elapsed + took) * 1000 });
        const interval = watchInterval(elapsed + took);

        expect(secondsOf(due)).toBeLessThanOrEqual(elapsed + interval);
        expect(secondsOf(due)).toBeGreaterThan(elapsed + interval - SWEEP_SECONDS);
      }
    },
  );

  it('the next one comes when the verdict can be proven, where that is sooner', () => {
    const now = ISOLATED + 2 * DAY * 1000;

    expect(dueAfterLook(theCase, { pause: null, provenAt: at(2 * DAY + 1000), now })).toBe(at(2 * DAY + 1000));
    expect(dueAfterLook(theCase, { pause: null, provenAt: at(HOUR), now })).toBe(at(2 * DAY + 60));
    expect(secondsOf(dueAfterLook(theCase, { pause: null, provenAt: at(5 * DAY), now }))).toBeLessThan(2.25 * DAY);
  });

  it('of a response that sleeps, the sweep stays behind its next one', () => {
    const due = dueAfterLook(theCase, { pause: 600, provenAt: null, now: ISOLATED });

    expect(secondsOf(due)).toBeGreaterThan(600);
  });
});

describe('the sweep', () => {
  it('looks at a case whose response has ended, died or is not known', () => {
    expect(decideSweep(question)).toMatchObject({ kind: 'look', as: 'alone' });
    expect(decideSweep({ ...question, watched: { ...watched, execution: null } })).toMatchObject({
      kind: 'look',
      as: 'alone',
    });
  });

  it.each<[string, Partial<SweepQuestion>, string]>([
    ['forgets a case that is being restored', { document: { ...theCase, status: 'restoring' } }, 'forget'],
    ['forgets a case that is restored', { document: { ...theCase, status: 'restored' } }, 'forget'],
    ['forgets one that is not there', { document: null }, 'forget'],
    ['forgets a restored one, be it woken', { document: { ...theCase, status: 'restored' }, isWoken: true }, 'forget'],
    ['leaves a case to the response that works on it', { isRunning: true }, 'postpone'],
    ['leaves a case to the response that sleeps', asleep, 'postpone'],
    ['leaves a case to the look that goes on', { isLooking: true }, 'postpone'],
    ['starts nothing while the switch says observe', { isOff: true }, 'postpone'],
    ['starts nothing while the switch says observe, be it woken', { isOff: true, isWoken: true }, 'postpone'],
    ['comes back to a case that is woken while its response works', { isRunning: true, isWoken: true }, 'wait'],
    ['comes back to a case that is woken during a look', { isLooking: true, isWoken: true }, 'wait'],
    [
      'comes back to a case that is woken shortly before its response wakes',
      { isRunning: true, isWoken: true, watched: { ...watched, wakesAt: at(2 * HOUR + 60) } },
      'wait',
    ],
  ])('%s', (_, change, kind) => {
    expect(decideSweep({ ...question, ...change }).kind).toBe(kind);
  });

  it('looks beside a response that sleeps where the case is woken, or was', () => {
    expect(decideSweep({ ...question, ...asleep, isWoken: true })).toMatchObject({ kind: 'look', as: 'beside' });
    const pending = { ...watched, wakesAt: at(3 * HOUR), isPending: true };
    expect(decideSweep({ ...question, isRunning: true, watched: pending })).toMatchObject({
      kind: 'look',
      as: 'beside',
    });
  });

  it('takes a response that runs and is an hour late for dead', () => {
    const late = { ...watched, wakesAt: at(HOUR - 1) };

    expect(decideSweep({ ...question, isRunning: true, watched: late })).toMatchObject({ kind: 'look', as: 'alone' });
  });

  it('looks one last time when the days are over, and leaves a response that goes on alone', () => {
    const now = ISOLATED + 31 * DAY * 1000;

    expect(decideSweep({ ...question, now })).toMatchObject({ kind: 'look', as: 'last' });
    expect(decideSweep({ ...question, now, watchDays: 60 })).toMatchObject({ kind: 'look', as: 'alone' });
    expect(decideSweep({ ...question, ...asleep, watchDays: 0 }).kind).toBe('postpone');
    expect(decideSweep({ ...question, watchDays: 0 })).toMatchObject({ kind: 'look', as: 'last' });
  });

  it('always moves on: whatever it decides, the case is due later, or was woken', () => {
    for (const isRunning of [true, false])
      for (const isLooking of [true, false])
        for (const wakesAt of [null, at(HOUR), at(2 * HOUR + 30), at(3 * HOUR)]) {
          const decision = decideSweep({ ...question, isRunning, isLooking, watched: { ...watched, wakesAt } });
          const due = 'due' in decision ? secondsOf(decision.due) : 0;

          expect(due).toBeGreaterThan(2 * HOUR);
        }
  });
});
