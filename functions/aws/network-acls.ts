import {
  CreateNetworkAclCommand,
  CreateNetworkAclEntryCommand,
  DeleteNetworkAclEntryCommand,
  type EC2Client,
  type NetworkAcl,
  type NetworkAclEntry,
  paginateDescribeNetworkAcls,
  ReplaceNetworkAclAssociationCommand,
} from '@aws-sdk/client-ec2';
import type { AclEntry, AclFacts } from '../core/model.ts';
import { canonicalCidr } from '../core/network/addresses.ts';
import { leaveThrottles } from './errors.ts';

/** The number of the default deny, which cannot be changed. */
const DEFAULT_DENY = 32_767;

const PROTOCOL_NAMES: Readonly<Record<string, string>> = { '1': 'icmp', '6': 'tcp', '17': 'udp', '58': 'icmpv6' };

function toEntry(entry: NetworkAclEntry): AclEntry | null {
  const cidr = canonicalCidr(entry.CidrBlock ?? entry.Ipv6CidrBlock ?? '');
  if (cidr === null || entry.RuleNumber === undefined || entry.RuleNumber >= DEFAULT_DENY) return null;
  const protocol = entry.Protocol ?? '-1';
  return {
    ruleNumber: entry.RuleNumber,
    egress: entry.Egress ?? false,
    action: entry.RuleAction === 'deny' ? 'deny' : 'allow',
    protocol: PROTOCOL_NAMES[protocol] ?? protocol,
    cidr: cidr.cidr,
    family: cidr.family,
    fromPort: entry.PortRange?.From ?? entry.IcmpTypeCode?.Type ?? null,
    toPort: entry.PortRange?.To ?? entry.IcmpTypeCode?.Code ?? null,
  };
}

function toFacts(acl: NetworkAcl): AclFacts {
  return {
    id: acl.NetworkAclId ?? '',
    vpcId: acl.VpcId ?? '',
    ownerId: acl.OwnerId ?? null,
    subnetIds: (acl.Associations ?? []).map((association) => association.SubnetId ?? ''),
    entries: (acl.Entries ?? []).map(toEntry).filter((entry) => entry !== null),
  };
}

async function describe(ec2: EC2Client, name: string, values: readonly string[]): Promise<readonly AclFacts[]> {
  if (values.length === 0) return [];
  const found: AclFacts[] = [];
  const input = { Filters: [{ Name: name, Values: [...values] }] };
  for await (const page of paginateDescribeNetworkAcls({ client: ec2, pageSize: 100 }, input)) {
    found.push(...(page.NetworkAcls ?? []).map(toFacts));
  }
  return found;
}

/** The ACLs in front of these subnets. */
export const aclsOfSubnets = (ec2: EC2Client, subnetIds: readonly string[]) =>
  describe(ec2, 'association.subnet-id', subnetIds);

export const aclsById = (ec2: EC2Client, aclIds: readonly string[]) => describe(ec2, 'network-acl-id', aclIds);

/** The place of an entry: an ACL, a direction, a number. */
export interface EntryPlace {
  readonly aclId: string;
  readonly egress: boolean;
  readonly ruleNumber: number;
}

/**
 * Creates a deny of everything to or from one network. There is no client token: `NetworkAclEntryAlreadyExists` is by
 * number, and the caller reads back whose entry it is. `throttles`: whether the SDK waits them out, or the caller does.
 */
export async function createDeny(
  ec2: EC2Client,
  place: EntryPlace,
  cidr: string,
  throttles: 'tried-again' | 'thrown' = 'tried-again',
): Promise<void> {
  const command = new CreateNetworkAclEntryCommand({
    NetworkAclId: place.aclId,
    Egress: place.egress,
    RuleNumber: place.ruleNumber,
    RuleAction: 'deny',
    Protocol: '-1',
    ...(cidr.includes(':') ? { Ipv6CidrBlock: cidr } : { CidrBlock: cidr }),
  });
  await ec2.send(throttles === 'thrown' ? leaveThrottles(command) : command);
}

export async function deleteEntry(ec2: EC2Client, place: EntryPlace): Promise<void> {
  await ec2.send(
    new DeleteNetworkAclEntryCommand({ NetworkAclId: place.aclId, Egress: place.egress, RuleNumber: place.ruleNumber }),
  );
}

/** By this tag people know the ACL that seals a subnet, and the functions' rights find it. */
export const SEAL_ACL = { tag: { Key: 'flowcut:purpose', Value: 'seal' } } as const;

/**
 * Makes a network ACL without a rule, which lets nothing pass; returns its id. Asked twice with one token it is one ACL, and
 * where the answer is lost it is found by that token, which is its name.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAcl.html
 */
export async function createSealAcl(ec2: EC2Client, vpcId: string, token: string): Promise<string> {
  const create = new CreateNetworkAclCommand({
    VpcId: vpcId,
    ClientToken: token,
    TagSpecifications: [{ ResourceType: 'network-acl', Tags: [{ Key: 'Name', Value: token }, { ...SEAL_ACL.tag }] }],
  });
  try {
    const { NetworkAcl } = await ec2.send(create);
    if (NetworkAcl?.NetworkAclId === undefined) throw new Error('CreateNetworkAcl answered without an id');
    return NetworkAcl.NetworkAclId;
  } catch (error) {
    const named = await describe(ec2, 'tag:Name', [token]);
    const made = named.find((acl) => acl.vpcId === vpcId && acl.subnetIds.length === 0 && acl.entries.length === 0);
    if (made === undefined) throw error;
    return made.id;
  }
}

/** Which ACL a subnet is associated with now, and by which association; null = none is shown. */
export async function associationOf(
  ec2: EC2Client,
  subnetId: string,
): Promise<{ readonly associationId: string; readonly acl: AclFacts } | null> {
  const input = { Filters: [{ Name: 'association.subnet-id', Values: [subnetId] }] };
  for await (const page of paginateDescribeNetworkAcls({ client: ec2, pageSize: 100 }, input)) {
    for (const acl of page.NetworkAcls ?? []) {
      const associationId = acl.Associations?.find((one) => one.SubnetId === subnetId)?.NetworkAclAssociationId;
      if (associationId !== undefined) return { associationId, acl: toFacts(acl) };
    }
  }
  return null;
}

/**
 * Puts another ACL in front of the subnet of an association. The association gets a new id, and the old one is
 * `InvalidAssociationID.NotFound` from then on.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceNetworkAclAssociation.html
 */
export async function replaceAssociation(ec2: EC2Client, associationId: string, aclId: string): Promise<void> {
  await ec2.send(new ReplaceNetworkAclAssociationCommand({ AssociationId: associationId, NetworkAclId: aclId }));
}
