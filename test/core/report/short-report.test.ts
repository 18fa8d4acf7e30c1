import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quietReport, type Report } from '../../../functions/core/report/report.ts';
import { shortReport } from '../../../functions/core/report/short-report.ts';

const theReport: Report = {
  ...quietReport({ caseId: 'case-1', instanceId: 'i-1', verdict: 'refused', reason: 'because' }),
  verdict: 'held',
};
const deny = (number: number) => ({
  NetworkAclId: 'acl-1',
  RuleNumber: number,
  Egress: false,
  Cidr: `198.51.100.${number}/32`,
});
const skip = (number: number) => ({ id: `eni-${number}`, reason: 'requester-managed' });
const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

describe('the report that the state machine carries', () => {
  it('is the whole one where that is short enough', () => {
    const report = { ...theReport, held: [deny(1)], leftOpen: ['instance metadata'] };

    expect(shortReport(report, 1000, 'elsewhere')).toEqual(report);
  });

  it('has the beginning of a long list, counts the rest and says where it is', () => {
    const held = Array.from({ length: 100 }, (_, index) => deny(index));

    const short = shortReport({ ...theReport, held, skipped: [skip(1)] }, 1000, 'in the case table');

    expect(short.held).toEqual(held.slice(0, short.held.length));
    expect(short.held.length).toBeGreaterThan(5);
    expect(short.skipped).toEqual([skip(1)]);
    expect(short.more).toEqual([`and ${100 - short.held.length} more denies that stand: in the case table`]);
  });

  it('gives long lists an equal share, and to them what a short one leaves', () => {
    const held = Array.from({ length: 100 }, (_, index) => deny(index));
    const skipped = Array.from({ length: 100 }, (_, index) => skip(index));

    const short = shortReport({ ...theReport, held, skipped, leftOpen: ['instance metadata'] }, 4000, 'elsewhere');

    for (const list of [short.held, short.skipped]) {
      expect(bytesOf(list)).toBeGreaterThan(1800);
      expect(bytesOf(list)).toBeLessThan(2100);
    }
    expect(short.more).toHaveLength(2);
  });

  it('keeps within its size and counts every entry, whatever the lists are', () => {
    const texts = fc.array(fc.string({ unit: 'binary', maxLength: 200 }), { maxLength: 60 });
    fc.assert(
      fc.property(texts, texts, fc.integer({ min: 0, max: 8000 }), (leftOpen, lastResort, bytes) => {
        const short = shortReport({ ...theReport, leftOpen, lastResort }, bytes, 'elsewhere');

        expect(bytesOf([...short.leftOpen, ...short.lastResort])).toBeLessThanOrEqual(bytes + 2);
        const counted = short.more.reduce((sum, line) => sum + Number(/^and (\d+) more/.exec(line)?.[1]), 0);
        expect(short.leftOpen.length + short.lastResort.length + counted).toBe(leftOpen.length + lastResort.length);
      }),
    );
  });
});
