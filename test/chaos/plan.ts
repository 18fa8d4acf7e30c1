import { type Disturbance, MOMENTS, type Point } from './disturbance.ts';
import type { Outcome } from './episode.ts';

/** What a call may answer once. With the effect done the answer alone is lost. */
const FAULTS: readonly { readonly error: string; readonly afterEffect: boolean }[] = [
  { error: 'RequestLimitExceeded', afterEffect: false },
  { error: 'InternalError', afterEffect: true },
  { error: 'UnauthorizedOperation', afterEffect: false },
  { error: 'Timeout', afterEffect: false },
];

/** Every disturbance of one kind that an undisturbed run offers. */
export interface Plan {
  readonly deaths: readonly Disturbance[];
  readonly faults: readonly Disturbance[];
  readonly lasting: readonly Disturbance[];
  /** A permission that is taken away while the response runs. */
  readonly midway: readonly Disturbance[];
}

/** Functions that are started by hand or by EventBridge alone have no state that could be dead. */
const isState = ({ state, phase }: Point): boolean => state !== 'Start' && phase === 'response';

/** From the second call of an API on, from the middle one, and the last one alone. */
const midwayOf = (count: number): readonly number[] =>
  [...new Set([2, Math.ceil(count / 2), count])].filter((from) => from > 1 && from <= count);

export function planOf({ points }: Outcome): Plan {
  const counts = new Map<string, number>();
  for (const { api, phase } of points) if (phase === 'response') counts.set(api, (counts.get(api) ?? 0) + 1);
  const apis = [...counts.keys()].sort();
  const states = [...new Set(points.filter(isState).map(({ state }) => state))];
  return {
    deaths: points.flatMap((_, at) => MOMENTS.map((moment): Disturbance => ({ kind: 'death', at, moment }))),
    faults: points.flatMap(({ api, number: call }) =>
      FAULTS.map((fault): Disturbance => ({ kind: 'fault', api, call, ...fault })),
    ),
    lasting: [
      ...apis.map((api): Disturbance => ({ kind: 'denied', api })),
      ...states.map((state): Disturbance => ({ kind: 'dead state', state })),
    ],
    midway: apis.flatMap((api) =>
      midwayOf(counts.get(api) ?? 0).map((from): Disturbance => ({ kind: 'denied', api, from })),
    ),
  };
}

/** Two deaths in one run, the second so many calls after the first that it meets the process that was started again. */
export function twoDeaths({ points }: Outcome, pick: () => number, count: number): readonly Disturbance[] {
  return Array.from({ length: count }, (): Disturbance => {
    const at = Math.floor(pick() * points.length);
    const moment = MOMENTS[Math.floor(pick() * MOMENTS.length)] ?? 'before';
    return { kind: 'death', at, moment, again: 1 + Math.floor(pick() * 12) };
  });
}

/** So many of them, in their order. */
export function sample<T>(all: readonly T[], count: number, pick: () => number): readonly T[] {
  const ranked = all.map((item, index) => ({ item, index, rank: pick() })).sort((a, b) => a.rank - b.rank);
  return ranked
    .slice(0, count)
    .sort((a, b) => a.index - b.index)
    .map(({ item }) => item);
}

export function describe(disturbance: Disturbance, points: readonly Point[]): string {
  switch (disturbance.kind) {
    case 'none':
      return 'undisturbed';
    case 'death': {
      const point = points[disturbance.at];
      const again = disturbance.again === undefined ? '' : `, and again ${disturbance.again} calls later`;
      return `death at call ${disturbance.at} (${point?.phase}, ${point?.state}, ${point?.api} ${point?.number}), ${disturbance.moment}${again}`;
    }
    case 'dead state':
      return `the function of "${disturbance.state}" always dies`;
    case 'fault':
      return `${disturbance.api} ${disturbance.call}: ${disturbance.error}${disturbance.afterEffect ? ', effect done' : ''}`;
    case 'denied':
      return `${disturbance.api} is ${disturbance.from === undefined ? 'always refused' : `refused from call ${disturbance.from} on`}`;
    default:
      return disturbance satisfies never;
  }
}
