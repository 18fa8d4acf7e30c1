import { endsOf, interfaceAddress, peerAddress, protocolOf } from './addresses.ts';
import { buildAcl } from './build-acls.ts';
import { buildGroups, buildIsolationGroup, groupOf } from './build-groups.ts';
import {
  ACCOUNT,
  aclId,
  INSTANCE,
  interfaceId,
  neighbourInstanceId,
  neighbourInterfaceId,
  PEER_SUBNET,
  prefixListId,
  REGION,
  routeTableId,
  subnetCidr,
  subnetCidr6,
  subnetId,
  VPC,
} from './ids.ts';
import type { AclKind, FlowPlan, Incident, InterfacePlan, SubnetPlan } from './incident.ts';

/** The whole world file of an incident, in the shapes that the AWS CLI prints. */
export function buildWorld(incident: Incident): Record<string, unknown> {
  const neighbours = incident.flows.flatMap((flow, index) => neighbourOf(incident, flow, index));
  const groups = [
    ...incident.interfaces.flatMap((eni) => eni.groups),
    ...incident.flows.flatMap(({ peer }) => ('groups' in peer ? [peer.groups] : [])),
  ];
  return {
    AccountId: ACCOUNT,
    Region: REGION,
    Now: '2026-01-15T10:00:00Z',
    Reservations: [{ OwnerId: ACCOUNT, Instances: [instance(incident), ...neighbours.map((one) => one.instance)] }],
    NetworkInterfaces: [
      ...incident.interfaces.map((eni, index) => networkInterface(incident, eni, index)),
      ...neighbours.map((one) => one.networkInterface),
    ],
    SecurityGroups: [
      ...buildGroups(groups, VPC, ACCOUNT),
      ...(incident.isolationGroup === 'none' ? [] : [buildIsolationGroup(incident.isolationGroup, VPC, ACCOUNT)]),
    ],
    ManagedPrefixLists: [
      { PrefixListId: prefixListId, Entries: [{ Cidr: '198.51.100.0/24' }, { Cidr: '10.0.0.0/8' }] },
    ],
    NetworkAcls: networkAcls(incident),
    RouteTables: incident.routeTables ? incident.subnets.map(routeTable) : [],
    Subnets: [...incident.subnets.keys(), PEER_SUBNET].map(subnet),
    Vpcs: [
      { VpcId: VPC, CidrBlock: '10.0.0.0/16', Ipv6CidrBlockAssociationSet: [{ Ipv6CidrBlock: '2001:db8:10::/48' }] },
    ],
    InstanceInformationList: agents(incident),
    Hosts: hosts(incident),
    Flows: incident.flows.map((flow, index) => worldFlow(incident, flow, index)),
    FlowLogs: flowLogs(incident),
    Assumptions: assumptions(incident),
    Faults: [
      ...incident.faults.map(({ api, call, error, afterEffect }) => ({
        Api: api,
        Call: call,
        Error: error,
        AfterEffect: afterEffect,
      })),
      ...incident.outages.map(({ service, from, seconds, error }) => ({
        Service: service,
        FromSeconds: from,
        ToSeconds: from + seconds,
        Error: error,
      })),
    ],
    FunctionStartSeconds: incident.functionStartSeconds,
    LatencySeconds: incident.latencySeconds,
  };
}

const RUNNING = { State: { Code: 16, Name: 'running' }, VpcId: VPC };

const instance = ({ instanceType, platform, interfaces, secondaryInterface }: Incident): object => ({
  ...RUNNING,
  InstanceId: INSTANCE,
  InstanceType: instanceType,
  ...(platform === 'windows' && { Platform: 'windows' }),
  SubnetId: subnetId(interfaces[0]?.subnet ?? 0),
  ...(secondaryInterface && {
    SecondaryInterfaces: [
      { SecondaryInterfaceId: 'si-00000000000000501', PrivateIpAddresses: [{ PrivateIpAddress: '172.31.9.5' }] },
    ],
  }),
});

