import { describe, expect, it } from 'vitest';
import type { UndoProgress } from '../../../functions/core/case/record.ts';
import {
  isForGood,
  nextUndo,
  pidsToLetGo,
  undoAgain,
  undoBegun,
  undoSeconds,
} from '../../../functions/core/host/host-undo.ts';

const began = new Date('2026-01-15T10:00:00Z');
const at = (seconds: number): Date => new Date(began.getTime() + seconds * 1000);
const begun = undoBegun(began);
const pids = (count: number): number[] => Array.from({ length: count }, (_, n) => 1000 + n);

/** The seconds at which tries are made that Systems Manager refuses at once, and how the last one ends. */
function refusedTries(): { readonly tried: readonly number[]; readonly last: ReturnType<typeof undoAgain> } {
  const tried: number[] = [];
  let progress: UndoProgress = begun;
  for (let now = 0; ; ) {
    tried.push(now);
    progress = { ...progress, tries: progress.tries + 1 };
    const result = undoAgain(progress, at(now), 'no agent');
    if (result.kind !== 'again') return { tried, last: result };
    now += result.waitSeconds;
  }
}

describe('an undo that does not reach the host', () => {
  it('is tried for 15 minutes, after pauses that grow', () => {
    const { tried, last } = refusedTries();

    expect(tried).toEqual([0, 15, 45, 105, 225, 345, 465, 585, 705, 825, 900]);
    expect(last).toEqual({ kind: 'unavailable', reason: 'no agent; it was tried 11 times' });
  });

  it('says of one try that it was one', () => {
    expect(undoAgain({ ...begun, tries: 1 }, at(900), 'no agent')).toMatchObject({
      reason: 'no agent; it was tried once',
    });
  });

  it.each([
    [0, 300],
    [600, 300],
    [645, 255],
    [880, 30],
    [900, 30],
  ])('at second %d is sent with %d s to live', (now, seconds) => {
    expect(undoSeconds(begun, at(now))).toBe(seconds);
  });

  it.each(['AccessDeniedException', 'InvalidParameters', 'InvalidDocument'])(
    'for %s is given up: no wait mends it',
    (code) => {
      expect(isForGood(code)).toBe(true);
    },
  );

  it.each(['InvalidInstanceId', 'ThrottlingException', 'InternalServerError', 'TimeoutError'])(
    'for %s is tried again',
    (code) => {
      expect(isForGood(code)).toBe(false);
    },
  );
});

describe('the processes that an undo lets go on', () => {
  it('are sent 64 at a time, each once', () => {
    const stopped = [...pids(130), 1000];

    expect(pidsToLetGo(stopped, begun)).toEqual(pids(64));
    expect(pidsToLetGo(stopped, { ...begun, letGo: 64 })).toEqual(pids(128).slice(64));
    expect(pidsToLetGo(stopped, { ...begun, letGo: 128 })).toEqual([1128, 1129]);
  });

  it('are never numbers that no process can have, wherever they came from', () => {
    expect(pidsToLetGo([-1, 0, 1.5, 4_194_305, Number.NaN, 77], begun)).toEqual([77]);
  });

  it.each([
    [0, null],
    [64, null],
    [65, 64],
  ])('of %d take another command from the %s th on', (count, letGo) => {
    const next = nextUndo(pids(count), { ...begun, tries: 3 }, at(20));

    expect(next?.undo.letGo ?? null).toBe(letGo);
  });

  it('get no less than a minute for the next command, and no more time than is left otherwise', () => {
    expect(nextUndo(pids(65), begun, at(20))?.undo).toEqual({ until: begun.until, tries: 0, letGo: 64 });
    expect(nextUndo(pids(65), begun, at(890))?.undo.until).toBe(at(950).toISOString());
  });
});
