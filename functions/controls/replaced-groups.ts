import { casesNeedingGroup, readSuccessor, recordSuccessor } from '../aws/case-table/groups.ts';
import { errorText } from '../aws/errors.ts';
import {
  deleteGroup,
  hasTaggedRules,
  lostTags,
  type RecordedGroup,
  readGroup,
  recreateGroup,
  refillGroup,
  usersOfGroup,
} from '../aws/replaced-groups.ts';
import type { Control, ControlPermission, Target } from '../core/control.ts';
import type { RunnerTools } from '../shared/control-runner.ts';
import { once } from '../shared/once.ts';
import type { Tools } from '../shared/toolbox.ts';

/** Until EC2 knows a group that was just created. */
const GROUP_SETTLE_SECONDS = 2;

/** The id under which a group stands: its own, or that of the one that was made again with all its rules. null = none. */
type State = string | null;

/** A group that was made again, or why it could not be. */
type Made = { readonly id: string } | { readonly error: unknown };

export type GroupTools = Tools<'ec2' | 'cases'> &
  RunnerTools & {
    readonly caseId: string;
    /** Groups that the isolation has replaced. */
    readonly groupIds: readonly string[];
    /** Groups that the case has recorded, and deleted or was about to. */
    readonly recorded: readonly RecordedGroup[];
    /** Makes all of them again, without their rules. */
    readonly remade: () => Promise<ReadonlyMap<string, Made>>;
  };

/** The tools for the groups of one case; groups are made again when the first of them is asked for. */
export function groupTools(
  tools: Tools<'ec2' | 'cases'>,
  known: Pick<GroupTools, 'caseId' | 'groupIds' | 'recorded'>,
): GroupTools {
  return { ...tools, ...known, remade: once(() => makeAll(tools, known)) };
}

/** The name by which plan, report and restore tell of a group. */
export const groupItem = ({ groupId, name }: Pick<RecordedGroup, 'groupId' | 'name'>): string =>
  `security group ${groupId}${name === '' ? '' : ` (${name})`}`;

const permission = (
  direction: ControlPermission['for'],
  sid: string,
  actions: readonly string[],
  why: string,
  resources = ['arn:aws:ec2:*:*:security-group/*'],
): ControlPermission => ({ sid, for: direction, actions, resources, why });

/** Clean-up, not a cut: a group that the isolation has replaced goes when nobody holds or references it. */
export const replacedGroups: Control<GroupTools, RecordedGroup, State> = {
  name: 'replaced groups',
  atOnce: 16,
  // What somebody has made again since may hold more than the record: it is theirs.
  once: true,
  permissions: [
    permission(
      'look',
      'Look',
      ['ec2:DescribeNetworkInterfaces', 'ec2:DescribeSecurityGroupRules', 'ec2:DescribeSecurityGroups'],
      'the group whole, and who holds or references it',
      ['*'],
    ),
    permission('take', 'DeleteReplacedGroups', ['ec2:DeleteSecurityGroup'], 'only with DeleteReplacedGroups'),
    permission(
      'undo',
      'MakeDeletedGroupsAgain',
      [
        'ec2:AuthorizeSecurityGroupEgress',
        'ec2:AuthorizeSecurityGroupIngress',
        'ec2:CreateSecurityGroup',
        'ec2:RevokeSecurityGroupEgress',
      ],
      'groups that a case deleted, from the record',
    ),
    {
      ...permission('undo', 'TagGroupsAgain', ['ec2:CreateTags'], 'only while making them'),
      condition: 'StringEquals ec2:CreateAction: CreateSecurityGroup',
    },
  ],
  targets: (tools) => Promise.all(tools.groupIds.map((groupId) => targetOf(tools, groupId))),
  item: groupItem,
  read: async ({ ec2, cases, caseId }, { groupId }) => {
    const known = (await readSuccessor(cases, caseId, groupId)) ?? groupId;
    return (await readGroup(ec2, known)) === null ? null : known;
  },
  isApplied: (id) => id === null,
  // It stands: its deletion failed, or it was made again with all its rules.
  isOriginal: (id) => id !== null,
  describe: (id) => (id === null ? 'no group' : `the group ${id}`),
  expected: () => 'no group',
  apply: ({ ec2 }, { groupId }) => deleteGroup(ec2, groupId),
  undo: async (tools, group) => {
    const all = await tools.remade();
    const made = all.get(group.groupId) ?? { error: new Error('it is not in the record of the case') };
    if ('error' in made) throw made.error;
    const successors = new Map([...all].flatMap(([id, one]) => ('id' in one ? [[id, one.id] as const] : [])));
    const goneGroups = await refillGroup(tools.ec2, made.id, group, successors);
    await recordSuccessor(tools.cases, tools.caseId, group.groupId, made.id);
    const lost = lostTags(group);
    return [
      `its id is ${made.id} now`,
      ...(lost.length === 0 ? [] : [`without ${lost.join(', ')}, which AWS alone can set`]),
      ...(goneGroups.length === 0 ? [] : [`without its rules for ${goneGroups.join(', ')}, which is there no more`]),
    ].join('; ');
  },
};

