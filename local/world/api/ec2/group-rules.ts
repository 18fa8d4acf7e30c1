import type { IpPermission as SdkPermission } from '@aws-sdk/client-ec2';
import { canonicalCidr } from '../cidr.ts';
import type { ApiContext } from '../context.ts';
import { AwsError } from '../errors.ts';
import { found, madeId } from '../ids.ts';
import type { IpPermission, SecurityGroup } from '../shapes.ts';
import { findGroup } from './find.ts';
import { invalidValue, required } from './require.ts';

/** One rule, one source or destination, as DescribeSecurityGroupRules lists it. */
export interface Rule {
  readonly groupId: string;
  readonly egress: boolean;
  readonly protocol: string;
  readonly fromPort: number | undefined;
  readonly toPort: number | undefined;
  readonly peer:
    | { readonly kind: 'ipv4' | 'ipv6' | 'prefix-list'; readonly value: string }
    | { readonly kind: 'group'; readonly value: string; readonly userId: string | undefined };
  readonly description: string | undefined;
}

export function ruleKey({ egress, protocol, fromPort, toPort, peer }: Rule): string {
  return JSON.stringify([egress, protocol, fromPort ?? -1, toPort ?? -1, peer.kind, peer.value]);
}

/** Rule ids are no part of the world file; one rule has one id for good. */
export function ruleId(rule: Rule): string {
  return madeId('sgr', rule.groupId, ruleKey(rule));
}

export function rulesOf(group: SecurityGroup): Rule[] {
  return [
    ...group.IpPermissions.flatMap((permission) => rulesOfPermission(group.GroupId, false, permission)),
    ...group.IpPermissionsEgress.flatMap((permission) => rulesOfPermission(group.GroupId, true, permission)),
  ];
}

function rulesOfPermission(groupId: string, egress: boolean, permission: IpPermission): Rule[] {
  const base = {
    groupId,
    egress,
    protocol: permission.IpProtocol ?? '-1',
    fromPort: permission.FromPort,
    toPort: permission.ToPort,
  };
  return [
    ...(permission.IpRanges ?? []).map(
      ({ CidrIp = '', Description }): Rule => ({
        ...base,
        peer: { kind: 'ipv4', value: CidrIp },
        description: Description,
      }),
    ),
    ...(permission.Ipv6Ranges ?? []).map(
      ({ CidrIpv6 = '', Description }): Rule => ({
        ...base,
        peer: { kind: 'ipv6', value: CidrIpv6 },
        description: Description,
      }),
    ),
    ...(permission.PrefixListIds ?? []).map(
      ({ PrefixListId = '', Description }): Rule => ({
        ...base,
        peer: { kind: 'prefix-list', value: PrefixListId },
        description: Description,
      }),
    ),
    ...(permission.UserIdGroupPairs ?? []).map(
      ({ GroupId = '', UserId, Description }): Rule => ({
        ...base,
        peer: { kind: 'group', value: GroupId, userId: UserId },
        description: Description,
      }),
    ),
  ];
}

/** Writes rules back as the permissions of one direction: one permission per protocol and port range, as EC2 shows them. */
export function setRules(group: SecurityGroup, egress: boolean, rules: readonly Rule[]): void {
  const permissions = new Map<
    string,
    Required<Pick<IpPermission, 'IpRanges' | 'Ipv6Ranges' | 'PrefixListIds' | 'UserIdGroupPairs'>> & IpPermission
  >();
  for (const { protocol, fromPort, toPort, peer, description } of rules) {
    const key = JSON.stringify([protocol, fromPort, toPort]);
    const permission = permissions.get(key) ?? {
      IpProtocol: protocol,
      ...(fromPort === undefined ? {} : { FromPort: fromPort }),
      ...(toPort === undefined ? {} : { ToPort: toPort }),
      IpRanges: [],
      Ipv6Ranges: [],
      PrefixListIds: [],
      UserIdGroupPairs: [],
    };
    permissions.set(key, permission);
    const described = description === undefined ? {} : { Description: description };
    if (peer.kind === 'ipv4') permission.IpRanges.push({ CidrIp: peer.value, ...described });
    else if (peer.kind === 'ipv6') permission.Ipv6Ranges.push({ CidrIpv6: peer.value, ...described });
    else if (peer.kind === 'prefix-list') permission.PrefixListIds.push({ PrefixListId: peer.value, ...described });
    else {
      const userId = peer.kind === 'group' && peer.userId !== undefined ? { UserId: peer.userId } : {};
      permission.UserIdGroupPairs.push({ GroupId: peer.value, ...userId, ...described });
    }
  }
  if (egress) group.IpPermissionsEgress = [...permissions.values()];
  else group.IpPermissions = [...permissions.values()];
}

