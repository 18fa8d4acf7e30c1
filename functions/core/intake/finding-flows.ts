import type { KnownFlow, Opener, Protocol } from '../model.ts';
import type { FindingAction, IpDetails } from './finding-schema.ts';
import type { Address } from './input-fields.ts';

/** IANA numbers and the names that GuardDuty writes; `0` is what it writes where it does not know. */
const PROTOCOLS: Readonly<Record<string, Protocol>> = {
  '0': 'unknown',
  '1': 'icmp',
  '6': 'tcp',
  '17': 'udp',
  '58': 'icmpv6',
  tcp: 'tcp',
  udp: 'udp',
  icmp: 'icmp',
  icmpv6: 'icmpv6',
  igmp: '2',
  gre: '47',
  esp: '50',
  ah: '51',
  sctp: '132',
};

export function protocolOf(written: string | undefined): Protocol {
  if (written === undefined) return 'unknown';
  const name = written.toLowerCase();
  if (Object.hasOwn(PROTOCOLS, name)) return PROTOCOLS[name] ?? 'unknown';
  return /^[1-9][0-9]{0,2}$/.test(name) && Number(name) <= 255 ? name : 'unknown';
}

export function openerOf(direction: string | null | undefined): Opener {
  if (direction === 'INBOUND') return 'remote';
  return direction === 'OUTBOUND' ? 'instance' : 'unknown';
}

/** Port 0 stands where the protocol has no ports. */
export function portOf(port: number | null | undefined): number | null {
  return port === undefined || port === null || port === 0 ? null : port;
}

function addressesOf(details: IpDetails | undefined): readonly Address[] {
  return [details?.ipAddressV4, details?.ipAddressV6].filter((address) => address !== undefined);
}

type Ends = Pick<KnownFlow, 'protocol' | 'remotePort' | 'localPort' | 'openedBy' | 'networkInterfaceId'>;

/** One flow per remote address; its local address is the one of the same family. */
function flowsBetween(remote: IpDetails | undefined, local: IpDetails | undefined, ends: Ends): KnownFlow[] {
  const locals = addressesOf(local);
  return addressesOf(remote).map(({ address, family }) => ({
    ...ends,
    family,
    remoteAddress: address,
    localAddress: locals.find((candidate) => candidate.family === family)?.address ?? null,
    source: 'finding',
  }));
}

/** The flows that an action names. The action decides, not the finding type: they do not always match. */
export function flowsOfAction(action: FindingAction | undefined): KnownFlow[] {
  switch (action?.actionType) {
    case 'NETWORK_CONNECTION': {
      const connection = action.networkConnectionAction;
      return flowsBetween(connection?.remoteIpDetails, connection?.localIpDetails, {
        protocol: protocolOf(connection?.protocol),
        remotePort: portOf(connection?.remotePortDetails?.port),
        localPort: portOf(connection?.localPortDetails?.port),
        openedBy: openerOf(connection?.connectionDirection),
        networkInterfaceId: connection?.localNetworkInterface ?? null,
      });
    }
    case 'PORT_PROBE':
      return (action.portProbeAction?.portProbeDetails ?? []).flatMap((probe) =>
        flowsBetween(probe.remoteIpDetails, probe.localIpDetails, {
          protocol: 'unknown',
          remotePort: null,
          localPort: portOf(probe.localPortDetails?.port),
          openedBy: 'remote',
          networkInterfaceId: null,
        }),
      );
    default:
      return [];
  }
}

export function domainsOfAction(action: FindingAction | undefined): string[] {
  const domain = action?.actionType === 'DNS_REQUEST' ? action.dnsRequestAction?.domain : undefined;
  return domain === undefined ? [] : [domain];
}

/** A peer of which only the address is known. */
export function bareFlow({ address, family }: Address, source: KnownFlow['source']): KnownFlow {
  return {
    protocol: 'unknown',
    family,
    remoteAddress: address,
    remotePort: null,
    localAddress: null,
    localPort: null,
    openedBy: 'unknown',
    networkInterfaceId: null,
    source,
  };
}

function tupleOf(flow: KnownFlow): string {
  const { protocol, remoteAddress, remotePort, localAddress, localPort, openedBy, networkInterfaceId } = flow;
  return [protocol, remoteAddress, remotePort, localAddress, localPort, openedBy, networkInterfaceId].join('|');
}

/** Each flow once; a bare peer says nothing new where a flow with the same address is known. */
export function mergeFlows(flows: readonly KnownFlow[]): KnownFlow[] {
  const byTuple = new Map<string, KnownFlow>();
  for (const flow of flows) {
    if (!byTuple.has(tupleOf(flow))) byTuple.set(tupleOf(flow), flow);
  }
  const isBare = (flow: KnownFlow): boolean =>
    tupleOf(flow) === tupleOf(bareFlow({ address: flow.remoteAddress, family: flow.family }, flow.source));
  const detailed = new Set([...byTuple.values()].filter((flow) => !isBare(flow)).map((flow) => flow.remoteAddress));
  return [...byTuple.values()].filter((flow) => !isBare(flow) || !detailed.has(flow.remoteAddress));
}
