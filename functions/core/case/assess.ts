import type { Config } from '../config.ts';
import type { CaseRequest } from '../intake/intake-types.ts';
import type { AclFacts, KnownFlow, NetworkInterfaceFacts } from '../model.ts';
import { denyEntry, planDeny } from '../network/acl-numbers.ts';
import { addressClass, contains, hostCidr } from '../network/addresses.ts';
import { mayBeAgents } from '../network/aws-endpoints.ts';
import { compilePaths, type PathVerdict, routeTableOf } from '../network/routes.ts';
import { compileTracking, type TrackingVerdict } from '../network/tracking.ts';
import { AUTOMATIC_INTERFACE_TYPES, type AutomaticPath, TIMEOUT_LIMITS } from '../network/tracking-data.ts';
import { askedAddresses, type CaseFlow, type DenyRefusal, flowId, type WantedDeny } from './case.ts';
import type { Facts, SecondaryInterface } from './facts.ts';

/** May this instance be touched at all? null = yes, otherwise the reason for a person. */
export function refusal(request: CaseRequest, facts: Facts, config: Config): string | null {
  const { instance } = facts;
  if (instance.state === 'terminated' || instance.state === 'shutting-down') {
    return `instance ${instance.id} is ${instance.state}: there is nothing left to contain`;
  }
  if (config.exemptInstanceIds.includes(instance.id))
    return `instance ${instance.id} is exempt: ExemptInstanceIds lists it`;
  if (instance.accountId !== null && instance.accountId !== config.accountId) {
    return `instance ${instance.id} belongs to account ${instance.accountId}, this responder acts in ${config.accountId}`;
  }
  return placeRefusal(request, config) ?? borderRefusal(instance.id, facts.interfaces, config);
}

/**
 * Whoever may tag the instance can write the exempt tag, its attacker among them: so it exempts nothing by itself, and a person
 * decides. Its mere presence counts, whatever its value. null = it is not there.
 */
