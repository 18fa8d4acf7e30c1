import type { PacketRecord } from './conversation.ts';

/** Equal packets at equal distances: `count` of them, the first at `start`. */
export interface Run {
  readonly packet: PacketRecord;
  readonly start: number;
  period: number;
  count: number;
}

/** When the packets of one kind passed: `count` of them, `period` apart (any value for one). */
export interface Times {
  readonly start: number;
  readonly period: number;
  readonly count: number;
}

/** Adds packets to a run that goes on in step with them; false where it does not. */
export function extend(run: Run, { start, period, count }: Times): boolean {
  const step = run.count === 1 ? start - run.start : run.period;
  if (step <= 0 || (count > 1 && Math.abs(period - step) > 1e-6)) return false;
  if (Math.abs(run.start + run.count * step - start) > 1e-6) return false;
  run.period = step;
  run.count += count;
  return true;
}

export const lastOf = (run: Run): number => run.start + (run.count - 1) * run.period;

export function packetsBefore(run: Run, time: number): number {
  if (time <= run.start) return 0;
  return run.count === 1 ? 1 : Math.min(run.count, Math.ceil((time - run.start) / run.period - 1e-9));
}

/** The first packet of the run from a moment on; null where it has ended. */
export function firstFrom(run: Run, time: number): number | null {
  const before = packetsBefore(run, time);
  return before < run.count ? run.start + before * run.period : null;
}