function networkInterface(incident: Incident, plan: InterfacePlan, index: number): object {
  const { tcp, udp, udpStream } = plan.tracking ?? {};
  const tracking = {
    ...(tcp !== undefined && { TcpEstablishedTimeout: tcp }),
    ...(udp !== undefined && { UdpTimeout: udp }),
    ...(udpStream !== undefined && { UdpStreamTimeout: udpStream }),
  };
  return {
    NetworkInterfaceId: interfaceId(index),
    OwnerId: ACCOUNT,
    InterfaceType: 'interface',
    RequesterManaged: plan.managed === 'requester',
    ...(plan.managed === 'operator' && { Operator: { Managed: true, Principal: 'eks.amazonaws.com' } }),
    Status: 'in-use',
    VpcId: VPC,
    SubnetId: subnetId(plan.subnet),
    PrivateIpAddress: interfaceAddress(incident, index, 4),
    PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: interfaceAddress(incident, index, 4) }],
    Ipv6Addresses: plan.ipv6 ? [{ Ipv6Address: interfaceAddress(incident, index, 6) }] : [],
    Groups: plan.groups.map((kind) => ({ GroupId: groupOf(kind), GroupName: kind.replaceAll(' ', '-') })),
    Attachment: { AttachmentId: `eni-attach-${index}`, InstanceId: INSTANCE, DeviceIndex: index, Status: 'attached' },
    ...(plan.tracking !== null && { ConnectionTrackingConfiguration: tracking }),
  };
}

/** The instance at the other end, where the world holds its interface. */
function neighbourOf(incident: Incident, flow: FlowPlan, index: number) {
  const { peer } = flow;
  if (!('withInterface' in peer) || !peer.withInterface) return [];
  const subnet = peer.kind === 'same subnet' ? (incident.interfaces[flow.via]?.subnet ?? 0) : PEER_SUBNET;
  const address = peerAddress(incident, index);
  return [
    {
      instance: {
        ...RUNNING,
        InstanceId: neighbourInstanceId(index),
        InstanceType: 'm6i.large',
        SubnetId: subnetId(subnet),
      },
      networkInterface: {
        NetworkInterfaceId: neighbourInterfaceId(index),
        OwnerId: ACCOUNT,
        InterfaceType: 'interface',
        VpcId: VPC,
        SubnetId: subnetId(subnet),
        PrivateIpAddresses: flow.family === 4 ? [{ Primary: true, PrivateIpAddress: address }] : [],
        Ipv6Addresses: flow.family === 6 ? [{ Ipv6Address: address }] : [],
        Groups: [{ GroupId: groupOf(peer.groups) }],
        Attachment: { AttachmentId: `eni-attach-n${index}`, InstanceId: neighbourInstanceId(index), DeviceIndex: 0 },
      },
    },
  ];
}

/** Subnets of the same kind share an ACL, as the subnets of a VPC commonly do. */
function networkAcls(incident: Incident): object[] {
  const { subnets, flows } = incident;
  const peer = peerAddress(incident, 0);
  const kinds = [...new Set(subnets.map(({ acl }) => acl))];
  const own = kinds.flatMap((kind, number) => {
    const subnetIds = [...subnets.keys()].filter((index) => subnets[index]?.acl === kind).map(subnetId);
    return buildAcl(kind, { id: aclId(number), vpcId: VPC, subnetIds }, peer);
  });
  const others = flows.flatMap(({ peer: plan }): AclKind[] => (plan.kind === 'other subnet' ? [plan.acl] : []));
  const acl = { id: aclId(PEER_SUBNET), vpcId: VPC, subnetIds: [subnetId(PEER_SUBNET)] };
  return [...own, ...buildAcl(others[0] ?? 'default', acl, interfaceAddress(incident, 0, 4))];
}

const TARGETS4 = { igw: { GatewayId: 'igw-00000000000000201' }, nat: { NatGatewayId: 'nat-00000000000000202' } };
const TARGETS6 = {
  igw: { GatewayId: 'igw-00000000000000201' },
  eigw: { EgressOnlyInternetGatewayId: 'eigw-00000000000000203' },
};

