import {
  CreateNetworkAclEntryCommand,
  CreateSecurityGroupCommand,
  CreateSnapshotsCommand,
  CreateTagsCommand,
  DeleteNetworkAclEntryCommand,
  ModifyInstanceAttributeCommand,
  ModifyNetworkInterfaceAttributeCommand,
  RevokeSecurityGroupEgressCommand,
} from '@aws-sdk/client-ec2';
import { errorCode, errorText } from '../../functions/aws/errors.ts';
import { CASE_TAG } from '../../functions/core/case/evidence.ts';
import type { Facts } from '../../functions/core/case/facts.ts';
import type { Clients } from './clients.ts';

/** Whether the caller may make one call, as far as AWS says it without the call being made. */
export interface Permission {
  readonly call: string;
  /** null = it is not known. */
  readonly allowed: boolean | null;
  readonly detail: string;
}

/** AWS's own hosts, by their domains: only these are trusted to honour a dry run. */
export function isAwsHost(hostname: string): boolean {
  return /(^|\.)(amazonaws\.com(\.cn)?|api\.aws|api\.amazonwebservices\.com\.cn)$/.test(hostname);
}

/** Thrown on the way out, so that an emulator never gets a call that it might make. */
class NotAskedError extends Error {}

/** The part of a command that is used here. */
interface DryRun {
  readonly middlewareStack: { add(middleware: never, options: never): void };
}

type Trust = (hostname: string) => boolean;

/** Stops the command before it leaves for a host that is not trusted, wherever that host was configured. */
function guarded<C extends DryRun>(command: C, trusts: Trust): C {
  const guard =
    (next: (args: object) => Promise<object>) => (args: { readonly request: { readonly hostname: string } }) => {
      const { hostname } = args.request;
      if (!trusts(hostname)) {
        throw new NotAskedError(`not asked: ${hostname} is not AWS's and might make the call`);
      }
      return next(args);
    };
  command.middlewareStack.add(guard as never, { step: 'finalizeRequest', name: 'onlyAws' } as never);
  return command;
}

/**
 * "If you have the required permissions, the error response is DryRunOperation. Otherwise, it is UnauthorizedOperation."
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAclEntry.html
 */
async function ask(call: string, send: () => Promise<unknown>): Promise<Permission> {
  try {
    await send();
    return { call, allowed: null, detail: 'the dry run was not honoured' };
  } catch (error) {
    if (error instanceof NotAskedError) return { call, allowed: null, detail: error.message };
    const code = errorCode(error);
    if (code === 'DryRunOperation') return { call, allowed: true, detail: 'permitted' };
    if (code === 'UnauthorizedOperation') return { call, allowed: false, detail: 'not permitted' };
    return { call, allowed: null, detail: errorText(error) };
  }
}

/**
 * Asks EC2, by dry run, for each call without which the instance cannot be contained or put back; nothing is changed. SSM,
 * Auto Scaling and the load balancers have no dry run.
 */
export function askPermissions(
  { ec2 }: Pick<Clients, 'ec2'>,
  { instance, interfaces, acls }: Pick<Facts, 'instance' | 'interfaces' | 'acls'>,
  trusts: Trust = isAwsHost,
): Promise<readonly Permission[]> {
  const DryRun = true;
  const eni = interfaces[0];
  const acl = acls[0];
  const asked: Promise<Permission>[] = [];
  if (acl !== undefined) {
    const place = { NetworkAclId: acl.id, RuleNumber: freeNumber(acl.entries), Egress: true, DryRun };
    const entry = { ...place, Protocol: '-1', RuleAction: 'deny', CidrBlock: '192.0.2.1/32' } as const;
    asked.push(
      ask('ec2:CreateNetworkAclEntry', () => ec2.send(guarded(new CreateNetworkAclEntryCommand(entry), trusts))),
      ask('ec2:DeleteNetworkAclEntry', () => ec2.send(guarded(new DeleteNetworkAclEntryCommand(place), trusts))),
    );
  }
  if (eni !== undefined) {
    const groups = { NetworkInterfaceId: eni.id, Groups: [...eni.groupIds], DryRun };
    const group = { VpcId: eni.vpcId, GroupName: 'flowcut-dry-run', Description: 'never made', DryRun };
    const revoked = { GroupId: eni.groupIds[0], IpPermissions: [{ IpProtocol: '-1' }], DryRun };
    asked.push(
      ask('ec2:ModifyNetworkInterfaceAttribute', () =>
        ec2.send(guarded(new ModifyNetworkInterfaceAttributeCommand(groups), trusts)),
      ),
      ask('ec2:CreateSecurityGroup', () => ec2.send(guarded(new CreateSecurityGroupCommand(group), trusts))),
      ask('ec2:RevokeSecurityGroupEgress', () =>
        ec2.send(guarded(new RevokeSecurityGroupEgressCommand(revoked), trusts)),
      ),
    );
  }
  const protection = { InstanceId: instance.id, DisableApiTermination: { Value: true }, DryRun };
  const tags = { Resources: [instance.id], Tags: [{ Key: CASE_TAG, Value: 'dry-run' }], DryRun };
  const volumes = { InstanceSpecification: { InstanceId: instance.id }, DryRun };
  asked.push(
    ask('ec2:ModifyInstanceAttribute', () => ec2.send(guarded(new ModifyInstanceAttributeCommand(protection), trusts))),
    ask('ec2:CreateTags', () => ec2.send(guarded(new CreateTagsCommand(tags), trusts))),
    ask('ec2:CreateSnapshots', () => ec2.send(guarded(new CreateSnapshotsCommand(volumes), trusts))),
  );
  return Promise.all(asked);
}

function freeNumber(entries: readonly { readonly ruleNumber: number }[]): number {
  const taken = new Set(entries.map((entry) => entry.ruleNumber));
  let number = 1;
  while (taken.has(number)) number += 1;
  return number;
}
