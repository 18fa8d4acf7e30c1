import type { Config } from '../config.ts';
import type { CaseRequest } from '../intake/intake-types.ts';
import type { AclFacts, KnownFlow, NetworkInterfaceFacts } from '../model.ts';
import { denyEntry, planDeny } from '../network/acl-numbers.ts';
import { hostCidr } from '../network/addresses.ts';
import { admits } from '../network/isolation-rules.ts';
import { compilePaths, routeTableOf } from '../network/routes.ts';
import { compileTracking, type TrackingVerdict } from '../network/tracking.ts';
import { AUTOMATIC_INTERFACE_TYPES, type AutomaticPath } from '../network/tracking-data.ts';
import { askedAddresses, type CaseFlow, type DenyRefusal, flowId, type WantedDeny } from './case.ts';
import type { Facts, SecondaryInterface } from './facts.ts';

/** May this instance be touched at all? null = yes, otherwise the reason for a person. */
export function refusal(request: CaseRequest, facts: Facts, config: Config): string | null {
  const { instance } = facts;
  if (instance.state === 'terminated' || instance.state === 'shutting-down') {
    return `instance ${instance.id} is ${instance.state}: there is nothing left to contain`;
  }
  // The mere presence of the tag exempts, whatever its value: `flowcut:exempt=false` is more likely an oversight than a wish.
  if (config.exemptTag in instance.tags) return `instance ${instance.id} carries the exempt tag ${config.exemptTag}`;
  if (instance.accountId !== null && instance.accountId !== config.accountId) {
    return `instance ${instance.id} belongs to account ${instance.accountId}, this responder acts in ${config.accountId}`;
  }
  return placeRefusal(request, config) ?? borderRefusal(instance.id, facts.interfaces, config);
}

/**
 * Why an instance is out of bounds: all of its interfaces have to be in the VPCs that the deployment names. null = they are,
 * or it names none.
 */
export function borderRefusal(
  instanceId: string,
  interfaces: readonly Pick<NetworkInterfaceFacts, 'id' | 'vpcId'>[],
  { vpcIds }: Pick<Config, 'vpcIds'>,
): string | null {
  const outside = interfaces.filter((eni) => !isInBounds(eni, vpcIds));
  const [first] = outside;
  if (first === undefined) return null;
  const others = outside.length > 1 ? ` (and ${outside.length - 1} more of its interfaces are outside too)` : '';
  return `interface ${first.id} of instance ${instanceId} is in ${first.vpcId}, and this responder may change nothing there: VpcIds names ${vpcIds.join(', ')}${others}`;
}

/** `vpcIds`: empty = every VPC. */
export const isInBounds = ({ vpcId }: Pick<NetworkInterfaceFacts, 'vpcId'>, vpcIds: Config['vpcIds']): boolean =>
  vpcIds.length === 0 || vpcIds.includes(vpcId);

/** A finding's own account and Region decide where to act; this responder acts in one of each. */
export function placeRefusal(request: CaseRequest, config: Config): string | null {
  if (request.accountId !== null && request.accountId !== config.accountId) {
    return `the finding is about account ${request.accountId}, this responder acts in ${config.accountId}`;
  }
  if (request.region !== null && request.region !== config.region) {
    return `the finding is about Region ${request.region}, this responder acts in ${config.region}`;
  }
  return null;
}

/** Why the groups of this ENI cannot be changed; null = they can. */
export function unmodifiable(networkInterface: NetworkInterfaceFacts): string | null {
  if (networkInterface.requesterManaged) return 'requester-managed: only the AWS service that made it can change it';
  if (networkInterface.operator !== null)
    return `operated by ${networkInterface.operator}: only its operator can change it`;
  if (networkInterface.interfaceType === 'branch' || networkInterface.interfaceType === 'trunk') {
    return `${networkInterface.interfaceType} interface of a container service: its groups are not ours to change`;
  }
  return null;
}

/** The ENIs that may carry a flow: by its id, else by its local address, else every ENI. */
export function carriers(
  flow: KnownFlow,
  interfaces: readonly NetworkInterfaceFacts[],
): readonly NetworkInterfaceFacts[] {
  const byId = interfaces.filter((eni) => eni.id === flow.networkInterfaceId);
  if (byId.length > 0) return byId;
  const { localAddress } = flow;
  if (localAddress === null) return interfaces;
  const byAddress = interfaces.filter(
    (eni) => eni.privateAddresses.includes(localAddress) || eni.ipv6Addresses.includes(localAddress),
  );
  return byAddress.length > 0 ? byAddress : interfaces;
}

