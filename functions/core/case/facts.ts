import type { AclFacts, DefaultTimeouts, GroupRule, NetworkInterfaceFacts, SubnetFacts } from '../model.ts';
import type { RouteTableFacts } from '../network/routes.ts';
import type { AutomaticPath } from '../network/tracking-data.ts';

export interface AttachedVolume {
  readonly deviceName: string;
  readonly volumeId: string;
  /** It would be deleted with the instance. */
  readonly isDoomed: boolean;
}

/**
 * An interface in a secondary network, attached beside the network interfaces of the VPC.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceSecondaryInterface.html
 */
export interface SecondaryInterface {
  readonly id: string;
  readonly addresses: readonly string[];
}

/** What EC2 says of the instance, as far as a response needs it. */
export interface InstanceFacts {
  readonly id: string;
  /** `pending`, `running`, `shutting-down`, `terminated`, `stopping`, `stopped`. */
  readonly state: string;
  readonly accountId: string | null;
  readonly instanceType: string;
  /** What EC2 says of its type; null = it does not, so the table of families holds. */
  readonly defaultTimeouts: DefaultTimeouts | null;
  /** Interfaces in secondary networks: no security group and no network ACL reaches them. */
  readonly secondaryInterfaces: readonly SecondaryInterface[];
  readonly platform: 'linux' | 'windows';
  readonly spot: boolean;
  readonly vpcId: string | null;
  readonly subnetId: string | null;
  readonly volumes: readonly AttachedVolume[];
  readonly tags: Readonly<Record<string, string>>;
}

/** A flow log that covers an ENI, as DescribeFlowLogs shows it. Whether it can be searched: log-objection.ts. */
export interface FlowLogFacts {
  readonly id: string;
  /** ENI, subnet or VPC that it covers. */
  readonly resourceId: string;
  /** `cloud-watch-logs`, `s3` or `kinesis-data-firehose`. */
  readonly destinationType: string;
  /** null = not said. */
  readonly destinationAccountId: string | null;
  readonly logGroupName: string | null;
  /** ARN of the place that it is delivered to, as it was asked for; null = not said. */
  readonly destination: string | null;
  /** The case that made it, by its tag; null = none says so. */
  readonly caseId: string | null;
  /** Why it is not delivered; null = it is, as far as EC2 knows. */
  readonly problem: string | null;
  /** `ALL`, `ACCEPT` or `REJECT`. */
  readonly trafficType: string;
  /** Its `LogFormat`; null = not said. */
  readonly format: string | null;
  /** Longest span of one record, in seconds. */
  readonly intervalSeconds: number;
  /** Epoch seconds: nothing was logged before. null = not said. */
  readonly createdAt: number | null;
}

/** The ENI that holds a peer's address. */
export interface PeerInterface {
  readonly vpcId: string;
  /** `InterfaceType` of DescribeNetworkInterfaces. */
  readonly interfaceType: string;
  /** Of an interface endpoint, the name of the service that answers there; absent = it was not read, or it is none. */
  readonly service?: string;
}

/** Everything that one round of reads brings, before any decision. */
export interface Facts {
  readonly instance: InstanceFacts;
  readonly interfaces: readonly NetworkInterfaceFacts[];
  readonly subnets: readonly SubnetFacts[];
  readonly acls: readonly AclFacts[];
  /** null = they could not be read. */
  readonly routeTables: readonly RouteTableFacts[] | null;
  /** Rules of all groups of all ENIs; null = they could not be read. */
  readonly rules: readonly GroupRule[] | null;
  /** CIDRs of the managed prefix lists that routes name, by id; a list that could not be read is not in it. */
  readonly prefixLists: ReadonlyMap<string, readonly string[]>;
  /** The ENIs of the account that hold the address of a peer, by address; null = they could not be read. */
  readonly peers: ReadonlyMap<string, readonly PeerInterface[]> | null;
  /** What may stand in front of the instance and make every inbound flow tracked, as far as it was asked; null = nothing. */
  readonly inFront: Extract<AutomaticPath, 'network-load-balancer' | 'global-accelerator'> | null;
  /** Reads that failed, in words; what they would have told is unknown. */
  readonly unread: readonly string[];
}

/** Who else a change would hit. */
export interface Surroundings {
  /** Other instances in the subnets behind the same ACLs. */
  readonly neighbours: readonly {
    readonly instanceId: string;
    readonly name: string | null;
    readonly subnetId: string;
  }[];
  /** Other ENIs on the same groups. */
  readonly groupUsers: readonly {
    readonly networkInterfaceId: string;
    readonly instanceId: string | null;
    readonly groupIds: readonly string[];
  }[];
}

/** The VPCs of these interfaces, or of anything that is in one, each once. */
export const vpcIdsOf = (interfaces: readonly { readonly vpcId: string }[]): readonly string[] => [
  ...new Set(interfaces.map((eni) => eni.vpcId)),
];
