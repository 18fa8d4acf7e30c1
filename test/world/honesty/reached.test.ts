import { expect, it } from 'vitest';
import { healthyIncidents, ownLogIncidents } from './arbitrary-incident.ts';
import { RESPONSE_PROPERTIES } from './properties.ts';
import { HEALTHY_RUNS, sweep } from './random.ts';
import type { Run } from './run.ts';
import { IS_LONG } from './settings.ts';

/** The longest timer of these instances, what a change needs to take effect, a log its delivery, and one look. Seconds. */
const PROVEN_AFTER = 600 + 90 + 1200 + 3600;

it.each([
  ['a healthy flow log watches an honest host', healthyIncidents, 7],
  ['nothing but our own flow log watches an honest host', ownLogIncidents, 9],
] as const)(
  'comes to contained within one look after the longest timer, where %s',
  async (_, drawn, part) => {
    let late = 0;
    const noteLate = ({ simulation }: Run): readonly string[] => {
      if (simulation.report.verdict === 'contained' && simulation.reportedAt > PROVEN_AFTER) late += 1;
      return [];
    };
    const { failure, tally } = await sweep({
      name: 'honesty, healthy',
      part,
      runs: HEALTHY_RUNS,
      drawn,
      properties: { ...RESPONSE_PROPERTIES, noteLate },
    });

    expect(failure).toBeNull();
    const reached = (tally.get('contained') ?? 0) - late;
    expect(reached / HEALTHY_RUNS).toBeGreaterThanOrEqual(0.99);
  },
  (IS_LONG ? 60 : 10) * 60_000,
);
