import { expect, it } from 'vitest';
import { sealedIncidents } from './arbitrary-incident.ts';
import { RESPONSE_PROPERTIES } from './properties.ts';
import { HEALTHY_RUNS, sweep } from './random.ts';
import type { Run } from './run.ts';
import { IS_LONG } from './settings.ts';

/** Until people hear of it, in seconds: the host may take 45 of them, and answer or not. */
const SEALED_WITHIN = 60;

it(
  'is contained within a minute where the instance is alone in its subnet, whatever its host does, and no flow log speaks',
  async () => {
    let late = 0;
    const noteLate = ({ simulation }: Run): readonly string[] => {
      const first = simulation.verdicts.find(({ verdict }) => verdict === 'contained');
      if (simulation.report.verdict === 'contained' && (first === undefined || first.at > SEALED_WITHIN)) late += 1;
      return [];
    };
    const { failure, tally } = await sweep({
      name: 'honesty, sealed',
      part: 8,
      runs: HEALTHY_RUNS,
      drawn: sealedIncidents,
      properties: { ...RESPONSE_PROPERTIES, noteLate },
    });

    expect(failure).toBeNull();
    const reached = (tally.get('contained') ?? 0) - late;
    expect(reached / HEALTHY_RUNS).toBeGreaterThanOrEqual(0.99);
  },
  (IS_LONG ? 60 : 10) * 60_000,
);
