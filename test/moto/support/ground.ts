import type { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateSecurityGroupCommand, type EC2Client, RevokeSecurityGroupEgressCommand } from '@aws-sdk/client-ec2';
import type { SFNClient } from '@aws-sdk/client-sfn';
import type { SSMClient } from '@aws-sdk/client-ssm';

/** Where a probe of the parity suite is put: clients and an account that both implementations have alike. */
export interface Ground {
  readonly ec2: EC2Client;
  readonly ssm: SSMClient;
  readonly scaling: AutoScalingClient;
  readonly dynamodb: DynamoDBClient;
  readonly sfn: SFNClient;
  /** A VPC with IPv6 and an ACL with the two entries that let everything of IPv4 through. */
  readonly vpcId: string;
  readonly aclId: string;
  readonly instanceId: string;
  readonly networkInterfaceId: string;
  /** The group of the interface; another one refers to it. */
  readonly groupId: string;
  readonly defaultGroupId: string;
  /** An Auto Scaling group that holds the instance and may hold no more. */
  readonly groupName: string;
  readonly documentName: string;
  readonly tableName: string;
  readonly stateMachineArn: string;
  /** Until what was just created is known everywhere. */
  settle(): Promise<void>;
}

/** A new group; its name is its description. */
export async function newGroup({ ec2, vpcId, settle }: Ground, GroupName: string): Promise<string> {
  const { GroupId = '' } = await ec2.send(
    new CreateSecurityGroupCommand({ VpcId: vpcId, GroupName, Description: GroupName }),
  );
  await settle();
  return GroupId;
}

/** Takes one of the rules that a new group is born with. */
export function revokeAllEgress({ ec2 }: Ground, GroupId: string): Promise<unknown> {
  const IpPermissions = [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }];
  return ec2.send(new RevokeSecurityGroupEgressCommand({ GroupId, IpPermissions }));
}
