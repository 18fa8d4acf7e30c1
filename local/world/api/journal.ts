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
  readonly beforeFirstCut: BeforeFirstCut | null;
}

/** What went before the first change that stops packets. */
export interface BeforeFirstCut {
  /** Round trips one after another, of all services and of EC2 alone. */
  readonly sequential: number;
  readonly ec2: number;
  /** Virtual seconds, from the event's arrival. */
  readonly seconds: number;
  readonly functions: number;
}

interface Interval {
  readonly start: number;
  readonly end: number;
}

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
  /** The cut was a round trip itself: null = it was seen afterwards, on a host. */
  readonly service: JournalEntry['service'] | null;
  readonly functions: number;
  /** States of parallel branches that were running while the cutting function ran. */
  readonly besideStates: ReadonlySet<string | null>;
}

/** Where a call comes from. `run`: one of several things that go on at once, such as a step of an episode. */
interface Place {
  readonly run: string | null;
  readonly state: string | null;
}

const NOWHERE: Place = { run: null, state: null };

/** What one run has done so far. */
interface RunLog {
  readonly counts: Map<string, number>;
  readonly trips: Trip[];
  readonly functions: FunctionRun[];
  firstCut: FirstCut | null;
}

/** Remembers every call and function for the timeline and the counts. */
export interface Journal {
  inState<T>(name: string, run: () => T): T;
  /** Runs as one of several things that go on at once, each of which can be looked at alone. */
  inRun<T>(name: string, run: () => T): T;
  /** Runs outside of any state, in the same run: what is started there is not the calling function's. */
  outside<T>(run: () => T): T;
  /** A function starts now; call the answer when it ends. */
  enterFunction(name: string): () => void;
  /** Counts one call of an API and tells which it is: 1, 2, ... */
  count(api: string): number;
  record(entry: Omit<JournalEntry, 'state'>, startedAt: number): void;
  /** An entry for what happened now, though not on the wire. */
  note(service: JournalEntry['service'], call: string, outcome: string, input?: unknown): void;
  /** A change that stops packets took effect in the call just recorded; `isEc2` = it was an EC2 round trip itself. */
  cut(at: Interval, isEc2: boolean): void;
  /** Everything, or what one run did. */
  timeline(run?: string): JournalEntry[];
  /** Of everything, with what went before the very first cut, or of one run, with what went before its own. */
  calls(run?: string): CallCounts;
}

export function createJournal(now: () => number): Journal {
  const places = new AsyncLocalStorage<Place>();
  const entries: { readonly run: string | null; readonly entry: JournalEntry }[] = [];
  const counts = new Map<string, number>();
  const runs = new Map<string | null, RunLog>();
  const place = (): Place => places.getStore() ?? NOWHERE;
  const logOf = (run: string | null): RunLog => {
    const log = runs.get(run) ?? { counts: new Map(), trips: [], functions: [], firstCut: null };
    runs.set(run, log);
    return log;
  };
  const write = (entry: Omit<JournalEntry, 'state'>): void => {
    const { run, state } = place();
    entries.push({ run, entry: { ...entry, state } });
  };

  return {
    inState: (name, run) => places.run({ ...place(), state: name }, run),
    inRun: (name, run) => places.run({ run: name, state: null }, run),
    outside: (run) => places.run({ ...place(), state: null }, run),
    enterFunction: () => {
      const { run, state } = place();
      const entered: FunctionRun = { start: now(), end: null, state };
      logOf(run).functions.push(entered);
      return () => {
        entered.end = now();
      };
    },
    count(api) {
      const own = logOf(place().run).counts;
      own.set(api, (own.get(api) ?? 0) + 1);
      const call = (counts.get(api) ?? 0) + 1;
      counts.set(api, call);
      return call;
    },
    record(entry, startedAt) {
      write(entry);
      const { run, state } = place();
      logOf(run).trips.push({ start: startedAt, end: entry.at, state, service: entry.service });
    },
    note: (service, call, outcome, input) =>
      write({ at: now(), service, call, outcome, input: inputSummary(input ?? {}) }),
    cut(at, isEc2) {
      const { run, state } = place();
      const log = logOf(run);
      log.firstCut ??= firstCutOf(log.functions, state, { ...at, service: isEc2 ? 'ec2' : null });
    },
    timeline: (run) => entries.filter((one) => run === undefined || one.run === run).map(({ entry }) => entry),
    calls(run) {
      const first = [...runs.values()]
        .filter(({ firstCut }) => firstCut !== null)
        .sort((a, b) => (a.firstCut?.end ?? 0) - (b.firstCut?.end ?? 0))[0];
      return run === undefined ? callCounts(counts, first) : callCounts(logOf(run).counts, logOf(run));
    },
  };
}

function firstCutOf(
  functions: readonly FunctionRun[],
  state: string | null,
  at: Interval & Pick<FirstCut, 'service'>,
): FirstCut {
  const own = functions.findLast((run) => run.state === state && run.end === null);
  const beside = functions.filter((run) => own !== undefined && run !== own && (run.end ?? at.end) > own.start);
  return {
    ...at,
    // One that is still writing down what it did has done its part as well.
    functions: functions.filter((run) => !beside.includes(run)).length,
    besideStates: new Set(beside.map((run) => run.state)),
  };
}

function callCounts(counts: ReadonlyMap<string, number>, log: RunLog | undefined): CallCounts {
  return {
    total: [...counts.values()].reduce((sum, count) => sum + count, 0),
    byApi: Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1))),
    beforeFirstCut: log === undefined || log.firstCut === null ? null : beforeCut(log.trips, log.firstCut),
  };
}

function beforeCut(trips: readonly Trip[], cut: FirstCut): BeforeFirstCut {
  const onTheWay = trips.filter(({ state }) => !cut.besideStates.has(state));
  const ofEc2 = onTheWay.filter(({ service }) => service === 'ec2');
  return {
    sequential: longestChain(onTheWay, cut),
    ec2: longestChain(ofEc2, cut),
    seconds: cut.end,
    functions: cut.functions,
  };
}

/** Round trips one after another up to the cut: the most intervals that do not overlap, the cut's own the last. */
function longestChain(calls: readonly Interval[], cut: Interval & Pick<FirstCut, 'service'>): number {
  const limit = cut.service === 'ec2' ? cut.start : cut.end;
  let chain = 0;
  let freeFrom = 0;
  for (const call of [...calls].sort((a, b) => a.end - b.end)) {
    if (call.end > limit || call.start < freeFrom) continue;
    chain += 1;
    freeFrom = call.end;
  }
  return chain + (cut.service === 'ec2' ? 1 : 0);
}
