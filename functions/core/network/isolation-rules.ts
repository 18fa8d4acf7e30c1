import { InputError, quote } from '../errors.ts';
import type { GroupRule, KnownFlow, NetworkInterfaceFacts } from '../model.ts';
import { canonicalCidr, contains } from './addresses.ts';

/**
 * What the isolation group may allow, both off by default: the agent's way to Systems Manager, and an analyst's way in.
 * Each peer is a CIDR, a prefix list (`pl-...`) or a security group (`sg-...`).
 */
export interface IsolationOpenings {
  /** TCP 443 outbound to these. */
  readonly agentEgress: readonly string[];
  /** Everything inbound from these. */
  readonly analystIngress: readonly string[];
}

export type IsolationRule = Pick<GroupRule, 'direction' | 'protocol' | 'fromPort' | 'toPort' | 'peer'>;

function peerOf(text: string, field: string): GroupRule['peer'] {
  if (/^sg-([0-9a-f]{8}|[0-9a-f]{17})$/.test(text)) return { kind: 'group', groupId: text };
  if (/^pl-([0-9a-f]{8}|[0-9a-f]{17})$/.test(text)) return { kind: 'prefix-list', prefixListId: text };
  const network = canonicalCidr(text);
  if (network === null)
    throw new InputError(field, `${quote(text)} is neither a CIDR nor a prefix list nor a security group`);
  if (network.cidr.endsWith('/0'))
    throw new InputError(field, `${quote(text)} is everybody; an isolated instance is not for that`);
  return { kind: 'cidr', cidr: network.cidr, family: network.family };
}

/** The rules that the isolation group has, and no others. */
export function isolationRules({ agentEgress, analystIngress }: IsolationOpenings): readonly IsolationRule[] {
  return [
    ...agentEgress.map(
      (text): IsolationRule => ({
        direction: 'egress',
        protocol: 'tcp',
        fromPort: 443,
        toPort: 443,
        peer: peerOf(text, 'FLOWCUT_AGENT_EGRESS'),
      }),
    ),
    ...analystIngress.map(
      (text): IsolationRule => ({
        direction: 'ingress',
        protocol: '-1',
        fromPort: null,
        toPort: null,
        peer: peerOf(text, 'FLOWCUT_ANALYST_INGRESS'),
      }),
    ),
  ];
}

const key = (rule: IsolationRule): string =>
  [
    rule.direction,
    rule.protocol,
    rule.fromPort,
    rule.toPort,
    JSON.stringify(Object.entries(rule.peer).sort(([a], [b]) => a.localeCompare(b))),
  ].join(' ');

/** What a group has beyond what it should have, and what it lacks. */
export function compareRules(
  found: readonly GroupRule[],
  wanted: readonly IsolationRule[],
): { readonly extra: readonly GroupRule[]; readonly missing: readonly IsolationRule[] } {
  const wantedKeys = new Set(wanted.map(key));
  const foundKeys = new Set(found.map(key));
  return {
    extra: found.filter((rule) => !wantedKeys.has(key(rule))),
    missing: wanted.filter((rule) => !foundKeys.has(key(rule))),
  };
}

/** What a report says of the openings. */
export function openingsText({ agentEgress, analystIngress }: IsolationOpenings): readonly string[] {
  return [
    ...agentEgress.map((text) => `TCP 443 outbound to ${text}, for the SSM agent (isolation group)`),
    ...analystIngress.map((text) => `inbound from ${text}, for the analyst (isolation group)`),
  ];
}

/**
 * Might the isolation group itself let the flow pass? Then the swap neither blocks it nor proves anything. What a prefix
 * list or a group holds is not known here and counts as everybody.
 */
export function admits(
  openings: IsolationOpenings,
  flow: Pick<KnownFlow, 'protocol' | 'remoteAddress' | 'remotePort'>,
): boolean {
  return isolationRules(openings).some((rule) => {
    const covers = rule.peer.kind !== 'cidr' || contains(rule.peer.cidr, flow.remoteAddress);
    if (rule.direction === 'ingress') return covers;
    const protocolFits = flow.protocol === 'tcp' || flow.protocol === 'unknown';
    return covers && protocolFits && (flow.remotePort === null || flow.remotePort === rule.toPort);
  });
}

/**
 * Does the isolation group itself surely let the packet pass? The opposite caution of {@link admits}: a port or a protocol
 * that a flow log does not tell, and a prefix list or a group whose members are not known here, permit nothing for sure.
 */
export function permits(
  openings: IsolationOpenings,
  packet: Pick<KnownFlow, 'protocol' | 'remoteAddress' | 'remotePort'>,
): boolean {
  return isolationRules(openings).some(({ peer, direction, toPort }) => {
    if (peer.kind !== 'cidr' || !contains(peer.cidr, packet.remoteAddress)) return false;
    return direction === 'ingress' || (packet.protocol === 'tcp' && packet.remotePort === toPort);
  });
}

/** The ENI has groups, and no others than these. */
export const isOnlyOn = ({ groupIds }: Pick<NetworkInterfaceFacts, 'groupIds'>, these: readonly string[]): boolean =>
  groupIds.length > 0 && groupIds.every((id) => these.includes(id));
