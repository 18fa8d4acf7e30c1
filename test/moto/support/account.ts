import {
  AttachInstancesCommand,
  CreateAutoScalingGroupCommand,
  CreateLaunchConfigurationCommand,
} from '@aws-sdk/client-auto-scaling';
import {
  AllocateAddressCommand,
  AssociateRouteTableCommand,
  AttachInternetGatewayCommand,
  AttachNetworkInterfaceCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateInternetGatewayCommand,
  CreateNatGatewayCommand,
  CreateNetworkAclCommand,
  CreateNetworkAclEntryCommand,
  CreateNetworkInterfaceCommand,
  CreateRouteCommand,
  CreateRouteTableCommand,
  CreateSecurityGroupCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeNetworkAclsCommand,
  DescribeVpcsCommand,
  type EC2Client,
  ReplaceNetworkAclAssociationCommand,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import {
  CreateLoadBalancerCommand,
  RegisterInstancesWithLoadBalancerCommand,
} from '@aws-sdk/client-elastic-load-balancing';
import { CreateTargetGroupCommand, RegisterTargetsCommand } from '@aws-sdk/client-elastic-load-balancing-v2';
import { CreateTopicCommand } from '@aws-sdk/client-sns';
import { type Clients, createCaseTable, REGION } from './clients.ts';

/** What an answer must hold; a hole in it is a failed preparation. */
function known<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`moto answered without ${what}`);
  return value;
}

/** A Linux image that moto knows of itself. */
const IMAGE = 'ami-785db401';

const ZONE = `${REGION}a`;

async function createGroup(ec2: EC2Client, VpcId: string, GroupName: string): Promise<string> {
  const { GroupId } = await ec2.send(
    new CreateSecurityGroupCommand({ VpcId, GroupName, Description: `${GroupName} of the shop` }),
  );
  return known(GroupId, 'GroupId');
}

/** A subnet with a route table of its own whose default route leads to `target`, and an ACL of its own. */
async function createSubnet(
  ec2: EC2Client,
  VpcId: string,
  cidrs: { readonly ipv4: string; readonly ipv6: string },
  target: { readonly GatewayId: string } | { readonly NatGatewayId: string } | null,
) {
  const { Subnet } = await ec2.send(
    new CreateSubnetCommand({ VpcId, CidrBlock: cidrs.ipv4, Ipv6CidrBlock: cidrs.ipv6, AvailabilityZone: ZONE }),
  );
  const subnetId = known(Subnet?.SubnetId, 'SubnetId');
  const { RouteTable } = await ec2.send(new CreateRouteTableCommand({ VpcId }));
  const routeTableId = known(RouteTable?.RouteTableId, 'RouteTableId');
  await ec2.send(new AssociateRouteTableCommand({ RouteTableId: routeTableId, SubnetId: subnetId }));
  if (target !== null) await addDefaultRoute(ec2, routeTableId, target);
  const { NetworkAcl } = await ec2.send(new CreateNetworkAclCommand({ VpcId }));
  const aclId = known(NetworkAcl?.NetworkAclId, 'NetworkAclId');
  for (const Egress of [true, false]) {
    const common = { NetworkAclId: aclId, Egress, Protocol: '-1', RuleAction: 'allow' } as const;
    await ec2.send(new CreateNetworkAclEntryCommand({ ...common, RuleNumber: 100, CidrBlock: '0.0.0.0/0' }));
    await ec2.send(new CreateNetworkAclEntryCommand({ ...common, RuleNumber: 101, Ipv6CidrBlock: '::/0' }));
  }
  const filter = { Name: 'association.subnet-id', Values: [subnetId] };
  const { NetworkAcls = [] } = await ec2.send(new DescribeNetworkAclsCommand({ Filters: [filter] }));
  const association = NetworkAcls.flatMap(({ Associations = [] }) => Associations).find(
    ({ SubnetId }) => SubnetId === subnetId,
  );
  await ec2.send(
    new ReplaceNetworkAclAssociationCommand({
      AssociationId: association?.NetworkAclAssociationId,
      NetworkAclId: aclId,
    }),
  );
  return { subnetId, routeTableId, aclId };
}

