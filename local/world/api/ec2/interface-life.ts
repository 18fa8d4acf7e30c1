import type {
  AttachNetworkInterfaceCommandInput,
  CreateNetworkInterfaceCommandInput,
  DeleteNetworkInterfaceCommandInput,
  DetachNetworkInterfaceCommandInput,
} from '@aws-sdk/client-ec2';
import { freeAddress, holds } from '../../physics/addresses.ts';
import type { ApiContext, Handlers } from '../context.ts';
import { AwsError } from '../errors.ts';
import { removeInterface } from '../flow-logs.ts';
import { found, newId } from '../ids.ts';
import type { ApiState, NetworkInterface, Subnet } from '../shapes.ts';
import { findInstance, findInterface, groupsFor, interfacesOf } from './find.ts';
import { refuseUnmodifiable } from './managed.ts';
import { invalidValue, required } from './require.ts';
import { tagsFor } from './tag-specifications.ts';

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkInterface.html */
function createNetworkInterface(context: ApiContext, input: CreateNetworkInterfaceCommandInput): object {
  const { state, memory } = context;
  const subnet = found('subnet', required(input.SubnetId, 'subnetId'), state.Subnets, (one) => one.SubnetId);
  const groups = groupsFor(context, input.Groups ?? defaultGroup(state, subnet.VpcId), subnet.VpcId);
  const PrivateIpAddress = addressFor(state, subnet, input.PrivateIpAddress);
  const eni: NetworkInterface = {
    NetworkInterfaceId: newId(memory, 'eni'),
    VpcId: subnet.VpcId,
    SubnetId: subnet.SubnetId,
    OwnerId: state.AccountId,
    Status: 'available',
    Description: input.Description ?? '',
    InterfaceType: 'interface',
    RequesterManaged: false,
    SourceDestCheck: true,
    Groups: groups.map(({ GroupId, GroupName }) => (GroupName === undefined ? { GroupId } : { GroupId, GroupName })),
    PrivateIpAddress,
    PrivateIpAddresses: [{ PrivateIpAddress, Primary: true }],
    Ipv6Addresses: [],
    TagSet: tagsFor('network-interface', input.TagSpecifications),
  };
  state.NetworkInterfaces.push(eni);
  context.networkChanged();
  return { NetworkInterface: structuredClone(eni) };
}

const defaultGroup = (state: ApiState, vpcId: string): string[] =>
  state.SecurityGroups.flatMap((group) =>
    group.VpcId === vpcId && group.GroupName === 'default' ? group.GroupId : [],
  );

function addressFor(state: ApiState, subnet: Subnet, asked: string | undefined): string {
  const taken = new Set(
    state.NetworkInterfaces.filter((eni) => eni.VpcId === subnet.VpcId).flatMap((eni) =>
      (eni.PrivateIpAddresses ?? []).map((one) => one.PrivateIpAddress),
    ),
  );
  const cidr = required(subnet.CidrBlock, 'cidrBlock');
  if (asked !== undefined) {
    if (!holds(cidr, asked)) throw invalidValue('address', asked, "Address does not fall within the subnet's range.");
    if (taken.has(asked)) throw new AwsError('InvalidIPAddress.InUse', `Address ${asked} is in use.`);
    return asked;
  }
  const free = freeAddress(cidr, (address) => taken.has(address));
  if (free === null) throw new AwsError('InsufficientFreeAddressesInSubnet', 'There are no free addresses left.');
  return free;
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AttachNetworkInterface.html */
function attachNetworkInterface(context: ApiContext, input: AttachNetworkInterfaceCommandInput): object {
  const { state, memory } = context;
  const eni = findInterface(state, required(input.NetworkInterfaceId, 'networkInterfaceId'));
  const instance = findInstance(state, required(input.InstanceId, 'instanceId'));
  const DeviceIndex = required(input.DeviceIndex, 'deviceIndex');
  refuseUnmodifiable(eni);
  if (eni.Attachment !== undefined) {
    throw new AwsError('InvalidNetworkInterface.InUse', `Interface: [${eni.NetworkInterfaceId}] in use.`);
  }
  if (interfacesOf(state, instance.InstanceId).some((one) => (one.Attachment?.DeviceIndex ?? 0) === DeviceIndex)) {
    throw invalidValue('deviceIndex', DeviceIndex, `Instance '${instance.InstanceId}' already has an interface there.`);
  }
  const AttachmentId = newId(memory, 'eni-attach');
  eni.Attachment = {
    AttachmentId,
    InstanceId: instance.InstanceId,
    InstanceOwnerId: state.AccountId,
    DeviceIndex,
    Status: 'attached',
    DeleteOnTermination: false,
  };
  eni.Status = 'in-use';
  context.networkChanged();
  return { AttachmentId };
}

function detachNetworkInterface(context: ApiContext, input: DetachNetworkInterfaceCommandInput): object {
  const id = required(input.AttachmentId, 'attachmentId');
  const eni = context.state.NetworkInterfaces.find((one) => one.Attachment?.AttachmentId === id);
  if (eni === undefined) throw new AwsError('InvalidAttachmentID.NotFound', `The attachment '${id}' does not exist`);
  refuseUnmodifiable(eni);
  if ((eni.Attachment?.DeviceIndex ?? 0) === 0) {
    throw new AwsError('OperationNotPermitted', 'The network interface at device index 0 cannot be detached.');
  }
  setFree(eni);
  context.networkChanged();
  return {};
}

/** Takes an interface off its instance. */
export function setFree(eni: NetworkInterface): void {
  delete eni.Attachment;
  eni.Status = 'available';
}

function deleteNetworkInterface(context: ApiContext, input: DeleteNetworkInterfaceCommandInput): object {
  const { state, memory } = context;
  const eni = findInterface(state, required(input.NetworkInterfaceId, 'networkInterfaceId'));
  refuseUnmodifiable(eni);
  if (eni.Attachment !== undefined) {
    throw new AwsError('InvalidParameterValue', `Network interface '${eni.NetworkInterfaceId}' is currently in use.`);
  }
  removeInterface(state, memory, eni);
  context.networkChanged();
  return {};
}

export const interfaceLifeHandlers: Handlers = {
  CreateNetworkInterface: createNetworkInterface,
  AttachNetworkInterface: attachNetworkInterface,
  DetachNetworkInterface: detachNetworkInterface,
  DeleteNetworkInterface: deleteNetworkInterface,
};