export function exemptByTag(
  { instance }: Pick<Facts, 'instance'>,
  { exemptTag }: Pick<Config, 'exemptTag'>,
): string | null {
  if (!(exemptTag in instance.tags)) return null;
  return `instance ${instance.id} carries the exempt tag ${exemptTag}: a person decides, and may ask for the response`;
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

/**
 * The ENIs that may carry a flow: those that hold its local address now, else the one that the finding names, else every
 * ENI. The finding's interface is a hint; its local address is a fact, and an address may move.
 */
export function carriers(
  flow: KnownFlow,
  interfaces: readonly NetworkInterfaceFacts[],
): readonly NetworkInterfaceFacts[] {
  const { localAddress } = flow;
  const byAddress =
    localAddress === null
      ? []
      : interfaces.filter(
          (eni) => eni.privateAddresses.includes(localAddress) || eni.ipv6Addresses.includes(localAddress),
        );
  if (byAddress.length > 0) return byAddress;
  const byId = interfaces.filter((eni) => eni.id === flow.networkInterfaceId);
  return byId.length > 0 ? byId : interfaces;
}

/** ENIs that may carry a flow of the case: those that were there when it was classified, and those attached since. */
export const carrierIds = (flow: CaseFlow, interfaces: readonly NetworkInterfaceFacts[]): ReadonlySet<string> =>
  new Set([...flow.interfaceIds, ...carriers(flow, interfaces).map((eni) => eni.id)]);

const LONGEST_TIMER_SECONDS = TIMEOUT_LIMITS.tcpEstablishedSeconds.max;

const CAUTION: Record<TrackingVerdict['kind'], number> = { unknown: 3, 'auto-tracked': 2, tracked: 1, untracked: 0 };

/** The more cautious of two verdicts: the one that outlives a group swap, and of those the longer-lived. */
function moreCautious(a: TrackingVerdict, b: TrackingVerdict): TrackingVerdict {
  if (CAUTION[a.kind] !== CAUTION[b.kind]) return CAUTION[a.kind] > CAUTION[b.kind] ? a : b;
  return a.timeoutSeconds >= b.timeoutSeconds ? a : b;
}

/**
 * What else carries the flow than the route says: a balancer or an accelerator in front, or the service that holds the
 * peer's ENI. An address in the VPC at hand is looked up there alone: another VPC may have the same range.
 */
function throughWhat(flow: KnownFlow, eni: NetworkInterfaceFacts, facts: Facts): AutomaticPath | null {
  const holders = facts.peers?.get(flow.remoteAddress) ?? [];
  const here = holders.filter(({ vpcId }) => vpcId === eni.vpcId);
  const isHere = here.length > 0 || isVpcAddress(flow.remoteAddress, facts, eni.vpcId);
  for (const { interfaceType } of isHere ? here : holders) {
    const through = AUTOMATIC_INTERFACE_TYPES[interfaceType];
    if (through !== undefined) return through;
  }
  return flow.openedBy === 'instance' ? null : facts.inFront;
}

/** The ranges of the VPC, as its subnets and the local routes of its tables show them. */
const vpcRanges = (
  { routeTables, subnets }: Pick<Facts, 'routeTables' | 'subnets'>,
  vpcId: string,
): readonly string[] => [
  ...subnets.filter((subnet) => subnet.vpcId === vpcId).flatMap(({ cidrs }) => cidrs),
  ...(routeTables ?? [])
    .filter((table) => table.vpcId === vpcId)
    .flatMap(({ routes }) =>
      routes.filter(({ target }) => target.kind === 'local').map(({ destination }) => destination),
    )
    .filter((destination) => !destination.startsWith('pl-')),
];

/** An address of the VPC, whatever range it is of: IPv6 and publicly routable IPv4 ranges too. */
export const isVpcAddress = (address: string, facts: Pick<Facts, 'routeTables' | 'subnets'>, vpcId: string): boolean =>
  vpcRanges(facts, vpcId).some((cidr) => contains(cidr, address));

const holdsEndpoint = ({ remoteAddress }: KnownFlow, { peers }: Facts): boolean =>
  peers?.get(remoteAddress)?.some(({ interfaceType }) => interfaceType === 'vpc_endpoint') === true;

/** Paths on which the peer may be a service of AWS that makes every flow tracked, for all that the route says. */
const MAY_MEET_A_SERVICE: readonly PathVerdict['kind'][] = [
  'same-subnet',
  'vpc',
  'vpc-peering',
  'transit-gateway',
  'unknown',
];

/** What holds the peer's address could not be read: then an untracked flow inside the network may be a tracked one. */
function unlessUnread(tracking: TrackingVerdict, path: PathVerdict, facts: Facts): TrackingVerdict {
  if (facts.peers !== null || tracking.kind !== 'untracked' || !MAY_MEET_A_SERVICE.includes(path.kind)) return tracking;
  const because = 'the rules leave it untracked, but what holds the address of its peer could not be read';
  // Five days: of the timers of a flow that may be tracked the longest counts.
  return { ...tracking, kind: 'unknown', because, timeoutSeconds: LONGEST_TIMER_SECONDS, timeoutFrom: 'fixed' };
}

/**
 * Rules that a flow of the case names. Where nothing is known of it but the peer, every rule of every group bears on it: a
 * thousand ids in each flow are more than an item of the case table holds. `because` counts all of them.
 */
const RULE_LIMIT = 8;

const isOn = ({ id, addresses }: SecondaryInterface, flow: KnownFlow): boolean =>
  flow.networkInterfaceId === id || (flow.localAddress !== null && addresses.includes(flow.localAddress));

/** What a flow is to the network, as far as the facts tell. */
type Classified = Pick<CaseFlow, 'interfaceIds' | 'tracking' | 'staysUntracked' | 'crossesSubnetBoundary'> & {
  readonly mayBeAgents: boolean;
};

/** A flow in a secondary network: no control outside the host reaches it. */
function beyondGroups({ id }: SecondaryInterface): Classified {
  const because = `it is on the secondary interface ${id}, which no security group and no network ACL reaches`;
  const tracking = {
    kind: 'unknown',
    because,
    ruleIds: [],
    route: null,
    timeoutSeconds: 0,
    timeoutFrom: 'fixed',
  } as const;
  return { interfaceIds: [id], tracking, staysUntracked: false, crossesSubnetBoundary: false, mayBeAgents: false };
}

/** Classifies flows against one reading of the facts; compile once, classify many. */
export function flowClassifier(facts: Facts): (flow: KnownFlow) => Classified {
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
      const through = throughWhat(flow, eni, facts);
      const path = compiled.path({ remoteAddress: flow.remoteAddress, through });
      const tracking = unlessUnread(compiled.track(flow, path), path, facts);
      const anySession = { ...flow, openedBy: 'unknown', remotePort: null, localPort: null } as const;
      const staysUntracked = tracking.kind === 'untracked' && compiled.track(anySession, path).kind === 'untracked';
      return { eni, path, tracking, staysUntracked };
    });
    const first = possible[0];
    if (first === undefined) throw new Error('an instance without network interfaces has no flows to classify');
    const tracking = possible.map((one) => one.tracking).reduce(moreCautious, first.tracking);
    return {
      interfaceIds: possible.map(({ eni }) => eni.id),
      tracking: { ...tracking, ruleIds: tracking.ruleIds.slice(0, RULE_LIMIT) },
      staysUntracked: possible.every((one) => one.staysUntracked),
      mayBeAgents: mayBeAgents(flow, holdsEndpoint(flow, facts)),
      crossesSubnetBoundary: possible.every(({ path }) => path.crossesSubnetBoundary),
    };
  };
}

