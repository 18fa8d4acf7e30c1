import { readBefore } from '../aws/case-table/before-states.ts';
import { errorText } from '../aws/errors.ts';
import type { Facts } from '../core/case/facts.ts';
import type { TrackingTimeouts } from '../core/model.ts';
import type { Tools } from './toolbox.ts';

const NOT_SET: TrackingTimeouts = { tcpEstablishedSeconds: null, udpSeconds: null, udpStreamSeconds: null };

/**
 * Gives facts the tracking timers that were in force before the response shortened them: an entry that was made before then
 * may still have those. One that was raised since counts too. Where the records cannot be read, the timers count as not set,
 * which is the default of the instance type.
 */
export async function timersAsFound(tools: Tools<'cases'>, caseId: string): Promise<(facts: Facts) => Facts> {
  try {
    const before = await readBefore(tools.cases, caseId);
    const recorded = new Map(before.map((eni) => [eni.networkInterfaceId, eni.timeouts]));
    return (facts) => withTimeouts(facts, ({ id, timeouts }) => longer(recorded.get(id) ?? timeouts, timeouts));
  } catch (error) {
    tools.log.warn('the timers before the isolation cannot be read', { caseId, error: errorText(error) });
    return (facts) => withTimeouts(facts, () => NOT_SET);
  }
}

const larger = (recorded: number | null, shown: number | null): number | null =>
  recorded === null || shown === null ? recorded : Math.max(recorded, shown);

const longer = (recorded: TrackingTimeouts, shown: TrackingTimeouts): TrackingTimeouts => ({
  tcpEstablishedSeconds: larger(recorded.tcpEstablishedSeconds, shown.tcpEstablishedSeconds),
  udpSeconds: larger(recorded.udpSeconds, shown.udpSeconds),
  udpStreamSeconds: larger(recorded.udpStreamSeconds, shown.udpStreamSeconds),
});

const withTimeouts = (facts: Facts, timeoutsOf: (eni: Facts['interfaces'][number]) => TrackingTimeouts): Facts => ({
  ...facts,
  interfaces: facts.interfaces.map((eni) => ({ ...eni, timeouts: timeoutsOf(eni) })),
});
