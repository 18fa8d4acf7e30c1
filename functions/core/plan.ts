import { unmodifiable } from './assess.ts';
import type { CaseFlow, WantedDeny } from './case.ts';
import type { Facts } from './facts.ts';
import type { PlannedChange } from './record.ts';

/** What would be done, in the order in which it would be done, for a person to read and to decide on. */
export function describePlan(
  facts: Pick<Facts, 'instance' | 'interfaces' | 'acls'>,
  flows: readonly CaseFlow[],
  denies: readonly WantedDeny[],
): readonly PlannedChange[] {
  const denied = denies
    .filter((deny) => deny.ruleNumber !== null)
    .map((deny) => {
      const acl = facts.acls.find((candidate) => candidate.id === deny.aclId);
      return {
        change: `deny ${deny.cidr} ${deny.egress ? 'outbound' : 'inbound'} as rule ${deny.ruleNumber} of ${deny.aclId}`,
        why: 'a tracked flow ignores groups; a network ACL stops its packets at once',
        alsoHits: `every instance in ${acl?.subnetIds.join(', ') || 'the subnet'}`,
        undo: 'restore removes the entry when no other case needs it',
      };
    });
  const addresses = [...new Set(flows.map((flow) => flow.remoteAddress))];
  const host = {
    change: `on the host of ${facts.instance.id}: list and close every established flow${addresses.length > 0 ? `, deny ${addresses.join(', ')} in its firewall` : ''}`,
    why: 'closing the socket is the one cut that also clears the tracking entry',
    alsoHits: 'every session on the instance, but the agent and loopback',
    undo: 'restore removes the host firewall; closed connections stay closed',
  };
  const isolated = facts.interfaces.map((eni) => {
    const objection = unmodifiable(eni);
    return objection === null
      ? {
          change: `${eni.id}: replace ${eni.groupIds.join(', ')} by a group without rules; idle timeouts to 60/60/30 s`,
          why: 'blocks every new and every untracked flow',
          alsoHits: 'all traffic of the interface, the SSM agent included',
          undo: 'restore puts back the groups in their order; timeouts once set are set to their former or default value',
        }
      : { change: `${eni.id}: left as it is`, why: objection, alsoHits: 'nothing', undo: 'nothing to undo' };
  });
  return [...denied, host, ...isolated];
}
