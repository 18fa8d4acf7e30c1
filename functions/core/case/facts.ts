import type { AclFacts, GroupRule, NetworkInterfaceFacts, SubnetFacts } from '../model.ts';
import type { RouteTableFacts } from '../network/routes.ts';
import type { AutomaticPath } from '../network/tracking-data.ts';

export interface AttachedVolume {
  readonly deviceName: string;
  readonly volumeId: string;
  /** It would be deleted with the instance. */
  readonly isDoomed: boolean;
}

/** What EC2 says of the instance, as far as a response needs it. */
export interface InstanceFacts {
  readonly id: string;
  /** `pending`, `running`, `shutting-down`, `terminated`, `stopping`, `stopped`. */
  readonly state: string;
  readonly accountId: string | null;
  readonly instanceType: string;
  readonly platform: 'linux' | 'windows';
  readonly spot: boolean;
  readonly vpcId: string | null;
  readonly subnetId: string | null;
  readonly volumes: readonly AttachedVolume[];
  readonly tags: Readonly<Record<string, string>>;
}

/** A flow log that this responder can query: delivered to CloudWatch Logs and active. */
export interface FlowLogFacts {
  readonly id: string;
  /** ENI, subnet or VPC that it covers. */
  readonly resourceId: string;
  readonly logGroupName: string;
  /** Epoch seconds: nothing was logged before. null = not said. */
  readonly createdAt: number | null;
}

/** The ENI that holds a peer's address. */
export interface PeerInterface {
  readonly vpcId: string;
  /** `InterfaceType` of DescribeNetworkInterfaces. */
  readonly interfaceType: string;
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
