import { describe, expect, it } from 'vitest';
import { noteRefusal, takeTurn } from '../../../functions/aws/case-table/rate-limit.ts';
import type { CaseTable } from '../../../functions/aws/case-table/table.ts';
import { bucketTimes, rateOf } from '../../../functions/core/pacing.ts';
import { type Bench, defaultWorld, onBench, refusedBy } from '../../support/bench.ts';

const bucket = { accountId: '111122223333', region: 'eu-central-1', api: 'CreateNetworkAclEntry' };
const rate = rateOf(bucket.api);
const NOW = Date.parse('2026-01-15T10:00:00Z');
const take = (table: CaseTable, { now = NOW, leave = 0, api = bucket.api } = {}): Promise<number> =>
  takeTurn(table, { ...bucket, api }, now, bucketTimes(rate, leave, now));
const onTable = <T>(body: (table: CaseTable, bench: Bench) => Promise<T>): Promise<T> =>
  onBench(defaultWorld(), (bench) => body(bench.tools.cases, bench));
const times = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

describe('a turn', () => {
  it('is one write where nobody calls', async () => {
    await onTable(async (table, bench) => {
      expect(await take(table)).toBe(0);
      expect(bench.calls('UpdateItem')).toBe(1);
    });
  });

  it('is had by as many as the bucket has tokens, of all who ask at once', async () => {
    await onTable(async (table) => {
      const waits = await Promise.all(times(60).map(() => take(table)));
      expect(waits.filter((wait) => wait === 0)).toHaveLength(rate.burst);
      expect(waits.filter((wait) => wait > 0).every((wait) => wait <= 1000 / rate.perSecond)).toBe(true);
    });
  });

  it('is had for several calls at once, or for none of them', async () => {
    await onTable(async (table) => {
      const takeAll = (count: number) => takeTurn(table, bucket, NOW, bucketTimes(rate, 0, NOW, count));
      expect(await takeAll(rate.burst + 1)).toBeGreaterThan(0);
      expect(await takeAll(30)).toBe(0);
      expect(await takeAll(21)).toBe(200);
      expect(await takeAll(20)).toBe(0);
      expect(await take(table)).toBe(200);
    });
  });

  it('comes again as the bucket fills, and not before', async () => {
    await onTable(async (table) => {
      for (const _ of times(rate.burst)) await take(table);
      const wait = await take(table);
      expect(wait).toBe(200);
      expect(await take(table, { now: NOW + wait - 1 })).toBeGreaterThan(0);
      expect(await take(table, { now: NOW + wait })).toBe(0);
      expect(await take(table, { now: NOW + wait })).toBeGreaterThan(0);
    });
  });

  it('is left to those who are more urgent', async () => {
    await onTable(async (table) => {
      for (const _ of times(rate.burst - 4)) await take(table);
      expect(await take(table, { leave: 4 })).toBe(200);
      expect(await take(table, { leave: 3 })).toBe(0);
      expect(await take(table)).toBe(0);
    });
  });

  it('counts for its API, account and Region alone', async () => {
    await onTable(async (table) => {
      for (const _ of times(rate.burst)) await take(table);
      expect(await take(table, { api: 'DeleteNetworkAclEntry' })).toBe(0);
      const elsewhere = { ...bucket, region: 'us-east-1' };
      expect(await takeTurn(table, elsewhere, NOW, bucketTimes(rate, 0, NOW))).toBe(0);
    });
  });

  it('is not had after a refusal until a token has come', async () => {
    await onTable(async (table) => {
      await noteRefusal(table, bucket, bucketTimes(rate, 0, NOW));
      expect(await take(table)).toBe(200);
      expect(await take(table, { now: NOW + 200 })).toBe(0);
    });
  });

  it('is not moved back by a refusal that is noted late', async () => {
    await onTable(async (table) => {
      await noteRefusal(table, bucket, bucketTimes(rate, 0, NOW + 1000));
      await noteRefusal(table, bucket, bucketTimes(rate, 0, NOW));
      expect(await take(table, { now: NOW + 1000 })).toBe(200);
    });
  });

  it('fails as the table fails', async () => {
    await onTable(async (table, bench) => {
      bench.fail(({ call }) => call === 'UpdateItem', refusedBy('AccessDeniedException'));
      await expect(take(table)).rejects.toThrow('AccessDeniedException');
      await expect(noteRefusal(table, bucket, bucketTimes(rate, 0, NOW))).rejects.toThrow('AccessDeniedException');
    });
  });
});
