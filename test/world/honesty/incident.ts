import type { HostOptions } from '../../../functions/core/host/host-options.ts';
/**
 * An incident in few words: what varies from world to world, and nothing else. `build-world.ts` makes a whole world file of
 * it and `build-request.ts` what sets the response off. Plain JSON, so that a failing one can be read and kept.
 */
export interface Incident {
  readonly instanceType: string;
  readonly platform: 'linux' | 'windows';
  readonly subnets: readonly SubnetPlan[];
  /** False = the world lists no route table at all. */
  readonly routeTables: boolean;
  readonly interfaces: readonly InterfacePlan[];
  /** Not empty. */
  readonly flows: readonly FlowPlan[];
  readonly trigger: Trigger;
  readonly agent: AgentPlan;
  readonly host: HostPlan;
  readonly flowLogs: 'none' | 'vpc' | 'subnets' | 'interfaces' | 'first interface';
  /** The response makes a flow log of its own. */
  readonly ownFlowLog: boolean;
  readonly deliverySeconds: number;
  readonly log: LogPlan;
  readonly assumptions: AssumptionPlan;
  readonly latencySeconds: number;
  readonly isolationGroup: 'none' | 'clean' | 'with a rule' | "somebody else's";
  readonly faults: readonly FaultPlan[];
  readonly outages: readonly OutagePlan[];
  /** For so long after a change EC2's Describe calls show what was before. */
  readonly readLagSeconds: number;
  /** Every function's first start takes so long. */
  readonly functionStartSeconds: number;
  /** Whether a subnet is closed as a whole: never, where the instance is alone in it, or by a person's order. */
  readonly seal: 'never' | 'when-alone' | 'ordered';
  /** An interface that no group, ACL and flow log reaches. */
  readonly secondaryInterface: boolean;
  /** `WatchDays` of the deployment: looks cost time, and most incidents are about the response. */
  readonly watchDays: 0 | 2 | 30;
}

export interface SubnetPlan {
  readonly path4: 'igw' | 'nat' | 'none';
  readonly path6: 'igw' | 'eigw' | 'none';
  readonly acl: AclKind;
}

export type AclKind =
  | 'default'
  | 'first is an allow'
  | 'low allows'
  | 'full'
  | 'full outbound'
  | 'full inbound'
  | 'denied already'
  | 'denied in vain'
  | 'denied for one protocol'
  | 'of another account'
  | 'none';

export type GroupKind =
  | 'web'
  | 'open'
  | 'open ipv4'
  | 'open ipv6'
  | 'halves'
  | 'specific'
  | 'egress only'
  | 'ingress only'
  | 'http in'
  | 'itself'
  | 'prefix list'
  | 'empty';

export interface InterfacePlan {
  /** Index into `subnets`. */
  readonly subnet: number;
  readonly groups: readonly GroupKind[];
  readonly ipv6: boolean;
  readonly managed: 'no' | 'requester' | 'operator';
  readonly tracking: { readonly tcp?: number; readonly udp?: number; readonly udpStream?: number } | null;
}

/** Where the other end is. A neighbour without an interface is an address of a subnet and nothing more. */
export type PeerPlan =
  | { readonly kind: 'public'; readonly host: number }
  | { readonly kind: 'far private'; readonly host: number }
  | { readonly kind: 'same subnet'; readonly withInterface: boolean; readonly groups: GroupKind }
  | {
      readonly kind: 'other subnet';
      readonly withInterface: boolean;
      readonly groups: GroupKind;
      readonly acl: AclKind;
    };

export interface FlowPlan {
  /** Index into `interfaces`. */
  readonly via: number;
  readonly family: 4 | 6;
  readonly peer: PeerPlan;
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  readonly port: number;
  readonly openedBy: 'instance' | 'remote';
  readonly malicious: boolean;
  readonly everySeconds: number | null;
  readonly wakesAt: number | null;
  readonly process: boolean;
  /** False = no list of an honest host has it, and closing sockets does not reach it. */
  readonly onHostLists: boolean;
  /** The idle timer that its entry got when it was opened; null = what the ENI has now. A lowered one came later. */
  readonly entrySeconds: number | null;
}

