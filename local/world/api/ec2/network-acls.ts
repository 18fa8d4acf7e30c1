import type {
  CreateNetworkAclEntryCommandInput,
  DeleteNetworkAclEntryCommandInput,
  DescribeNetworkAclsCommandInput,
} from '@aws-sdk/client-ec2';
import { canonicalCidr } from '../cidr.ts';
import type { ApiContext, Handlers } from '../context.ts';
import { AwsError } from '../errors.ts';
import type { NetworkAcl, NetworkAclEntry } from '../shapes.ts';
import { associationsOf, findAcl } from './find.ts';
import { type Listing, list } from './listing.ts';
import { invalidValue, required, requireOwner } from './require.ts';

/** The default denies (`*`) are 32767 for IPv4 and 32768 for IPv6; nobody can edit them. */
const LAST_RULE = 32_766;

const listing: Listing<NetworkAcl> = {
  kind: 'acl',
  idOf: (acl) => acl.NetworkAclId,
  tagsOf: (acl) => acl.Tags,
  pageSize: { min: 5, max: 1000 },
  filters: {
    'network-acl-id': (acl) => acl.NetworkAclId,
    'association.association-id': (acl) => acl.Associations.map((association) => association.NetworkAclAssociationId),
    'association.network-acl-id': (acl) => acl.Associations.map(() => acl.NetworkAclId),
    'association.subnet-id': (acl) => acl.Associations.map((association) => association.SubnetId),
    default: (acl) => acl.IsDefault,
    'entry.cidr': (acl) => acl.Entries.map((entry) => entry.CidrBlock),
    'entry.ipv6-cidr': (acl) => acl.Entries.map((entry) => entry.Ipv6CidrBlock),
    'entry.egress': (acl) => acl.Entries.map((entry) => entry.Egress),
    'entry.protocol': (acl) => acl.Entries.map((entry) => entry.Protocol),
    'entry.rule-action': (acl) => acl.Entries.map((entry) => entry.RuleAction),
    'entry.rule-number': (acl) => acl.Entries.map((entry) => entry.RuleNumber),
    'owner-id': (acl) => acl.OwnerId,
    'vpc-id': (acl) => acl.VpcId,
  },
};