/** A flow that joins the case: classified, and not yet looked for on the host. */
export function caseFlow(
  flow: KnownFlow,
  classify: ReturnType<typeof flowClassifier>,
  known: Pick<CaseFlow, 'named' | 'process' | 'host' | 'seenAlive' | 'dropped'>,
): CaseFlow {
  const { mayBeAgents: isAgents, ...classified } = classify(flow);
  // What the finding or a person names is never spared.
  const spared = isAgents && !known.named;
  return { ...flow, id: flowId(flow), ...classified, ...known, ...(spared && { spared }) };
}

function aclOf(eni: NetworkInterfaceFacts, acls: readonly AclFacts[]): AclFacts | undefined {
  return acls.find((acl) => acl.subnetIds.includes(eni.subnetId));
}

const isSecondary = (interfaceId: string): boolean => interfaceId.startsWith('si-');

/** Only the host says that it is alive. */
const isTestified = ({ named, source }: CaseFlow): boolean => !named && source === 'host';

/** `testified`: peers that are denied already on the word of the host alone. */
function denyObjection(
  flow: CaseFlow,
  testified: ReadonlySet<string>,
  { neverDeny }: Pick<Config, 'neverDeny'>,
): string | null {
  const spared = neverDeny.find((cidr) => contains(cidr, flow.remoteAddress));
  if (spared !== undefined)
    return `NeverDeny lists ${spared}: a person decides what becomes of the subnet's traffic with it`;
  if (isTestified(flow) && testified.size >= TESTIFIED_PEER_LIMIT && !testified.has(flow.remoteAddress)) {
    return `only the host says that it is alive, and ${TESTIFIED_PEER_LIMIT} such peers are denied already: a person decides`;
  }
  if (flow.interfaceIds.some(isSecondary)) return 'it is on a secondary interface, whose packets no network ACL sees';
  return flow.crossesSubnetBoundary
    ? null
    : 'the peer is in the same subnet, where a network ACL never sees the packets';
}

/**
 * Is the flow's peer to be denied at all? What the finding or a person names is, what was seen alive after the cut, and what
 * a deny holds already: the case has to be put on that deny, or it goes when the other case lets go. A deny hits the whole subnet, so what the host merely lists is not: it was closed, or the next look sees it alive.
 */