/** What sets the response off. A finding names the first flow, a person any of them by address, or none. */
export type Trigger =
  | { readonly kind: 'finding'; readonly detail: 'whole' | 'no interface' | 'address only' }
  | { readonly kind: 'person'; readonly flows: readonly number[] };

export type AgentPlan = 'online' | 'connection lost' | 'not registered';

export interface HostPlan {
  readonly listed: boolean;
  readonly answers: boolean;
  readonly delaySeconds: number;
  readonly socketKill: boolean;
  /** What the deployment does to the owner of a socket that cannot be closed. */
  readonly survivors: HostOptions['survivors'];
  readonly rootAttacker: boolean;
  readonly lies: 'none' | 'garbage' | 'claims-success' | 'hides';
  /** The agent holds a connection of its own, as a real one does. */
  readonly agentConnection: boolean;
}

/** What is wrong with the flow logs, where there are any. */
export interface LogPlan {
  readonly readable: boolean;
  /** They record from here on; null = from long before. */
  readonly startsAt: number | null;
  readonly gaps: readonly (readonly [number, number])[];
  readonly skipData: readonly (readonly [number, number])[];
}

/** A service that answers nothing but this error for a while. */
export interface OutagePlan {
  readonly service: 'ec2' | 'ssm' | 'logs' | 'sns';
  readonly from: number;
  readonly seconds: number;
  readonly error: string;
}

export interface AssumptionPlan {
  readonly lowered: boolean;
  readonly dwell: 'never' | 'active' | 'all';
  readonly refreshes: boolean;
  /** An inbound packet that the ACL drops refreshes the entry too. */
  readonly ingressRefreshes: boolean;
  readonly resetClears: boolean;
  readonly propagationSeconds: number;
  readonly retransmitSeconds: number;
}

export interface FaultPlan {
  readonly api: string;
  readonly call: number | string;
  readonly error: string;
  readonly afterEffect: boolean;
}

export const PLAIN_HOST: HostPlan = {
  listed: true,
  answers: true,
  delaySeconds: 3,
  socketKill: true,
  survivors: 'stop',
  rootAttacker: false,
  lies: 'none',
  agentConnection: false,
};

export const PLAIN_SUBNET: SubnetPlan = { path4: 'igw', path6: 'igw', acl: 'default' };

export const PLAIN_INTERFACE: InterfacePlan = {
  subnet: 0,
  groups: ['web'],
  ipv6: false,
  managed: 'no',
  tracking: null,
};

export const PLAIN_ASSUMPTIONS: AssumptionPlan = {
  lowered: false,
  dwell: 'never',
  refreshes: true,
  ingressRefreshes: false,
  resetClears: false,
  propagationSeconds: 2,
  retransmitSeconds: 924.6,
};

/** A shell to a public address, a packet every five seconds. */
export const SHELL: FlowPlan = {
  via: 0,
  family: 4,
  peer: { kind: 'public', host: 1 },
  protocol: 'tcp',
  port: 4444,
  openedBy: 'instance',
  malicious: true,
  everySeconds: 5,
  wakesAt: null,
  process: true,
  onHostLists: true,
  entrySeconds: null,
};

export const HEALTHY_LOG: LogPlan = { readable: true, startsAt: null, gaps: [], skipData: [] };

/** Nothing that fails, lags or stands beside the plain network. */
export const UNDISTURBED = {
  isolationGroup: 'none',
  faults: [],
  outages: [],
  readLagSeconds: 0,
  functionStartSeconds: 0,
  seal: 'never',
  secondaryInterface: false,
  watchDays: 0,
} as const satisfies Partial<Incident>;

/** The plainest incident: one shell, one interface, an honest host, nothing goes wrong. */
export const PLAIN: Incident = {
  instanceType: 'm6i.large',
  platform: 'linux',
  subnets: [PLAIN_SUBNET],
  routeTables: true,
  interfaces: [PLAIN_INTERFACE],
  flows: [SHELL],
  trigger: { kind: 'finding', detail: 'whole' },
  agent: 'online',
  host: PLAIN_HOST,
  flowLogs: 'none',
  ownFlowLog: false,
  deliverySeconds: 300,
  log: HEALTHY_LOG,
  assumptions: PLAIN_ASSUMPTIONS,
  latencySeconds: 0.2,
  ...UNDISTURBED,
};
