import { endsOf, peerAddress, protocolOf } from './addresses.ts';
import { groupOf } from './build-groups.ts';
import { ACCOUNT, INSTANCE, interfaceId, REGION, subnetId, VPC } from './ids.ts';
import type { FlowPlan, Incident } from './incident.ts';

/** The EventBridge event, or what a person typed, that sets off the response to an incident. */
export function buildRequest(incident: Incident): Record<string, unknown> {
  const { trigger } = incident;
  if (trigger.kind === 'finding') return event(incident, trigger.detail);
  const addresses = [...new Set(trigger.flows.map((index) => peerAddress(incident, index)))];
  return {
    instanceId: INSTANCE,
    mode: 'contain',
    ...(addresses.length > 0 && { remoteAddresses: addresses }),
    ...(incident.seal === 'ordered' && { seal: true }),
  };
}

/** Addresses that the request names. */
export function namedAddresses(incident: Incident): readonly string[] {
  const { trigger } = incident;
  const flows = trigger.kind === 'finding' ? [0] : trigger.flows;
  return [...new Set(flows.map((index) => peerAddress(incident, index)))];
}

const PROTOCOLS: Readonly<Record<string, string>> = { tcp: 'TCP', udp: 'UDP', icmp: 'ICMP', icmpv6: '58' };

function connection(incident: Incident, detail: 'whole' | 'no interface' | 'address only'): object {
  const flow = incident.flows[0] as FlowPlan;
  const ends = endsOf(incident, 0);
  const address = (text: string) => (flow.family === 4 ? { ipAddressV4: text } : { ipAddressV6: text });
  const remote = { remoteIpDetails: address(ends.remoteAddress) };
  if (detail === 'address only') return remote;
  return {
    ...remote,
    connectionDirection: flow.openedBy === 'instance' ? 'OUTBOUND' : 'INBOUND',
    protocol: PROTOCOLS[protocolOf(flow)],
    localIpDetails: address(ends.localAddress),
    ...(ends.remotePort !== null && { remotePortDetails: { port: ends.remotePort, portName: 'Unknown' } }),
    ...(ends.localPort !== null && { localPortDetails: { port: ends.localPort, portName: 'Unknown' } }),
    ...(detail === 'whole' && { localNetworkInterface: interfaceId(flow.via) }),
  };
}

function event(incident: Incident, detail: 'whole' | 'no interface' | 'address only'): Record<string, unknown> {
  const time = '2026-01-15T09:59:41.105Z';
  return {
    version: '0',
    id: '5a3c8e0e-7d1f-4b52-9a06-2f1d6c0b7e11',
    'detail-type': 'GuardDuty Finding',
    source: 'aws.guardduty',
    account: ACCOUNT,
    time,
    region: REGION,
    resources: [],
    detail: {
      schemaVersion: '2.0',
      accountId: ACCOUNT,
      region: REGION,
      id: '00c2a17e5f2b4d0c9a4be1d3f6a70801',
      type: 'Backdoor:EC2/C&CActivity.B',
      resource: {
        resourceType: 'Instance',
        instanceDetails: {
          instanceId: INSTANCE,
          networkInterfaces: incident.interfaces.map((eni, index) => ({
            networkInterfaceId: interfaceId(index),
            subnetId: subnetId(eni.subnet),
            vpcId: VPC,
            securityGroups: eni.groups.map((kind) => ({ groupId: groupOf(kind), groupName: kind })),
          })),
        },
      },
      service: {
        serviceName: 'guardduty',
        action: {
          actionType: 'NETWORK_CONNECTION',
          networkConnectionAction: { ...connection(incident, detail), blocked: false },
        },
        resourceRole: 'TARGET',
        additionalInfo: { type: 'default' },
        archived: false,
        count: 1,
      },
      severity: 8,
      createdAt: time,
      updatedAt: time,
    },
  };
}
