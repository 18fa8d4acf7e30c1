import type { CaseRequest } from '../intake/intake-types.ts';
import type { NamedChannel } from './verdict.ts';

/** Finding types that say that a channel carries data: a DNS tunnel. */
const TUNNELS = [/DNSDataExfiltration/];

/**
 * The channels that the finding itself names and that no group and no ACL reaches: domains, which the VPC's resolver goes on
 * to answer. Nothing here closes them, so they are open.
 */
export function namedChannels({ domains, finding }: Pick<CaseRequest, 'domains' | 'finding'>): readonly NamedChannel[] {
  const carriesData = TUNNELS.some((pattern) => pattern.test(finding?.type ?? ''));
  return domains.map((domain) => ({ what: `DNS for ${domain} through the VPC resolver`, state: 'open', carriesData }));
}