async function addDefaultRoute(
  ec2: EC2Client,
  RouteTableId: string,
  target: { readonly GatewayId: string } | { readonly NatGatewayId: string },
): Promise<void> {
  await ec2.send(new CreateRouteCommand({ RouteTableId, DestinationCidrBlock: '0.0.0.0/0', ...target }));
}

async function launch(ec2: EC2Client, subnetId: string, groups: readonly string[], name: string) {
  const { Instances = [] } = await ec2.send(
    new RunInstancesCommand({
      ImageId: IMAGE,
      InstanceType: 'm5.large',
      MinCount: 1,
      MaxCount: 1,
      // Groups at the top level would stay on the instance after a swap: moto keeps them in a list of their own.
      NetworkInterfaces: [{ DeviceIndex: 0, SubnetId: subnetId, Groups: [...groups], AssociatePublicIpAddress: true }],
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: name }] }],
    }),
  );
  const instance = Instances[0];
  return {
    instanceId: known(instance?.InstanceId, 'InstanceId'),
    networkInterfaceId: known(instance?.NetworkInterfaces?.[0]?.NetworkInterfaceId, 'NetworkInterfaceId'),
    privateAddress: known(instance?.PrivateIpAddress, 'PrivateIpAddress'),
  };
}

/**
 * A shop's account, made through the API as its owner would: a public and a private subnet, each with an ACL of its own,
 * an internet gateway and a NAT gateway; web, bastion and database groups that reference each other; a web server with an
 * interface in each subnet that an Auto Scaling group, a target group and a classic load balancer hold; a neighbour.
 */
