import { readFileSync } from 'node:fs';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { parseQuietWorld } from '../support/quiet-agents.ts';
import { type InstancePlan, type Plan, SECOND_STAGE } from './interleave-plan.ts';

/** Ids and addresses of a built world, by number. */
const id = (prefix: string, number: number): string => `${prefix}-${number.toString(16).padStart(17, '0')}`;
export const instanceId = (index: number): string => id('i', 0xab_00_00 + index);
const interfaceId = (index: number, second: boolean): string => id('eni', (second ? 0xf0_00_00 : 0xe0_00_00) + index);
const subnetId = (index: number): string => id('subnet', 0xb_00 + index);
export const aclIdOf = (plan: Plan, subnet: number): string => id('acl', 0xd_00 + (plan.oneAcl ? 0 : subnet));
const WEB = (account: number): string => id('sg', 0xc_10 + account);
const ADMIN = (account: number): string => id('sg', 0xc_20 + account);
const VPC = id('vpc', 0xa_01);

/** The first is the owner of the VPC; the others take part in it. */
export const ACCOUNTS = ['111122223333', '444455556666', '777788889999'] as const;
export const accountId = (index: number): string => ACCOUNTS[index] ?? ACCOUNTS[0];

const NOW = '2026-01-15T10:00:00Z';

const addressOf = (plan: InstancePlan, index: number, second: boolean): string =>
  `10.0.${plan.subnet + 1}.${10 + index + (second ? 100 : 0)}`;
const address6Of = (plan: InstancePlan, index: number, second: boolean): string =>
  `2001:db8:10:${plan.subnet + 1}::${(10 + index + (second ? 0x1_00 : 0)).toString(16)}`;

const all = (cidr4: string, cidr6: string) => ({
  IpProtocol: '-1',
  IpRanges: [{ CidrIp: cidr4 }],
  Ipv6Ranges: [{ CidrIpv6: cidr6 }],
});
const tcp = (port: number, cidr: string) => ({
  IpProtocol: 'tcp',
  FromPort: port,
  ToPort: port,
  IpRanges: [{ CidrIp: cidr }],
});

function securityGroups(account: number): object[] {
  const common = { OwnerId: accountId(account), VpcId: VPC, IpPermissionsEgress: [all('0.0.0.0/0', '::/0')] };
  return [
    { ...common, GroupId: WEB(account), GroupName: `web-${account}`, IpPermissions: [tcp(443, '0.0.0.0/0')] },
    { ...common, GroupId: ADMIN(account), GroupName: `admin-${account}`, IpPermissions: [tcp(22, '192.0.2.0/24')] },
  ];
}

function networkAcls(plan: Plan): object[] {
  const subnets = Array.from({ length: plan.subnets }, (_, index) => index);
  const entries = [true, false].flatMap((Egress) => [
    { Egress, RuleNumber: 100, Protocol: '-1', RuleAction: 'allow', CidrBlock: '0.0.0.0/0' },
    { Egress, RuleNumber: 101, Protocol: '-1', RuleAction: 'allow', Ipv6CidrBlock: '::/0' },
    { Egress, RuleNumber: 32_767, Protocol: '-1', RuleAction: 'deny', CidrBlock: '0.0.0.0/0' },
  ]);
  const ids = [...new Set(subnets.map((subnet) => aclIdOf(plan, subnet)))];
  return ids.map((NetworkAclId) => ({
    NetworkAclId,
    OwnerId: accountId(0),
    VpcId: VPC,
    Associations: subnets
      .filter((subnet) => aclIdOf(plan, subnet) === NetworkAclId)
      .map((subnet) => ({ NetworkAclAssociationId: id('aclassoc', 0xd1_00 + subnet), SubnetId: subnetId(subnet) })),
    Entries: structuredClone(entries),
  }));
}

