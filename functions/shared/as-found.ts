import { readBefore } from '../aws/case-table/before-states.ts';
import { errorText } from '../aws/errors.ts';
import { type BeforeInterface, type CaseDocument, caseIdOf, sameTimeouts } from '../core/case/case.ts';
import { SHORTEST_TIMEOUTS } from '../core/case/expiry.ts';
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

/**
 * The before-states, of an ENI that this case found still isolated by an earlier one as that one found it: it was out of reach
 * when that one was restored.
 */
export async function asFoundFirst(
  tools: Tools<'cases'>,
  { accountId, region, instanceId, generation }: CaseDocument,
  before: readonly BeforeInterface[],
  isolation: readonly string[],
): Promise<readonly BeforeInterface[]> {
  const isOurWork = ({ groupIds }: BeforeInterface): boolean =>
    groupIds.length > 0 && groupIds.every((id) => isolation.includes(id));
  let states = before;
  for (let earlier = generation - 1; earlier > 0 && states.some(isOurWork); earlier -= 1) {
    const found = await readBefore(tools.cases, caseIdOf({ accountId, region, instanceId, generation: earlier }));
    states = states.map((state) => {
      const first = isOurWork(state) && found.find((one) => one.networkInterfaceId === state.networkInterfaceId);
      if (!first) return state;
      const timeouts = sameTimeouts(state.timeouts, SHORTEST_TIMEOUTS) ? first.timeouts : state.timeouts;
      return { ...state, groupIds: first.groupIds, timeouts };
    });
  }
  return states;
}
