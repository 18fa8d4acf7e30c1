import type { Facts } from '../functions/core/case/facts.ts';
import type { CaseRequest } from '../functions/core/intake/intake-types.ts';
import type { GroupRule, KnownFlow, NetworkInterfaceFacts } from '../functions/core/model.ts';

/** The largest instance that there is: the most ENIs, and on each as many groups and rules as quotas allow. */
export const LARGEST = { interfaces: 15, groups: 16, rulesEachWay: 60, flows: 20_000 } as const;

const hex = (number: number): string => number.toString(16).padStart(17, '0');
const groupId = (index: number): string => `sg-${hex(index)}`;
const subnetId = (index: number): string => `subnet-${hex(index)}`;
const localAddress = (eni: number): string => `10.0.${eni}.10`;

function rulesOf(group: number): readonly GroupRule[] {
  const rules: GroupRule[] = [];
  for (const direction of ['ingress', 'egress'] as const) {
    for (let index = 0; index < LARGEST.rulesEachWay; index += 1) {
      const fromPort = (group * 131 + index * 977) % 60_000;
      rules.push({
        ruleId: `sgr-${direction === 'ingress' ? 'a' : 'b'}${hex(group * 1000 + index).slice(1)}`,
        groupId: groupId(group),
        direction,
        protocol: index % 3 === 0 ? 'udp' : 'tcp',
        fromPort,
        toPort: fromPort + (index % 7) * 100,
        peer:
          index % 5 === 0
            ? { kind: 'cidr', family: 'ipv4', cidr: '0.0.0.0/0' }
            : { kind: 'cidr', family: 'ipv4', cidr: `10.${group}.${index}.0/24` },
      });
    }
  }
  return rules;
}

function eniOf(index: number): NetworkInterfaceFacts {
  return {
    id: `eni-${hex(index)}`,
    vpcId: `vpc-${hex(0)}`,
    subnetId: subnetId(index),
    ownerId: '111122223333',
    status: 'in-use',
    description: '',
    interfaceType: 'interface',
    requesterManaged: false,
    operator: null,
    groupIds: Array.from({ length: LARGEST.groups }, (_, group) => groupId(group)),
    privateAddresses: [localAddress(index)],
    ipv6Addresses: [],
    publicAddress: null,
    timeouts: { tcpEstablishedSeconds: null, udpSeconds: null, udpStreamSeconds: null },
    deviceIndex: index,
    attachmentId: null,
    attachedTo: null,
  };
}

/** Each ENI in a subnet of its own, behind an ACL of its own. */
export function largestFacts(): Facts {
  const indices = Array.from({ length: LARGEST.interfaces }, (_, index) => index);
  return {
    instance: {
      id: `i-${hex(1)}`,
      state: 'running',
      accountId: '111122223333',
      instanceType: 'm5.24xlarge',
      platform: 'linux',
      spot: false,
      vpcId: `vpc-${hex(0)}`,
      subnetId: subnetId(0),
      volumes: [],
      defaultTimeouts: null,
      secondaryInterfaces: [],
      tags: {},
    },
    interfaces: indices.map(eniOf),
    subnets: indices.map((index) => ({
      id: subnetId(index),
      vpcId: `vpc-${hex(0)}`,
      ownerId: '111122223333',
      cidrs: [`10.0.${index}.0/24`],
    })),
    acls: indices.map((index) => ({
      id: `acl-${hex(index)}`,
      vpcId: `vpc-${hex(0)}`,
      ownerId: '111122223333',
      subnetIds: [subnetId(index)],
      entries: [true, false].map((egress) => ({
        ruleNumber: 100,
        egress,
        action: 'allow' as const,
        protocol: '-1',
        cidr: '0.0.0.0/0',
        family: 'ipv4' as const,
        fromPort: null,
        toPort: null,
      })),
    })),
    routeTables: [
      {
        id: `rtb-${hex(0)}`,
        vpcId: `vpc-${hex(0)}`,
        main: true,
        subnetIds: [],
        routes: [
          {
            routeTableId: `rtb-${hex(0)}`,
            destination: '10.0.0.0/16',
            target: { kind: 'local', id: 'local' },
            blackhole: false,
          },
          {
            routeTableId: `rtb-${hex(0)}`,
            destination: '0.0.0.0/0',
            target: { kind: 'internet-gateway', id: `igw-${hex(0)}` },
            blackhole: false,
          },
        ],
      },
    ],
    rules: Array.from({ length: LARGEST.groups }, (_, group) => rulesOf(group)).flat(),
    prefixLists: new Map(),
    peerInterfaceTypes: new Map(),
    behindNetworkLoadBalancer: false,
    unread: [],
  };
}

/** Flows over all ENIs, to peers of which each has several. */
export function manyFlows(count: number): readonly KnownFlow[] {
  return Array.from({ length: count }, (_, index) => {
    const peer = Math.floor(index / 5) + 1;
    const eni = index % LARGEST.interfaces;
    return {
      protocol: index % 4 === 0 ? 'udp' : 'tcp',
      family: 'ipv4',
      remoteAddress: `45.${(peer >> 16) & 255}.${(peer >> 8) & 255}.${peer & 255}`,
      remotePort: (index * 7919) % 65_536,
      localAddress: localAddress(eni),
      localPort: 1024 + (index % 60_000),
      openedBy: index % 3 === 0 ? 'remote' : 'instance',
      networkInterfaceId: null,
      source: 'request',
    };
  });
}

export function requestFor(flows: readonly KnownFlow[]): CaseRequest {
  return {
    origin: 'manual',
    accountId: null,
    region: null,
    instanceId: `i-${hex(1)}`,
    mode: 'contain',
    reason: null,
    finding: null,
    flows,
    processes: [],
    domains: [],
    hints: { vpcIds: [], subnetIds: [], groupIds: [] },
    notes: [],
  };
}
