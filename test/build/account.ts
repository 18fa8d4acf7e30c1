import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  AttachInternetGatewayCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateInternetGatewayCommand,
  CreateRouteCommand,
  CreateSecurityGroupCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeImagesCommand,
  DescribeNetworkAclsCommand,
  DescribeNetworkInterfacesCommand,
  DescribeRouteTablesCommand,
  DescribeSecurityGroupRulesCommand,
  EC2Client,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import { CreateStateMachineCommand, ListExecutionsCommand, SFNClient } from '@aws-sdk/client-sfn';
import { CreateTopicCommand, SNSClient } from '@aws-sdk/client-sns';

/** The account of the default incident, as moto gives it: what is where, and under which ids. */
export interface Account {
  readonly endpoint: string;
  /** What the ids of the embedded world are here. */
  readonly ids: ReadonlyMap<string, string>;
  readonly tableName: string;
  readonly topicArn: string;
  readonly stateMachineArn: string;
  state(): Promise<AccountState>;
  executions(): Promise<number>;
}

/** What the response changes and the restore puts back. */
export interface AccountState {
  readonly groups: readonly string[];
  /** Rules of those groups, in both directions. */
  readonly rules: number;
  /** Networks denied by the ACL, with the direction. */
  readonly denied: readonly string[];
}

export const PEER = '198.51.100.7/32';

const need = <T>(value: T | undefined, what: string): T => {
  if (value === undefined) throw new Error(`moto answers without ${what}`);
  return value;
};

/** A VPC with an internet gateway, and one instance in a group like that of local/worlds/default.json. */
async function network(ec2: EC2Client): Promise<ReadonlyMap<string, string>> {
  const { Vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16' }));
  const vpcId = need(Vpc?.VpcId, 'a VPC');
  const { Subnet } = await ec2.send(new CreateSubnetCommand({ VpcId: vpcId, CidrBlock: '10.0.1.0/24' }));
  const subnetId = need(Subnet?.SubnetId, 'a subnet');
  const { InternetGateway } = await ec2.send(new CreateInternetGatewayCommand({}));
  const gatewayId = need(InternetGateway?.InternetGatewayId, 'an internet gateway');
  await ec2.send(new AttachInternetGatewayCommand({ VpcId: vpcId, InternetGatewayId: gatewayId }));
  const inVpc = { Filters: [{ Name: 'vpc-id', Values: [vpcId] }] };
  const { RouteTables } = await ec2.send(new DescribeRouteTablesCommand(inVpc));
  const route = { DestinationCidrBlock: '0.0.0.0/0', GatewayId: gatewayId };
  await ec2.send(
    new CreateRouteCommand({ RouteTableId: need(RouteTables?.[0]?.RouteTableId, 'a route table'), ...route }),
  );
  const { GroupId } = await ec2.send(
    new CreateSecurityGroupCommand({ VpcId: vpcId, GroupName: 'shop-web', Description: 'web servers of the shop' }),
  );
  const groupId = need(GroupId, 'a security group');
  const https = { IpProtocol: 'tcp', FromPort: 443, ToPort: 443, IpRanges: [{ CidrIp: '0.0.0.0/0' }] };
  await ec2.send(new AuthorizeSecurityGroupIngressCommand({ GroupId: groupId, IpPermissions: [https] }));
  const { Images } = await ec2.send(new DescribeImagesCommand({ Owners: ['amazon'] }));
  const image = Images?.find(
    ({ Architecture, Platform }) => Architecture === 'x86_64' && Platform?.toLowerCase() !== 'windows',
  );
  // With the group on the interface: moto keeps it on the instance for ever otherwise.
  const launched = await ec2.send(
    new RunInstancesCommand({
      ImageId: need(image?.ImageId, 'a Linux image'),
      InstanceType: 'm6i.large',
      MinCount: 1,
      MaxCount: 1,
      NetworkInterfaces: [{ DeviceIndex: 0, SubnetId: subnetId, Groups: [groupId], AssociatePublicIpAddress: true }],
    }),
  );
  const instance = need(launched.Instances?.[0], 'an instance');
  const { NetworkAcls } = await ec2.send(new DescribeNetworkAclsCommand(inVpc));
  return new Map([
    ['i-0000000000000ab01', need(instance.InstanceId, 'an instance id')],
    ['eni-00000000000000e01', need(instance.NetworkInterfaces?.[0]?.NetworkInterfaceId, 'an interface')],
    ['vpc-00000000000000a01', vpcId],
    ['subnet-00000000000000b01', subnetId],
    ['sg-00000000000000c01', groupId],
    ['acl-00000000000000d01', need(NetworkAcls?.[0]?.NetworkAclId, 'a network ACL')],
  ]);
}

async function stateOf(ec2: EC2Client, ids: ReadonlyMap<string, string>): Promise<AccountState> {
  const eni = need(ids.get('eni-00000000000000e01'), 'an interface');
  const acl = need(ids.get('acl-00000000000000d01'), 'a network ACL');
  const { NetworkInterfaces } = await ec2.send(new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [eni] }));
  const groups = (NetworkInterfaces?.[0]?.Groups ?? []).map(({ GroupId }) => need(GroupId, 'a group'));
  const ofGroups = { Filters: [{ Name: 'group-id', Values: groups }] };
  const { SecurityGroupRules } = await ec2.send(new DescribeSecurityGroupRulesCommand(ofGroups));
  const { NetworkAcls } = await ec2.send(new DescribeNetworkAclsCommand({ NetworkAclIds: [acl] }));
  const entries = NetworkAcls?.[0]?.Entries ?? [];
  const denied = entries
    .filter(({ RuleAction, RuleNumber = 0 }) => RuleAction === 'deny' && RuleNumber < 32_767)
    .map(({ Egress, CidrBlock }) => `${Egress === true ? 'outbound' : 'inbound'} ${CidrBlock}`);
  return { groups, rules: SecurityGroupRules?.length ?? 0, denied: denied.sort() };
}

/** Makes in moto what the response to the default finding meets in an account where flowcut is deployed. */
export async function makeAccount(endpoint: string): Promise<Account> {
  const settings = {
    endpoint,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'not-a-secret' },
  };
  const ec2 = new EC2Client(settings);
  const ids = await network(ec2);
  const tableName = 'flowcut-cases';
  await new DynamoDBClient(settings).send(
    new CreateTableCommand({
      TableName: tableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['pk', 'sk'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const })),
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
    }),
  );
  const { TopicArn } = await new SNSClient(settings).send(new CreateTopicCommand({ Name: 'flowcut' }));
  // Nothing runs it: start-response only starts it.
  const definition = JSON.stringify({ StartAt: 'Done', States: { Done: { Type: 'Succeed' } } });
  const roleArn = 'arn:aws:iam::123456789012:role/flowcut';
  const sfn = new SFNClient(settings);
  const { stateMachineArn } = await sfn.send(
    new CreateStateMachineCommand({ name: 'flowcut-respond', definition, roleArn }),
  );
  return {
    endpoint,
    ids,
    tableName,
    topicArn: need(TopicArn, 'a topic'),
    stateMachineArn: need(stateMachineArn, 'a state machine'),
    state: () => stateOf(ec2, ids),
    executions: async () => (await sfn.send(new ListExecutionsCommand({ stateMachineArn }))).executions?.length ?? 0,
  };
}
