import type { BeforeInterface, CaseDocument, CaseFlow, HostOutcome } from '../../functions/core/case/case.ts';
import { flowId } from '../../functions/core/case/case.ts';
import type { Facts } from '../../functions/core/case/facts.ts';
import type { Config } from '../../functions/core/config.ts';
import type { CaseRequest } from '../../functions/core/intake/intake-types.ts';
import type { AclEntry, AclFacts, GroupRule, KnownFlow, NetworkInterfaceFacts } from '../../functions/core/model.ts';
import type { TrackingVerdict } from '../../functions/core/network/tracking.ts';
import { readConfig } from '../../functions/shared/environment.ts';

/** One incident as core sees it: a reverse shell out of the only ENI of an instance. Tests spread what they change. */

export const theConfig: Config = {
  ...readConfig({
    FLOWCUT_ACCOUNT_ID: '111122223333',
    AWS_REGION: 'eu-central-1',
    FLOWCUT_LINUX_DOCUMENT: 'host-linux',
    FLOWCUT_WINDOWS_DOCUMENT: 'host-windows',
  }),
  defaultMode: 'contain',
};

export const theShell: KnownFlow = {
  protocol: 'tcp',
  family: 'ipv4',
  remoteAddress: '198.51.100.7',
  remotePort: 4444,
  localAddress: '10.0.1.10',
  localPort: 51_234,
  openedBy: 'instance',
  networkInterfaceId: null,
  source: 'finding',
};

const fiveDays: TrackingVerdict = {
  kind: 'tracked',
  because: 'no inbound rule permits every port',
  ruleIds: ['sgr-1'],
  route: null,
  timeoutSeconds: 432_000,
  timeoutFrom: 'instance family',
};

export const tracking = (kind: TrackingVerdict['kind']): TrackingVerdict => ({
  ...fiveDays,
  kind,
  timeoutSeconds: kind === 'untracked' ? 0 : 432_000,
});

/** A flow of the case; its id follows from its ends, as everywhere. */
export function caseFlowOf(change: Partial<CaseFlow> = {}): CaseFlow {
  const flow = {
    ...theShell,
    named: true,
    process: 'bash',
    interfaceIds: ['eni-1'],
    tracking: fiveDays,
    crossesSubnetBoundary: true,
    host: null,
    ...change,
  };
  return { ...flow, id: flowId(flow) };
}

export const theEni: NetworkInterfaceFacts = {
  id: 'eni-1',
  vpcId: 'vpc-1',
  subnetId: 'subnet-1',
  ownerId: '111122223333',
  status: 'in-use',
  description: '',
  interfaceType: 'interface',
  requesterManaged: false,
  operator: null,
  groupIds: ['sg-1'],
  privateAddresses: ['10.0.1.10'],
  ipv6Addresses: ['2001:db8:1::10'],
  publicAddress: '203.0.113.10',
  timeouts: { tcpEstablishedSeconds: null, udpSeconds: null, udpStreamSeconds: null },
  deviceIndex: 0,
  attachmentId: 'eni-attach-1',
  attachedTo: 'i-0123456789abcdef0',
  sourceDestCheck: true,
};

const allow: AclEntry = {
  ruleNumber: 100,
  egress: false,
  action: 'allow',
  protocol: '-1',
  cidr: '0.0.0.0/0',
  family: 'ipv4',
  fromPort: null,
  toPort: null,
};

/** The default ACL: everything is allowed at 100, both ways. */
export const theAcl: AclFacts = {
  id: 'acl-1',
  vpcId: 'vpc-1',
  ownerId: '111122223333',
  subnetIds: ['subnet-1'],
  entries: [allow, { ...allow, egress: true }],
};

export const denyOf = (cidr: string, ruleNumber: number, egress: boolean): AclEntry => ({
  ...allow,
  ruleNumber,
  egress,
  action: 'deny',
  cidr,
  family: cidr.includes(':') ? 'ipv6' : 'ipv4',
});

