import { readBefore } from '../aws/case-table/before-states.ts';
import { errorText } from '../aws/errors.ts';
import type { Facts } from '../core/case/facts.ts';
import type { TrackingTimeouts } from '../core/model.ts';
import type { Tools } from './toolbox.ts';

const NOT_SET: TrackingTimeouts = { tcpEstablishedSeconds: null, udpSeconds: null, udpStreamSeconds: null };

/**
 * Gives facts the tracking timers that were in force before the response shortened them: an entry that was made before then
 * may still have those. Where the records cannot be read, the timers count as not set, which is the family's default.
 */
export async function timersAsFound(tools: Tools<'cases'>, caseId: string): Promise<(facts: Facts) => Facts> {
  try {
    const before = await readBefore(tools.cases, caseId);
    const recorded = new Map(before.map((eni) => [eni.networkInterfaceId, eni.timeouts]));
    return (facts) => withTimeouts(facts, ({ id, timeouts }) => recorded.get(id) ?? timeouts);
  } catch (error) {
    tools.log.warn('the timers before the isolation cannot be read', { caseId, error: errorText(error) });
    return (facts) => withTimeouts(facts, () => NOT_SET);
  }
}

const withTimeouts = (facts: Facts, timeoutsOf: (eni: Facts['interfaces'][number]) => TrackingTimeouts): Facts => ({
  ...facts,
  interfaces: facts.interfaces.map((eni) => ({ ...eni, timeouts: timeoutsOf(eni) })),
});
