import type {
  CreateNetworkAclCommandInput,
  DeleteNetworkAclCommandInput,
  ReplaceNetworkAclAssociationCommandInput,
} from '@aws-sdk/client-ec2';
import type { ApiContext, Handlers } from '../context.ts';
import { AwsError } from '../errors.ts';
import { found, newId } from '../ids.ts';
import { memorySlot } from '../memory.ts';
import type { NetworkAcl, NetworkAclEntry } from '../shapes.ts';
import { associationsOf, findAcl } from './find.ts';
import { required, requireOwner } from './require.ts';
import { tagsFor } from './tag-specifications.ts';

/** https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html */
const ACLS_PER_VPC = 200;

const createdByToken = memorySlot(() => new Map<string, NetworkAcl>());

/** https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html: a new one denies everything, both ways. */
function createNetworkAcl(context: ApiContext, input: CreateNetworkAclCommandInput): object {
  const { state, memory } = context;
  const made = memory.of(createdByToken).get(input.ClientToken ?? '');
  if (made !== undefined) return { NetworkAcl: made, ClientToken: input.ClientToken };
  const vpc = found('vpc', required(input.VpcId, 'vpcId'), state.Vpcs, (one) => one.VpcId);
  requireOwner(state.AccountId, vpc.OwnerId, 'CreateNetworkAcl');
  if (state.NetworkAcls.filter((acl) => acl.VpcId === vpc.VpcId).length >= ACLS_PER_VPC) {
    throw new AwsError('NetworkAclLimitExceeded', 'The maximum number of network ACLs for this VPC has been reached.');
  }
  const hasIpv6 = (vpc.Ipv6CidrBlockAssociationSet ?? []).length > 0;
  const acl: NetworkAcl = {
    NetworkAclId: newId(memory, 'acl'),
    VpcId: vpc.VpcId,
    OwnerId: state.AccountId,
    IsDefault: false,
    Associations: [],
    Entries: [true, false].flatMap((Egress) => lastWords(Egress, hasIpv6)),
    Tags: tagsFor('network-acl', input.TagSpecifications),
  };
  state.NetworkAcls.push(acl);
  if (input.ClientToken !== undefined) memory.of(createdByToken).set(input.ClientToken, acl);
  return { NetworkAcl: structuredClone(acl), ClientToken: input.ClientToken };
}

/** The denies (`*`) that nobody can edit. */
function lastWords(Egress: boolean, hasIpv6: boolean): NetworkAclEntry[] {
  const deny = { Egress, Protocol: '-1', RuleAction: 'deny' };
  const ipv4 = { RuleNumber: 32_767, CidrBlock: '0.0.0.0/0', ...deny };
  return hasIpv6 ? [ipv4, { RuleNumber: 32_768, Ipv6CidrBlock: '::/0', ...deny }] : [ipv4];
}

function deleteNetworkAcl({ state }: ApiContext, input: DeleteNetworkAclCommandInput): object {
  const acl = findAcl(state, required(input.NetworkAclId, 'networkAclId'));
  requireOwner(state.AccountId, acl.OwnerId, 'DeleteNetworkAcl');
  if (acl.IsDefault === true) {
    throw new AwsError(
      'InvalidParameterValue',
      `The network ACL '${acl.NetworkAclId}' is a default and cannot be deleted.`,
    );
  }
  if (associationsOf(state, acl).length > 0) {
    throw new AwsError(
      'DependencyViolation',
      `The networkAcl '${acl.NetworkAclId}' has dependencies and cannot be deleted.`,
    );
  }
  state.NetworkAcls.splice(state.NetworkAcls.indexOf(acl), 1);
  return {};
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceNetworkAclAssociation.html: the association gets a new id. */
function replaceNetworkAclAssociation(context: ApiContext, input: ReplaceNetworkAclAssociationCommandInput): object {
  const { state, memory } = context;
  const id = required(input.AssociationId, 'associationId');
  const target = findAcl(state, required(input.NetworkAclId, 'networkAclId'));
  const holder = state.NetworkAcls.find((acl) => associationOf(context, acl, id) !== undefined);
  if (holder === undefined) {
    throw new AwsError('InvalidAssociationID.NotFound', `The association ID '${id}' does not exist`);
  }
  requireOwner(state.AccountId, holder.OwnerId, 'ReplaceNetworkAclAssociation');
  if (holder.VpcId !== target.VpcId) {
    throw new AwsError(
      'InvalidParameterValue',
      `You have specified two resources that belong to different networks: ${id}, ${target.NetworkAclId}.`,
    );
  }
  const SubnetId = associationOf(context, holder, id)?.SubnetId;
  const NewAssociationId = newId(memory, 'aclassoc');
  for (const acl of state.NetworkAcls) {
    acl.Associations = acl.Associations.filter((one) => one.SubnetId !== SubnetId);
  }
  target.Associations = [
    ...target.Associations,
    {
      NetworkAclAssociationId: NewAssociationId,
      NetworkAclId: target.NetworkAclId,
      ...(SubnetId !== undefined && { SubnetId }),
    },
  ];
  context.networkChanged();
  return { NewAssociationId };
}

const associationOf = ({ state }: ApiContext, acl: NetworkAcl, id: string) =>
  associationsOf(state, acl).find((one) => one.NetworkAclAssociationId === id);

export const networkAclSetHandlers: Handlers = {
  CreateNetworkAcl: createNetworkAcl,
  DeleteNetworkAcl: deleteNetworkAcl,
  ReplaceNetworkAclAssociation: replaceNetworkAclAssociation,
};