/** A rule as DescribeSecurityGroupRules shows it. */
export function shownRule(rule: Rule, accountId: string): object {
  const peers = {
    ipv4: { CidrIpv4: rule.peer.value },
    ipv6: { CidrIpv6: rule.peer.value },
    'prefix-list': { PrefixListId: rule.peer.value },
    group: {
      ReferencedGroupInfo: {
        GroupId: rule.peer.value,
        UserId: rule.peer.kind === 'group' ? (rule.peer.userId ?? accountId) : accountId,
      },
    },
  };
  return {
    SecurityGroupRuleId: ruleId(rule),
    GroupId: rule.groupId,
    GroupOwnerId: accountId,
    IsEgress: rule.egress,
    IpProtocol: rule.protocol,
    FromPort: rule.fromPort ?? -1,
    ToPort: rule.toPort ?? -1,
    ...peers[rule.peer.kind],
    ...(rule.description === undefined ? {} : { Description: rule.description }),
    Tags: [],
  };
}

const PROTOCOL_NAMES: Record<string, string> = { '1': 'icmp', '6': 'tcp', '17': 'udp', '58': 'icmpv6', all: '-1' };

/** The rules that a request names, checked and canonical. */
export function requestedRules(
  context: ApiContext,
  group: SecurityGroup,
  egress: boolean,
  permissions: readonly SdkPermission[],
): Rule[] {
  const rules = permissions.flatMap((permission) => {
    const asked = required(permission.IpProtocol, 'ipProtocol').toLowerCase();
    const protocol = PROTOCOL_NAMES[asked] ?? asked;
    const { fromPort, toPort } = requestedPorts(protocol, permission);
    const parts = rulesOfPermission(group.GroupId, egress, { ...(permission as IpPermission), IpProtocol: protocol });
    if (parts.length === 0) {
      throw new AwsError('MissingParameter', 'A security group rule needs a CIDR, a prefix list or a security group.');
    }
    return parts.map((rule) => ({ ...rule, fromPort, toPort, peer: checkedPeer(context, group, rule.peer) }));
  });
  const keys = rules.map(ruleKey);
  if (new Set(keys).size < keys.length)
    throw new AwsError('InvalidParameterValue', 'The same permission must not appear multiple times');
  return rules;
}

function requestedPorts(protocol: string, { FromPort, ToPort }: SdkPermission): Pick<Rule, 'fromPort' | 'toPort'> {
  const ofAnyPort = { fromPort: undefined, toPort: undefined };
  if (protocol === '-1') return ofAnyPort;
  const isNamed = ['tcp', 'udp', 'icmp', 'icmpv6'].includes(protocol);
  if (!isNamed) {
    if (!/^\d{1,3}$/.test(protocol) || Number(protocol) > 255)
      throw invalidValue('ipProtocol', protocol, 'Unknown protocol.');
    return ofAnyPort;
  }
  if (protocol === 'icmpv6' && FromPort === undefined) return { fromPort: -1, toPort: -1 };
  const fromPort = required(FromPort, 'fromPort');
  const toPort = required(ToPort, 'toPort');
  const lowest = protocol === 'tcp' || protocol === 'udp' ? 0 : -1;
  const highest = lowest === 0 ? 65_535 : 255;
  for (const port of [fromPort, toPort]) {
    if (!Number.isInteger(port) || port < lowest || port > highest)
      throw invalidValue('port', port, `Expecting ${lowest} to ${highest}.`);
  }
  if (lowest === 0 && fromPort > toPort)
    throw new AwsError('InvalidParameterValue', `Invalid port range ${fromPort}-${toPort}.`);
  return { fromPort, toPort };
}

function checkedPeer(context: ApiContext, group: SecurityGroup, peer: Rule['peer']): Rule['peer'] {
  const { state } = context;
  switch (peer.kind) {
    case 'ipv4':
    case 'ipv6':
      return { kind: peer.kind, value: canonicalCidr(peer.value, peer.kind) };
    case 'prefix-list':
      found('prefixList', peer.value, state.ManagedPrefixLists, (prefixList) => prefixList.PrefixListId);
      return peer;
    case 'group':
      // A group of another account, over a peering or in a shared VPC, is in no list of ours.
      if (peer.value !== group.GroupId && (peer.userId ?? state.AccountId) === state.AccountId)
        findGroup(context, peer.value);
      return { ...peer, userId: peer.userId ?? state.AccountId };
    default:
      return peer satisfies never;
  }
}
