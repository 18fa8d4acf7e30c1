import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketTimes, type Rate, rateOf, tokensToLeave, urgencyOf } from '../../functions/core/pacing.ts';
import { theRequest } from './../support/incident.ts';

describe('rateOf', () => {
  it.each<[string, Rate]>([
    ['CreateNetworkAclEntry', { burst: 50, perSecond: 5 }],
    ['ModifyInstanceAttribute', { burst: 50, perSecond: 5 }],
    ['ModifyNetworkInterfaceAttribute', { burst: 100, perSecond: 5 }],
    ['CreateTags', { burst: 100, perSecond: 10 }],
    ['DescribeNetworkInterfaces', { burst: 100, perSecond: 20 }],
    ['GetManagedPrefixListEntries', { burst: 100, perSecond: 20 }],
  ])('knows the documented rate of %s', (api, rate) => {
    expect(rateOf(api)).toEqual(rate);
  });
});

describe('urgencyOf', () => {
  const finding = theRequest.finding;
  if (finding === null) throw new Error('the request has lost its finding');
  const withSeverity = (severity: number) => ({ ...theRequest, finding: { ...finding, severity } });

  it.each([
    [10, 0],
    [9, 0],
    [8.9, 1],
    [7, 1],
    [6.9, 2],
    [4, 2],
    [3.9, 3],
    [1, 3],
  ])('of severity %s is %s', (severity, urgency) => {
    expect(urgencyOf(withSeverity(severity))).toBe(urgency);
  });

  it('of a person is the highest, whatever the finding said', () => {
    expect(urgencyOf({ ...withSeverity(2), origin: 'manual' })).toBe(0);
    expect(urgencyOf({ origin: 'finding', finding: null })).toBe(0);
  });
});

describe('tokensToLeave', () => {
  const rate = rateOf('CreateNetworkAclEntry');

  it('leaves more, the less urgent a call is, and most of the bucket where it can wait', () => {
    const urgent = [0, 1, 2, 3].map((urgency) => tokensToLeave(rate, urgency, false));
    const waiting = [0, 1, 2, 3].map((urgency) => tokensToLeave(rate, urgency, true));
    expect(urgent).toEqual([0, 2, 4, 6]);
    expect(waiting).toEqual([30, 32, 34, 36]);
  });

  it('never asks for more than a full bucket holds', () => {
    expect(tokensToLeave(rate, 100, true)).toBe(49);
  });
});

/** The bucket as its one number tells it, driven by hand: what takeTurn asks of the table. */
function takes(rate: Rate, calls: readonly { readonly at: number; readonly leave: number }[]): readonly boolean[] {
  let fullAt = 0;
  return calls.map(({ at, leave }) => {
    const { step, latest } = bucketTimes(rate, leave, at);
    const from = Math.max(fullAt, at);
    if (fullAt >= at && fullAt > latest) return false;
    fullAt = from + step;
    return true;
  });
}

describe('bucketTimes', () => {
  const call = fc.record({ gap: fc.integer({ min: 0, max: 2000 }), leave: fc.integer({ min: 0, max: 49 }) });

  it('takes exactly what a bucket of tokens holds, and leaves what is to be left', () => {
    const rate = rateOf('CreateNetworkAclEntry');
    fc.assert(
      fc.property(fc.array(call, { maxLength: 300 }), (gaps) => {
        let at = 0;
        const calls = gaps.map(({ gap, leave }) => {
          at += gap;
          return { at, leave };
        });
        // The same bucket, told by its tokens.
        let tokens = rate.burst;
        let filledAt = 0;
        const expected = calls.map(({ at: now, leave }) => {
          tokens = Math.min(rate.burst, tokens + ((now - filledAt) * rate.perSecond) / 1000);
          filledAt = now;
          if (tokens - 1 < leave - 1e-6) return false;
          tokens -= 1;
          return true;
        });
        expect(takes(rate, calls)).toEqual(expected);
      }),
    );
  });

  it('is empty for as long as it takes to fill one token', () => {
    const rate = rateOf('CreateNetworkAclEntry');
    const { ifEmpty } = bucketTimes(rate, 0, 1000);
    expect(bucketTimes(rate, 0, 1000).latest).toBeLessThan(ifEmpty);
    expect(bucketTimes(rate, 0, 1000 + 1000 / rate.perSecond).latest).toBe(ifEmpty);
  });
});
