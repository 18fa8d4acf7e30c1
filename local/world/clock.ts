import { AsyncResource } from 'node:async_hooks';
import { setImmediate as realSetImmediate } from 'node:timers';
import { promisify } from 'node:util';
import FakeTimers, { type Clock } from '@sinonjs/fake-timers';
import { WorldFaultError } from './api/errors.ts';
import type { WorldClock } from './state.ts';

/** Timers hold a signed 32 bit delay; a longer one is waited for in pieces (a Wait state may last a year). */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** Turns of the real event loop without a timer, a file being read or an end, after which nothing will ever happen, ... */
const IDLE_TURNS = 200;
/** ... where they have also taken so long in real time: a module that a test runner transforms first shows nowhere. ms. */
const IDLE_MS = 4000;

const FURTHEST_SECONDS = 50 * 366 * 86_400;

let running = false;

/**
 * Runs `body` with the process's timers and Date replaced by virtual ones that jump from timer to timer, and Math.random
 * (the SDK's retry jitter) seeded, so that days pass in a moment and two runs are the same.
 *
 * @example await runInVirtualTime('2026-01-15T10:00:00Z', async (clock) => { await clock.sleep(432_000); });
 */
export async function runInVirtualTime<T>(startIso: string, body: (clock: WorldClock) => Promise<T>): Promise<T> {
  if (running) throw new WorldFaultError('virtual time is already running in this process');
  running = true;
  const startMs = Date.parse(startIso);
  const fake = FakeTimers.install({
    now: startMs,
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'],
  });
  const random = Math.random;
  try {
    replaceTimeouts();
    Math.random = seededRandom(0x66_6c_6f_77);
    return await drive(fake, startMs, body(worldClock(fake, startMs)));
  } finally {
    Math.random = random;
    fake.uninstall();
    running = false;
  }
}

function worldClock(fake: Clock, startMs: number): WorldClock {
  const seconds = (ms: number) => Math.round(ms) / 1000;
  return {
    now: () => seconds(fake.now - startMs),
    iso: (at) => new Date(startMs + Math.round(at * 1000)).toISOString(),
    sleep: (duration) => new Promise((resolve) => setTimeout(resolve, Math.round(duration * 1000))),
  };
}

async function drive<T>(fake: Clock, startMs: number, work: Promise<T>): Promise<T> {
  let settled = false;
  const settle = () => {
    settled = true;
  };
  work.then(settle, settle);
  let idle = 0;
  let idleSince = performance.now();
  for (;;) {
    await turn();
    if (settled) return work;
    if (hasRealWork()) continue;
    if (fake.countTimers() > 0) {
      idle = 0;
      idleSince = performance.now();
      if (fake.now - startMs > FURTHEST_SECONDS * 1000) throw new WorldFaultError('virtual time ran on for 50 years');
      await fake.nextAsync();
    } else if (++idle > IDLE_TURNS && performance.now() - idleSince > IDLE_MS) {
      throw new WorldFaultError(
        'nothing is scheduled and the run has not ended: it waits for something that never comes',
      );
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => realSetImmediate(resolve));
}

/** Work that Node does in threads: reading files (a module being imported), hashing, packing, resolving names. */
const REAL_WORK = /^(FSReq|CloseReq|GetAddrInfoReq|Zlib|RandomBytes)|Job$/;

/** Such work takes real time, during which virtual time stands still. */
function hasRealWork(): boolean {
  return process.getActiveResourcesInfo().some((resource) => REAL_WORK.test(resource));
}

/** The fake timers know nothing of async contexts and fire delays beyond 31 bits at once; both as one would expect here. */
function replaceTimeouts(): void {
  const fakeSetTimeout = globalThis.setTimeout;
  const fakeClearTimeout = globalThis.clearTimeout;
  const lastPieces = new Map<unknown, NodeJS.Timeout>();

  const setVirtualTimeout = <A extends unknown[]>(callback: (...args: A) => void, delay = 0, ...args: A) => {
    const fire = AsyncResource.bind(() => callback(...args));
    if (!(delay > LONGEST_DELAY_MS)) return fakeSetTimeout(fire, delay);
    const wait = (remaining: number): NodeJS.Timeout => {
      if (remaining <= LONGEST_DELAY_MS) {
        return fakeSetTimeout(() => {
          lastPieces.delete(first);
          fire();
        }, remaining);
      }
      return fakeSetTimeout(() => lastPieces.set(first, wait(remaining - LONGEST_DELAY_MS)), LONGEST_DELAY_MS);
    };
    const first: NodeJS.Timeout = wait(delay);
    return first;
  };
  const clearVirtualTimeout = (timer?: Parameters<typeof clearTimeout>[0]) => {
    fakeClearTimeout(lastPieces.get(timer) ?? timer);
    lastPieces.delete(timer);
  };
  const sleep = (delay?: number, value?: unknown) =>
    new Promise((resolve) => setVirtualTimeout(() => resolve(value), delay));
  globalThis.setTimeout = Object.assign(setVirtualTimeout, {
    [promisify.custom]: sleep,
    __promisify__: sleep,
  }) as unknown as typeof setTimeout;
  globalThis.clearTimeout = clearVirtualTimeout;
}

/** Mulberry32: the same seed gives the same numbers from 0 to 1. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
