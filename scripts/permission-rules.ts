/** What IAM and the services say about the calls that flowcut makes. */

/** The prefix of each client's actions. */
export const ACTION_PREFIXES: Readonly<Record<string, string>> = {
  'auto-scaling': 'autoscaling',
  'cloudwatch-logs': 'logs',
  dynamodb: 'dynamodb',
  ec2: 'ec2',
  'elastic-load-balancing': 'elasticloadbalancing',
  'elastic-load-balancing-v2': 'elasticloadbalancing',
  sfn: 'states',
  s3: 's3',
  sns: 'sns',
  ssm: 'ssm',
};

interface Companions {
  readonly actions: readonly string[];
  readonly source: string;
}

const OF_BALANCERS = 'https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-permissions.html';

const OF_LOG_DELIVERY = 'https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-create-flow-log.html';

/**
 * Actions of another service that a command takes with the rights of its caller, and the page that says so. The Service
 * Authorization Reference does not list them, so no linter knows of them.
 */
export const COMPANIONS: Readonly<Record<string, Companions>> = {
  'elastic-load-balancing-v2:RegisterTargets': {
    actions: ['ec2:DescribeInstances', 'ec2:DescribeInternetGateways', 'ec2:DescribeSubnets', 'ec2:DescribeVpcs'],
    source: OF_BALANCERS,
  },
  'elastic-load-balancing:RegisterInstancesWithLoadBalancer': {
    actions: [
      'ec2:DescribeAccountAttributes',
      'ec2:DescribeClassicLinkInstances',
      'ec2:DescribeInstances',
      'ec2:DescribeVpcClassicLink',
    ],
    source: OF_BALANCERS,
  },
  'elastic-load-balancing:DeregisterInstancesFromLoadBalancer': {
    actions: ['ec2:DescribeClassicLinkInstances', 'ec2:DescribeInstances'],
    source: OF_BALANCERS,
  },
  'ec2:CreateFlowLogs': { actions: ['logs:CreateLogDelivery'], source: OF_LOG_DELIVERY },
  'ec2:DeleteFlowLogs': { actions: ['logs:DeleteLogDelivery'], source: OF_LOG_DELIVERY },
  'elastic-load-balancing:DescribeLoadBalancers': { actions: ['ec2:DescribeSecurityGroups'], source: OF_BALANCERS },
};

/** Commands that need other actions than the one of their name, or more. */
export const COMMAND_ACTIONS: Readonly<Record<string, readonly string[]>> = {
  // Authorised as what is in the transaction: puts when a deny is reserved, deletes when one is forgotten.
  'dynamodb:TransactWriteItems': ['dynamodb:DeleteItem', 'dynamodb:PutItem'],
  // Part of every DynamoDB client, called only where endpoint discovery is switched on.
  'dynamodb:DescribeEndpoints': [],
  // Part of every S3 client, called only for directory buckets.
  's3:CreateSession': [],
  's3:ListObjectsV2': ['s3:ListBucket'],
  // Each gives the thing its tags as it makes it.
  'ec2:CreateFlowLogs': ['ec2:CreateFlowLogs', 'ec2:CreateTags'],
  'ec2:CreateNetworkAcl': ['ec2:CreateNetworkAcl', 'ec2:CreateTags'],
  'ec2:CreateSecurityGroup': ['ec2:CreateSecurityGroup', 'ec2:CreateTags'],
  'ec2:CreateSnapshots': ['ec2:CreateSnapshots', 'ec2:CreateTags'],
};

/** Actions that no command of ours names, because a service takes them with the role of the function. */
export const WITHOUT_COMMAND: Readonly<Record<string, string>> = {
  'logs:CreateLogStream': 'Lambda, for what the function logs',
  'logs:PutLogEvents': 'Lambda, for what the function logs',
  'xray:PutTelemetryRecords': 'Lambda, for traces',
  'xray:PutTraceSegments': 'Lambda, for traces',
  'kms:Decrypt': 'DynamoDB and SNS, with a key of your own',
  'kms:DescribeKey': 'DynamoDB and SNS, with a key of your own',
  'kms:Encrypt': 'DynamoDB and SNS, with a key of your own',
  'kms:GenerateDataKey*': 'DynamoDB and SNS, with a key of your own',
  'kms:ReEncrypt*': 'DynamoDB and SNS, with a key of your own',
  'sqs:SendMessage': 'Lambda, for events that could not be handled',
};

