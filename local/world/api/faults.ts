import { AwsError } from './errors.ts';
import type { Fault } from './shapes.ts';

/** The fault that the world holds for the n-th call of an API, if any. */
export function faultOf(faults: readonly Fault[], api: string, call: number): Fault | null {
  return faults.find((fault) => fault.Api === api && meetsCall(fault.Call, call)) ?? null;
}

function meetsCall(which: number | string, call: number): boolean {
  const text = String(which);
  const first = Number.parseInt(text, 10);
  return text.endsWith('+') ? call >= first : call === first;
}

export function faultError(fault: Fault): AwsError {
  return new AwsError(
    fault.Error,
    fault.AfterEffect === true ? 'injected fault: the answer was lost' : 'injected fault',
  );
}
