import type {
  DescribeNetworkInterfacesCommandInput,
  ModifyNetworkInterfaceAttributeCommandInput,
} from '@aws-sdk/client-ec2';
import { isNitro } from '../../physics/nitro.ts';
import type { ApiContext, Handlers } from '../context.ts';
import { AwsError } from '../errors.ts';
import type { NetworkInterface } from '../shapes.ts';
import { allInstances, findInstance, findInterface, groupsFor, setGroups } from './find.ts';
import { type Listing, list } from './listing.ts';
import { refuseManaged, refuseUnmodifiable } from './managed.ts';
import { invalidValue, required, requireOwner } from './require.ts';

const listing: Listing<NetworkInterface> = {
  kind: 'networkInterface',
  idOf: (eni) => eni.NetworkInterfaceId,
  tagsOf: (eni) => eni.TagSet,
  pageSize: { min: 5, max: 1000 },
  noPagesOfIds: true,
  filters: {
    'network-interface-id': (eni) => eni.NetworkInterfaceId,
    'attachment.instance-id': (eni) => eni.Attachment?.InstanceId,
    'attachment.attachment-id': (eni) => eni.Attachment?.AttachmentId,
    'attachment.device-index': (eni) => eni.Attachment?.DeviceIndex,
    'attachment.instance-owner-id': (eni) => eni.Attachment?.InstanceOwnerId,
    'attachment.status': (eni) => eni.Attachment?.Status,
    'addresses.private-ip-address': (eni) => eni.PrivateIpAddresses?.map((address) => address.PrivateIpAddress),
    'addresses.association.public-ip': (eni) => eni.PrivateIpAddresses?.map((address) => address.Association?.PublicIp),
    'association.public-ip': (eni) => eni.Association?.PublicIp,
    'private-ip-address': (eni) => eni.PrivateIpAddress,
    'ipv6-addresses.ipv6-address': (eni) => eni.Ipv6Addresses?.map((address) => address.Ipv6Address),
    'group-id': (eni) => eni.Groups.map((group) => group.GroupId),
    'group-name': (eni) => eni.Groups.map((group) => group.GroupName),
    'interface-type': (eni) => eni.InterfaceType,
    description: (eni) => eni.Description,
    'owner-id': (eni) => eni.OwnerId,
    'requester-id': (eni) => eni.RequesterId,
    'requester-managed': (eni) => eni.RequesterManaged ?? false,
    'operator.managed': (eni) => eni.Operator?.Managed ?? false,
    'operator.principal': (eni) => eni.Operator?.Principal,
    'source-dest-check': (eni) => eni.SourceDestCheck,
    status: (eni) => eni.Status,
    'subnet-id': (eni) => eni.SubnetId,
    'vpc-id': (eni) => eni.VpcId,
  },
};

function describeNetworkInterfaces({ state }: ApiContext, input: DescribeNetworkInterfacesCommandInput): object {
  const all = state.NetworkInterfaces.map(
    (eni): NetworkInterface => ({
      OwnerId: state.AccountId,
      Status: eni.Attachment === undefined ? 'available' : 'in-use',
      Description: '',
      InterfaceType: 'interface',
      RequesterManaged: false,
      SourceDestCheck: true,
      TagSet: [],
      ...eni,
    }),
  );
  const { items, nextToken } = list(all, listing, input.NetworkInterfaceIds, input);
  return { NetworkInterfaces: items, NextToken: nextToken };
}

