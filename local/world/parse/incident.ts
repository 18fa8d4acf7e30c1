import * as z from 'zod/mini';
import { address, instanceId, networkInterfaceId, secondaryInterfaceId } from './shapes.ts';

/** What no API shows: the flows on the wire, the hosts, and what AWS does not document. Missing members get defaults. */

export interface WorldFlow {
  Name: string;
  Malicious: boolean;
  /** `tcp`, `udp`, `icmp`, `icmpv6` or a protocol number as text. */
  Protocol: string;
  OpenedBy: 'instance' | 'remote';
  NetworkInterfaceId: string;
  LocalAddress: string;
  LocalPort: number | null;
  RemoteAddress: string;
  RemotePort: number | null;
  /** Null = dormant. */
  PacketEverySeconds: number | null;
  /** When a dormant flow sends one packet; null = never. */
  WakesAtSeconds: number | null;
  /** Who holds the socket; null = nobody that could be killed (the kernel itself). */
  Process: { Pid: number | null; Name: string | null } | null;
  /** The idle timer that the tracking entry got when it was opened; null = what the interface has now. */
  EntryTimeoutSeconds: number | null;
  /** False: an honest host that does its best neither lists the flow nor closes nor drops it. */
  OnHostLists: boolean;
  /** The connection over which the instance's agent hears of commands; the world adds it by itself. */
  IsAgentConnection: boolean;
}

export interface WorldHost {
  InstanceId: string;
  AgentAnswers: boolean;
  AgentDelaySeconds: number;
  SocketKill: boolean;
  RootAttacker: boolean;
  AgentLies: 'none' | 'garbage' | 'claims-success' | 'hides';
  /** Whether the agent holds an established connection to `AgentEndpoint`, port 443. */
  AgentConnection: boolean;
  AgentEndpoint: string;
}

export interface WorldAssumptions {
  LoweredTimeoutAppliesToExisting: boolean;
  UntrackDwellConverts: 'never' | 'active' | 'all';
  NaclDroppedEgressRefreshes: boolean;
  /** Whether an inbound packet that the ACL drops refreshes the entry of the groups behind it all the same. */
  NaclDroppedIngressRefreshes: boolean;
  RstDroppedByNaclClears: boolean;
  PropagationSeconds: number;
  TcpRetransmitSeconds: number;
  /** For so long after a change EC2's Describe calls show what was before. */
  ReadLagSeconds: number;
  /** After so long CloudTrail tells of a call that was not the responder's; null = never. */
  TrailDeliverySeconds: number | null;
  /** Seconds from the creation of a flow log to its first record. */
  FlowLogStartSeconds: number;
  /** Whether a flow log that was created in the run tells of intervals without traffic before it has seen any. */
  QuietFlowLogSpeaks: boolean;
  /** Seconds in which a new security group is not known to other calls; undefined = as the run says. */
  GroupVisibleAfterSeconds?: number | undefined;
}

const INTERFACE_ID = 'is not an id of the form eni-... or si-...';
const seconds = z.number().check(z.minimum(0));
const positiveSeconds = z.number().check(z.gt(0));
const port = z._default(z.nullable(z.int().check(z.minimum(0), z.maximum(65_535))), null);
const flag = (value: boolean) => z._default(z.boolean(), value);

export const flow = z.looseObject({
  Name: z.optional(z.string().check(z.minLength(1, { error: 'is empty' }))),
  Malicious: flag(true),
  Protocol: z._default(
    z.string().check(
      z.refine((value: string) => protocolName(value) !== null, {
        error: 'is not tcp, udp, icmp, icmpv6 or a protocol number',
      }),
    ),
    'tcp',
  ),
  OpenedBy: z._default(z.enum(['instance', 'remote']), 'instance'),
  NetworkInterfaceId: z.optional(z.union([networkInterfaceId, secondaryInterfaceId], { error: INTERFACE_ID })),
  LocalAddress: z.optional(address),
  LocalPort: port,
  RemoteAddress: address,
  RemotePort: port,
  PacketEverySeconds: z._default(z.nullable(positiveSeconds), 5),
  WakesAtSeconds: z._default(z.nullable(seconds), null),
  Process: z._default(
    z.nullable(
      z.looseObject({
        Pid: z._default(z.nullable(z.int().check(z.minimum(0))), null),
        Name: z._default(z.nullable(z.string()), null),
      }),
    ),
    null,
  ),
  EntryTimeoutSeconds: z._default(z.nullable(positiveSeconds), null),
  OnHostLists: flag(true),
  IsAgentConnection: flag(false),
});