/** A group that may be deleted, or why it is kept. */
async function targetOf(tools: GroupTools, groupId: string): Promise<Target<RecordedGroup, State>> {
  const { ec2, cases, caseId, recorded } = tools;
  const known = recorded.find((one) => one.groupId === groupId);
  const item = groupItem(known ?? { groupId, name: '' });
  const kept = (reason: string) => ({ item, outcome: 'not-possible', reason }) as const;
  try {
    const group = await readGroup(ec2, groupId);
    if (group === null) {
      // Deleted by an earlier run of ours, which died before it said so, or by somebody else.
      return known === undefined
        ? { item, outcome: 'already', reason: 'it is gone, and not by this case' }
        : { before: known, found: null };
    }
    if (group.name === 'default') return kept('the default group of a VPC cannot be deleted');
    const users = await usersOfGroup(ec2, groupId);
    if (users.length > 0) return kept(`used by ${users.slice(0, 3).join(', ')}`);
    const needing = (await casesNeedingGroup(cases, groupId)).filter((id) => id !== caseId);
    if (needing.length > 0) return kept(`the restore of ${needing.slice(0, 3).join(', ')} needs it`);
    if (await hasTaggedRules(ec2, groupId)) return kept('its rules carry tags, which a restore could not give back');
    return { before: group, found: groupId };
  } catch (error) {
    return kept(errorText(error));
  }
}

/** All recorded groups, made again without their rules: the rules come when all stand, for they may reference each other. */
async function makeAll(
  tools: Tools<'ec2' | 'cases'>,
  { caseId, recorded }: Pick<GroupTools, 'caseId' | 'recorded'>,
): Promise<ReadonlyMap<string, Made>> {
  const made = new Map<string, Made>();
  let isAnyNew = false;
  for (const group of recorded) {
    try {
      // Another restore at the same time may have been faster, and what it made is not seen at once.
      const { id, isNew } = await makeGroup(tools, caseId, group).catch(async () => {
        await tools.sleep(GROUP_SETTLE_SECONDS);
        return makeGroup(tools, caseId, group);
      });
      isAnyNew ||= isNew;
      made.set(group.groupId, { id });
    } catch (error) {
      made.set(group.groupId, { error });
    }
  }
  if (isAnyNew) await tools.sleep(GROUP_SETTLE_SECONDS);
  return made;
}

/** Makes a deleted group again, without its rules, unless an earlier run has, or it stands since its deletion failed. */
async function makeGroup(
  { ec2, cases }: Tools<'ec2' | 'cases'>,
  caseId: string,
  group: RecordedGroup,
): Promise<{ readonly id: string; readonly isNew: boolean }> {
  const known = (await readSuccessor(cases, caseId, group.groupId)) ?? group.groupId;
  if ((await readGroup(ec2, known)) !== null) return { id: known, isNew: false };
  return { id: await recreateGroup(ec2, group), isNew: true };
}

/** The ids that deleted groups have now, by the ids that they had: of those that stand with all their rules. */
export async function successorsOf(tools: GroupTools): Promise<ReadonlyMap<string, string>> {
  const found = await Promise.all(
    tools.recorded.map(async (group) => [group.groupId, await replacedGroups.read(tools, group)] as const),
  );
  return new Map(found.flatMap(([old, now]) => (now === null ? [] : [[old, now] as const])));
}
