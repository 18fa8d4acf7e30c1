import { InputError, quote } from '../../../functions/core/errors.ts';
import { canonicalAddress, isIpv6 } from '../physics/addresses.ts';
import { AGENT_PORTS, HOST_DEFAULTS, protocolName, type WorldFlow } from './incident.ts';
import type { ParsedWorld } from './world-schema.ts';

/** An interface that can carry a flow, with its canonical addresses. */
interface Carrier {
  readonly id: string;
  readonly instanceId: string | undefined;
  readonly addresses: readonly string[];
}

/** The flows of the file with all that the interfaces say of them, then those of the agents. */
export function completeFlows(world: ParsedWorld): WorldFlow[] {
  const carriers = carriersOf(world);
  const flows = world.Flows.map((given, index) => completeFlow(given, `Flows[${index}]`, carriers));
  refuseTwins(flows);
  addAgentFlows(world, carriers, flows);
  tellApart(flows);
  return flows;
}

const canonical = (addresses: readonly string[]): string[] => addresses.map((one) => canonicalAddress(one) ?? one);

function carriersOf(world: ParsedWorld): Carrier[] {
  const interfaces = world.NetworkInterfaces.map((eni) => ({
    id: eni.NetworkInterfaceId,
    instanceId: eni.Attachment?.InstanceId,
    addresses: canonical([
      ...eni.PrivateIpAddresses.map((one) => one.PrivateIpAddress),
      ...eni.Ipv6Addresses.map((one) => one.Ipv6Address),
    ]),
  }));
  const secondary = world.Reservations.flatMap((one) => one.Instances).flatMap((instance) =>
    (instance.SecondaryInterfaces ?? []).map((one) => ({
      id: one.SecondaryInterfaceId,
      instanceId: instance.InstanceId,
      addresses: canonical(one.PrivateIpAddresses.map((address) => address.PrivateIpAddress)),
    })),
  );
  return [...interfaces, ...secondary];
}

function completeFlow(given: ParsedWorld['Flows'][number], path: string, carriers: readonly Carrier[]): WorldFlow {
  const Protocol = protocolName(given.Protocol) ?? given.Protocol;
  const RemoteAddress = canonicalAddress(given.RemoteAddress) ?? given.RemoteAddress;
  if (Protocol === 'tcp' || Protocol === 'udp') {
    for (const port of ['LocalPort', 'RemotePort'] as const) {
      if (given[port] === null) throw new InputError(`${path}.${port}`, `is missing; a ${Protocol} flow has one`);
    }
  }
  const carrier = carrierOf(given, path, carriers);
  const LocalAddress =
    given.LocalAddress === undefined
      ? carrier.addresses.find((one) => isIpv6(one) === isIpv6(RemoteAddress))
      : (canonicalAddress(given.LocalAddress) ?? undefined);
  if (LocalAddress === undefined) {
    throw new InputError(
      `${path}.LocalAddress`,
      `is missing, and ${carrier.id} has no address of the family of ${RemoteAddress}`,
    );
  }
  if (isIpv6(LocalAddress) !== isIpv6(RemoteAddress)) {
    throw new InputError(`${path}.RemoteAddress`, `${quote(RemoteAddress)} is not of the family of ${LocalAddress}`);
  }
  const Name = given.Name ?? `flow ${Number(/\d+/.exec(path)?.[0] ?? 0) + 1}`;
  return { ...given, Name, Protocol, NetworkInterfaceId: carrier.id, LocalAddress, RemoteAddress };
}