/** Where an agent's connection goes where the file does not say it, and its local port. */
export const AGENT_PORTS = { local: 48_620, remote: 443 } as const;

export const HOST_DEFAULTS = {
  AgentAnswers: true,
  AgentDelaySeconds: 3,
  SocketKill: true,
  RootAttacker: false,
  AgentLies: 'none',
  AgentConnection: true,
  AgentEndpoint: '52.94.0.10',
} as const;

export const host = z.looseObject({
  InstanceId: instanceId,
  AgentAnswers: flag(HOST_DEFAULTS.AgentAnswers),
  AgentDelaySeconds: z._default(seconds, HOST_DEFAULTS.AgentDelaySeconds),
  SocketKill: flag(HOST_DEFAULTS.SocketKill),
  RootAttacker: flag(HOST_DEFAULTS.RootAttacker),
  AgentLies: z._default(z.enum(['none', 'garbage', 'claims-success', 'hides']), HOST_DEFAULTS.AgentLies),
  AgentConnection: flag(HOST_DEFAULTS.AgentConnection),
  AgentEndpoint: z._default(address, HOST_DEFAULTS.AgentEndpoint),
});

export const assumptions = z.looseObject({
  LoweredTimeoutAppliesToExisting: flag(false),
  UntrackDwellConverts: z._default(z.enum(['never', 'active', 'all']), 'never'),
  NaclDroppedEgressRefreshes: flag(true),
  NaclDroppedIngressRefreshes: flag(false),
  RstDroppedByNaclClears: flag(false),
  PropagationSeconds: z._default(seconds, 2),
  TcpRetransmitSeconds: z._default(positiveSeconds, 924.6),
  ReadLagSeconds: z._default(seconds, 0),
  TrailDeliverySeconds: z._default(z.nullable(seconds), 60),
  FlowLogStartSeconds: z._default(seconds, 300),
  QuietFlowLogSpeaks: flag(true),
  GroupVisibleAfterSeconds: z.optional(seconds),
});

/** The services that an outage can name. */
const SERVICES = [
  'ec2',
  'ssm',
  'dynamodb',
  'states',
  'sns',
  'logs',
  's3',
  'autoscaling',
  'elbv2',
  'elb',
  'guardduty',
  'iam',
  'route53resolver',
] as const;

/** One call of an API that fails, or with `Service` an outage: every call of the service in the window fails so. */
export const fault = z.looseObject({
  Api: z.optional(z.string().check(z.minLength(1, { error: 'is empty' }))),
  Service: z.optional(z.enum(SERVICES)),
  FromSeconds: z._default(seconds, 0),
  ToSeconds: z._default(z.nullable(seconds), null),
  Call: z._default(
    z.union([z.int().check(z.minimum(1)), z.string().check(z.regex(/^[1-9]\d*\+?$/))], {
      error: 'is not a count such as 2 or "2+"',
    }),
    1,
  ),
  Error: z.string().check(z.minLength(1, { error: 'is empty' })),
  AfterEffect: flag(false),
});

const PROTOCOL_NAMES: Readonly<Record<string, string>> = { '1': 'icmp', '6': 'tcp', '17': 'udp', '58': 'icmpv6' };

/** The project's word for a protocol: a name for the four that have one, otherwise the number as text. */
export function protocolName(text: string): string | null {
  const word = text.toLowerCase();
  if (Object.values(PROTOCOL_NAMES).includes(word)) return word;
  if (!/^\d{1,3}$/.test(word) || Number(word) > 255) return null;
  return PROTOCOL_NAMES[String(Number(word))] ?? String(Number(word));
}
