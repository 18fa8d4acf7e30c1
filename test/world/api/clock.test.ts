import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { StateMachine } from 'aws-local-stepfunctions';
import { describe, expect, it } from 'vitest';
import { runInVirtualTime } from '../../../local/world/clock.ts';

const START = '2026-01-15T10:00:00Z';

describe('virtual time', () => {
  it('passes five days in a moment, for timers, Date and the clock alike', async () => {
    const seen = await runInVirtualTime(START, async (clock) => {
      await new Promise((resolve) => setTimeout(resolve, 432_000_000));
      return { now: clock.now(), date: new Date().toISOString(), iso: clock.iso(clock.now()) };
    });

    expect(seen).toEqual({ now: 432_000, date: '2026-01-20T10:00:00.000Z', iso: '2026-01-20T10:00:00.000Z' });
  });

  it('runs a Parallel with a five-day Wait in the interpreter', async () => {
    const machine = new StateMachine({
      StartAt: 'Both',
      States: {
        Both: {
          Type: 'Parallel',
          End: true,
          Branches: [
            { StartAt: 'Wait', States: { Wait: { Type: 'Wait', Seconds: 432_000, End: true } } },
            {
              StartAt: 'Work',
              States: {
                Work: {
                  Type: 'Task',
                  Resource: 'arn:aws:lambda:eu-central-1:111122223333:function:work',
                  End: true,
                  Retry: [{ ErrorEquals: ['Flaky'], IntervalSeconds: 2, MaxAttempts: 2 }],
                },
              },
            },
          ],
        },
      },
    });

    const result = await runInVirtualTime(START, async (clock) => {
      let attempts = 0;
      const work = async () => {
        await clock.sleep(3);
        attempts += 1;
        if (attempts < 2) throw Object.assign(new Error('again'), { name: 'Flaky' });
        return { attempts, at: clock.now() };
      };
      const output = await machine.run({}, { overrides: { taskResourceLocalHandlers: { Work: work } } }).result;
      return { output, end: clock.now() };
    });

    expect(result).toEqual({ output: [{}, { attempts: 2, at: 8 }], end: 432_000 });
  });

  it('waits longer than a timer of 31 bits can, and clears such a timer', async () => {
    const seen = await runInVirtualTime(START, async (clock) => {
      let fired = false;
      const year = setTimeout(() => {
        fired = true;
      }, 365 * 86_400_000);
      await clock.sleep(200 * 86_400);
      clearTimeout(year);
      await clock.sleep(400 * 86_400);
      return { fired, days: clock.now() / 86_400 };
    });

    expect(seen).toEqual({ fired: false, days: 600 });
  });

  it('is the same twice, jitter included', async () => {
    const run = () => runInVirtualTime(START, async () => [Math.random(), Math.random()]);

    const first = await run();
    await run();

    expect(await run()).toEqual(first);
  });

  it('says so when nothing will ever happen', async () => {
    const stuck = runInVirtualTime(START, () => new Promise(() => {}));

    await expect(stuck).rejects.toThrow('nothing is scheduled');
  });

  it('gives real time back, also after a failure', async () => {
    const failing = runInVirtualTime(START, async (clock) => {
      await clock.sleep(10);
      throw new Error('broken');
    });

    await expect(failing).rejects.toThrow('broken');
    const before = Date.now();
    await delay(5);
    expect(Date.now() - before).toBeGreaterThanOrEqual(3);
  });

  it('refuses a run within a run', async () => {
    const nested = runInVirtualTime(START, () => runInVirtualTime(START, async () => {}));

    await expect(nested).rejects.toThrow('already running');
  });

  it('lets virtual time stand still while a file is read', async () => {
    const at = await runInVirtualTime(START, async (clock) => {
      const timer = setInterval(() => {}, 1000);
      await readFile(fileURLToPath(import.meta.url));
      clearInterval(timer);
      return clock.now();
    });

    expect(at).toBe(0);
  });
});
