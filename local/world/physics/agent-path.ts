import { addressInside, isIpv6 } from './addresses.ts';
import type { Conversation } from './conversation.ts';
import { aclAllows, groupsAllow, routeTo, type Tuple } from './judge.ts';
import { type EndpointRow, type Eni, eniOfAddress, type Snapshot, subnetOfAddress } from './snapshot.ts';
import { obstacles } from './wire.ts';

const AGENT_SERVICES = ['.ssmmessages', '.ec2messages', '.ssm'];
/** In the range of ephemeral ports of Linux and of Windows. */
const EPHEMERAL_PORT = 50_000;

/** Whether packets pass both ways on the connection that an agent has. */
export function hasLiveConnection(talk: Conversation): boolean {
  const isEstablished = talk.phase !== 'connecting';
  return isEstablished && obstacles(talk, 'local', 'expiry').size + obstacles(talk, 'remote', 'expiry').size === 0;
}

/**
 * Whether the agent of the instance can open a connection to its service over any of the instance's ENIs.
 * `publicEndpoint` is where it dials when the VPC has no endpoint of its own for it.
 */
export function canDialService(snapshot: Snapshot, instanceId: string, publicEndpoint: string): boolean {
  return [...snapshot.enis.values()]
    .filter((eni) => eni.instanceId === instanceId)
    .some((eni) => destinations(snapshot, eni, publicEndpoint).some((address) => canConnect(snapshot, eni, address)));
}

/** The addresses of the VPC's interface endpoints for the agent; the public service only where there is none. */
function destinations(snapshot: Snapshot, eni: Eni, publicEndpoint: string): string[] {
  const endpoints = snapshot.endpoints.filter(
    (one) =>
      one.vpcId === eni.vpcId && one.type === 'Interface' && AGENT_SERVICES.some((name) => one.service.endsWith(name)),
  );
  if (endpoints.length === 0) return [publicEndpoint];
  return endpoints.flatMap((one) => endpointAddresses(snapshot, one, eni));
}

/** An endpoint whose ENIs the file does not list has an address in its subnet, or in the instance's. */
function endpointAddresses(snapshot: Snapshot, endpoint: EndpointRow, eni: Eni): string[] {
  const listed = endpoint.networkInterfaceIds.flatMap((id) => snapshot.enis.get(id)?.addresses[0] ?? []);
  if (listed.length > 0) return listed;
  const subnetId = endpoint.subnetIds[0] ?? eni.subnetId;
  const cidr = snapshot.subnets.find((one) => one.id === subnetId)?.cidrs[0];
  return [(cidr === undefined ? null : addressInside(cidr)) ?? eni.addresses[0]].filter((one) => one !== undefined);
}

function canConnect(snapshot: Snapshot, eni: Eni, address: string): boolean {
  const localAddress = eni.addresses.find((one) => isIpv6(one) === isIpv6(address));
  if (localAddress === undefined) return false;
  const tuple: Tuple = {
    protocol: 'tcp',
    localAddress,
    localPort: EPHEMERAL_PORT,
    remoteAddress: address,
    remotePort: 443,
    openedBy: 'local',
  };
  const peer = eniOfAddress(snapshot, address, eni.vpcId, false);
  if (!groupsAllow(snapshot, eni, tuple, 'out', peer)) return false;
  const peerSubnet = peer?.subnetId ?? subnetOfAddress(snapshot, address, eni.vpcId, false);
  if (peerSubnet === eni.subnetId) return true;
  const acl = snapshot.acls.get(eni.subnetId);
  const inVpc = peerSubnet !== null;
  const isRouted = inVpc || routeTo(snapshot, eni.subnetId, address)?.blackhole !== true;
  return isRouted && aclAllows(acl, tuple, 'out') && aclAllows(acl, tuple, 'in');
}