function networkInterface(one: InstancePlan, index: number, second: boolean): object {
  const address = addressOf(one, index, second);
  const groups = [WEB(one.account), ADMIN(one.account)];
  return {
    NetworkInterfaceId: interfaceId(index, second),
    OwnerId: accountId(one.account),
    VpcId: VPC,
    SubnetId: subnetId(one.subnet),
    PrivateIpAddress: address,
    PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: address }],
    Ipv6Addresses: [{ Ipv6Address: address6Of(one, index, second) }],
    // An order that is not theirs by id must come back as well.
    Groups: (second ? groups.reverse() : groups.slice(0, 1 + (index % 2))).map((GroupId) => ({ GroupId })),
    Association: { PublicIp: `203.0.113.${100 + index}` },
    Attachment: {
      AttachmentId: id('eni-attach', (second ? 0xf0_00_00 : 0xe0_00_00) + index),
      InstanceId: instanceId(index),
      DeviceIndex: second ? 1 : 0,
      Status: 'attached',
    },
  };
}

/** What a flow of the world is called: whose it is, and to whom. */
export const flowName = (instance: number, peer: string): string => `${instanceId(instance)} to ${peer}`;

function flow(plan: Plan, instance: number, peer: string, port: number): object {
  const one = plan.instances[instance];
  if (one === undefined) throw new Error(`there is no instance ${instance}`);
  return {
    Name: flowName(instance, peer),
    Malicious: true,
    Protocol: 'tcp',
    OpenedBy: 'instance',
    NetworkInterfaceId: interfaceId(instance, false),
    LocalAddress: peer.includes(':') ? address6Of(one, instance, false) : addressOf(one, instance, false),
    LocalPort: port,
    RemoteAddress: peer,
    RemotePort: 4444,
    PacketEverySeconds: 5,
    Process: { Pid: port, Name: 'bash' },
  };
}

function flows(plan: Plan): object[] {
  const named = plan.findings.map(({ instance, peer }) => ({ instance, peer: plan.peers[peer] ?? '' }));
  const unnamed = plan.instances.flatMap((one, instance) =>
    one.secondStage ? [{ instance, peer: SECOND_STAGE }] : [],
  );
  const distinct = new Map([...named, ...unnamed].map((one) => [flowName(one.instance, one.peer), one]));
  return [...distinct.values()].map(({ instance, peer }, index) => flow(plan, instance, peer, 50_000 + index));
}

const AGENTS: Readonly<Record<InstancePlan['agent'], object>> = {
  honest: {},
  none: {},
  slow: { AgentDelaySeconds: 40 },
  silent: { AgentAnswers: false },
  'kills processes only': { SocketKill: false },
  hides: { AgentLies: 'hides' },
  'claims success': { AgentLies: 'claims-success' },
};

