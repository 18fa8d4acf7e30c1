import { CASE_TAG } from '../../../functions/core/case/evidence.ts';
import type { Interceptor } from '../../../local/world/api/middleware.ts';
import type { IpPermission, NetworkAclEntry } from '../../../local/world/api/shapes.ts';
import type { WorldFile } from '../../../local/world/parse-world.ts';

/** What must hold at every moment of a run, looked at after each call: nothing is ever more open than it was found. */
export interface Watch extends Interceptor {
  readonly breaches: readonly string[];
}

const CHANGES_NOTHING = /^(Describe|Get|List|Search|Filter)/;

/** One line per source or destination of a rule; equal lines mean equal permissions. */
function permissionLines(direction: 'in' | 'out', permissions: readonly IpPermission[]): string[] {
  return permissions.flatMap((one) => {
    const peers = [
      ...(one.IpRanges ?? []).map((range) => range.CidrIp),
      ...(one.Ipv6Ranges ?? []).map((range) => range.CidrIpv6),
      ...(one.PrefixListIds ?? []).map((list) => list.PrefixListId),
      ...(one.UserIdGroupPairs ?? []).map((pair) => pair.GroupId),
    ];
    return peers.map((peer) => `${direction} ${one.IpProtocol} ${one.FromPort ?? -1}-${one.ToPort ?? -1} ${peer}`);
  });
}

/** What the merged groups of each ENI permit. */
function permissionsOf(world: WorldFile): Map<string, ReadonlySet<string>> {
  const byGroup = new Map(
    world.SecurityGroups.map((group) => [
      group.GroupId,
      [...permissionLines('in', group.IpPermissions), ...permissionLines('out', group.IpPermissionsEgress)],
    ]),
  );
  return new Map(
    world.NetworkInterfaces.map((eni) => [
      eni.NetworkInterfaceId,
      new Set(eni.Groups.flatMap(({ GroupId }) => byGroup.get(GroupId) ?? [])),
    ]),
  );
}

const entryLine = (entry: NetworkAclEntry): string =>
  [
    entry.Egress ? 'out' : 'in',
    entry.RuleNumber,
    entry.RuleAction,
    entry.Protocol,
    entry.CidrBlock ?? entry.Ipv6CidrBlock,
    entry.PortRange?.From ?? '',
    entry.PortRange?.To ?? '',
  ].join(' ');

export const aclLines = (world: WorldFile): Map<string, string[]> =>
  new Map(world.NetworkAcls.map((acl) => [acl.NetworkAclId, acl.Entries.map(entryLine).sort()]));

/** Groups of each ENI in their order. */
export const groupLines = (world: WorldFile): Map<string, string> =>
  new Map(
    world.NetworkInterfaces.map((eni) => [eni.NetworkInterfaceId, eni.Groups.map(({ GroupId }) => GroupId).join(' ')]),
  );

/** Parts of the network that a response has no business with. */
const untouched = (world: WorldFile): string =>
  JSON.stringify([
    world.RouteTables,
    world.Subnets,
    world.Vpcs,
    world.FlowLogs.filter(({ Tags = [] }) => Tags.every(({ Key }) => Key !== CASE_TAG)),
    world.ManagedPrefixLists,
  ]);

/** Groups that were there before, but for one that is the responder's own. */
function foreignGroups(world: WorldFile, ids: ReadonlySet<string>): string {
  const groups = world.SecurityGroups.filter((one) => ids.has(one.GroupId));
  return JSON.stringify(groups.map((one) => [one.GroupId, one.IpPermissions, one.IpPermissionsEgress]));
}

const isOurs = (group: WorldFile['SecurityGroups'][number]): boolean =>
  group.Tags?.some((tag) => tag.Key === 'flowcut:purpose') === true;

/** The before-state of an ENI in the case table, as its group ids. */
function recordedGroups(table: readonly Record<string, unknown>[], interfaceId: string): string | null {
  const item = table.find((one) => one['sk'] === `BEFORE#${interfaceId}`);
  if (item === undefined) return null;
  const { groupIds } = JSON.parse(String(item['before'])) as { groupIds: readonly string[] };
  return groupIds.join(' ');
}

export function watch(world: WorldFile, table: () => readonly Record<string, unknown>[]): Watch {
  const breaches: string[] = [];
  const permissions = permissionsOf(world);
  const entries = aclLines(world);
  const groups = groupLines(world);
  const rest = untouched(world);
  const foreign = new Set(world.SecurityGroups.filter((one) => !isOurs(one)).map((one) => one.GroupId));
  const foreignRules = foreignGroups(world, foreign);

  function lookAtInterfaces(when: string): void {
    for (const [id, permitted] of permissionsOf(world)) {
      const more = [...permitted].filter((line) => permissions.get(id)?.has(line) !== true);
      if (more.length > 0) breaches.push(`${when}: ${id} is more open than it was found: ${more.join('; ')}`);
    }
    if (foreignGroups(world, foreign) !== foreignRules)
      breaches.push(`${when}: a group that was there before has changed`);
  }

  function lookAtAcls(when: string): void {
    for (const [id, lines] of aclLines(world)) {
      const before = entries.get(id) ?? [];
      const added = lines.filter((line) => !before.includes(line));
      const allows = added.filter((line) => line.includes(' allow '));
      const lost = before.filter((line) => !lines.includes(line));
      if (allows.length > 0) breaches.push(`${when}: ${id} got an allow: ${allows.join('; ')}`);
      if (lost.length > 0) breaches.push(`${when}: ${id} lost what was there before: ${lost.join('; ')}`);
    }
  }

  return {
    breaches,
    before({ call, input }) {
      const given = input as { NetworkInterfaceId?: string; Groups?: readonly string[] };
      if (call !== 'ModifyNetworkInterfaceAttribute' || given.Groups === undefined) return;
      const id = given.NetworkInterfaceId ?? '';
      const recorded = recordedGroups(table(), id);
      if (recorded !== groups.get(id)) {
        breaches.push(`groups of ${id} are changed, and the case table holds ${recorded} instead of ${groups.get(id)}`);
      }
    },
    after({ service, call, number }) {
      if (service !== 'ec2' || CHANGES_NOTHING.test(call)) return;
      const when = `after ${call} ${number}`;
      lookAtInterfaces(when);
      lookAtAcls(when);
      if (untouched(world) !== rest) breaches.push(`${when}: routes, subnets or flow logs have changed`);
    },
  };
}