/** Lets everything out, and web in. */
const theRules: readonly GroupRule[] = [
  {
    ruleId: 'sgr-out',
    groupId: 'sg-1',
    direction: 'egress',
    protocol: '-1',
    fromPort: null,
    toPort: null,
    peer: { kind: 'cidr', family: 'ipv4', cidr: '0.0.0.0/0' },
  },
  {
    ruleId: 'sgr-web',
    groupId: 'sg-1',
    direction: 'ingress',
    protocol: 'tcp',
    fromPort: 443,
    toPort: 443,
    peer: { kind: 'cidr', family: 'ipv4', cidr: '0.0.0.0/0' },
  },
];

export const theFacts: Facts = {
  instance: {
    id: 'i-0000000000000ab01',
    state: 'running',
    accountId: '111122223333',
    instanceType: 'm6i.large',
    defaultTimeouts: null,
    secondaryInterfaces: [],
    platform: 'linux',
    spot: false,
    vpcId: 'vpc-1',
    subnetId: 'subnet-1',
    tags: {},
    volumes: [],
  },
  interfaces: [theEni],
  subnets: [{ id: 'subnet-1', vpcId: 'vpc-1', ownerId: null, cidrs: ['10.0.1.0/24', '2001:db8:1::/64'] }],
  acls: [theAcl],
  routeTables: [
    {
      id: 'rtb-1',
      vpcId: 'vpc-1',
      main: true,
      subnetIds: [],
      routes: [
        { routeTableId: 'rtb-1', destination: '10.0.0.0/16', target: { kind: 'local', id: 'local' }, blackhole: false },
        {
          routeTableId: 'rtb-1',
          destination: '0.0.0.0/0',
          target: { kind: 'internet-gateway', id: 'igw-1' },
          blackhole: false,
        },
      ],
    },
  ],
  rules: theRules,
  prefixLists: new Map(),
  peers: new Map(),
  inFront: null,
  unread: [],
};

export const theRequest: CaseRequest = {
  origin: 'finding',
  accountId: '111122223333',
  region: 'eu-central-1',
  instanceId: 'i-0000000000000ab01',
  mode: null,
  reason: null,
  finding: {
    id: '00c2a17e5f2b4d0c9a4be1d3f6a70801',
    type: 'Backdoor:EC2/C&CActivity.B',
    severity: 8,
    updatedAt: '2026-01-15T09:59:41.105Z',
    count: 1,
  },
  flows: [theShell],
  processes: [],
  domains: [],
  severity: 8,
  domainOnly: false,
  byRuntime: false,
  hints: { vpcIds: [], subnetIds: [], groupIds: [] },
  notes: [],
};

/** The host listed everything twice and closed it, just before the isolation. */
export const wholeAnswer: Extract<HostOutcome, { kind: 'answered' }> = {
  kind: 'answered',
  complete: true,
  listed: 1,
  closed: 1,
  survived: 0,
  omitted: 0,
  firewall: 'nftables',
  notBefore: '2026-01-15T10:00:04.000Z',
  answeredAt: '2026-01-15T10:00:05.000Z',
};

/** One ENI as it was found. */
export const theBefore: BeforeInterface = {
  networkInterfaceId: 'eni-1',
  vpcId: 'vpc-1',
  subnetId: 'subnet-1',
  groupIds: ['sg-1'],
  timeouts: { tcpEstablishedSeconds: null, udpSeconds: null, udpStreamSeconds: null },
  instanceType: 'm6i.large',
  recordedAt: '2026-01-15T10:00:00.000Z',
};

export const theCase: CaseDocument = {
  caseId: 'case-0123456789abcdef0123',
  generation: 1,
  accountId: '111122223333',
  region: 'eu-central-1',
  instanceId: 'i-0000000000000ab01',
  openedAt: '2026-01-15T10:00:00.000Z',
  status: 'open',
  decision: 'act',
  class: 'ISO',
  classReason: 'the instance talks to a command and control server',
  request: theRequest,
  flows: [caseFlowOf({ host: 'gone' })],
  aclIds: ['acl-1'],
  denyRefusals: [],
  host: wholeAnswer,
  evidence: [],
  isolatedAt: '2026-01-15T10:00:08.000Z',
  cutAgainAt: null,
  verdict: null,
};
