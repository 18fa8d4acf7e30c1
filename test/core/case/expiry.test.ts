import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  computeWait,
  type ExpiringFlow,
  LONGEST_WAIT_SECONDS,
  SETTLE_SECONDS,
} from '../../../functions/core/case/expiry.ts';

const theShell: ExpiringFlow = {
  protocol: 'tcp',
  tracking: {
    kind: 'tracked',
    because: 'no inbound rule permits every port',
    ruleIds: [],
    route: null,
    timeoutSeconds: 432_000,
    timeoutFrom: 'instance family',
  },
  evidence: 'none',
};

const tracked = (timeoutSeconds: number, change: Partial<ExpiringFlow> = {}): ExpiringFlow => ({
  ...theShell,
  ...change,
  tracking: { ...theShell.tracking, timeoutSeconds },
});

const wait = (...flows: readonly ExpiringFlow[]) => computeWait({ flows, establishedTimeoutSeconds: 432_000 });

describe('computeWait', () => {
  it('waits for the timer in force before, the retransmissions and a margin', () => {
    expect(wait(theShell)).toEqual({
      seconds: 432_000 + 925 + SETTLE_SECONDS,
      because:
        '1 of 1 flows has no host evidence: idle timer of 432000 s in force before, retransmissions and a margin',
    });
  });

  it("waits for the margin alone on the host's word for every flow", () => {
    expect(wait({ ...theShell, evidence: 'host' }, tracked(350, { evidence: 'host' })).seconds).toBe(SETTLE_SECONDS);
  });

  it('waits for the longest flow that the host does not answer for', () => {
    expect(wait({ ...theShell, evidence: 'host' }, tracked(350), tracked(180, { protocol: 'udp' })).seconds).toBe(
      350 + 925 + SETTLE_SECONDS,
    );
  });

  it('adds no retransmissions where the protocol has none', () => {
    expect(wait(tracked(180, { protocol: 'udp' }))).toMatchObject({
      seconds: 180 + SETTLE_SECONDS,
      because: expect.not.stringContaining('retrans'),
    });
    expect(wait(tracked(600, { protocol: 'icmp' })).seconds).toBe(600 + SETTLE_SECONDS);
    expect(wait(tracked(600, { protocol: '47' })).seconds).toBe(600 + SETTLE_SECONDS);
  });

  it('takes a flow of unknown protocol for TCP', () => {
    expect(wait(tracked(600, { protocol: 'unknown' })).seconds).toBe(600 + 925 + SETTLE_SECONDS);
  });

  it('waits for the margin alone where the swap cuts every flow', () => {
    const untracked: ExpiringFlow = {
      ...theShell,
      tracking: { ...theShell.tracking, kind: 'untracked', timeoutSeconds: 0 },
    };
    expect(wait(untracked).seconds).toBe(SETTLE_SECONDS);
    expect(wait(untracked, tracked(60)).seconds).toBe(60 + 925 + SETTLE_SECONDS);
  });

  it.each(['auto-tracked', 'unknown'] as const)('waits for an %s flow as for a tracked one', (kind) => {
    expect(wait({ ...theShell, tracking: { ...theShell.tracking, kind } }).seconds).toBe(432_925 + SETTLE_SECONDS);
  });

  it('takes the TCP timer where no flow is known', () => {
    expect(computeWait({ flows: [], establishedTimeoutSeconds: 350 })).toEqual({
      seconds: 350 + 925 + SETTLE_SECONDS,
      because: 'no flow is known, so any may be open: TCP timer of 350 s, retransmissions and a margin',
    });
  });

  it('gives whole seconds, at least the margin, at most a year, and never less for more unproven flows', () => {
    const flow = fc
      .record({
        timeout: fc.double({ min: 0, max: 1e9, noNaN: true }),
        protocol: fc.constantFrom('tcp', 'udp', 'icmp', 'unknown'),
        evidence: fc.constantFrom('host' as const, 'none' as const),
      })
      .map(({ timeout, ...rest }) => tracked(timeout, rest));
    fc.assert(
      fc.property(fc.array(flow, { minLength: 1, maxLength: 5 }), flow, (flows, extra) => {
        const { seconds, because } = wait(...flows);
        expect(Number.isInteger(seconds)).toBe(true);
        expect(seconds).toBeGreaterThanOrEqual(SETTLE_SECONDS);
        expect(seconds).toBeLessThanOrEqual(LONGEST_WAIT_SECONDS);
        expect(because).toMatch(/\w+/);
        expect(wait(...flows, extra).seconds).toBeGreaterThanOrEqual(seconds);
      }),
    );
  });
});
