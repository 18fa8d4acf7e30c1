import { AsyncLocalStorage } from 'node:async_hooks';
import type { SdkClient } from '../../local/world/api/middleware.ts';

/** Seeded random numbers: the same seed, the same numbers. */
export interface Dice {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** A whole number below `limit`. */
  below(limit: number): number;
  pick<T>(items: readonly T[]): T;
  chance(probability: number): boolean;
  shuffled<T>(items: readonly T[]): readonly T[];
}

/** Mulberry32. */
export function diceOf(seed: number): Dice {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  const pick = <T>(items: readonly T[]): T => {
    const item = items[below(items.length)];
    if (item === undefined) throw new Error('there is nothing to pick from');
    return item;
  };
  const shuffled = <T>(items: readonly T[]): readonly T[] =>
    items
      .map((item) => ({ item, place: next() }))
      .sort((a, b) => a.place - b.place)
      .map(({ item }) => item);
  return { next, below, pick, chance: (probability) => next() < probability, shuffled };
}

/**
 * Who goes on next, of all that wait:
 * - `uniform`: anyone;
 * - `priorities`: always the actor with the highest priority, and now and then the one that goes on becomes the last. Few
 *   changes of who runs reach orders that even draws hardly ever do (Burckhardt et al., "A randomized scheduler with
 *   probabilistic guarantees of finding bugs", ASPLOS 2010).
 */
export type Policy = 'uniform' | 'priorities';

/** An API whose requests always wait for as long as the scheduler's patience lasts, so that others get in between. */
export type SlowApi = 'DeleteNetworkAclEntry' | 'CreateNetworkAclEntry' | 'TransactWriteItems' | 'UpdateItem' | null;

export interface Scheduler {
  /** What runs in there is one actor: one execution, one Lambda invocation. */
  as<T>(actor: string, run: () => T): T;
  /** Holds every request of the client until it may take effect, and every answer until it may be heard. */
  hold(client: SdkClient): void;
  /** How often something that was held was let go. */
  releases(): number;
}

/** Between two releases, in milliseconds of virtual time. */
const TICK_MS = 4;
/** Nothing is held for longer, in milliseconds: a call that takes minutes is a failure of its own kind. */
const PATIENCE_MS = 3000;
/** How often the actor that goes on becomes the last one. */
const DEMOTION = 0.02;

interface Held {
  readonly actor: string;
  readonly isSlow: boolean;
  readonly since: number;
  readonly release: () => void;
}

/** Shared state is behind API calls only, so the order of their effects and of their answers is the whole interleaving. */
export function createScheduler(dice: Dice, policy: Policy, slow: SlowApi): Scheduler {
  const actors = new AsyncLocalStorage<string>();
  const priorities = new Map<string, number>();
  let held: Held[] = [];
  let running = false;
  let released = 0;

  const priorityOf = (actor: string): number => {
    const known = priorities.get(actor);
    if (known !== undefined) return known;
    const drawn = 1 + dice.next();
    priorities.set(actor, drawn);
    return drawn;
  };

  /** null = what is held is all slow, and has not waited for long enough. */
  function choose(): Held | null {
    const now = Date.now();
    const overdue = held.filter(({ since }) => now - since >= PATIENCE_MS);
    if (overdue.length > 0) return dice.pick(overdue);
    const ready = held.filter(({ isSlow }) => !isSlow);
    if (ready.length === 0) return null;
    if (policy === 'uniform') return dice.pick(ready);
    const highest = Math.max(...ready.map(({ actor }) => priorityOf(actor)));
    const chosen = dice.pick(ready.filter(({ actor }) => priorityOf(actor) === highest));
    if (dice.chance(DEMOTION)) priorities.set(chosen.actor, Math.min(...priorities.values()) - dice.next());
    return chosen;
  }

  function tick(): void {
    const chosen = choose();
    if (chosen !== null) {
      held = held.filter((one) => one !== chosen);
      released += 1;
      chosen.release();
    }
    running = held.length > 0;
    if (running) setTimeout(tick, TICK_MS);
  }

  function turn(isSlow: boolean): Promise<void> {
    return new Promise((resolve) => {
      held.push({ actor: actors.getStore() ?? '', isSlow, since: Date.now(), release: resolve });
      if (running) return;
      running = true;
      setTimeout(tick, TICK_MS);
    });
  }

  return {
    as: (actor, run) => actors.run(actor, run),
    hold(client) {
      const middleware =
        (next: (call: unknown) => Promise<unknown>, { commandName }: { commandName: string }) =>
        async (call: unknown) => {
          await turn(commandName === `${slow}Command`);
          try {
            return await next(call);
          } finally {
            await turn(false);
          }
        };
      // Inside the SDK's retries: every attempt is a call of its own.
      const options = { step: 'finalizeRequest', priority: 'low', name: 'heldByScheduler' };
      client.middlewareStack.add(middleware as never, options as never);
    },
    releases: () => released,
  };
}