export async function buildAccount(clients: Clients) {
  const { ec2, scaling, elb, classicElb, sns } = clients;
  const { Vpc } = await ec2.send(
    new CreateVpcCommand({ CidrBlock: '10.20.0.0/16', AmazonProvidedIpv6CidrBlock: true }),
  );
  const vpcId = known(Vpc?.VpcId, 'VpcId');
  const { Vpcs = [] } = await ec2.send(new DescribeVpcsCommand({ VpcIds: [vpcId] }));
  const ipv6 = known(Vpcs[0]?.Ipv6CidrBlockAssociationSet?.[0]?.Ipv6CidrBlock, 'Ipv6CidrBlock');
  const ipv6Subnet = (index: number): string => ipv6.replace(/00::\/56$/, `0${index}::/64`);
  const { InternetGateway } = await ec2.send(new CreateInternetGatewayCommand({}));
  const gatewayId = known(InternetGateway?.InternetGatewayId, 'InternetGatewayId');
  await ec2.send(new AttachInternetGatewayCommand({ InternetGatewayId: gatewayId, VpcId: vpcId }));

  const publicSubnet = await createSubnet(
    ec2,
    vpcId,
    { ipv4: '10.20.1.0/24', ipv6: ipv6Subnet(1) },
    { GatewayId: gatewayId },
  );
  const { AllocationId } = await ec2.send(new AllocateAddressCommand({ Domain: 'vpc' }));
  const { NatGateway } = await ec2.send(new CreateNatGatewayCommand({ SubnetId: publicSubnet.subnetId, AllocationId }));
  const privateSubnet = await createSubnet(
    ec2,
    vpcId,
    { ipv4: '10.20.2.0/24', ipv6: ipv6Subnet(2) },
    { NatGatewayId: known(NatGateway?.NatGatewayId, 'NatGatewayId') },
  );

  const web = await createGroup(ec2, vpcId, 'web');
  const bastion = await createGroup(ec2, vpcId, 'bastion');
  const database = await createGroup(ec2, vpcId, 'database');
  const permit = (GroupId: string, FromPort: number, source: object) =>
    ec2.send(
      new AuthorizeSecurityGroupIngressCommand({
        GroupId,
        IpPermissions: [{ IpProtocol: 'tcp', FromPort, ToPort: FromPort, ...source }],
      }),
    );
  await permit(web, 443, { IpRanges: [{ CidrIp: '0.0.0.0/0' }], Ipv6Ranges: [{ CidrIpv6: '::/0' }] });
  await permit(web, 22, { UserIdGroupPairs: [{ GroupId: bastion }] });
  await permit(bastion, 22, { IpRanges: [{ CidrIp: '192.0.2.0/24' }] });
  await permit(database, 5432, { UserIdGroupPairs: [{ GroupId: web }] });

  const victim = await launch(ec2, publicSubnet.subnetId, [web], 'shop-web-1');
  const neighbour = await launch(ec2, publicSubnet.subnetId, [web, bastion], 'shop-web-2');
  const { NetworkInterface } = await ec2.send(
    new CreateNetworkInterfaceCommand({ SubnetId: privateSubnet.subnetId, Groups: [web, database] }),
  );
  const secondInterfaceId = known(NetworkInterface?.NetworkInterfaceId, 'NetworkInterfaceId');
  await ec2.send(
    new AttachNetworkInterfaceCommand({
      NetworkInterfaceId: secondInterfaceId,
      InstanceId: victim.instanceId,
      DeviceIndex: 1,
    }),
  );

  await scaling.send(
    new CreateLaunchConfigurationCommand({
      LaunchConfigurationName: 'shop',
      ImageId: IMAGE,
      InstanceType: 'm5.large',
      SecurityGroups: [web],
    }),
  );
  const groupName = 'shop';
  await scaling.send(
    new CreateAutoScalingGroupCommand({
      AutoScalingGroupName: groupName,
      LaunchConfigurationName: 'shop',
      MinSize: 0,
      MaxSize: 4,
      DesiredCapacity: 0,
      VPCZoneIdentifier: publicSubnet.subnetId,
    }),
  );
  await scaling.send(new AttachInstancesCommand({ AutoScalingGroupName: groupName, InstanceIds: [victim.instanceId] }));
  const { TargetGroups = [] } = await elb.send(
    new CreateTargetGroupCommand({ Name: 'shop', Protocol: 'HTTPS', Port: 443, VpcId: vpcId, TargetType: 'instance' }),
  );
  const targetGroupArn = known(TargetGroups[0]?.TargetGroupArn, 'TargetGroupArn');
  await elb.send(
    new RegisterTargetsCommand({ TargetGroupArn: targetGroupArn, Targets: [{ Id: victim.instanceId, Port: 8443 }] }),
  );
  const classicBalancer = 'shop-classic';
  await classicElb.send(
    new CreateLoadBalancerCommand({
      LoadBalancerName: classicBalancer,
      Listeners: [{ Protocol: 'TCP', LoadBalancerPort: 443, InstancePort: 443 }],
      Subnets: [publicSubnet.subnetId],
      SecurityGroups: [web],
    }),
  );
  await classicElb.send(
    new RegisterInstancesWithLoadBalancerCommand({
      LoadBalancerName: classicBalancer,
      Instances: [{ InstanceId: victim.instanceId }],
    }),
  );
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: 'flowcut' }));
  await createCaseTable(clients);
  return {
    vpcId,
    gatewayId,
    natGatewayId: known(NatGateway?.NatGatewayId, 'NatGatewayId'),
    publicSubnet,
    privateSubnet,
    groups: { web, bastion, database },
    victim: { ...victim, secondInterfaceId },
    neighbour,
    groupName,
    targetGroupArn,
    classicBalancer,
    topicArn: known(TopicArn, 'TopicArn'),
  };
}

export type Account = Awaited<ReturnType<typeof buildAccount>>;
