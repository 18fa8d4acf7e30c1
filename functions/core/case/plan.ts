import { hostAddress } from '../network/addresses.ts';
import { isOnlyOn } from '../network/isolation-rules.ts';
import { unmodifiable } from './assess.ts';
import type { CaseFlow, WantedDeny } from './case.ts';
import type { Facts, Surroundings } from './facts.ts';
import type { PlannedChange } from './record.ts';

/** Names in one line before the rest is counted. */
const NAME_LIMIT = 6;

function names(words: readonly string[], none: string): string {
  if (words.length === 0) return none;
  const shown = words.slice(0, NAME_LIMIT).join(', ');
  return words.length <= NAME_LIMIT ? shown : `${shown} and ${words.length - NAME_LIMIT} more`;
}

const end = (flow: CaseFlow): string =>
  `${flow.protocol} ${flow.remoteAddress}${flow.remotePort === null ? '' : `:${flow.remotePort}`}`;

interface PlanFacts extends Pick<Facts, 'instance' | 'interfaces' | 'acls'> {
  /** null = they could not be read. */
  readonly surroundings: Surroundings | null;
  /** Groups of ours with which an ENI is isolated already. */
  readonly isolating?: readonly string[];
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
    evidenceChange(facts),
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
    cuts: names(cut.map(end), 'no flow that is known'),
    alsoHits: `${names(subnetIds, 'the subnet')}: ${surroundings === null ? 'its instances could not be read' : names(neighbours, 'no other instance')}`,
    undo: 'restore removes the entry when no other case needs it',
  };
}

function otherDenies(denies: readonly WantedDeny[]): readonly PlannedChange[] {
  if (denies.length === 0) return [];
  const peers = [...new Set(denies.map(({ cidr }) => cidr))];
  const acls = [...new Set(denies.map(({ aclId }) => aclId))];
  return [
    {
      change: `${denies.length} more denies, of ${names(peers, '')}, at ${names(acls, '')}`,
      why: 'as above, at every network ACL that the packets cross',
      cuts: 'the flows to these peers',
      alsoHits: 'every instance in the subnets of these network ACLs that talks to these peers',
      undo: 'restore removes the entries when no other case needs them',
    },
  ];
}

function hostChange({ instance }: PlanFacts, flows: readonly CaseFlow[]): PlannedChange {
  const addresses = [...new Set(flows.map((flow) => flow.remoteAddress))];
  const denied = addresses.length === 0 ? '' : `, deny ${names(addresses, '')} in its firewall`;
  return {
    change: `on the host of ${instance.id}: list and close every established flow${denied}`,
    why: 'closing the socket is the one cut that also clears the tracking entry',
    cuts: names(flows.map(end), 'whatever the host lists'),
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
    cuts: `${names(untracked, 'no known flow')}${survive.length === 0 ? '' : `; ${names(survive, '')} would go on by this alone`}`,
    alsoHits: `all traffic of the interface, the SSM agent included; not touched: ${names(users, 'nobody else')}, which ${users.length === 1 ? 'uses' : 'use'} the same groups`,
    undo: 'restore puts back the groups in their order; timeouts once set are set to their former or default value',
  };
}

function evidenceChange({ instance }: PlanFacts): PlannedChange {
  const protection = instance.spot ? 'no protection (a Spot instance has none)' : 'termination and stop protection on';
  return {
    change: `${instance.id}: Auto Scaling standby, out of its target groups, ${protection}, volumes kept, tags, snapshots`,
    why: 'an isolated instance fails its health checks, and its Auto Scaling group would destroy it',
    cuts: 'nothing',
    alsoHits: 'the Auto Scaling group launches a replacement',
    undo: 'restore gives it back to its group and balancers; snapshots stay',
  };
}