/** ENIs that may carry a flow of the case: those that were there when it was classified, and those attached since. */
export const carrierIds = (flow: CaseFlow, interfaces: readonly NetworkInterfaceFacts[]): ReadonlySet<string> =>
  new Set([...flow.interfaceIds, ...carriers(flow, interfaces).map((eni) => eni.id)]);

const CAUTION: Record<TrackingVerdict['kind'], number> = { unknown: 3, 'auto-tracked': 2, tracked: 1, untracked: 0 };

/** The more cautious of two verdicts: the one that outlives a group swap, and of those the longer-lived. */
function moreCautious(a: TrackingVerdict, b: TrackingVerdict): TrackingVerdict {
  if (CAUTION[a.kind] !== CAUTION[b.kind]) return CAUTION[a.kind] > CAUTION[b.kind] ? a : b;
  return a.timeoutSeconds >= b.timeoutSeconds ? a : b;
}

/** What else carries the flow than the route says: a balancer in front, or the service that holds the peer's ENI. */
function throughWhat(flow: KnownFlow, facts: Facts): AutomaticPath | null {
  const peerType = facts.peerInterfaceTypes.get(flow.remoteAddress);
  const peer = peerType === undefined ? undefined : AUTOMATIC_INTERFACE_TYPES[peerType];
  if (peer !== undefined) return peer;
  return facts.behindNetworkLoadBalancer && flow.openedBy !== 'instance' ? 'network-load-balancer' : null;
}

/**
 * Rules that a flow of the case names. Where nothing is known of it but the peer, every rule of every group bears on it: a
 * thousand ids in each flow are more than an item of the case table holds. `because` counts all of them.
 */
const RULE_LIMIT = 8;

const isOn = ({ id, addresses }: SecondaryInterface, flow: KnownFlow): boolean =>
  flow.networkInterfaceId === id || (flow.localAddress !== null && addresses.includes(flow.localAddress));

/** A flow in a secondary network: no control outside the host reaches it. */
function beyondGroups({
  id,
}: SecondaryInterface): Pick<CaseFlow, 'interfaceIds' | 'tracking' | 'crossesSubnetBoundary'> {
  const because = `it is on the secondary interface ${id}, which no security group and no network ACL reaches`;
  const tracking = {
    kind: 'unknown',
    because,
    ruleIds: [],
    route: null,
    timeoutSeconds: 0,
    timeoutFrom: 'fixed',
  } as const;
  return { interfaceIds: [id], tracking, crossesSubnetBoundary: false };
}

/** Classifies flows against one reading of the facts; compile once, classify many. */
export function flowClassifier(
  facts: Facts,
): (flow: KnownFlow) => Pick<CaseFlow, 'interfaceIds' | 'tracking' | 'crossesSubnetBoundary'> {
  const { instanceType, defaultTimeouts, secondaryInterfaces } = facts.instance;
  const perInterface = new Map(
    facts.interfaces.map((eni) => {
      const rules = facts.rules?.filter((rule) => eni.groupIds.includes(rule.groupId)) ?? null;
      const subnet = facts.subnets.find((candidate) => candidate.id === eni.subnetId);
      const table = subnet && facts.routeTables && routeTableOf(subnet, facts.routeTables);
      const compiled = {
        track: compileTracking({ rules, timeouts: eni.timeouts, instanceType, defaultTimeouts }),
        path: compilePaths({
          subnet: subnet ?? { id: eni.subnetId, vpcId: eni.vpcId, ownerId: null, cidrs: [] },
          // An empty list would say "no route"; null says "could not be read".
          routes: table?.routes ?? null,
          prefixLists: facts.prefixLists,
        }),
      };
      return [eni.id, compiled] as const;
    }),
  );
  return (flow) => {
    const secondary = secondaryInterfaces.find((one) => isOn(one, flow));
    if (secondary !== undefined) return beyondGroups(secondary);
    const possible = carriers(flow, facts.interfaces).map((eni) => {
      const compiled = perInterface.get(eni.id);
      if (compiled === undefined) throw new Error(`no classifier for ${eni.id}`);
      const path = compiled.path({ remoteAddress: flow.remoteAddress, through: throughWhat(flow, facts) });
      return { eni, path, tracking: compiled.track(flow, path) };
    });
    const first = possible[0];
    if (first === undefined) throw new Error('an instance without network interfaces has no flows to classify');
    const tracking = possible.map((one) => one.tracking).reduce(moreCautious, first.tracking);
    return {
      interfaceIds: possible.map(({ eni }) => eni.id),
      tracking: { ...tracking, ruleIds: tracking.ruleIds.slice(0, RULE_LIMIT) },
      crossesSubnetBoundary: possible.every(({ path }) => path.crossesSubnetBoundary),
    };
  };
}