const routeTable = ({ path4, path6 }: SubnetPlan, number: number): object => ({
  RouteTableId: routeTableId(number),
  OwnerId: ACCOUNT,
  VpcId: VPC,
  Associations: [
    { RouteTableAssociationId: `rtbassoc-${number}`, RouteTableId: routeTableId(number), SubnetId: subnetId(number) },
  ],
  Routes: [
    { DestinationCidrBlock: '10.0.0.0/16', GatewayId: 'local', State: 'active' },
    { DestinationIpv6CidrBlock: '2001:db8:10::/48', GatewayId: 'local', State: 'active' },
    ...(path4 === 'none' ? [] : [{ DestinationCidrBlock: '0.0.0.0/0', ...TARGETS4[path4], State: 'active' }]),
    ...(path6 === 'none' ? [] : [{ DestinationIpv6CidrBlock: '::/0', ...TARGETS6[path6], State: 'active' }]),
  ],
});

const subnet = (number: number): object => ({
  SubnetId: subnetId(number),
  VpcId: VPC,
  OwnerId: ACCOUNT,
  CidrBlock: subnetCidr(number),
  Ipv6CidrBlockAssociationSet: [{ Ipv6CidrBlock: subnetCidr6(number), Ipv6CidrBlockState: { State: 'associated' } }],
});

function agents({ agent, platform }: Incident): object[] {
  if (agent === 'not registered') return [];
  const PingStatus = agent === 'online' ? 'Online' : 'ConnectionLost';
  return [
    {
      InstanceId: INSTANCE,
      PingStatus,
      PlatformType: platform === 'windows' ? 'Windows' : 'Linux',
      AgentVersion: '3.3.2958.0',
    },
  ];
}

function hosts({ host }: Incident): object[] {
  if (!host.listed) return [];
  return [
    {
      InstanceId: INSTANCE,
      AgentAnswers: host.answers,
      AgentDelaySeconds: host.delaySeconds,
      SocketKill: host.socketKill,
      RootAttacker: host.rootAttacker,
      AgentLies: host.lies,
      AgentConnection: host.agentConnection,
    },
  ];
}

export const flowName = (index: number): string => `flow ${index}`;

function worldFlow(incident: Incident, flow: FlowPlan, index: number): object {
  const { localAddress, localPort, remoteAddress, remotePort } = endsOf(incident, index);
  return {
    Name: flowName(index),
    Malicious: flow.malicious,
    Protocol: protocolOf(flow),
    OpenedBy: flow.openedBy,
    NetworkInterfaceId: interfaceId(flow.via),
    LocalAddress: localAddress,
    LocalPort: localPort,
    RemoteAddress: remoteAddress,
    RemotePort: remotePort,
    PacketEverySeconds: flow.everySeconds,
    WakesAtSeconds: flow.everySeconds === null ? flow.wakesAt : null,
    OnHostLists: flow.onHostLists,
    EntryTimeoutSeconds: flow.entrySeconds,
    Process: flow.process ? { Pid: 4000 + index, Name: `process-${index}` } : null,
  };
}

function flowLogs({ flowLogs: where, deliverySeconds, log, subnets, interfaces }: Incident): object[] {
  const resources = {
    none: [],
    vpc: [VPC],
    subnets: [...subnets.keys()].map(subnetId),
    interfaces: [...interfaces.keys()].map(interfaceId),
    'first interface': [interfaceId(0)],
  }[where];
  return resources.map((ResourceId) => ({
    ResourceId,
    DeliverySeconds: deliverySeconds,
    Readable: log.readable,
    ...(log.startsAt !== null && { StartsAtSeconds: log.startsAt }),
    Gaps: log.gaps,
    SkipData: log.skipData,
  }));
}

const assumptions = ({ assumptions: plan, readLagSeconds }: Incident): object => ({
  LoweredTimeoutAppliesToExisting: plan.lowered,
  UntrackDwellConverts: plan.dwell,
  NaclDroppedEgressRefreshes: plan.refreshes,
  NaclDroppedIngressRefreshes: plan.ingressRefreshes,
  ReadLagSeconds: readLagSeconds,
  RstDroppedByNaclClears: plan.resetClears,
  PropagationSeconds: plan.propagationSeconds,
  TcpRetransmitSeconds: plan.retransmitSeconds,
});
