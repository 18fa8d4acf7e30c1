import { type AssumptionPlan, PLAIN_ASSUMPTIONS } from './incident.ts';

/** Runs with `CI_LONG=1` look ten times as hard. */
export const IS_LONG = process.env['CI_LONG'] === '1';

const FLAGS = [false, true];
const PROPAGATION = [2, 0, 10];

/**
 * Every setting of what AWS does not document. How long a change takes to have effect goes through its values from one
 * setting to the next; in a long run every setting meets every value.
 */
export function assumptionSettings(): AssumptionPlan[] {
  const settings = FLAGS.flatMap((lowered) =>
    (['never', 'active', 'all'] as const).flatMap((dwell) =>
      FLAGS.flatMap((refreshes) =>
        FLAGS.map((resetClears) => ({ ...PLAIN_ASSUMPTIONS, lowered, dwell, refreshes, resetClears })),
      ),
    ),
  );
  if (IS_LONG)
    return settings.flatMap((one) => PROPAGATION.map((propagationSeconds) => ({ ...one, propagationSeconds })));
  return settings.map((one, index) => ({
    ...one,
    propagationSeconds: PROPAGATION[(index + Math.floor(index / 3)) % 3] ?? 2,
  }));
}