/** A flow that joins the case: classified, and not yet looked for on the host. */
export function caseFlow(
  flow: KnownFlow,
  classify: ReturnType<typeof flowClassifier>,
  known: Pick<CaseFlow, 'named' | 'process' | 'host'>,
): CaseFlow {
  return { ...flow, id: flowId(flow), ...classify(flow), ...known };
}

function aclOf(eni: NetworkInterfaceFacts, acls: readonly AclFacts[]): AclFacts | undefined {
  return acls.find((acl) => acl.subnetIds.includes(eni.subnetId));
}

/**
 * Well-known ports of channels that every neighbour in the subnet needs: an unnamed flow to one of them that only a flow
 * log has seen may be the SSM agent's own, and a deny would cut the agents of the whole subnet. A person decides.
 */
const SHARED_CHANNEL_PORT = 443;

const isSecondary = (interfaceId: string): boolean => interfaceId.startsWith('si-');

function denyObjection(flow: CaseFlow, { openings }: Config): string | null {
  if (!flow.named && flow.tracking.kind === 'untracked' && !admits(openings, flow)) {
    return 'nobody names it and it is untracked: the group swap ends it, and a deny would hit the whole subnet';
  }
  if (flow.interfaceIds.some(isSecondary)) return 'it is on a secondary interface, whose packets no network ACL sees';
  if (!flow.crossesSubnetBoundary) return 'the peer is in the same subnet, where a network ACL never sees the packets';
  if (flow.source === 'flow-log' && flow.remotePort === SHARED_CHANNEL_PORT) {
    return 'seen only in the flow log, on port 443: it may be the agent of a neighbour; a person decides';
  }
  return null;
}

/** Unnamed peers that are denied at most: each deny hits the whole subnet, and the room in an ACL is small. */
const UNNAMED_PEER_LIMIT = 8;

/** What the instance has dialled comes first: a shell dials out. */
export const OPENER_RANK: Record<CaseFlow['openedBy'], number> = { instance: 0, unknown: 1, remote: 2 };

/** Named flows first; of the others those that the instance opened, for a shell dials out. */
function byUrgency(a: CaseFlow, b: CaseFlow): number {
  return Number(b.named) - Number(a.named) || OPENER_RANK[a.openedBy] - OPENER_RANK[b.openedBy];
}

/**
 * The denies that the flows want, as the ACLs stand: two entries (in and out) for each peer on each ACL that its packets
 * cross, named peers first, so that they get the room when there is little ({@link byUrgency}).
 *
 * A private peer is denied only where a person asked for it by address: in the finding it may be a load balancer, a NAT
 * or a neighbour, and the deny hits the whole subnet.
 */
export function planDenies(
  flows: readonly CaseFlow[],
  facts: Pick<Facts, 'interfaces' | 'acls'>,
  config: Config,
  asked: ReadonlySet<string>,
): { readonly denies: readonly WantedDeny[]; readonly refusals: readonly DenyRefusal[] } {
  const denies: WantedDeny[] = [];
  const refusals: DenyRefusal[] = [];
  const done = new Set<string>();
  const unnamed = new Set<string>();
  for (const flow of [...flows].sort(byUrgency)) {
    if (!flow.named && unnamed.size >= UNNAMED_PEER_LIMIT && !unnamed.has(flow.remoteAddress)) {
      const reason = `nobody names it, and ${UNNAMED_PEER_LIMIT} unnamed peers are denied already: a person decides`;
      refusals.push({ address: flow.remoteAddress, aclId: null, reason });
      continue;
    }
    const objection = denyObjection(flow, config);
    if (objection !== null) {
      refusals.push({ address: flow.remoteAddress, aclId: null, reason: objection });
      continue;
    }
    if (!flow.named) unnamed.add(flow.remoteAddress);
    for (const interfaceId of carrierIds(flow, facts.interfaces)) {
      const eni = facts.interfaces.find((candidate) => candidate.id === interfaceId);
      if (eni === undefined) continue;
      const acl = aclOf(eni, facts.acls);
      const key = `${acl?.id ?? eni.subnetId} ${flow.remoteAddress}`;
      if (done.has(key)) continue;
      done.add(key);
      if (acl === undefined) {
        refusals.push({
          address: flow.remoteAddress,
          aclId: null,
          reason: `no network ACL could be read for ${eni.subnetId}`,
        });
        continue;
      }
      const planned = denyOn(acl, flow, asked.has(flow.remoteAddress), denies, config);
      denies.push(...planned.denies);
      refusals.push(...planned.refusals);
    }
  }
  return { denies, refusals: dedupe(refusals) };
}

