import { describe, expect, it } from 'vitest';
import { noteRefusal } from '../../functions/aws/case-table/rate-limit.ts';
import { bucketTimes, rateOf } from '../../functions/core/pacing.ts';
import { afterTurn, type PacedCall, paced, tryTurn } from '../../functions/shared/paced.ts';
import { type Bench, defaultWorld, onBench, refusedBy } from '../support/bench.ts';

const api = 'CreateNetworkAclEntry';
const onTable = <T>(body: (bench: Bench) => Promise<T>): Promise<T> => onBench(defaultWorld(), body);
const asked = (bench: Bench, seconds: number, change: Partial<PacedCall> = {}): PacedCall => ({
  api,
  urgency: 0,
  canWait: false,
  until: bench.tools.now().getTime() + seconds * 1000,
  ...change,
});

/** No token is left, as in a storm. */
async function empty({ tools }: Bench): Promise<void> {
  const { accountId, region } = tools.config;
  const now = tools.now().getTime();
  await noteRefusal(tools.cases, { accountId, region, api }, bucketTimes(rateOf(api), 0, now));
}

/** A call that EC2 refuses for its number so many times. */
function refusedTimes(times: number) {
  const call = { made: 0 };
  return Object.assign(
    (): Promise<string> => {
      call.made += 1;
      return call.made <= times ? Promise.reject(refusedBy('RequestLimitExceeded')()) : Promise.resolve('done');
    },
    { call },
  );
}

describe('a paced call', () => {
  it('is made at once where nobody calls', async () => {
    await onTable(async (bench) => {
      const call = refusedTimes(0);
      expect(await paced(bench.tools, asked(bench, 10), call)).toBe('done');
      expect(bench.world.clock.now()).toBeLessThan(1);
    });
  });

  it('waits until there is a token, and no longer than need be', async () => {
    await onTable(async (bench) => {
      await empty(bench);
      const from = bench.world.clock.now();
      expect(await paced(bench.tools, asked(bench, 30), refusedTimes(0))).toBe('done');
      expect(bench.world.clock.now() - from).toBeLessThan(5);
    });
  });

  it('waits for others to be served where it can', async () => {
    await onTable(async (bench) => {
      await empty(bench);
      const from = bench.world.clock.now();
      await paced(bench.tools, asked(bench, 60, { canWait: true }), refusedTimes(0));
      // Thirty tokens are left to the others first, at five a second.
      expect(bench.world.clock.now() - from).toBeGreaterThan(6);
      expect(bench.world.clock.now() - from).toBeLessThan(10);
    });
  });

  it('gives up when its time is over, and has called nothing', async () => {
    await onTable(async (bench) => {
      await empty(bench);
      const call = refusedTimes(0);
      const given = asked(bench, 2, { canWait: true });
      await expect(paced(bench.tools, given, call)).rejects.toMatchObject({
        name: 'NoTurnError',
        message: expect.stringContaining(api),
      });
      expect(call.call.made).toBe(0);
      expect(bench.tools.now().getTime()).toBeGreaterThanOrEqual(given.until);
    });
  });

  it('notes a refusal for all, and calls again in turn', async () => {
    await onTable(async (bench) => {
      const call = refusedTimes(2);
      expect(await paced(bench.tools, asked(bench, 30), call)).toBe('done');
      expect(call.call.made).toBe(3);
      expect(await tryTurn(bench.tools, asked(bench, 30, { urgency: 1 }))).toBe(false);
    });
  });

  it('says that EC2 refuses where it does so to the end', async () => {
    await onTable(async (bench) => {
      await expect(paced(bench.tools, asked(bench, 5), refusedTimes(1000))).rejects.toMatchObject({
        name: 'NoTurnError',
      });
      expect(bench.world.clock.now()).toBeLessThan(10);
    });
  });

  it('throws on what is no refusal for the number of calls', async () => {
    await onTable(async (bench) => {
      const call = () => Promise.reject(refusedBy('UnauthorizedOperation')());
      await expect(paced(bench.tools, asked(bench, 5), call)).rejects.toThrow('UnauthorizedOperation');
    });
  });

  it('is made all the same where the table does not answer: the turns are a help, not a condition', async () => {
    await onTable(async (bench) => {
      bench.fail(({ call }) => call === 'UpdateItem', refusedBy('AccessDeniedException'));
      expect(await paced(bench.tools, asked(bench, 5), refusedTimes(1))).toBe('done');
    });
  });
});

describe('a call after its turn', () => {
  it('is made when the time is over, turn or not', async () => {
    await onTable(async (bench) => {
      await empty(bench);
      const given = asked(bench, 2, { canWait: true });
      expect(await afterTurn(bench.tools, given, refusedTimes(0))).toBe('done');
      expect(bench.tools.now().getTime()).toBeGreaterThanOrEqual(given.until);
    });
  });
});
