import type { ServiceMemory } from './memory.ts';
import type { ServiceName } from './sdk.ts';
import type { ApiState } from './shapes.ts';
import { verbOf } from './ssm.ts';

interface Made {
  readonly service: ServiceName;
  readonly call: string;
  readonly input: unknown;
  readonly output: object;
}

/** Whether a call that took effect is one that stops packets, for the count of what went before the first cut. */
export function stopsPackets({ service, call, input, output }: Made, state: ApiState, memory: ServiceMemory): boolean {
  const given = input as { RuleAction?: string; Groups?: unknown; CommandId?: string; NetworkAclId?: string };
  if (service === 'ssm' && call === 'GetCommandInvocation') {
    return verbOf(memory, given.CommandId) === 'cut' && (output as { Status?: string }).Status === 'Success';
  }
  if (service !== 'ec2') return false;
  switch (call) {
    case 'CreateNetworkAclEntry':
    case 'ReplaceNetworkAclEntry':
      return given.RuleAction === 'deny';
    case 'ReplaceNetworkAclAssociation':
      return isSeal(state, given.NetworkAclId);
    case 'ModifyNetworkInterfaceAttribute':
    case 'ModifyInstanceAttribute':
      return given.Groups !== undefined;
    default:
      return call === 'StopInstances';
  }
}

/** An ACL without an allow lets nothing into its subnets or out of them. */
const isSeal = (state: ApiState, aclId: string | undefined): boolean =>
  state.NetworkAcls.some(
    (acl) => acl.NetworkAclId === aclId && acl.Entries.every((entry) => entry.RuleAction !== 'allow'),
  );