function dedupe(refusals: readonly DenyRefusal[]): readonly DenyRefusal[] {
  return [...new Map(refusals.map((entry) => [`${entry.aclId} ${entry.address} ${entry.reason}`, entry])).values()];
}

function denyOn(
  acl: AclFacts,
  flow: CaseFlow,
  privateAllowed: boolean,
  earlier: readonly WantedDeny[],
  config: Config,
): { denies: WantedDeny[]; refusals: DenyRefusal[] } {
  const refuse = (reason: string) => ({
    denies: [],
    refusals: [{ address: flow.remoteAddress, aclId: acl.id, reason }],
  });
  // In a shared VPC only the owner account can edit network ACLs.
  if (acl.ownerId !== null && acl.ownerId !== config.accountId) {
    return refuse(`network ACL ${acl.id} belongs to account ${acl.ownerId}, which alone can edit it`);
  }
  const entries = earlier.flatMap(({ aclId, egress, cidr, ruleNumber }) =>
    aclId === acl.id && ruleNumber !== null ? [denyEntry({ ruleNumber, egress, cidr })] : [],
  );
  const plan = planDeny({
    acl: { ...acl, entries: [...acl.entries, ...entries] },
    address: flow.remoteAddress,
    family: flow.family,
    range: config.aclRuleNumbers,
    entriesPerDirection: config.aclEntriesPerDirection,
    privateAllowed,
  });
  const cidr = hostCidr(flow.remoteAddress);
  const denies: WantedDeny[] = [];
  const refusals: DenyRefusal[] = [];
  for (const [egress, entry] of [
    [false, plan.ingress],
    [true, plan.egress],
  ] as const) {
    if (entry.kind === 'refused') refusals.push({ address: flow.remoteAddress, aclId: acl.id, reason: entry.reason });
    else if (entry.kind === 'exists') denies.push({ aclId: acl.id, egress, cidr, ruleNumber: null });
    else {
      const { ruleNumber, highestNumber } = entry;
      denies.push({ aclId: acl.id, egress, cidr, ruleNumber, highestNumber });
    }
  }
  return { denies, refusals };
}

/**
 * A flow as its interface sees it. The local address in a finding may be a container's: where the traffic began, not where it
 * leaves the instance. Under which address and port it leaves is then not known; with those of the container it would be a second
 * flow beside the one that the host and the flow log see.
 * https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-summary.html ("Local IP address")
 */
function throughInterface(flow: KnownFlow, interfaces: readonly NetworkInterfaceFacts[]): KnownFlow {
  const own = interfaces.flatMap((eni) => (flow.family === 'ipv4' ? eni.privateAddresses : eni.ipv6Addresses));
  const isOwn = flow.localAddress === null || own.length === 0 || own.includes(flow.localAddress);
  return isOwn || flow.source !== 'finding' ? flow : { ...flow, localAddress: null, localPort: null };
}

/** The part of a case that the state machine carries to deny and to isolate. */
export interface Assessment {
  readonly flows: readonly CaseFlow[];
  readonly denies: readonly WantedDeny[];
  readonly refusals: readonly DenyRefusal[];
}

/** Classifies everything that the request names and plans the denies. */
export function assess(request: CaseRequest, facts: Facts, config: Config): Assessment {
  if (facts.interfaces.length === 0) return { flows: [], denies: [], refusals: [] };
  const classify = flowClassifier(facts);
  const seen = request.flows.map((flow) => throughInterface(flow, facts.interfaces));
  // Several containers may have had the same peer: to the interface they are one.
  const isFirst = (flow: KnownFlow, index: number): boolean =>
    seen.findIndex((other) => flowId(other) === flowId(flow)) === index;
  const named = seen.filter((flow, index) => flow === request.flows[index] || isFirst(flow, index));
  const flows = named.map((flow) => caseFlow(flow, classify, { named: true, process: null, host: null }));
  const plan = planDenies(flows, facts, config, askedAddresses(request));
  return { flows, ...plan };
}