/** Actions that IAM cannot tie to a resource, and why `*` is all there is. */
export const WITHOUT_RESOURCE: Readonly<Record<string, string>> = {
  'ec2:DescribeAccountAttributes': 'EC2 has no resource for it; tied to the Region',
  'ec2:DescribeClassicLinkInstances': 'EC2 has no resource for it; tied to the Region',
  'ec2:DescribeFlowLogs': 'EC2 has no resource for it; tied to the Region',
  'ec2:DescribeInstanceTypes': 'EC2 has no resource for it; tied to the Region',
  'ec2:DescribeInstances': 'EC2 has no resource for it; tied to the Region',
  'ec2:DescribeInternetGateways': 'EC2 has no resource for it; tied to the Region',
  'ec2:DescribeNetworkAcls': 'EC2 has no resource for it; tied to the Region',
  'ec2:DescribeNetworkInterfaces': 'EC2 has no resource for it; tied to the Region',
  'ec2:DescribeRouteTables': 'EC2 has no resource for it; tied to the Region',
  'ec2:DescribeSecurityGroupRules': 'EC2 has no resource for it; tied to the Region',
  'ec2:DescribeSecurityGroups': 'EC2 has no resource for it; tied to the Region',
  'ec2:DescribeSnapshots': 'EC2 has no resource for it; tied to the Region',
  'ec2:DescribeSubnets': 'EC2 has no resource for it; tied to the Region',
  'ec2:DescribeVpcClassicLink': 'EC2 has no resource for it; tied to the Region',
  'ec2:DescribeVpcEndpoints': 'EC2 has no resource for it; tied to the Region',
  'ec2:DescribeVpcs': 'EC2 has no resource for it; tied to the Region',
  'autoscaling:DescribeAutoScalingGroups': 'Auto Scaling has no resource for it',
  'autoscaling:DescribeAutoScalingInstances': 'Auto Scaling has no resource for it',
  'elasticloadbalancing:DescribeLoadBalancers': 'Elastic Load Balancing has no resource for it',
  'elasticloadbalancing:DescribeTargetGroups': 'Elastic Load Balancing has no resource for it',
  'elasticloadbalancing:DescribeTargetHealth': 'Elastic Load Balancing has no resource for it',
  'ssm:CancelCommand': 'Systems Manager has no resource for it',
  'ssm:GetCommandInvocation': 'Systems Manager has no resource for it',
  'xray:GetSamplingRules': 'X-Ray has no resource for it',
  'xray:GetSamplingTargets': 'X-Ray has no resource for it',
  'xray:PutTelemetryRecords': 'X-Ray has no resource for it',
  'xray:PutTraceSegments': 'X-Ray has no resource for it',
  'logs:CreateLogDelivery': 'log delivery has no resource',
  'logs:DeleteLogDelivery': 'log delivery has no resource',
  'logs:DescribeLogGroups': 'log delivery has no resource',
  'logs:DescribeResourcePolicies': 'log delivery has no resource',
  'logs:GetLogDelivery': 'log delivery has no resource',
  'logs:ListLogDeliveries': 'log delivery has no resource',
  'logs:PutResourcePolicy': 'log delivery has no resource',
  'logs:UpdateLogDelivery': 'log delivery has no resource',
};

