import { groupId, prefixListId } from './ids.ts';
import type { GroupKind } from './incident.ts';

interface Permission {
  readonly IpProtocol: string;
  readonly FromPort?: number;
  readonly ToPort?: number;
  readonly IpRanges?: readonly { CidrIp: string }[];
  readonly Ipv6Ranges?: readonly { CidrIpv6: string }[];
  readonly PrefixListIds?: readonly { PrefixListId: string }[];
  readonly UserIdGroupPairs?: readonly { GroupId: string }[];
}

interface Rules {
  readonly ingress: readonly Permission[];
  readonly egress: readonly Permission[];
}

const EVERYWHERE4 = { IpRanges: [{ CidrIp: '0.0.0.0/0' }] };
const EVERYWHERE6 = { Ipv6Ranges: [{ CidrIpv6: '::/0' }] };
const EVERYWHERE = { ...EVERYWHERE4, ...EVERYWHERE6 };
const HALVES = {
  IpRanges: [{ CidrIp: '0.0.0.0/1' }, { CidrIp: '128.0.0.0/1' }],
  Ipv6Ranges: [{ CidrIpv6: '::/1' }, { CidrIpv6: '8000::/1' }],
};

const all = (peers: object): Permission => ({ IpProtocol: '-1', ...peers });
const port = (protocol: string, number: number, peers: object): Permission => ({
  IpProtocol: protocol,
  FromPort: number,
  ToPort: number,
  ...peers,
});

const SSH = port('tcp', 22, { IpRanges: [{ CidrIp: '192.0.2.0/24' }] });

/** The group `itself` names itself as a source: the number that it has by its place in the table. */
const ITSELF = groupId(9);

const KINDS: Record<GroupKind, Rules> = {
  web: { ingress: [SSH], egress: [all(EVERYWHERE)] },
  open: { ingress: [all(EVERYWHERE)], egress: [all(EVERYWHERE)] },
  'open ipv4': { ingress: [all(EVERYWHERE4)], egress: [all(EVERYWHERE4)] },
  'open ipv6': { ingress: [all(EVERYWHERE6)], egress: [all(EVERYWHERE6)] },
  halves: { ingress: [all(HALVES)], egress: [all(HALVES)] },
  specific: {
    ingress: [SSH],
    egress: [
      port('tcp', 4444, {
        IpRanges: [{ CidrIp: '198.51.100.0/24' }],
        Ipv6Ranges: [{ CidrIpv6: '2001:db8:ffff::/48' }],
      }),
      port('tcp', 443, EVERYWHERE),
      port('udp', 53, EVERYWHERE),
    ],
  },
  'egress only': { ingress: [], egress: [all(EVERYWHERE)] },
  'ingress only': { ingress: [all(EVERYWHERE)], egress: [] },
  'http in': { ingress: [port('tcp', 443, EVERYWHERE), port('tcp', 80, EVERYWHERE)], egress: [all(EVERYWHERE)] },
  itself: { ingress: [{ IpProtocol: '-1', UserIdGroupPairs: [{ GroupId: ITSELF }] }], egress: [all(EVERYWHERE)] },
  'prefix list': {
    ingress: [SSH],
    egress: [all({ PrefixListIds: [{ PrefixListId: prefixListId }] }), port('tcp', 443, EVERYWHERE4)],
  },
  empty: { ingress: [], egress: [] },
};

const NUMBERS = Object.keys(KINDS) as GroupKind[];

export const groupOf = (kind: GroupKind): string => groupId(NUMBERS.indexOf(kind));

const group = (number: number, name: string, { ingress, egress }: Rules, vpcId: string, ownerId: string) => ({
  GroupId: groupId(number),
  GroupName: name,
  Description: name,
  OwnerId: ownerId,
  VpcId: vpcId,
  IpPermissions: ingress,
  IpPermissionsEgress: egress,
});

/** The groups of the kinds that are used. */
export const buildGroups = (kinds: readonly GroupKind[], vpcId: string, ownerId: string): object[] =>
  NUMBERS.filter((kind) => kinds.includes(kind)).map((kind) =>
    group(NUMBERS.indexOf(kind), kind.replaceAll(' ', '-'), KINDS[kind], vpcId, ownerId),
  );

/** A group under the name that the responder gives its own, as an earlier case, a careless hand or a stranger left it. */
export function buildIsolationGroup(
  kind: 'clean' | 'with a rule' | "somebody else's",
  vpcId: string,
  ownerId: string,
): object {
  const rules = { ingress: [], egress: kind === 'clean' ? [] : [all(EVERYWHERE)] };
  const built = group(0x99, 'flowcut-isolation', rules, vpcId, ownerId);
  return kind === "somebody else's" ? built : { ...built, Tags: [{ Key: 'flowcut:purpose', Value: 'isolation' }] };
}
