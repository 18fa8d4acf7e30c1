import { type Bucket, noteRefusal, takeTurn } from '../aws/case-table/rate-limit.ts';
import { errorText, isThrottle } from '../aws/errors.ts';
import { ERROR_NAMES } from '../core/errors.ts';
import { type BucketTimes, bucketTimes, rateOf, tokensToLeave } from '../core/pacing.ts';
import type { Tools } from './toolbox.ts';

/** A call that has to wait for others when EC2's bucket for its API runs low. */
export interface PacedCall {
  /** Name of the EC2 API. */
  readonly api: string;
  /** 0 = the most urgent ({@link urgencyOf}). */
  readonly urgency: number;
  /** What no cut waits for. */
  readonly canWait: boolean;
  /** How long it may wait, as a moment in ms. */
  readonly until: number;
}

/** There was no turn in time. Nothing was called since EC2 last refused. */
export class NoTurnError extends Error {
  override readonly name = ERROR_NAMES.noTurn;
}

/** Longest pause between two looks at the bucket, in ms, and the shortest. */
const PAUSES = { longest: 2000, shortest: 250 } as const;

/** A turn for a call, or for several, asked for while something else is done; {@link paced} uses it. */
export type Turn = Promise<boolean>;

type PaceTools = Tools<'cases'>;

/**
 * Calls EC2 in turn with all other functions of the account and Region, the most urgent first. A refusal is noted for
 * everybody and waited out; beyond `until` a {@link NoTurnError} is thrown. The table that keeps the turns is a help and
 * no condition: where it does not answer, the call is made.
 */
export async function paced<T>(
  tools: PaceTools,
  asked: PacedCall,
  call: () => Promise<T>,
  first: Turn | boolean = tryTurn(tools, asked),
): Promise<T> {
  let hasTurn = await first;
  for (;;) {
    if (!hasTurn) await waitForTurn(tools, asked);
    hasTurn = false;
    try {
      return await call();
    } catch (error) {
      if (!isThrottle(error)) throw error;
      const now = tools.now().getTime();
      await forgiving(tools, () => noteRefusal(tools.cases, bucketOf(tools, asked), timesOf(asked, now)));
      if (now >= asked.until) {
        throw new NoTurnError(`EC2 refuses ${asked.api}: ${errorText(error)}`, { cause: error });
      }
    }
  }
}

/** Calls when it is its turn, and at `until` without one: a read that has to be made, and that the SDK tries again. */
export async function afterTurn<T>(tools: PaceTools, asked: PacedCall, call: () => Promise<T>): Promise<T> {
  try {
    await waitForTurn(tools, asked);
  } catch (error) {
    if (!(error instanceof NoTurnError)) throw error;
    // Made all the same, so it is counted if there is a token at all.
    await tryTurn(tools, { ...asked, urgency: 0, canWait: false });
  }
  return call();
}

/** Asks once, without waiting; for several calls at once, or for none of them. Where there is no call, there is no turn. */
export async function tryTurn(tools: PaceTools, asked: PacedCall, count = 1): Turn {
  return count > 0 && (await look(tools, asked, count)) === 0;
}

async function waitForTurn(tools: PaceTools, asked: PacedCall): Promise<void> {
  for (;;) {
    const wait = await look(tools, asked);
    if (wait === 0) return;
    const left = asked.until - tools.now().getTime();
    if (left <= 0) {
      throw new NoTurnError(
        `EC2 takes only so many ${asked.api} calls per second in an account and Region, and there was no turn for this one`,
      );
    }
    // Never in step with the others who wait.
    const pause = Math.min(PAUSES.longest, Math.max(PAUSES.shortest, wait)) * (0.5 + Math.random());
    await tools.sleep(Math.min(pause, left) / 1000);
  }
}

/** Milliseconds until there can be a token; 0 = it is ours. */
async function look(tools: PaceTools, asked: PacedCall, count = 1): Promise<number> {
  const now = tools.now().getTime();
  const take = () => takeTurn(tools.cases, bucketOf(tools, asked), now, timesOf(asked, now, count));
  return (await forgiving(tools, take)) ?? 0;
}

const bucketOf = ({ config: { accountId, region } }: PaceTools, { api }: PacedCall): Bucket => ({
  accountId,
  region,
  api,
});

function timesOf({ api, urgency, canWait }: PacedCall, now: number, count = 1): BucketTimes {
  const rate = rateOf(api);
  return bucketTimes(rate, tokensToLeave(rate, urgency, canWait), now, count);
}

/** null = the table did not answer. */
async function forgiving<T>(tools: PaceTools, ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    tools.log.warn('the turns of calls to EC2 cannot be kept', { error: errorText(error) });
    return null;
  }
}