function describeNetworkAcls({ state }: ApiContext, input: DescribeNetworkAclsCommandInput): object {
  const all = state.NetworkAcls.map((acl) => ({
    OwnerId: state.AccountId,
    IsDefault: false,
    ...acl,
    Associations: associationsOf(state, acl),
  }));
  const { items, nextToken } = list<NetworkAcl>(all, listing, input.NetworkAclIds, input);
  return { NetworkAcls: items, NextToken: nextToken };
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAclEntry.html */
function createNetworkAclEntry(context: ApiContext, input: CreateNetworkAclEntryCommandInput): object {
  const acl = editableAcl(context, input.NetworkAclId);
  const entry = requestedEntry(input);
  if (entryAt(acl, entry) !== undefined) {
    throw new AwsError(
      'NetworkAclEntryAlreadyExists',
      `The network acl entry identified by ${entry.RuleNumber} already exists.`,
    );
  }
  if (acl.Entries.filter((other) => countsWith(entry, other)).length >= context.state.NaclEntryQuota) {
    throw new AwsError('NetworkAclEntryLimitExceeded', 'The maximum number of network acl entries has been reached.');
  }
  setEntries(acl, [...acl.Entries, entry]);
  context.networkChanged();
  return {};
}

function replaceNetworkAclEntry(context: ApiContext, input: CreateNetworkAclEntryCommandInput): object {
  const acl = editableAcl(context, input.NetworkAclId);
  const entry = requestedEntry(input);
  const there = existingEntry(acl, entry);
  setEntries(acl, [...acl.Entries.filter((other) => other !== there), entry]);
  context.networkChanged();
  return {};
}

function deleteNetworkAclEntry(context: ApiContext, input: DeleteNetworkAclEntryCommandInput): object {
  const acl = editableAcl(context, input.NetworkAclId);
  const there = existingEntry(acl, {
    RuleNumber: requestedNumber(input.RuleNumber),
    Egress: required(input.Egress, 'egress'),
  });
  setEntries(
    acl,
    acl.Entries.filter((other) => other !== there),
  );
  context.networkChanged();
  return {};
}

function editableAcl({ state }: ApiContext, id: string | undefined): NetworkAcl {
  const acl = findAcl(state, required(id, 'networkAclId'));
  requireOwner(state.AccountId, acl.OwnerId, 'Editing the entries');
  return acl;
}

type EntryPlace = Pick<NetworkAclEntry, 'RuleNumber' | 'Egress'>;

/** IPv4 and IPv6 entries share the numbers of a direction. */
function entryAt(acl: NetworkAcl, { RuleNumber, Egress }: EntryPlace): NetworkAclEntry | undefined {
  return acl.Entries.find((entry) => entry.RuleNumber === RuleNumber && entry.Egress === Egress);
}

function existingEntry(acl: NetworkAcl, place: EntryPlace): NetworkAclEntry {
  const entry = entryAt(acl, place);
  if (entry === undefined) {
    throw new AwsError(
      'InvalidNetworkAclEntry.NotFound',
      `The network acl entry identified by ${place.RuleNumber} does not exist.`,
    );
  }
  return entry;
}

/** The quota is per direction and address family, the default deny included. https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html */
function countsWith(entry: NetworkAclEntry, other: NetworkAclEntry): boolean {
  return other.Egress === entry.Egress && (other.Ipv6CidrBlock === undefined) === (entry.Ipv6CidrBlock === undefined);
}

/** As AWS lists them: egress first, each direction by number. Changed in place: physics holds the same object. */
function setEntries(acl: NetworkAcl, entries: readonly NetworkAclEntry[]): void {
  acl.Entries = [...entries].sort((a, b) => Number(b.Egress) - Number(a.Egress) || a.RuleNumber - b.RuleNumber);
}

function requestedNumber(value: number | undefined): number {
  const number = required(value, 'ruleNumber');
  if (!Number.isInteger(number) || number < 1 || number > LAST_RULE) {
    throw invalidValue('ruleNumber', number, `Expecting 1 to ${LAST_RULE}.`);
  }
  return number;
}

const PROTOCOL_NUMBERS: Record<string, string> = { all: '-1', icmp: '1', tcp: '6', udp: '17', icmpv6: '58' };

function requestedEntry(input: CreateNetworkAclEntryCommandInput): NetworkAclEntry {
  const asked = required(input.Protocol, 'protocol').toLowerCase();
  const protocol = PROTOCOL_NUMBERS[asked] ?? asked;
  if (!/^(-1|\d{1,3})$/.test(protocol) || Number(protocol) > 255)
    throw invalidValue('protocol', asked, 'Unknown protocol.');
  const RuleAction: string = required(input.RuleAction, 'ruleAction');
  if (RuleAction !== 'allow' && RuleAction !== 'deny')
    throw invalidValue('ruleAction', RuleAction, "Expecting 'allow' or 'deny'.");
  return {
    ...requestedBlock(input),
    Egress: required(input.Egress, 'egress'),
    Protocol: protocol,
    RuleAction,
    RuleNumber: requestedNumber(input.RuleNumber),
    ...requestedPorts(protocol, input),
  };
}

function requestedBlock({ CidrBlock, Ipv6CidrBlock }: CreateNetworkAclEntryCommandInput): Partial<NetworkAclEntry> {
  if (CidrBlock !== undefined && Ipv6CidrBlock !== undefined) {
    throw new AwsError('InvalidParameterCombination', 'An entry has an IPv4 or an IPv6 CIDR block, not both.');
  }
  if (CidrBlock !== undefined) return { CidrBlock: canonicalCidr(CidrBlock, 'ipv4') };
  return { Ipv6CidrBlock: canonicalCidr(required(Ipv6CidrBlock, 'cidrBlock'), 'ipv6') };
}

function requestedPorts(
  protocol: string,
  { PortRange, IcmpTypeCode }: CreateNetworkAclEntryCommandInput,
): Partial<NetworkAclEntry> {
  if (protocol === '6' || protocol === '17') {
    const From = required(PortRange?.From, 'portRange.from');
    const To = required(PortRange?.To, 'portRange.to');
    if (From < 0 || To > 65_535 || From > To) throw invalidValue('portRange', `${From}-${To}`, 'Expecting 0 to 65535.');
    return { PortRange: { From, To } };
  }
  if (protocol === '1' || protocol === '58') {
    const Type = required(IcmpTypeCode?.Type, 'icmpTypeCode.type');
    return { IcmpTypeCode: { Type, Code: required(IcmpTypeCode?.Code, 'icmpTypeCode.code') } };
  }
  return {};
}

export const networkAclHandlers: Handlers = {
  DescribeNetworkAcls: describeNetworkAcls,
  CreateNetworkAclEntry: createNetworkAclEntry,
  ReplaceNetworkAclEntry: replaceNetworkAclEntry,
  DeleteNetworkAclEntry: deleteNetworkAclEntry,
};
