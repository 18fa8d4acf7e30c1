import {
  type ConnectionTrackingSpecificationRequest,
  type EC2Client,
  ModifyNetworkInterfaceAttributeCommand,
  type NetworkInterface,
  paginateDescribeNetworkInterfaces,
} from '@aws-sdk/client-ec2';
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

/** `InterfaceType` of the ENIs in this account that hold one of these private addresses, by address. */
export async function interfaceTypesByAddress(
  ec2: EC2Client,
  addresses: readonly string[],
): Promise<readonly (readonly [string, string])[]> {
  const found: (readonly [string, string])[] = [];
  const families = [
    { Name: 'addresses.private-ip-address', Values: addresses.filter((address) => !address.includes(':')) },
    { Name: 'ipv6-addresses.ipv6-address', Values: addresses.filter((address) => address.includes(':')) },
  ];
  for (const filter of families.filter(({ Values }) => Values.length > 0)) {
    for await (const page of paginateDescribeNetworkInterfaces({ client: ec2, pageSize: 100 }, { Filters: [filter] })) {
      for (const eni of (page.NetworkInterfaces ?? []).map(toFacts)) {
        const held = [...eni.privateAddresses, ...eni.ipv6Addresses].filter((address) => addresses.includes(address));
        found.push(...held.map((address) => [address, eni.interfaceType] as const));
      }
    }
  }
  return found;
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
