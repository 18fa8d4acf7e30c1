/**
 * The parts of the world's AWS-shaped objects that the APIs read or change. Every object may hold more, which is kept and
 * shown; dates are text here, as the AWS CLI prints them, and become Date on the way to the SDK.
 */

export interface Tag {
  Key: string;
  Value: string;
}

export interface GroupIdentifier {
  GroupId: string;
  GroupName?: string;
}

export interface Instance {
  InstanceId: string;
  State?: { Code?: number; Name?: string };
  InstanceType?: string;
  InstanceLifecycle?: string;
  Platform?: string;
  VpcId?: string;
  SubnetId?: string;
  PrivateIpAddress?: string;
  PublicIpAddress?: string;
  Operator?: { Managed?: boolean; Principal?: string };
  SecurityGroups?: GroupIdentifier[];
  NetworkInterfaces?: { NetworkInterfaceId?: string; Groups?: GroupIdentifier[] }[];
  BlockDeviceMappings?: {
    DeviceName?: string;
    Ebs?: { VolumeId?: string; VolumeSize?: number; DeleteOnTermination?: boolean };
  }[];
  SecondaryInterfaces?: { SecondaryInterfaceId: string; PrivateIpAddresses?: { PrivateIpAddress?: string }[] }[];
  MetadataOptions?: Record<string, unknown>;
  RootDeviceName?: string;
  StateTransitionReason?: string;
  Tags?: Tag[];
  [member: string]: unknown;
}

export interface Reservation {
  ReservationId?: string;
  OwnerId?: string;
  Instances: Instance[];
  [member: string]: unknown;
}

export interface NetworkInterface {
  NetworkInterfaceId: string;
  VpcId: string;
  SubnetId: string;
  OwnerId?: string;
  Status?: string;
  Description?: string;
  InterfaceType?: string;
  RequesterManaged?: boolean;
  RequesterId?: string;
  Operator?: { Managed?: boolean; Principal?: string };
  SourceDestCheck?: boolean;
  Groups: GroupIdentifier[];
  PrivateIpAddress?: string;
  PrivateIpAddresses?: { PrivateIpAddress?: string; Primary?: boolean; Association?: { PublicIp?: string } }[];
  Ipv6Addresses?: { Ipv6Address?: string }[];
  Association?: { PublicIp?: string };
  Attachment?: {
    AttachmentId?: string;
    InstanceId?: string;
    InstanceOwnerId?: string;
    DeviceIndex?: number;
    Status?: string;
    DeleteOnTermination?: boolean;
  };
  ConnectionTrackingConfiguration?: TrackingConfiguration;
  TagSet?: Tag[];
  [member: string]: unknown;
}

export interface TrackingConfiguration {
  TcpEstablishedTimeout?: number;
  UdpTimeout?: number;
  UdpStreamTimeout?: number;
}

export interface IpPermission {
  IpProtocol?: string;
  FromPort?: number;
  ToPort?: number;
  IpRanges?: { CidrIp?: string; Description?: string }[];
  Ipv6Ranges?: { CidrIpv6?: string; Description?: string }[];
  PrefixListIds?: { PrefixListId?: string; Description?: string }[];
  UserIdGroupPairs?: { GroupId?: string; UserId?: string; Description?: string }[];
}

export interface SecurityGroup {
  GroupId: string;
  GroupName?: string;
  Description?: string;
  VpcId?: string;
  OwnerId?: string;
  IpPermissions: IpPermission[];
  IpPermissionsEgress: IpPermission[];
  Tags?: Tag[];
  [member: string]: unknown;
}

export interface NetworkAclEntry {
  RuleNumber: number;
  Egress: boolean;
  Protocol: string;
  RuleAction: string;
  CidrBlock?: string;
  Ipv6CidrBlock?: string;
  PortRange?: { From?: number; To?: number };
  IcmpTypeCode?: { Code?: number; Type?: number };
}

export interface NetworkAcl {
  NetworkAclId: string;
  VpcId: string;
  OwnerId?: string;
  IsDefault?: boolean;
  Associations: { NetworkAclAssociationId?: string; NetworkAclId?: string; SubnetId?: string }[];
  Entries: NetworkAclEntry[];
  Tags?: Tag[];
  [member: string]: unknown;
}

export interface RouteTable {
  RouteTableId: string;
  VpcId: string;
  Associations?: { Main?: boolean; SubnetId?: string; GatewayId?: string; RouteTableAssociationId?: string }[];
  Routes?: Record<string, unknown>[];
  Tags?: Tag[];
  [member: string]: unknown;
}

export interface Subnet {
  SubnetId: string;
  VpcId: string;
  OwnerId?: string;
  CidrBlock?: string;
  Ipv6CidrBlockAssociationSet?: { Ipv6CidrBlock?: string; Ipv6CidrBlockState?: { State?: string } }[];
  AvailabilityZone?: string;
  State?: string;
  Tags?: Tag[];
  [member: string]: unknown;
}

export interface Vpc {
  VpcId: string;
  OwnerId?: string;
  IsDefault?: boolean;
  CidrBlock?: string;
  Ipv6CidrBlockAssociationSet?: { Ipv6CidrBlock?: string; Ipv6CidrBlockState?: { State?: string } }[];
  State?: string;
  Tags?: Tag[];
  [member: string]: unknown;
}

