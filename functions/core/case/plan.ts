import type { Config } from '../config.ts';
import { hostAddress } from '../network/addresses.ts';
import { isOnlyOn } from '../network/isolation-rules.ts';
import { unmodifiable } from './assess.ts';
import type { CaseFlow, WantedDeny } from './case.ts';
import type { Facts, Surroundings } from './facts.ts';
import { nameSome } from './name-some.ts';
import type { PlannedChange } from './record.ts';

const end = (flow: CaseFlow): string =>
  `${flow.protocol} ${flow.remoteAddress}${flow.remotePort === null ? '' : `:${flow.remotePort}`}`;

interface PlanFacts extends Pick<Facts, 'instance' | 'interfaces' | 'acls'> {
  /** null = they could not be read. */
  readonly surroundings: Surroundings | null;
  /** Groups of ours with which an ENI is isolated already. */
  readonly isolating?: readonly string[];
  /** What the controls of the list say that they would change. */
  readonly controls?: readonly PlannedChange[];
  readonly config?: Pick<Config, 'deleteReplacedGroups' | 'releaseDenies'>;
}

/** Denies that a plan in the record of the state machine describes one by one: a large instance wants hundreds. */
export const RECORD_PLAN_DENIES = 12;

/**
 * What would be done, in the order in which it would be done, for a person to read and to decide on. Beyond `denyLimit` the
 * denies are one change, which names its peers and counts them.
 */
export function describePlan(
  facts: PlanFacts,
  flows: readonly CaseFlow[],
  denies: readonly WantedDeny[],
  denyLimit = Number.POSITIVE_INFINITY,
): readonly PlannedChange[] {
  const made = denies.filter((deny) => deny.ruleNumber !== null);
  return [
    ...made.slice(0, denyLimit).map((deny) => denyChange(facts, flows, deny)),
    ...otherDenies(made.slice(denyLimit)),
    hostChange(facts, flows),
    ...facts.interfaces.map((eni) => swapChange(facts, flows, eni)),
    ...facts.instance.secondaryInterfaces.map(({ id }) =>
      leftAlone(id, 'no security group and no network ACL reaches it'),
    ),
    ...(facts.controls ?? []),
    ...(made.length > 0 ? releaseChange(facts) : []),
    ...deletionChanges(facts),
  ];
}

function denyChange({ acls, surroundings }: PlanFacts, flows: readonly CaseFlow[], deny: WantedDeny): PlannedChange {
  const subnetIds = acls.find((candidate) => candidate.id === deny.aclId)?.subnetIds ?? [];
  const neighbours = (surroundings?.neighbours ?? [])
    .filter((neighbour) => subnetIds.includes(neighbour.subnetId))
    .map(({ instanceId, name }) => (name === null ? instanceId : `${instanceId} (${name})`));
  const address = hostAddress(deny.cidr);
  const cut = flows.filter((flow) => flow.remoteAddress === address && flow.crossesSubnetBoundary);
  return {
    change: `deny ${deny.cidr} ${deny.egress ? 'outbound' : 'inbound'} as rule ${deny.ruleNumber} of ${deny.aclId}`,
    why: 'a tracked flow ignores groups; a network ACL stops its packets at once',
    cuts: nameSome(cut.map(end), 'no flow that is known'),
    alsoHits: `${nameSome(subnetIds, 'the subnet')}: ${surroundings === null ? 'its instances could not be read' : nameSome(neighbours, 'no other instance')}`,
    undo: 'restore removes the entry when no other case needs it',
  };
}

function otherDenies(denies: readonly WantedDeny[]): readonly PlannedChange[] {
  if (denies.length === 0) return [];
  const peers = [...new Set(denies.map(({ cidr }) => cidr))];
  const acls = [...new Set(denies.map(({ aclId }) => aclId))];
  return [
    {
      change: `${denies.length} more denies, of ${nameSome(peers, '')}, at ${nameSome(acls, '')}`,
      why: 'as above, at every network ACL that the packets cross',
      cuts: 'the flows to these peers',
      alsoHits: 'every instance in the subnets of these network ACLs that talks to these peers',
      undo: 'restore removes the entries when no other case needs them',
    },
  ];
}

