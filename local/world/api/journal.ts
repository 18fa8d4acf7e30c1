import { AsyncLocalStorage } from 'node:async_hooks';
import type { ServiceName } from './sdk.ts';
import { inputSummary } from './wire-form.ts';

/** One call on the wire, retries counted one by one. */
export interface JournalEntry {
  /** Seconds at completion. */
  readonly at: number;
  /** The state of the machine that called, or null outside one. */
  readonly state: string | null;
  readonly service: ServiceName | 'host';
  readonly call: string;
  readonly outcome: string;
  /** The input in short. */
  readonly input: string;
}

export interface CallCounts {
  readonly total: number;
  readonly byApi: Record<string, number>;
  /** Round trips one after another, those of EC2 alone, seconds and functions up to the first change that stops packets. */
  readonly beforeFirstCut: {
    readonly sequential: number;
    readonly ec2: number;
    readonly seconds: number;
    readonly functions: number;
  } | null;
}

interface Interval {
  readonly start: number;
  readonly end: number;
}

/** One call on the wire. */
interface Trip extends Interval {
  readonly service: JournalEntry['service'];
  readonly state: string | null;
}

interface FunctionRun {
  readonly start: number;
  end: number | null;
  readonly state: string | null;
}

interface FirstCut extends Interval {
  readonly service: JournalEntry['service'];
  readonly functions: number;
  /** States of parallel branches that were running while the cutting function ran. */
  readonly besideStates: ReadonlySet<string | null>;
}

/** Remembers every call and function for the timeline and the counts. */
export interface Journal {
  inState<T>(name: string, run: () => T): T;
  /** Runs outside of any state: what is started there is not the caller's. */
  outside<T>(run: () => T): T;
  /** A function starts now; call the answer when it ends. */
  enterFunction(name: string): () => void;
  /** Counts one call of an API and tells which it is: 1, 2, ... */
  count(api: string): number;
  record(entry: Omit<JournalEntry, 'state'>, startedAt: number): void;
  /** An entry for what happened now, though not on the wire. */
  note(service: JournalEntry['service'], call: string, outcome: string, input?: unknown): void;
  /** A change that stops packets took effect in the call of this service that is now under way. */
  cut(at: Interval, service: JournalEntry['service']): void;
  timeline(): JournalEntry[];
  calls(): CallCounts;
}

export function createJournal(now: () => number): Journal {
  const states = new AsyncLocalStorage<string>();
  const entries: JournalEntry[] = [];
  const counts = new Map<string, number>();
  const trips: Trip[] = [];
  const functions: FunctionRun[] = [];
  let firstCut: FirstCut | null = null;

  return {
    inState: (name, run) => states.run(name, run),
    outside: (run) => states.exit(run),
    enterFunction: () => {
      const run: FunctionRun = { start: now(), end: null, state: states.getStore() ?? null };
      functions.push(run);
      return () => {
        run.end = now();
      };
    },
    count(api) {
      const call = (counts.get(api) ?? 0) + 1;
      counts.set(api, call);
      return call;
    },
    record(entry, startedAt) {
      entries.push({ ...entry, state: states.getStore() ?? null });
      const { service, at: end } = entry;
      trips.push({ service, start: startedAt, end, state: states.getStore() ?? null });
    },
    note(service, call, outcome, input) {
      const state = states.getStore() ?? null;
      entries.push({ at: now(), state, service, call, outcome, input: inputSummary(input ?? {}) });
    },
    cut(at, service) {
      firstCut ??= cutOf(functions, states.getStore() ?? null, at, service);
    },
    timeline: () => [...entries],
    calls: () => ({
      total: [...counts.values()].reduce((sum, count) => sum + count, 0),
      byApi: Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1))),
      beforeFirstCut: firstCut && before(firstCut, trips),
    }),
  };
}

function cutOf(
  functions: readonly FunctionRun[],
  state: string | null,
  at: Interval,
  service: JournalEntry['service'],
): FirstCut {
  const own = functions.findLast((run) => run.state === state && run.end === null);
  const beside = functions.filter((run) => own !== undefined && run !== own && (run.end ?? at.end) > own.start);
  return {
    ...at,
    service,
    // One that is still writing down what it did has done its part as well.
    functions: functions.filter((run) => !beside.includes(run)).length,
    besideStates: new Set(beside.map((run) => run.state)),
  };
}

function before(cut: FirstCut, trips: readonly Trip[]): CallCounts['beforeFirstCut'] {
  const own = onTheWay(trips, cut);
  const ofEc2 = own.filter((trip) => trip.service === 'ec2');
  return {
    sequential: longestChain(own, cut, true),
    ec2: longestChain(ofEc2, cut, cut.service === 'ec2'),
    seconds: cut.end,
    functions: cut.functions,
  };
}

/** Parallel branches that ran beside the cutting function did not keep it waiting: their calls are not on its way. */
function onTheWay(calls: readonly Trip[], { besideStates }: FirstCut): readonly Trip[] {
  return calls.filter((call) => !besideStates.has(call.state));
}

/** Round trips one after another up to the cut: the most intervals that do not overlap, the cut's own the last. */
function longestChain(calls: readonly Interval[], cut: Interval, isCutCounted: boolean): number {
  const limit = isCutCounted ? cut.start : cut.end;
  let chain = 0;
  let freeFrom = 0;
  for (const call of [...calls].sort((a, b) => a.end - b.end)) {
    if (call.end > limit || call.start < freeFrom) continue;
    chain += 1;
    freeFrom = call.end;
  }
  return chain + (isCutCounted ? 1 : 0);
}