/** The world of a plan, parsed. */
export function worldOf(plan: Plan): WorldFile {
  const subnets = Array.from({ length: plan.subnets }, (_, index) => index);
  return parseQuietWorld({
    AccountId: accountId(0),
    Region: 'eu-central-1',
    Now: NOW,
    Reservations: plan.instances.map((one, index) => ({
      ReservationId: id('r', index + 1),
      OwnerId: accountId(one.account),
      Instances: [
        {
          InstanceId: instanceId(index),
          InstanceType: 'm6i.large',
          State: { Code: 16, Name: 'running' },
          VpcId: VPC,
          SubnetId: subnetId(one.subnet),
          Tags: [{ Key: 'Name', Value: `server-${index}` }],
          BlockDeviceMappings: [
            {
              DeviceName: '/dev/xvda',
              Ebs: { VolumeId: id('vol', 0xf0_00 + index), DeleteOnTermination: true, Status: 'attached' },
            },
          ],
        },
      ],
    })),
    NetworkInterfaces: plan.instances.flatMap((one, index) =>
      (one.secondInterface ? [false, true] : [false]).map((second) => networkInterface(one, index, second)),
    ),
    SecurityGroups: Array.from({ length: plan.accounts }, (_, account) => securityGroups(account)).flat(),
    NetworkAcls: networkAcls(plan),
    RouteTables: [
      {
        RouteTableId: id('rtb', 0x1_01),
        OwnerId: accountId(0),
        VpcId: VPC,
        Associations: [{ Main: true, RouteTableAssociationId: id('rtbassoc', 1), RouteTableId: id('rtb', 0x1_01) }],
        Routes: [
          { DestinationCidrBlock: '10.0.0.0/16', GatewayId: 'local' },
          { DestinationIpv6CidrBlock: '2001:db8:10::/56', GatewayId: 'local' },
          { DestinationCidrBlock: '0.0.0.0/0', GatewayId: 'igw-00000000000000201' },
          { DestinationIpv6CidrBlock: '::/0', GatewayId: 'igw-00000000000000201' },
        ],
      },
    ],
    Subnets: subnets.map((index) => ({
      SubnetId: subnetId(index),
      VpcId: VPC,
      OwnerId: accountId(0),
      CidrBlock: `10.0.${index + 1}.0/24`,
      Ipv6CidrBlockAssociationSet: [{ Ipv6CidrBlock: `2001:db8:10:${index + 1}::/64` }],
    })),
    Vpcs: [
      {
        VpcId: VPC,
        OwnerId: accountId(0),
        CidrBlock: '10.0.0.0/16',
        Ipv6CidrBlockAssociationSet: [{ Ipv6CidrBlock: '2001:db8:10::/56' }],
      },
    ],
    InstanceInformationList: plan.instances.flatMap((one, index) =>
      one.agent === 'none'
        ? []
        : [
            {
              InstanceId: instanceId(index),
              PingStatus: 'Online',
              PlatformType: 'Linux',
              AgentVersion: '3.3.2958.0',
            },
          ],
    ),
    FlowLogs: plan.flowLog ? [{ ResourceId: VPC, DeliverySeconds: 300 }] : [],
    Hosts: plan.instances.map((one, index) => ({ InstanceId: instanceId(index), ...AGENTS[one.agent] })),
    Flows: flows(plan),
  });
}

const FINDING = readFileSync(new URL('../../events/guardduty-ec2-c2activity.json', import.meta.url), 'utf8');

interface Finding {
  account: string;
  detail: {
    id: string;
    accountId: string;
    updatedAt: string;
    service: { action: { networkConnectionAction: Record<string, unknown> } };
  };
}

/** The event of a finding: the default one about this instance and this peer; of an occurrence that is seen later, from then. */
export function findingOf(plan: Plan, instance: number, peer: string, seenAt: number | null): unknown {
  const one = plan.instances[instance];
  if (one === undefined) throw new Error(`there is no instance ${instance}`);
  const text = FINDING.replaceAll('i-0000000000000ab01', instanceId(instance))
    .replaceAll('eni-00000000000000e01', interfaceId(instance, false))
    .replaceAll('subnet-00000000000000b01', subnetId(one.subnet))
    .replaceAll('vpc-00000000000000a01', VPC)
    .replaceAll('sg-00000000000000c01', WEB(one.account))
    .replaceAll('10.0.1.10', addressOf(one, instance, false))
    .replaceAll(ACCOUNTS[0], accountId(one.account));
  const event = JSON.parse(text) as Finding;
  const isV6 = peer.includes(':');
  const connection = event.detail.service.action.networkConnectionAction;
  connection['remoteIpDetails'] = isV6 ? { ipAddressV6: peer } : { ipAddressV4: peer };
  connection['remotePortDetails'] = { port: 4444, portName: 'Unknown' };
  if (isV6) connection['localIpDetails'] = { ipAddressV6: address6Of(one, instance, false) };
  connection['localPortDetails'] = { port: localPortOf(plan, instance, peer), portName: 'Unknown' };
  if (seenAt !== null) {
    event.detail.updatedAt = new Date(Date.parse(event.detail.updatedAt) + (1 + seenAt) * 1000).toISOString();
  }
  event.detail.id = instanceId(instance).slice(2).padStart(32, 'f');
  return event;
}

function localPortOf(plan: Plan, instance: number, peer: string): number {
  const name = flowName(instance, peer);
  const found = (flows(plan) as { Name: string; LocalPort: number }[]).find(({ Name }) => Name === name);
  if (found === undefined) throw new Error(`there is no flow ${name}`);
  return found.LocalPort;
}
