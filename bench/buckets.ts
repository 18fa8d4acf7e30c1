import { type Rate, rateOf } from '../functions/core/pacing.ts';
import { AwsError } from '../local/world/api/errors.ts';
import type { CallInfo, Interceptor } from '../local/world/api/middleware.ts';

/** A bucket that is full at 0 s; take at times that never decrease. */
function bucket({ burst, perSecond }: Rate): (at: number) => boolean {
  let tokens = burst;
  let filledAt = 0;
  return (at) => {
    tokens = Math.min(burst, tokens + (at - filledAt) * perSecond);
    filledAt = at;
    // Sums of fractions of a second never come out whole.
    if (tokens < 1 - 1e-9) return false;
    tokens -= 1;
    return true;
  };
}

export interface Throttle extends Interceptor {
  /** Calls by API: all on the wire, and those that were refused. */
  readonly counts: ReadonlyMap<string, { calls: number; refused: number }>;
}

/**
 * Starts of Standard workflows, in the Regions with the smaller quota.
 * https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
 */
const START_EXECUTION: Rate = { burst: 800, perSecond: 150 };

/** Refuses calls beyond the documented rates, as EC2 and Step Functions do. */
export function documentedThrottle(): Throttle {
  const buckets = new Map<string, (at: number) => boolean>();
  const counts = new Map<string, { calls: number; refused: number }>();
  return {
    counts,
    before({ service, call, at }: CallInfo) {
      const isStart = call === 'StartExecution';
      if (service !== 'ec2' && !isStart) return;
      const take = buckets.get(call) ?? bucket(isStart ? START_EXECUTION : rateOf(call));
      buckets.set(call, take);
      const count = counts.get(call) ?? { calls: 0, refused: 0 };
      counts.set(call, count);
      count.calls += 1;
      if (take(at)) return;
      count.refused += 1;
      throw isStart
        ? new AwsError('ThrottlingException', 'Rate exceeded')
        : new AwsError('RequestLimitExceeded', 'Request limit exceeded.');
    },
  };
}

/**
 * The earliest second at which each of several calls can have been made, one for each request, if nothing but the bucket
 * and the requests' own arrivals delayed them.
 */
export function earliestTimes(arrivals: readonly number[], rate: Rate): readonly number[] {
  let tokens = rate.burst;
  let now = 0;
  return [...arrivals]
    .sort((a, b) => a - b)
    .map((arrival) => {
      const later = Math.max(arrival, now);
      tokens = Math.min(rate.burst, tokens + (later - now) * rate.perSecond);
      now = later;
      if (tokens < 1) {
        now += (1 - tokens) / rate.perSecond;
        tokens = 1;
      }
      tokens -= 1;
      return now;
    });
}