function hostChange({ instance }: PlanFacts, flows: readonly CaseFlow[]): PlannedChange {
  const addresses = [...new Set(flows.map((flow) => flow.remoteAddress))];
  const denied = addresses.length === 0 ? '' : `, deny ${nameSome(addresses, '')} in its firewall`;
  return {
    change: `on the host of ${instance.id}: list and close every established flow${denied}`,
    why: 'closing the socket is the one cut that also clears the tracking entry',
    cuts: nameSome(flows.map(end), 'whatever the host lists'),
    alsoHits: 'every session on the instance, but the agent and loopback',
    undo: 'restore removes the host firewall; closed connections stay closed',
  };
}

function leftAlone(id: string, why: string): PlannedChange {
  return { change: `${id}: left as it is`, why, cuts: 'nothing', alsoHits: 'nothing', undo: 'nothing to undo' };
}

function swapChange(
  { surroundings, isolating = [] }: PlanFacts,
  flows: readonly CaseFlow[],
  eni: Facts['interfaces'][number],
): PlannedChange {
  const objection = isOnlyOn(eni, isolating) ? 'it is isolated already' : unmodifiable(eni);
  if (objection !== null) return leftAlone(eni.id, objection);
  const carried = flows.filter((flow) => flow.interfaceIds.includes(eni.id));
  const untracked = carried.filter((flow) => flow.tracking.kind === 'untracked').map(end);
  const survive = carried.filter((flow) => flow.tracking.kind !== 'untracked').map(end);
  const users = (surroundings?.groupUsers ?? [])
    .filter((user) => user.groupIds.some((id) => eni.groupIds.includes(id)))
    .map((user) => user.instanceId ?? user.networkInterfaceId);
  return {
    change: `${eni.id}: replace ${eni.groupIds.join(', ')} by a group without rules; idle timeouts to 60/60/30 s`,
    why: 'blocks every new and every untracked flow',
    cuts: `${nameSome(untracked, 'no known flow')}${survive.length === 0 ? '' : `; ${nameSome(survive, '')} would go on by this alone`}`,
    alsoHits: `all traffic of the interface, the SSM agent included; not touched: ${nameSome(users, 'nobody else')}, which ${users.length === 1 ? 'uses' : 'use'} the same groups`,
    undo: 'restore puts back the groups in their order; timeouts once set are set to their former or default value',
  };
}

/** Only where it is opted in: the denies go again, on proof. */
function releaseChange({ config }: PlanFacts): readonly PlannedChange[] {
  if (config?.releaseDenies !== 'after-proof') return [];
  return [
    {
      change: 'the denies are removed again, once the host and a flow log both show every flow dead',
      why: 'ReleaseDenies is on: an entry that holds nothing takes room in the network ACL',
      cuts: 'nothing',
      alsoHits: 'every instance in the subnets may talk to these peers again',
      undo: 'none: start the response again to deny them',
    },
  ];
}

/** Only where it is opted in: one group each, with who else uses it now. */
function deletionChanges({ config, interfaces, surroundings, isolating = [] }: PlanFacts): readonly PlannedChange[] {
  if (config?.deleteReplacedGroups !== true) return [];
  const replaced = interfaces.filter((eni) => unmodifiable(eni) === null).flatMap((eni) => eni.groupIds);
  const groupIds = [...new Set(replaced)].filter((id) => !isolating.includes(id));
  return groupIds.map((id) => {
    const users = (surroundings?.groupUsers ?? [])
      .filter((user) => user.groupIds.includes(id))
      .map((user) => user.instanceId ?? user.networkInterfaceId);
    return {
      change:
        users.length > 0
          ? `security group ${id}: kept, for it is used by ${nameSome(users)}`
          : `security group ${id}: deleted once the instance is contained, where nothing holds or references it then`,
      why: 'DeleteReplacedGroups is on: what nobody uses any more is cleaned up',
      cuts: 'nothing',
      alsoHits: 'nothing: the default group, and one that anything holds or references, is kept',
      undo: users.length > 0 ? 'nothing to undo' : 'restore makes it again with its rules and tags, under another id',
    };
  });
}
