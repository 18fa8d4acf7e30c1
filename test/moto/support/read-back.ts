import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { motoPython } from '../../../scripts/moto-server.ts';

const SCRIPT = fileURLToPath(new URL('read-back.py', import.meta.url));

type Tags = readonly { readonly Key: string; readonly Value: string }[];

interface GroupRef {
  readonly GroupId: string;
}

/** What boto3 says of an account; only the members that tests look into are named. */
export interface Dump {
  readonly Instances: readonly {
    readonly InstanceId: string;
    readonly Tags?: Tags;
    readonly BlockDeviceMappings: readonly { readonly Ebs: { readonly DeleteOnTermination: boolean } }[];
  }[];
  readonly InstanceAttributes: Readonly<Record<string, Readonly<Record<string, boolean | string>>>>;
  readonly NetworkInterfaces: readonly {
    readonly NetworkInterfaceId: string;
    readonly Groups: readonly GroupRef[];
    readonly Attachment?: { readonly InstanceId: string };
  }[];
  readonly SecurityGroups: readonly {
    readonly GroupId: string;
    readonly GroupName: string;
    readonly Tags?: Tags;
    readonly IpPermissions: readonly unknown[];
    readonly IpPermissionsEgress: readonly unknown[];
  }[];
  readonly SecurityGroupRules: readonly { readonly GroupId: string }[];
  readonly NetworkAcls: readonly {
    readonly NetworkAclId: string;
    readonly Entries: readonly {
      readonly RuleNumber: number;
      readonly Egress: boolean;
      readonly RuleAction: string;
      readonly Protocol: string;
      readonly CidrBlock?: string;
    }[];
  }[];
  readonly Subnets: readonly { readonly SubnetId: string; readonly AvailableIpAddressCount: number }[];
  readonly Volumes: readonly { readonly Attachments: readonly { readonly InstanceId: string }[] }[];
  readonly Snapshots: readonly { readonly Tags?: Tags; readonly VolumeId: string }[];
  readonly AutoScalingGroups: readonly {
    readonly DesiredCapacity: number;
    readonly Instances: readonly { readonly InstanceId: string }[];
  }[];
  readonly AutoScalingInstances: readonly { readonly InstanceId: string; readonly LifecycleState: string }[];
  readonly TargetHealth: Readonly<Record<string, readonly { readonly Target: object }[]>>;
  readonly ClassicLoadBalancers: readonly { readonly Instances: readonly { readonly InstanceId: string }[] }[];
}

/** Describes the account with boto3, a second client. */
export async function readBack(endpoint: string): Promise<Dump> {
  const python = motoPython();
  if (python === null) throw new Error('there is no Python here');
  const { stdout } = await promisify(execFile)(python, [SCRIPT, endpoint], { maxBuffer: 64 * 1024 * 1024 });
  return JSON.parse(stdout) as Dump;
}
