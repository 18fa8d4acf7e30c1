import type { Disturbance } from './disturbance.ts';

/** Prefixes of the controls (controls.ts) that may be missing. */
type Losses = readonly string[];

const EVERYTHING: Losses = [''];
const DENIES: Losses = ['deny'];
const ISOLATION: Losses = ['isolation'];
const HOST: Losses = ['host cut'];
const EVIDENCE: Losses = [
  'termination protection',
  'stop protection',
  'shutdown behaviour',
  'delete on termination',
  'tags',
  'snapshots',
  'Auto Scaling group',
  'target group',
  'classic load balancer',
  'flow log',
];

/** What cannot be put in force where an API is always refused. One that is not listed costs nothing. */
const BY_API: Readonly<Record<string, Losses>> = {
  // Without the case table nothing that is done could be undone: nothing is done.
  GetItem: EVERYTHING,
  PutItem: EVERYTHING,
  Query: EVERYTHING,
  UpdateItem: EVERYTHING,
  StartExecution: EVERYTHING,
  // Whether the instance is exempt, and what its interfaces are like, must be known before anything is changed.
  DescribeInstances: EVERYTHING,
  DescribeNetworkInterfaces: EVERYTHING,
  CreateNetworkAclEntry: DENIES,
  DescribeNetworkAcls: DENIES,
  DescribeSubnets: DENIES,
  TransactWriteItems: DENIES,
  // A group that cannot be made, emptied and read back without a rule is not attached.
  AuthorizeSecurityGroupEgress: ISOLATION,
  AuthorizeSecurityGroupIngress: ISOLATION,
  CreateSecurityGroup: ISOLATION,
  DescribeSecurityGroupRules: ISOLATION,
  DescribeSecurityGroups: ISOLATION,
  ModifyNetworkInterfaceAttribute: ISOLATION,
  RevokeSecurityGroupEgress: ISOLATION,
  RevokeSecurityGroupIngress: ISOLATION,
  GetCommandInvocation: HOST,
  SendCommand: HOST,
  CreateFlowLogs: ['flow log'],
  CreateSnapshots: ['snapshots'],
  CreateTags: ['tags'],
  DeregisterInstancesFromLoadBalancer: ['classic load balancer'],
  DeregisterTargets: ['target group'],
  DescribeAutoScalingInstances: ['Auto Scaling group'],
  DescribeFlowLogs: ['flow log'],
  DescribeInstanceAttribute: ['termination protection', 'stop protection', 'shutdown behaviour'],
  DescribeLoadBalancers: ['classic load balancer'],
  DescribeSnapshots: ['snapshots'],
  DescribeTargetGroups: ['target group'],
  DescribeTargetHealth: ['target group'],
  DetachInstances: ['Auto Scaling group'],
  EnterStandby: ['Auto Scaling group'],
  ModifyInstanceAttribute: ['termination protection', 'stop protection', 'shutdown behaviour', 'delete on termination'],
};

/** The same where the function of a state always dies. */
const BY_STATE: Readonly<Record<string, Losses>> = {
  'Open and assess': EVERYTHING,
  'Cut on the host': HOST,
  'Has the host answered?': HOST,
  'Deny the peers that the host listed': DENIES,
  'Cut again': DENIES,
  Isolate: ISOLATION,
  'Preserve evidence': EVIDENCE,
};

export function lossesOf(disturbance: Disturbance): Losses {
  if (disturbance.kind === 'denied') return BY_API[disturbance.api] ?? [];
  if (disturbance.kind === 'dead state') return BY_STATE[disturbance.state] ?? [];
  // What is refused once may be given up for this response: a refusal is an answer.
  return disturbance.kind === 'fault' ? [...(BY_API[disturbance.api] ?? []), ...EVIDENCE] : [];
}
