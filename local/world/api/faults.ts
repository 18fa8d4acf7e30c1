import { AwsError } from './errors.ts';
import type { ServiceName } from './sdk.ts';
import type { Fault } from './shapes.ts';

/** The fault that the world holds for the n-th call of an API, or for its service at this moment, if any. */
export function faultOf(
  faults: readonly Fault[],
  { service, api, call, at }: { service: ServiceName; api: string; call: number; at: number },
): Fault | null {
  return (
    faults.find((fault) =>
      fault.Service === undefined ? meetsCall(fault, api, call) : isOut(fault, service, api, at),
    ) ?? null
  );
}

function meetsCall({ Api, Call }: Fault, api: string, call: number): boolean {
  if (Api !== api) return false;
  const text = String(Call ?? 1);
  const first = Number.parseInt(text, 10);
  return text.endsWith('+') ? call >= first : call === first;
}

/** An outage: every call of the service, or of the one API that it names beside it. */
function isOut(
  { Service, Api, FromSeconds = 0, ToSeconds }: Fault,
  service: ServiceName,
  api: string,
  at: number,
): boolean {
  const isMeant = Service === service && (Api === undefined || Api === api);
  return isMeant && at >= FromSeconds && at < (ToSeconds ?? Number.POSITIVE_INFINITY);
}

export function faultError(fault: Fault): AwsError {
  return new AwsError(
    fault.Error,
    fault.AfterEffect === true ? 'injected fault: the answer was lost' : 'injected fault',
  );
}
