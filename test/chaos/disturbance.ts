import { AsyncLocalStorage } from 'node:async_hooks';
import type { Around } from '../../local/runner.ts';
import type { CallInfo, Interceptor } from '../../local/world/api/middleware.ts';

/** One call of an undisturbed run: where a run can be interrupted. */
export interface Point {
  readonly api: string;
  /** Which call of this API it is, from 1. */
  readonly number: number;
  readonly state: string;
  readonly phase: 'response' | 'restore';
}

/**
 * When a process dies at a call:
 * - `before`: the call and all that it had on the wire never reached AWS;
 * - `after`: the call had its effect, nothing else on the wire did;
 * - `after, the rest too`: so had everything that was on the wire; no answer was seen;
 * - `lives on`: Step Functions gave it up and starts it again, while the first process goes on.
 */
export const MOMENTS = ['before', 'after', 'after, the rest too', 'lives on'] as const;
export type Moment = (typeof MOMENTS)[number];

export type Disturbance =
  | { readonly kind: 'none' }
  /** The process dies at the n-th call of the run, from 0; a second death strikes so many calls of the run later. */
  | { readonly kind: 'death'; readonly at: number; readonly moment: Moment; readonly again?: number }
  /** The function of a state dies as often as it is started. */
  | { readonly kind: 'dead state'; readonly state: string }
  | {
      readonly kind: 'fault';
      readonly api: string;
      readonly call: number;
      readonly error: string;
      readonly afterEffect: boolean;
    }
  /** Every call of the API is refused until the restore; `from` the n-th on, where it is given. */
  | { readonly kind: 'denied'; readonly api: string; readonly from?: number };

/** What Step Functions sees of a process that is gone, by the name of the error. */
class ProcessDied extends Error {
  override readonly name = 'Lambda.Unknown';
}

interface Process {
  readonly state: string;
  die: () => void;
  /** null = it lives. Until then what it had on the wire may still arrive. */
  deadSince: number | null;
}

/** Stops processes at calls, and writes down every call. */
export interface Reaper {
  readonly around: Around;
  readonly interceptor: Interceptor;
  readonly points: readonly Point[];
  /** Deaths so far. */
  readonly deaths: () => number;
  /** What follows is the restore. */
  enterRestore(): void;
  /** What follows is no longer disturbed. */
  retire(): void;
}

export function createReaper(disturbance: Disturbance, latencySeconds: number): Reaper {
  const processes = new AsyncLocalStorage<Process>();
  const points: Point[] = [];
  let phase: Point['phase'] = 'response';
  let deaths = 0;
  let retired = false;
  const strikes =
    disturbance.kind === 'death'
      ? [disturbance.at, ...(disturbance.again === undefined ? [] : [disturbance.at + disturbance.again])]
      : [];
  const moment = disturbance.kind === 'death' ? disturbance.moment : 'before';

  function kill(process: Process, at: number): void {
    deaths += 1;
    if (moment !== 'lives on') process.deadSince = at;
    process.die();
  }

  /** What a dead process still had on the wire when it died arrives, where the moment says so. */
  function arrives(process: Process, { at }: CallInfo): boolean {
    if (process.deadSince === null) return true;
    return moment === 'after, the rest too' && at < process.deadSince + latencySeconds;
  }

  const around: Around = (state, _name, run) =>
    new Promise((resolve, reject) => {
      const process: Process = { state, deadSince: null, die: () => reject(new ProcessDied(`${state}: killed`)) };
      processes.run(process, () => {
        if (disturbance.kind === 'dead state' && disturbance.state === state && phase === 'response')
          return kill(process, 0);
        run().then(resolve, reject);
      });
    });

  const struck = new Set<CallInfo>();
  const interceptor: Interceptor = {
    before(call) {
      const process = processes.getStore();
      if (process === undefined) return;
      if (!arrives(process, call)) throw new ProcessDied('the process is gone');
      if (process.deadSince !== null || retired) return;
      points.push({ api: call.call, number: call.number, state: process.state, phase });
      if (!strikes.includes(points.length - 1)) return;
      struck.add(call);
      if (moment !== 'before' && moment !== 'lives on') return;
      kill(process, call.at);
      if (moment === 'before') throw new ProcessDied('the process is gone');
    },
    after(call) {
      const process = processes.getStore();
      if (process !== undefined && process.deadSince === null && struck.has(call)) {
        if (moment !== 'lives on') kill(process, call.at);
      }
    },
  };
  return {
    around,
    interceptor,
    points,
    deaths: () => deaths,
    enterRestore: () => {
      phase = 'restore';
    },
    retire: () => {
      retired = true;
    },
  };
}