export interface VpcEndpoint {
  VpcEndpointId: string;
  VpcEndpointType?: string;
  VpcId?: string;
  ServiceName?: string;
  State?: string;
  Tags?: Tag[];
  [member: string]: unknown;
}

export interface ManagedPrefixList {
  PrefixListId: string;
  PrefixListName?: string;
  OwnerId?: string;
  Entries?: { Cidr: string; Description?: string }[];
  Tags?: Tag[];
  [member: string]: unknown;
}

export interface FlowLog {
  ResourceId: string;
  FlowLogId?: string;
  CreationTime?: string;
  TrafficType?: string;
  LogFormat?: string;
  LogDestinationType?: string;
  LogDestination?: string;
  LogGroupName?: string;
  MaxAggregationInterval?: number;
  DestinationOptions?: { FileFormat?: string; HiveCompatiblePartitions?: boolean; PerHourPartition?: boolean };
  /** From here on the world's own: from a record's end to its delivery, and what the responder may read. */
  DeliverySeconds?: number;
  LogGroupClass?: string;
  Readable?: boolean;
  StartsAtSeconds?: number;
  EndsAtSeconds?: number;
  Gaps?: [number, number][];
  SkipData?: [number, number][];
  Tags?: Tag[];
  [member: string]: unknown;
}

export interface Snapshot {
  SnapshotId: string;
  VolumeId: string;
  State: 'pending' | 'completed';
  Progress: string;
  StartTime: string;
  OwnerId: string;
  Description: string;
  VolumeSize?: number;
  Tags?: Tag[];
}

export interface InstanceInformation {
  InstanceId: string;
  PingStatus?: string;
  PlatformType?: string;
  AgentVersion?: string;
  [member: string]: unknown;
}

export interface AutoScalingInstance {
  InstanceId: string;
  AutoScalingGroupName?: string;
  LifecycleState?: string;
  HealthStatus?: string;
  ProtectedFromScaleIn?: boolean;
  [member: string]: unknown;
}

export interface AutoScalingGroup {
  AutoScalingGroupName: string;
  MinSize?: number;
  MaxSize?: number;
  DesiredCapacity?: number;
  Instances?: AutoScalingInstance[];
  SuspendedProcesses?: { ProcessName?: string; SuspensionReason?: string }[];
  [member: string]: unknown;
}

export interface TargetGroup {
  TargetGroupArn: string;
  TargetGroupName?: string;
  LoadBalancerArns?: string[];
  Port?: number;
  TargetType?: string;
  VpcId?: string;
  [member: string]: unknown;
}

export interface TargetHealthEntry {
  TargetGroupArn: string;
  Target: { Id: string; Port?: number; AvailabilityZone?: string };
  TargetHealth?: { State?: string; Reason?: string; Description?: string };
}

export interface LoadBalancer {
  LoadBalancerArn: string;
  LoadBalancerName?: string;
  [member: string]: unknown;
}

export interface ClassicLoadBalancer {
  LoadBalancerName: string;
  VPCId?: string;
  Instances?: { InstanceId?: string }[];
  [member: string]: unknown;
}

/** One call of `Api` that fails, or with `Service` an outage of it. */
export interface Fault {
  Api?: string | undefined;
  Service?: string | undefined;
  /** 1, 2, ... or `"3+"`. */
  Call?: number | string;
  FromSeconds?: number;
  ToSeconds?: number | null;
  Error: string;
  AfterEffect?: boolean;
}

/** What of the file's assumptions the APIs need. */
export interface ApiAssumptions {
  ReadLagSeconds?: number;
  TrailDeliverySeconds?: number | null;
  FlowLogStartSeconds?: number;
  GroupVisibleAfterSeconds?: number | undefined;
}

/** What the APIs need of a parsed world file; the arrays are the state and are changed in place. */
export interface ApiState {
  AccountId: string;
  Region: string;
  Now: string;
  Reservations: Reservation[];
  InstanceAttributes: Record<string, Record<string, unknown>>;
  NetworkInterfaces: NetworkInterface[];
  SecurityGroups: SecurityGroup[];
  ManagedPrefixLists: ManagedPrefixList[];
  NetworkAcls: NetworkAcl[];
  RouteTables: RouteTable[];
  Subnets: Subnet[];
  Vpcs: Vpc[];
  VpcEndpoints: VpcEndpoint[];
  InstanceInformationList: InstanceInformation[];
  AutoScalingGroups: AutoScalingGroup[];
  AutoScalingInstances: AutoScalingInstance[];
  TargetGroups: TargetGroup[];
  TargetHealth: TargetHealthEntry[];
  LoadBalancers: LoadBalancer[];
  ClassicLoadBalancers?: ClassicLoadBalancer[];
  FlowLogs: FlowLog[];
  Faults: Fault[];
  /** Details of the findings that GuardDuty knows; undefined = those of the events that are played. */
  Findings?: Record<string, unknown>[] | undefined;
  Assumptions?: ApiAssumptions;
  NaclEntryQuota: number;
  LatencySeconds: number;
}
