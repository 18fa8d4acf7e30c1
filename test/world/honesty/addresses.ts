import { address6In, addressIn, PEER_SUBNET } from './ids.ts';
import type { FlowPlan, Incident } from './incident.ts';

/** The addresses and ports of a flow of an incident, as the world and the finding name them. */
export interface Ends {
  readonly localAddress: string;
  readonly localPort: number | null;
  readonly remoteAddress: string;
  readonly remotePort: number | null;
}

export const interfaceAddress = (incident: Incident, index: number, family: 4 | 6): string => {
  const subnet = incident.interfaces[index]?.subnet ?? 0;
  return family === 4 ? addressIn(subnet, 10 + index) : address6In(subnet, 10 + index);
};

/** Neighbours are numbered by the flow that meets them, so that no two share an address. */
const neighbourHost = (index: number): number => 100 + index;

export function peerAddress(incident: Incident, index: number): string {
  const flow = incident.flows[index] as FlowPlan;
  const { peer, family } = flow;
  const inSubnet = (subnet: number): string =>
    family === 4 ? addressIn(subnet, neighbourHost(index)) : address6In(subnet, neighbourHost(index));
  switch (peer.kind) {
    case 'public':
      return family === 4 ? `198.51.100.${peer.host}` : `2001:db8:ffff::${peer.host}`;
    case 'far private':
      return family === 4 ? `10.200.0.${peer.host}` : `fd12:3456::${peer.host}`;
    case 'same subnet':
      return inSubnet(incident.interfaces[flow.via]?.subnet ?? 0);
    case 'other subnet':
      return inSubnet(PEER_SUBNET);
    default:
      return peer satisfies never;
  }
}

export function endsOf(incident: Incident, index: number): Ends {
  const flow = incident.flows[index] as FlowPlan;
  const ends = {
    localAddress: interfaceAddress(incident, flow.via, flow.family),
    remoteAddress: peerAddress(incident, index),
  };
  if (flow.protocol === 'icmp') return { ...ends, localPort: null, remotePort: null };
  const ephemeral = 40_000 + index;
  return flow.openedBy === 'instance'
    ? { ...ends, localPort: ephemeral, remotePort: flow.port }
    : { ...ends, localPort: flow.port, remotePort: ephemeral };
}

export const protocolOf = ({ protocol, family }: FlowPlan): string =>
  protocol === 'icmp' && family === 6 ? 'icmpv6' : protocol;
