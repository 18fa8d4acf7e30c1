import { setTimeouts } from '../aws/network-interfaces.ts';
import { unmodifiable } from '../core/case/assess.ts';
import { type BeforeInterface, beforeOf, restorableTimeouts, sameTimeouts, UNKNOWN_TYPE } from '../core/case/case.ts';
import { SHORTEST_TIMEOUTS } from '../core/case/expiry.ts';
import type { Control } from '../core/control.ts';
import type { TrackingTimeouts } from '../core/model.ts';
import type { Tools } from '../shared/toolbox.ts';
import { type InterfaceState, type InterfaceTools, interfaceGroups } from './interface-groups.ts';

type Before = Pick<BeforeInterface, 'networkInterfaceId' | 'timeouts' | 'instanceType' | 'defaultTimeouts'>;

const secondsText = (value: number | null): string => (value === null ? 'not set' : `${value} s`);

const timeoutsText = (timeouts: TrackingTimeouts): string =>
  `established ${secondsText(timeouts.tcpEstablishedSeconds)}, UDP ${secondsText(timeouts.udpSeconds)}, UDP stream ${secondsText(timeouts.udpStreamSeconds)}`;

/** What is set cannot be unset again. */
const NOT_SET_BEFORE = "not set before; now the instance family's default is";

const isSet = ({ timeouts }: Before): boolean => Object.values(timeouts).every((value) => value !== null);

/** Entries that only idle are forgotten as soon as they can be. */
export const interfaceTimers = {
  name: 'tracking timeouts',
  rateLimit: { ...interfaceGroups.rateLimit, canWait: true },
  permissions: interfaceGroups.permissions,
  targets: async ({ interfaces }) =>
    ((await interfaces?.()) ?? [])
      .filter((eni) => unmodifiable(eni) === null)
      .map((found) => ({ before: beforeOf(found, UNKNOWN_TYPE, ''), found })),
  item: ({ networkInterfaceId }) => `${networkInterfaceId} tracking timeouts`,
  read: ({ interfaceById }, { networkInterfaceId }) => interfaceById(networkInterfaceId),
  isApplied: (eni) => eni !== undefined && sameTimeouts(eni.timeouts, SHORTEST_TIMEOUTS),
  isOriginal: (eni, before) =>
    eni !== undefined &&
    (sameTimeouts(eni.timeouts, before.timeouts) || sameTimeouts(eni.timeouts, restorableTimeouts(before))),
  isGone: (eni) => eni === undefined,
  describe: (eni) => (eni === undefined ? 'no interface' : timeoutsText(eni.timeouts)),
  expected: () => timeoutsText(SHORTEST_TIMEOUTS),
  // Written by a run that died before it said so.
  remark: (eni, before) =>
    eni !== undefined && !isSet(before) && !sameTimeouts(eni.timeouts, before.timeouts) ? NOT_SET_BEFORE : null,
  // Configurable on Nitro instances only.
  apply: ({ ec2 }: Tools<'ec2'>, { networkInterfaceId }: Pick<Before, 'networkInterfaceId'>) =>
    setTimeouts(ec2, networkInterfaceId, SHORTEST_TIMEOUTS),
  undo: async ({ ec2 }, before) => {
    await setTimeouts(ec2, before.networkInterfaceId, restorableTimeouts(before));
    return isSet(before) ? null : NOT_SET_BEFORE;
  },
} satisfies Control<InterfaceTools, Before, InterfaceState>;