function carrierOf(
  { NetworkInterfaceId, LocalAddress }: ParsedWorld['Flows'][number],
  path: string,
  carriers: readonly Carrier[],
): Carrier {
  if (NetworkInterfaceId !== undefined) {
    const named = carriers.find((one) => one.id === NetworkInterfaceId);
    if (named !== undefined) return named;
    const lists = NetworkInterfaceId.startsWith('si-')
      ? 'the SecondaryInterfaces of any instance'
      : 'NetworkInterfaces';
    throw new InputError(`${path}.NetworkInterfaceId`, `${quote(NetworkInterfaceId)} is not among ${lists}`);
  }
  if (LocalAddress === undefined) {
    throw new InputError(`${path}.NetworkInterfaceId`, 'is missing, and there is no LocalAddress to find it by');
  }
  const holder = carriers.find((one) => one.addresses.includes(canonicalAddress(LocalAddress) ?? ''));
  if (holder !== undefined) return holder;
  throw new InputError(`${path}.LocalAddress`, `${quote(LocalAddress)} is not an address of any network interface`);
}

const tupleOf = (one: WorldFlow): string =>
  [one.Protocol, one.LocalAddress, one.LocalPort, one.RemoteAddress, one.RemotePort].join(' ');

/** Two flows with one 5-tuple cannot both be on the wire. */
function refuseTwins(flows: readonly WorldFlow[]): void {
  const tuples = new Map<string, string>();
  for (const [index, one] of flows.entries()) {
    const twin = tuples.get(tupleOf(one));
    if (twin !== undefined) throw new InputError(`Flows[${index}]`, `has the same 5-tuple as ${quote(twin)}`);
    tuples.set(tupleOf(one), one.Name);
  }
}

/** Truth is told by name: of several flows of one name, all but the first get a number. */
function tellApart(flows: readonly WorldFlow[]): void {
  const taken = new Set<string>();
  for (const one of flows) {
    const { Name } = one;
    for (let number = 2; taken.has(one.Name); number += 1) one.Name = `${Name} (${number})`;
    taken.add(one.Name);
  }
}

/** A final state that is fed back has the agents' flows already: a flow of the same 5-tuple is the agent's. */
function addAgentFlows(world: ParsedWorld, carriers: readonly Carrier[], flows: WorldFlow[]): void {
  for (const instanceId of new Set(world.InstanceInformationList.map((one) => one.InstanceId))) {
    const flow = agentFlow(world, carriers, instanceId);
    if (flow === null) continue;
    const there = flows.find((one) => tupleOf(one) === tupleOf(flow));
    if (there === undefined) flows.push(flow);
    else there.IsAgentConnection = true;
  }
}

/**
 * The agent's own connection, over the primary interface: it was made before all this, so no group that stands now
 * decides about it. An instance without an address of the endpoint's family has none.
 */
function agentFlow(world: ParsedWorld, carriers: readonly Carrier[], instanceId: string): WorldFlow | null {
  const { AgentConnection, AgentEndpoint } = world.Hosts.find((one) => one.InstanceId === instanceId) ?? HOST_DEFAULTS;
  const RemoteAddress = canonicalAddress(AgentEndpoint) ?? AgentEndpoint;
  const enis = world.NetworkInterfaces.filter((one) => one.Attachment?.InstanceId === instanceId);
  const primary = enis.find((one) => (one.Attachment?.DeviceIndex ?? 0) === 0) ?? enis[0];
  const carrier = carriers.find((one) => one.id === primary?.NetworkInterfaceId);
  const LocalAddress = carrier?.addresses.find((one) => isIpv6(one) === isIpv6(RemoteAddress));
  if (!AgentConnection || carrier === undefined || LocalAddress === undefined) return null;
  return {
    Name: `SSM agent of ${instanceId}`,
    Malicious: false,
    Protocol: 'tcp',
    OpenedBy: 'instance',
    NetworkInterfaceId: carrier.id,
    LocalAddress,
    LocalPort: AGENT_PORTS.local,
    RemoteAddress,
    RemotePort: AGENT_PORTS.remote,
    PacketEverySeconds: 60,
    WakesAtSeconds: null,
    Process: { Pid: null, Name: 'ssm-agent-worker' },
    EntryTimeoutSeconds: null,
    OnHostLists: true,
    IsAgentConnection: true,
  };
}
