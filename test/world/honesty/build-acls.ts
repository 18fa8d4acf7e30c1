import { ACCOUNT } from './ids.ts';
import type { AclKind } from './incident.ts';

type Family = 4 | 6;

interface Entry {
  readonly RuleNumber: number;
  readonly Egress: boolean;
  readonly Protocol: string;
  readonly RuleAction: 'allow' | 'deny';
  readonly CidrBlock?: string;
  readonly Ipv6CidrBlock?: string;
  readonly PortRange?: { readonly From: number; readonly To: number };
}

const FAMILIES = [4, 6] as const;
const EVERYWHERE: Record<Family, string> = { 4: '0.0.0.0/0', 6: '::/0' };
const familyOf = (cidr: string): Family => (cidr.includes(':') ? 6 : 4);
const hostCidr = (address: string): string => `${address}/${familyOf(address) === 6 ? 128 : 32}`;
/** IPv4 and IPv6 entries of one direction share the numbers. */
const numberFor = (number: number, family: Family): number => (family === 4 ? number : number + 1);

interface Rule {
  readonly number: number;
  readonly action: 'allow' | 'deny';
  readonly cidr: string;
  readonly tcpPort?: number;
}

const entry = (egress: boolean, { number, action, cidr, tcpPort }: Rule): Entry => ({
  RuleNumber: number,
  Egress: egress,
  Protocol: tcpPort === undefined ? '-1' : '6',
  RuleAction: action,
  ...(familyOf(cidr) === 4 ? { CidrBlock: cidr } : { Ipv6CidrBlock: cidr }),
  ...(tcpPort !== undefined && { PortRange: { From: tcpPort, To: tcpPort } }),
});

const allowAll = (number: number): Rule[] =>
  FAMILIES.map((family) => ({ number: numberFor(number, family), action: 'allow', cidr: EVERYWHERE[family] }));

/** The last entry of every ACL, which AWS lists under this number. */
const LAST = FAMILIES.map((family): Rule => ({ number: 32_767, action: 'deny', cidr: EVERYWHERE[family] }));

/** The quota counts the entries of a family with the last one: 18 narrow allows and an allow of all leave no room. */
const FULL = FAMILIES.flatMap((family) =>
  Array.from(
    { length: 18 },
    (_, index): Rule => ({
      number: numberFor(200 + 2 * index, family),
      action: 'allow',
      cidr: EVERYWHERE[family],
      tcpPort: 9000 + index,
    }),
  ),
);

const LOW = FAMILIES.flatMap((family): Rule[] => [
  { number: numberFor(3, family), action: 'allow', cidr: EVERYWHERE[family], tcpPort: 443 },
  { number: numberFor(5, family), action: 'allow', cidr: EVERYWHERE[family] },
]);

function rulesOf(kind: Exclude<AclKind, 'none'>, egress: boolean, peer: string): Rule[] {
  const deny = (number: number): Rule => ({ number, action: 'deny', cidr: hostCidr(peer) });
  switch (kind) {
    case 'default':
    case 'of another account':
      return allowAll(100);
    case 'first is an allow':
      return allowAll(1);
    case 'low allows':
      return LOW;
    case 'full':
      return [...allowAll(100), ...FULL];
    case 'full outbound':
      return [...allowAll(100), ...(egress ? FULL : [])];
    case 'full inbound':
      return [...allowAll(100), ...(egress ? [] : FULL)];
    case 'denied already':
      return [deny(10), ...allowAll(100)];
    case 'denied in vain':
      return [...allowAll(100), deny(150)];
    case 'denied for one protocol':
      return [{ ...deny(10), tcpPort: 4444 }, ...allowAll(100)];
    default:
      return kind satisfies never;
  }
}

/** An ACL of the kind; `peer` is the address of which some kinds speak. */
export function buildAcl(
  kind: AclKind,
  acl: { id: string; vpcId: string; subnetIds: string[] },
  peer: string,
): object[] {
  if (kind === 'none') return [];
  const entries = [true, false].flatMap((egress) =>
    [...rulesOf(kind, egress, peer), ...LAST].map((rule) => entry(egress, rule)),
  );
  return [
    {
      NetworkAclId: acl.id,
      IsDefault: false,
      OwnerId: kind === 'of another account' ? '444455556666' : ACCOUNT,
      VpcId: acl.vpcId,
      Associations: acl.subnetIds.map((SubnetId, index) => ({
        NetworkAclAssociationId: `aclassoc-${acl.id.slice(-8)}${index}`,
        NetworkAclId: acl.id,
        SubnetId,
      })),
      Entries: entries,
    },
  ];
}
