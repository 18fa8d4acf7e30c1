import { setGroups } from '../aws/network-interfaces.ts';
import { unmodifiable } from '../core/case/assess.ts';
import { type BeforeInterface, beforeOf, sameList, UNKNOWN_TYPE } from '../core/case/case.ts';
import { groupsItem } from '../core/case/restore-items.ts';
import type { Control } from '../core/control.ts';
import type { NetworkInterfaceFacts } from '../core/model.ts';
import type { RunnerTools } from '../shared/control-runner.ts';
import type { Tools } from '../shared/toolbox.ts';

/** An interface may be gone. */
export type InterfaceState = NetworkInterfaceFacts | undefined;

export type InterfaceTools = Tools<'ec2'> &
  RunnerTools & {
    readonly interfaceById: (id: string) => Promise<InterfaceState>;
    /** Interfaces of the instance, and the group that isolates in each VPC. A restore needs neither. */
    readonly interfaces?: () => Promise<readonly NetworkInterfaceFacts[]>;
    readonly isolationGroup?: (vpcId: string) => Promise<string>;
  };

/** An interface as it was found, and by what it is isolated. The case table has the first part. */
export interface GroupsBefore
  extends Pick<BeforeInterface, 'networkInterfaceId' | 'groupIds' | 'recordedAt' | 'earlier'> {
  /** What it is given. */
  readonly isolation: readonly string[];
  /** Groups with which interfaces were isolated, by this case or another. */
  readonly ours: readonly string[];
}

/** Whoever gives back what somebody has set between two isolations says what was there before that. */
function foundTwice({ groupIds, recordedAt, earlier = [] }: GroupsBefore): string | null {
  const first = earlier.at(-1);
  if (first === undefined || sameList(first.groupIds, groupIds)) return null;
  const then = `${first.groupIds.join(', ')} at ${first.recordedAt}`;
  return `as found at ${recordedAt}, after the isolation had been undone by hand; before that it was found with ${then}`;
}

/** Every interface that can be modified gets the isolation group, which has no rule. */
export const interfaceGroups = {
  name: 'interface groups',
  rateLimit: { read: 'DescribeNetworkInterfaces', write: 'ModifyNetworkInterfaceAttribute' },
  permissions: [
    {
      sid: 'Look',
      for: 'look',
      actions: ['ec2:DescribeNetworkInterfaces'],
      resources: ['*'],
      why: 'the groups of an interface',
    },
    ...(['take', 'undo'] as const).map((direction) => ({
      sid: 'SwapGroupsAndTimeouts',
      for: direction,
      actions: ['ec2:ModifyNetworkInterfaceAttribute'],
      resources: ['arn:aws:ec2:*:*:network-interface/*', 'arn:aws:ec2:*:*:security-group/*'],
      why: "an interface's groups",
    })),
  ],
  targets: async ({ interfaces, isolationGroup }) => {
    const found = (await interfaces?.()) ?? [];
    return Promise.all(
      found.map(async (eni) => {
        const reason = unmodifiable(eni);
        if (reason !== null) return { item: groupsItem(eni.id), outcome: 'not-possible' as const, reason };
        const isolation = isolationGroup === undefined ? [] : [await isolationGroup(eni.vpcId)];
        return { before: { ...beforeOf(eni, UNKNOWN_TYPE, ''), isolation, ours: isolation }, found: eni };
      }),
    );
  },
  item: ({ networkInterfaceId }) => groupsItem(networkInterfaceId),
  read: ({ interfaceById }, { networkInterfaceId }) => interfaceById(networkInterfaceId),
  isApplied: (eni, { ours }) => eni?.groupIds.every((id) => ours.includes(id)) ?? false,
  isOriginal: (eni, { groupIds }) => eni !== undefined && sameList(eni.groupIds, groupIds),
  isGone: (eni) => eni === undefined,
  describe: (eni) => eni?.groupIds.join(', ') ?? 'no interface',
  expected: () => 'the isolation group',
  // The swap calls this for all interfaces at once: it reads back the whole picture, and records before the first cut.
  apply: (
    { ec2 }: Tools<'ec2'>,
    { networkInterfaceId, isolation }: Pick<GroupsBefore, 'networkInterfaceId' | 'isolation'>,
  ) => setGroups(ec2, networkInterfaceId, isolation),
  undo: async ({ ec2 }, before) => {
    await setGroups(ec2, before.networkInterfaceId, before.groupIds);
    return foundTwice(before);
  },
} satisfies Control<InterfaceTools, GroupsBefore, InterfaceState>;
