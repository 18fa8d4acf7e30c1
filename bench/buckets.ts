import { AwsError } from '../local/world/api/errors.ts';
import type { CallInfo, Interceptor } from '../local/world/api/middleware.ts';

/** Tokens that a full bucket holds, and tokens per second. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/**
 * EC2's documented request rates, per API, account and Region.
 * https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
 */
const READS: Rate = { burst: 100, perSecond: 20 };
const MUTATIONS: Rate = { burst: 50, perSecond: 5 };
const EXCEPTIONS: Readonly<Record<string, Rate>> = {
  CreateTags: { burst: 100, perSecond: 10 },
  ModifyNetworkInterfaceAttribute: { burst: 100, perSecond: 5 },
};

export function rateOf(api: string): Rate {
  return EXCEPTIONS[api] ?? (/^(Describe|Get|List|Search)/.test(api) ? READS : MUTATIONS);
}

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
  /** EC2 calls by API: all on the wire, and those that were refused. */
  readonly counts: ReadonlyMap<string, { calls: number; refused: number }>;
}

/** Refuses EC2 calls beyond the documented rates, as EC2 does. */
export function ec2Throttle(): Throttle {
  const buckets = new Map<string, (at: number) => boolean>();
  const counts = new Map<string, { calls: number; refused: number }>();
  return {
    counts,
    before({ service, call, at }: CallInfo) {
      if (service !== 'ec2') return;
      const take = buckets.get(call) ?? bucket(rateOf(call));
      buckets.set(call, take);
      const count = counts.get(call) ?? { calls: 0, refused: 0 };
      counts.set(call, count);
      count.calls += 1;
      if (take(at)) return;
      count.refused += 1;
      throw new AwsError('RequestLimitExceeded', 'Request limit exceeded.');
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
