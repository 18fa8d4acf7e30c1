import type { CaseRequest } from './intake/intake-types.ts';

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

/** The rate of one EC2 API. */
export function rateOf(api: string): Rate {
  return EXCEPTIONS[api] ?? (/^(Describe|Get|List|Search)/.test(api) ? READS : MUTATIONS);
}

/** What can wait leaves so much of the bucket to what cannot. */
const SHARE_LEFT_BY_WHAT_CAN_WAIT = 0.6;

/**
 * How urgent a call is, from 0: in a storm it leaves so many steps' worth of tokens in the bucket for calls that are more
 * urgent. A person who asks comes first; GuardDuty's severities are critical from 9, high from 7, medium from 4.
 * https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-severity.html
 */
export function urgencyOf({ origin, finding }: Pick<CaseRequest, 'origin' | 'finding'>): number {
  if (origin === 'manual' || finding === null) return 0;
  const from = [9, 7, 4].findIndex((lowest) => finding.severity >= lowest);
  return from === -1 ? 3 : from;
}

/** Steps that reads after the first cut stand back, so that the assessments of other instances find their tokens. */
export const AFTER_THE_CUT = 5;

/** Tokens that one step of urgency leaves for those before it: enough that they find one whenever they look. */
const TOKENS_PER_URGENCY = 2;

/**
 * Tokens that a call must leave in the bucket. What can wait (the second entry of a pair, a timer, a tag) takes from the
 * top of the bucket only: in a storm every first cut is made before any of it, and in calm there is no difference.
 */
export function tokensToLeave(rate: Rate, urgency: number, canWait: boolean): number {
  return Math.min(
    rate.burst - 1,
    TOKENS_PER_URGENCY * urgency + (canWait ? rate.burst * SHARE_LEFT_BY_WHAT_CAN_WAIT : 0),
  );
}

/**
 * A token bucket told by one number, so that one conditional write can take from it: `fullAt`, the moment (in ms) at which
 * it will be full again. Tokens taken move it by `step`; it may move while it is not beyond `latest`. `count`: so many at
 * once, or none of them.
 */
export function bucketTimes(rate: Rate, leave: number, now: number, count = 1): BucketTimes {
  const interval = 1000 / rate.perSecond;
  return {
    step: count * interval,
    latest: now + (rate.burst - count - leave) * interval,
    ifEmpty: now + rate.burst * interval,
  };
}

export interface BucketTimes {
  readonly step: number;
  /** Beyond it, too few tokens are left for this call. */
  readonly latest: number;
  /** Where the moment stands when EC2 has just refused a call: others took what we believed to be there. */
  readonly ifEmpty: number;
}