const ATTRIBUTES = [
  'Groups',
  'ConnectionTrackingSpecification',
  'Attachment',
  'Description',
  'SourceDestCheck',
  'EnaSrdSpecification',
  'EnablePrimaryIpv6',
  'AssociatePublicIpAddress',
] as const;

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyNetworkInterfaceAttribute.html: one attribute per call. */
function modifyNetworkInterfaceAttribute(
  context: ApiContext,
  input: ModifyNetworkInterfaceAttributeCommandInput,
): object {
  const { state } = context;
  const eni = findInterface(state, required(input.NetworkInterfaceId, 'networkInterfaceId'));
  const [attribute, ...more] = ATTRIBUTES.filter((name) => input[name] !== undefined);
  if (attribute === undefined) throw new AwsError('InvalidParameterCombination', 'No attributes specified.');
  if (more.length > 0)
    throw new AwsError('InvalidParameterCombination', 'Fields for multiple attribute types specified');
  requireOwner(state.AccountId, eni.OwnerId, 'ModifyNetworkInterfaceAttribute');
  refuseUnmodifiable(eni);
  const instance = allInstances(state).find(({ InstanceId }) => InstanceId === eni.Attachment?.InstanceId);
  if (instance !== undefined) refuseManaged(instance);
  switch (attribute) {
    case 'Groups':
      setGroups(state, eni, groupsFor(context, input.Groups ?? [], eni.VpcId));
      context.networkChanged();
      break;
    case 'ConnectionTrackingSpecification':
      setTracking(context, eni, input.ConnectionTrackingSpecification ?? {});
      context.networkChanged();
      break;
    case 'Attachment':
      setAttachment(eni, input.Attachment ?? {});
      break;
    case 'Description':
      eni.Description = input.Description?.Value ?? '';
      break;
    case 'SourceDestCheck':
      eni.SourceDestCheck = input.SourceDestCheck?.Value ?? true;
      break;
    default:
      throw new AwsError('UnsupportedOperation', `The embedded world does not change ${attribute}.`);
  }
  return {};
}

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html#connection-tracking-timeouts */
const TIMEOUT_RANGES = {
  TcpEstablishedTimeout: { min: 60, max: 432_000 },
  UdpTimeout: { min: 30, max: 60 },
  UdpStreamTimeout: { min: 60, max: 180 },
} as const;

/** Timeouts that are not named keep their value: nothing sets one back to "not set". */
function setTracking(
  { state }: ApiContext,
  eni: NetworkInterface,
  specification: NonNullable<ModifyNetworkInterfaceAttributeCommandInput['ConnectionTrackingSpecification']>,
): void {
  const given = Object.entries(TIMEOUT_RANGES).flatMap(([name, { min, max }]) => {
    const value = specification[name as keyof typeof TIMEOUT_RANGES];
    if (value === undefined) return [];
    if (!Number.isInteger(value) || value < min || value > max) {
      throw invalidValue(name, value, `Expecting a value from ${min} to ${max} seconds.`);
    }
    return [[name, value] as const];
  });
  if (given.length === 0) throw new AwsError('InvalidParameterCombination', 'No attributes specified.');
  const instanceId = eni.Attachment?.InstanceId;
  const type = instanceId === undefined ? undefined : findInstance(state, instanceId).InstanceType;
  if (!isNitro(type)) {
    throw new AwsError(
      'UnsupportedOperation',
      `Connection tracking timeouts are not supported on instance type ${type}.`,
    );
  }
  eni.ConnectionTrackingConfiguration = { ...eni.ConnectionTrackingConfiguration, ...Object.fromEntries(given) };
}

function setAttachment(
  eni: NetworkInterface,
  change: NonNullable<ModifyNetworkInterfaceAttributeCommandInput['Attachment']>,
): void {
  if (eni.Attachment === undefined || change.AttachmentId !== eni.Attachment.AttachmentId) {
    throw new AwsError('InvalidAttachmentID.NotFound', `The attachment '${change.AttachmentId}' does not exist`);
  }
  if (change.DeleteOnTermination === undefined)
    throw new AwsError('MissingParameter', 'DeleteOnTermination is missing');
  eni.Attachment.DeleteOnTermination = change.DeleteOnTermination;
}

export const networkInterfaceHandlers: Handlers = {
  DescribeNetworkInterfaces: describeNetworkInterfaces,
  ModifyNetworkInterfaceAttribute: modifyNetworkInterfaceAttribute,
};