const isToBeDenied = (flow: CaseFlow): boolean =>
  flow.named || ((flow.seenAlive === true || flow.dropped === true) && flow.spared !== true);

/** Peers that are denied at most on the host's word that they are alive: it may print what it likes. */
const TESTIFIED_PEER_LIMIT = 2;

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
  facts: Pick<Facts, 'interfaces' | 'acls' | 'subnets' | 'routeTables'>,
  config: Config,
  asked: ReadonlySet<string>,
): { readonly denies: readonly WantedDeny[]; readonly refusals: readonly DenyRefusal[] } {
  const denies: WantedDeny[] = [];
  const refusals: DenyRefusal[] = [];
  const done = new Set<string>();
  const testified = new Set<string>();
  const refuse = ({ remoteAddress }: CaseFlow, aclId: string | null, reason: string) =>
    refusals.push({ address: remoteAddress, aclId, reason });
  for (const flow of flows.filter(isToBeDenied).sort(byUrgency)) {
    const objection = denyObjection(flow, testified, config);
    if (objection !== null) {
      refuse(flow, null, objection);
      continue;
    }
    if (isTestified(flow)) testified.add(flow.remoteAddress);
    for (const eni of facts.interfaces.filter(({ id }) => carrierIds(flow, facts.interfaces).has(id))) {
      const acl = aclOf(eni, facts.acls);
      const key = `${acl?.id ?? eni.subnetId} ${flow.remoteAddress}`;
      if (done.has(key)) continue;
      done.add(key);
      const isAsked = asked.has(flow.remoteAddress);
      const problem = placeObjection(flow.remoteAddress, isAsked, eni, facts);
      if (acl === undefined || problem !== null) {
        refuse(flow, acl?.id ?? null, problem ?? `no network ACL could be read for ${eni.subnetId}`);
        continue;
      }
      const planned = denyOn(acl, flow, isAsked, denies, config);
      denies.push(...planned.denies);
      refusals.push(...planned.refusals);
    }
  }
  return { denies, refusals: dedupe(refusals) };
}

/** Why a peer is not denied in the VPC of this ENI; null = nothing speaks against it. */
function placeObjection(
  address: string,
  isAsked: boolean,
  { vpcId }: NetworkInterfaceFacts,
  facts: Pick<Facts, 'subnets' | 'routeTables'>,
): string | null {
  return !isAsked && isVpcAddress(address, facts, vpcId)
    ? 'the peer is an address of the VPC: a deny would cut a neighbour off, so only a person asks for it'
    : resolverObjection(address, facts);
}

/**
 * The resolver of a VPC is the base of its range plus two, and a VPC's range is a /28 or larger. Where the routes that tell
 * the range could not be read, no private address that may be a resolver's is denied: the subnet would lose its DNS.
 * https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
 */
function resolverObjection(address: string, { routeTables }: Pick<Facts, 'routeTables'>): string | null {
  if (routeTables !== null || address.includes(':') || addressClass(address).kind !== 'private') return null;
  const last = Number(address.slice(address.lastIndexOf('.') + 1));
  return last % 16 === 2
    ? "the routes of the VPC could not be read, and the address may be its DNS resolver's: the whole subnet would lose it"
    : null;
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
function throughInterface(
  flow: KnownFlow,
  { interfaces, instance }: Pick<Facts, 'interfaces' | 'instance'>,
): KnownFlow {
  if (instance.secondaryInterfaces.some((one) => isOn(one, flow))) return flow;
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
  const seen = request.flows.map((flow) => throughInterface(flow, facts));
  // Several containers may have had the same peer: to the interface they are one.
  const isFirst = (flow: KnownFlow, index: number): boolean =>
    seen.findIndex((other) => flowId(other) === flowId(flow)) === index;
  const named = seen.filter((flow, index) => flow === request.flows[index] || isFirst(flow, index));
  const flows = named.map((flow) => caseFlow(flow, classify, { named: true, process: null, host: null }));
  const plan = planDenies(flows, facts, config, askedAddresses(request));
  return { flows, ...plan };
}
