import {
  type ConnectionTrackingSpecificationRequest,
  type EC2Client,
  ModifyNetworkInterfaceAttributeCommand,
  type NetworkInterface,
  paginateDescribeNetworkInterfaces,
} from '@aws-sdk/client-ec2';
import type { PeerInterface } from '../core/case/facts.ts';
import type { NetworkInterfaceFacts, TrackingTimeouts } from '../core/model.ts';
import { parseAddress } from '../core/network/addresses.ts';

const canonical = (text: string): string => parseAddress(text)?.address ?? text;

function toFacts(eni: NetworkInterface): NetworkInterfaceFacts {
  const tracking = eni.ConnectionTrackingConfiguration;
  const privateAddresses = [
    eni.PrivateIpAddress,
    ...(eni.PrivateIpAddresses ?? []).map((entry) => entry.PrivateIpAddress),
  ];
  return {
    id: eni.NetworkInterfaceId ?? '',
    vpcId: eni.VpcId ?? '',
    subnetId: eni.SubnetId ?? '',
    ownerId: eni.OwnerId ?? null,
    status: eni.Status ?? 'unknown',
    description: eni.Description ?? '',
    interfaceType: eni.InterfaceType ?? 'interface',
    requesterManaged: eni.RequesterManaged ?? false,
    operator: eni.Operator?.Managed === true ? (eni.Operator.Principal ?? 'an AWS service') : null,
    groupIds: (eni.Groups ?? []).map((group) => group.GroupId ?? ''),
    privateAddresses: [...new Set(privateAddresses.filter((address) => address !== undefined))].map(canonical),
    ipv6Addresses: (eni.Ipv6Addresses ?? []).map((entry) => canonical(entry.Ipv6Address ?? '')),
    publicAddress: eni.Association?.PublicIp ?? null,
    timeouts: {
      tcpEstablishedSeconds: tracking?.TcpEstablishedTimeout ?? null,
      udpSeconds: tracking?.UdpTimeout ?? null,
      udpStreamSeconds: tracking?.UdpStreamTimeout ?? null,
    },
    deviceIndex: eni.Attachment?.DeviceIndex ?? null,
    attachmentId: eni.Attachment?.AttachmentId ?? null,
    attachedTo: eni.Attachment?.InstanceId ?? null,
    sourceDestCheck: eni.SourceDestCheck ?? true,
  };
}

/** Every ENI of an instance, the primary one first. Paginated: in large accounts the unpaginated call fails. */
export function interfacesOf(ec2: EC2Client, instanceId: string): Promise<readonly NetworkInterfaceFacts[]> {
  return interfacesWhere(ec2, 'attachment.instance-id', [instanceId]);
}

/** ENIs by their ids, attached or not; one that is there no more is left out. */
export function interfacesById(ec2: EC2Client, ids: readonly string[]): Promise<readonly NetworkInterfaceFacts[]> {
  return ids.length === 0 ? Promise.resolve([]) : interfacesWhere(ec2, 'network-interface-id', ids);
}

/** Every ENI in a subnet, whoever holds it: those of services, of stopped instances and of nobody too. */
export function interfacesInSubnet(ec2: EC2Client, subnetId: string): Promise<readonly NetworkInterfaceFacts[]> {
  return interfacesWhere(ec2, 'subnet-id', [subnetId]);
}

async function interfacesWhere(
  ec2: EC2Client,
  name: string,
  values: readonly string[],
): Promise<readonly NetworkInterfaceFacts[]> {
  const found: NetworkInterfaceFacts[] = [];
  const filter = { Filters: [{ Name: name, Values: [...values] }] };
  for await (const page of paginateDescribeNetworkInterfaces({ client: ec2, pageSize: 100 }, filter)) {
    found.push(...(page.NetworkInterfaces ?? []).map(toFacts));
  }
  return found.sort((a, b) => (a.deviceIndex ?? 99) - (b.deviceIndex ?? 99));
}

/** An ENI that holds an address. */
export interface Holder {
  readonly address: string;
  readonly networkInterfaceId: string;
  readonly holder: PeerInterface;
}

/**
 * The ENIs in this account that hold one of these addresses, each with one address. Public addresses too: a VPC may have an
 * IPv6 range, or a publicly routable IPv4 one.
 */
export async function holdersOf(ec2: EC2Client, addresses: readonly string[]): Promise<readonly Holder[]> {
  const [ipv6, ipv4] = [addresses.filter(isIpv6), addresses.filter((address) => !isIpv6(address))];
  const filters = [
    ...chunks(ipv4).map((Values) => ({ Name: 'addresses.private-ip-address', Values })),
    ...chunks(ipv6).map((Values) => ({ Name: 'ipv6-addresses.ipv6-address', Values })),
  ];
  const found = await Promise.all(
    filters.map(async ({ Name, Values }) => {
      const enis = await interfacesWhere(ec2, Name, Values);
      return enis.flatMap(({ id: networkInterfaceId, vpcId, interfaceType, privateAddresses, ipv6Addresses }) =>
        [...privateAddresses, ...ipv6Addresses]
          .filter((address) => Values.includes(address))
          .map((address) => ({ address, networkInterfaceId, holder: { vpcId, interfaceType } })),
      );
    }),
  );
  return found.flat();
}

const isIpv6 = (address: string): boolean => address.includes(':');

/** A filter takes 200 values. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html */
const VALUES_PER_FILTER = 200;

const chunks = (values: readonly string[]): readonly (readonly string[])[] =>
  Array.from({ length: Math.ceil(values.length / VALUES_PER_FILTER) }, (_, index) =>
    values.slice(index * VALUES_PER_FILTER, (index + 1) * VALUES_PER_FILTER),
  );

/** Does Global Accelerator have an interface in one of these VPCs? Then inbound flows may come through it unseen. */
export async function hasAccelerator(ec2: EC2Client, vpcIds: readonly string[]): Promise<boolean> {
  const enis = await interfacesWhere(ec2, 'interface-type', ['global_accelerator_managed']);
  return enis.some(({ vpcId }) => vpcIds.includes(vpcId));
}

/** Replaces the groups of one ENI. Done twice it changes nothing. */
export async function setGroups(
  ec2: EC2Client,
  networkInterfaceId: string,
  groupIds: readonly string[],
): Promise<void> {
  await ec2.send(
    new ModifyNetworkInterfaceAttributeCommand({ NetworkInterfaceId: networkInterfaceId, Groups: [...groupIds] }),
  );
}

/** Sets idle timeouts, in seconds; a member left null is not touched. Once set they cannot be unset, only set again. */
export async function setTimeouts(
  ec2: EC2Client,
  networkInterfaceId: string,
  timeouts: TrackingTimeouts,
): Promise<void> {
  const specification: ConnectionTrackingSpecificationRequest = {};
  if (timeouts.tcpEstablishedSeconds !== null) specification.TcpEstablishedTimeout = timeouts.tcpEstablishedSeconds;
  if (timeouts.udpSeconds !== null) specification.UdpTimeout = timeouts.udpSeconds;
  if (timeouts.udpStreamSeconds !== null) specification.UdpStreamTimeout = timeouts.udpStreamSeconds;
  await ec2.send(
    new ModifyNetworkInterfaceAttributeCommand({
      NetworkInterfaceId: networkInterfaceId,
      ConnectionTrackingSpecification: specification,
    }),
  );
}
