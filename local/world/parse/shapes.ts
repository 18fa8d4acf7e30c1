import * as z from 'zod/mini';
import { canonicalAddress, isCidr } from '../physics/addresses.ts';
import { fieldsOfFormat } from '../physics/log-format.ts';

/**
 * What the AWS CLI prints, as far as the world reads it. Objects are loose: members that are not named here stay as they
 * are. Lists that the world walks or changes are filled in when they are missing.
 */

const id = (prefix: string) =>
  z
    .string()
    .check(z.regex(new RegExp(`^${prefix}-[0-9a-f]{8,17}$`), { error: `is not an id of the form ${prefix}-...` }));
const text = z.string().check(z.minLength(1, { error: 'is empty' }));
const optional = z.optional;
const list = <T extends z.ZodMiniType>(item: T) => z._default(z.array(item), []);

export const address = z
  .string()
  .check(z.refine((value: string) => canonicalAddress(value) !== null, { error: 'is not a single IP address' }));
const cidr = z
  .string()
  .check(z.refine((value: string) => isCidr(value), { error: 'is not a network in CIDR notation' }));
const cidr4 = z
  .string()
  .check(z.refine((value: string) => isCidr(value, 4), { error: 'is not an IPv4 network in CIDR notation' }));
const cidr6 = z
  .string()
  .check(z.refine((value: string) => isCidr(value, 6), { error: 'is not an IPv6 network in CIDR notation' }));
/** Ports, and for ICMP the type and code; -1 means all. */
const portOrType = z.int().check(z.minimum(-1), z.maximum(65_535));

export const instanceId = id('i');
export const networkInterfaceId = id('eni');
export const secondaryInterfaceId = id('si');
const subnetId = id('subnet');
const vpcId = id('vpc');
const groupId = id('sg');

const groupList = z.array(z.looseObject({ GroupId: groupId }));
const tags = list(z.looseObject({ Key: z.string(), Value: z._default(z.string(), '') }));

const privateAddress = z.looseObject({ PrivateIpAddress: address });
const attachment = z.looseObject({
  AttachmentId: optional(z.string()),
  InstanceId: optional(instanceId),
  DeviceIndex: optional(z.int().check(z.minimum(0))),
});

const tracking = z.looseObject({
  TcpEstablishedTimeout: optional(z.int().check(z.minimum(60), z.maximum(432_000))),
  UdpTimeout: optional(z.int().check(z.minimum(30), z.maximum(60))),
  UdpStreamTimeout: optional(z.int().check(z.minimum(60), z.maximum(180))),
});

export const networkInterface = z.looseObject({
  NetworkInterfaceId: networkInterfaceId,
  VpcId: optional(vpcId),
  SubnetId: optional(subnetId),
  Groups: optional(groupList),
  PrivateIpAddress: optional(address),
  PrivateIpAddresses: list(privateAddress),
  Ipv6Addresses: list(z.looseObject({ Ipv6Address: address })),
  InterfaceType: optional(z.string()),
  RequesterManaged: optional(z.boolean()),
  Attachment: optional(attachment),
  Association: optional(z.looseObject({ PublicIp: optional(address) })),
  ConnectionTrackingConfiguration: optional(tracking),
});

export const instance = z.looseObject({
  InstanceId: instanceId,
  InstanceType: optional(z.string()),
  Platform: optional(z.string()),
  InstanceLifecycle: optional(z.string()),
  VpcId: optional(vpcId),
  SubnetId: optional(subnetId),
  State: optional(z.looseObject({ Name: optional(z.string()) })),
  SecurityGroups: optional(groupList),
  NetworkInterfaces: list(
    z.looseObject({
      NetworkInterfaceId: networkInterfaceId,
      Groups: optional(groupList),
      Attachment: optional(attachment),
    }),
  ),
  BlockDeviceMappings: list(z.looseObject({})),
  SecondaryInterfaces: optional(
    z.array(z.looseObject({ SecondaryInterfaceId: secondaryInterfaceId, PrivateIpAddresses: list(privateAddress) })),
  ),
  Tags: tags,
});

const permission = z.looseObject({
  IpProtocol: text,
  FromPort: optional(portOrType),
  ToPort: optional(portOrType),
  IpRanges: list(z.looseObject({ CidrIp: cidr4 })),
  Ipv6Ranges: list(z.looseObject({ CidrIpv6: cidr6 })),
  PrefixListIds: list(z.looseObject({ PrefixListId: id('pl') })),
  UserIdGroupPairs: list(
    z.looseObject({
      GroupId: optional(groupId),
      UserId: optional(z.string()),
      VpcPeeringConnectionId: optional(z.string()),
    }),
  ),
});

const securityGroup = z.looseObject({
  GroupId: groupId,
  GroupName: optional(z.string()),
  VpcId: optional(vpcId),
  IpPermissions: list(permission),
  IpPermissionsEgress: list(permission),
});

const aclEntry = z
  .looseObject({
    RuleNumber: z.int().check(z.minimum(1), z.maximum(32_768)),
    RuleAction: z.enum(['allow', 'deny']),
    Egress: z.boolean(),
    Protocol: text,
    CidrBlock: optional(cidr4),
    Ipv6CidrBlock: optional(cidr6),
    PortRange: optional(z.looseObject({ From: portOrType, To: portOrType })),
    IcmpTypeCode: optional(z.looseObject({ Type: optional(portOrType), Code: optional(portOrType) })),
  })
  .check(
    z.refine((entry) => (entry.CidrBlock === undefined) !== (entry.Ipv6CidrBlock === undefined), {
      error: 'needs one of CidrBlock and Ipv6CidrBlock',
    }),
  );

