import type { ApiContext, Handlers } from '../context.ts';
import { AwsError } from '../errors.ts';
import { flowLogHandlers } from './flow-logs.ts';
import { instanceTypeHandlers } from './instance-types.ts';
import { instanceHandlers } from './instances.ts';
import { interfaceLifeHandlers } from './interface-life.ts';
import { metadataOptionHandlers } from './metadata-options.ts';
import { networkAclSetHandlers } from './network-acl-sets.ts';
import { networkAclHandlers } from './network-acls.ts';
import { networkInterfaceHandlers } from './network-interfaces.ts';
import { networkHandlers } from './networks.ts';
import { securityGroupRuleHandlers } from './security-group-rules.ts';
import { securityGroupHandlers } from './security-groups.ts';
import { snapshotHandlers } from './snapshots.ts';
import { tagHandlers } from './tags.ts';
import { terminationHandlers } from './termination.ts';

/** `DryRun` asks whether the call were permitted and changes nothing. */
function honouringDryRun(handlers: Handlers): Handlers {
  return Object.fromEntries(
    Object.entries(handlers).map(([command, handler]) => [
      command,
      (context: ApiContext, input: { DryRun?: boolean }) => {
        if (input.DryRun === true) {
          throw new AwsError('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.');
        }
        return handler(context, input as never);
      },
    ]),
  );
}

export const ec2Handlers: Handlers = honouringDryRun({
  ...instanceHandlers,
  ...networkInterfaceHandlers,
  ...securityGroupHandlers,
  ...securityGroupRuleHandlers,
  ...networkAclHandlers,
  ...networkAclSetHandlers,
  ...flowLogHandlers,
  ...instanceTypeHandlers,
  ...metadataOptionHandlers,
  ...interfaceLifeHandlers,
  ...terminationHandlers,
  ...networkHandlers,
  ...tagHandlers,
  ...snapshotHandlers,
});