/** What each statement is for, by its Sid. */
export const PURPOSES: Readonly<Record<string, string>> = {
  CaseTable: 'cases, before-states, the ledger of denies: conditional writes only',
  Turns: "EC2's token buckets, which every function calls in turn; no other item of the table",
  StartResponse: 'one execution per case, under a name that the same event always gives',
  LookAtResponse: 'does an earlier response to the case go on, or has it failed?',
  ReadCases: 'which cases are open, and when each is due',
  NoteLooks: 'when a case is looked at next; no other item of the table',
  StartLook: 'a look at a case: the response, from its verification on',
  SendWhatFailed: 'what cannot be read or started waits in the dead-letter queue',
  LookAtInterfaces: 'only with VpcIds: is every interface in one of them? Nobody is claimed before',
  WriteTimeline: 'how the restore ended and who started it, beside the case; nothing outside the items of cases',
  KeepReport: 'the whole report and the timeline, beside their case; nothing outside the items of cases',
  Look: 'reads before deciding, and reads back what is in force',
  Deny: 'two entries per peer, recorded first',
  LiftDenies: 'removes entries of the ledger that nobody needs; makes one again that a case joined in the meantime',
  SendOurDocuments: 'our two documents only, on instances of this account',
  ReadCommands: 'reads what the script printed; takes back a command whose time is over',
  MakeIsolationGroup: 'only with the tag that says what it is for',
  MakeIsolationGroupInVpc: 'in which VPC',
  TagIsolationGroup: 'only while making it',
  EmptyIsolationGroup: 'a new group is born with egress to everywhere; only on groups with our tag',
  OpenForAgentAndAnalyst: 'only with AgentEgress or AnalystIngress, and only on groups with our tag',
  ReadPrefixLists: 'which networks a prefix list in a rule or a route stands for',
  LookAtTargetGroups: 'is a balancer between the peer and the instance?',
  DeleteReplacedGroups: 'only with DeleteReplacedGroups',
  MakeDeletedGroupsAgain: 'groups that a case deleted, from the record',
  TagGroupsAgain: 'only while making them',
  SwapGroupsAndTimeouts: "an interface's groups and tracking timers",
  LookAtScalingGroups: 'may a group launch instances into the subnet later?',
  MakeSealAcl: 'only with the tag that says what it is for',
  MakeSealAclInVpc: 'in which VPC',
  TagSealAcl: 'only while making it',
  ReplaceAcl: 'the ACL in front of a subnet: one without a rule, and back the one that was found',
  LookAtGroupsAndBalancers: 'where the instance is a member',
  LookForBalancers: 'what Elastic Load Balancing reads of EC2 with the rights of its caller',
  NoOtherInstanceAttributes: 'user data, groups and the like are nobody’s affair here, whatever else is allowed',
  NoOtherInterfaceAttributes: 'an interface never becomes a router, whatever else is allowed',
  ReadAttributes: 'protection as it was found',
  ProtectInstance: 'termination and stop protection, shutdown behaviour, delete on termination',
  LeaveScalingGroup: 'an isolated instance fails its health checks, and its group would destroy the evidence',
  LeaveTargetGroups: 'users are sent to healthy targets',
  LeaveClassicBalancers: 'users are sent to healthy targets',
  TagInstance: 'the case tag, for people; no other key',
  SnapshotVolumes: 'all volumes at one moment',
  SnapshotsOfCase: 'only with the tag of a case',
  TagSnapshots: 'only while making them',
  MakeFlowLog: 'only with OwnFlowLog, and only with the tag of a case',
  WatchInterface: 'only with OwnFlowLog: on interfaces, and on no subnet or VPC',
  TagFlowLog: 'only with OwnFlowLog, and only while making it',
  DeliverFlowLog: 'only with OwnFlowLog: EC2 sets the delivery up with the rights of its caller',
  DeleteFlowLog: 'only flow logs with the tag of a case',
  EndDelivery: 'EC2 ends the delivery with the rights of its caller',
  FindLogFiles: 'the files of our own flow logs, in the bucket of the stack alone',
  ReadLogFiles: 'what they have recorded',
  ReadFlowLogs: 'was anything accepted since, and can the log be asked? Narrowed by FlowLogGroups',
  Publish: 'the report',
  ReturnToScalingGroup: 'only what the case took out is given back',
  ReturnToTargetGroups: 'only what the case took out is given back',
  ReturnToClassicBalancers: 'only what the case took out is given back',
  UntagInstance: 'the case tag; no other key',
  CallSteps: 'the functions of this state machine',
  WriteLogs: 'one log group, and not that of any flow log',
  WriteTraces: 'X-Ray',
  UseKey: 'only with EncryptionKeyArn, and only through DynamoDB and SNS',
  StayInChosenVpcs: 'only with VpcIds: a denial that no role can get around',
  MakeOnlyInChosenVpcs: 'only with VpcIds: a denial that no role can get around',
  DeliverLogs: 'logs of executions',
};