const networkAcl = z.looseObject({
  NetworkAclId: id('acl'),
  VpcId: optional(vpcId),
  IsDefault: optional(z.boolean()),
  Associations: list(z.looseObject({ SubnetId: subnetId })),
  Entries: list(aclEntry),
});

const route = z.looseObject({
  DestinationCidrBlock: optional(cidr4),
  DestinationIpv6CidrBlock: optional(cidr6),
  DestinationPrefixListId: optional(id('pl')),
  GatewayId: optional(text),
  NatGatewayId: optional(text),
  EgressOnlyInternetGatewayId: optional(text),
  TransitGatewayId: optional(text),
  VpcPeeringConnectionId: optional(text),
  NetworkInterfaceId: optional(networkInterfaceId),
  State: optional(z.string()),
});

const routeTable = z.looseObject({
  RouteTableId: id('rtb'),
  VpcId: optional(vpcId),
  Associations: list(z.looseObject({ SubnetId: optional(subnetId), Main: optional(z.boolean()) })),
  Routes: list(route),
});

const ipv6Blocks = list(z.looseObject({ Ipv6CidrBlock: cidr6 }));

const subnet = z.looseObject({
  SubnetId: subnetId,
  VpcId: optional(vpcId),
  CidrBlock: optional(cidr4),
  Ipv6CidrBlockAssociationSet: ipv6Blocks,
});

const vpc = z.looseObject({
  VpcId: vpcId,
  CidrBlock: optional(cidr4),
  Ipv6CidrBlockAssociationSet: ipv6Blocks,
});

const vpcEndpoint = z.looseObject({
  VpcEndpointId: id('vpce'),
  VpcEndpointType: optional(z.string()),
  VpcId: optional(vpcId),
  ServiceName: optional(z.string()),
  SubnetIds: list(subnetId),
  NetworkInterfaceIds: list(networkInterfaceId),
  RouteTableIds: list(id('rtb')),
  Groups: list(z.looseObject({ GroupId: groupId })),
});

const autoScalingInstance = z.looseObject({ InstanceId: instanceId, AutoScalingGroupName: optional(text) });

/** Seconds from and to, the end not included. */
const spans = optional(z.array(z.tuple([z.number(), z.number()])));

/** A flow log as DescribeFlowLogs shows it, and what only the world knows of it. */
const flowLog = z.looseObject({
  ResourceId: z
    .string()
    .check(z.regex(/^(eni|subnet|vpc)-[0-9a-f]{8,17}$/, { error: 'is not the id of an ENI, subnet or VPC' })),
  FlowLogId: optional(id('fl')),
  DeliverySeconds: z._default(z.number().check(z.minimum(0)), 300),
  TrafficType: optional(z.enum(['ACCEPT', 'REJECT', 'ALL'])),
  LogFormat: optional(
    z.string().check(
      z.refine((value: string) => fieldsOfFormat(value) !== null, {
        error: 'is not a list of flow log fields such as "$' + '{srcaddr}"',
      }),
    ),
  ),
  LogDestinationType: optional(z.enum(['cloud-watch-logs', 's3'])),
  LogDestination: optional(z.string()),
  LogGroupName: optional(text),
  LogGroupClass: optional(z.enum(['STANDARD', 'INFREQUENT_ACCESS', 'DELIVERY'])),
  MaxAggregationInterval: optional(z.union([z.literal(60), z.literal(600)], { error: 'is neither 60 nor 600' })),
  Readable: optional(z.boolean()),
  StartsAtSeconds: optional(z.number()),
  Gaps: spans,
  SkipData: spans,
});

/** The AWS-shaped part of the file. */
export const awsLists = {
  Reservations: list(z.looseObject({ Instances: list(instance) })),
  InstanceAttributes: z._default(z.record(instanceId, z.looseObject({})), {}),
  NetworkInterfaces: list(networkInterface),
  SecurityGroups: list(securityGroup),
  ManagedPrefixLists: list(z.looseObject({ PrefixListId: id('pl'), Entries: list(z.looseObject({ Cidr: cidr })) })),
  NetworkAcls: list(networkAcl),
  RouteTables: list(routeTable),
  Subnets: list(subnet),
  Vpcs: list(vpc),
  VpcEndpoints: list(vpcEndpoint),
  InstanceInformationList: list(
    z.looseObject({
      InstanceId: z.string().check(z.regex(/^m?i-[0-9a-f]{8,17}$/, { error: 'is not an instance id' })),
    }),
  ),
  AutoScalingGroups: list(z.looseObject({ AutoScalingGroupName: text, Instances: list(autoScalingInstance) })),
  AutoScalingInstances: list(autoScalingInstance),
  TargetGroups: list(z.looseObject({ TargetGroupArn: text })),
  TargetHealth: list(
    z.looseObject({
      TargetGroupArn: text,
      Target: z.looseObject({ Id: text, Port: optional(z.int().check(z.minimum(0), z.maximum(65_535))) }),
    }),
  ),
  LoadBalancers: list(z.looseObject({})),
  FlowLogs: list(flowLog),
};
