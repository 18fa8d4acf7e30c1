import type { FindingRoute } from './finding-routes.ts';
import type { CaseRequest } from './intake-types.ts';

/** What a report must say beside the verdict of a finding. */
const NOTES = {
  domain:
    'The finding names a domain, not a peer, so no deny comes of it; security groups and network ACLs do not reach the VPC resolver: DNS stays open until a DNS Firewall rule blocks the domain.',
  noFlow: 'The finding names no flow; only flows that the host or the flow log lists can be cut.',
  oneOfMany: 'The finding shows one flow of many; a deny for this peer does not stop the others, isolation does.',
  untied: 'The sequence names endpoints that no signal ties to an instance; look for them on each of its instances.',
  disk: 'The finding comes from a disk scan; the finding that triggered it may name a flow.',
} as const;

const ONE_OF_MANY: readonly string[] = ['Impact:EC2/PortSweep', 'Recon:EC2/Portscan', 'Backdoor:EC2/Spambot'];

/** What the type says by itself, and with the flows and domains that were read of the finding. */
export function notesOf(route: FindingRoute, { flows, domains }: Pick<CaseRequest, 'flows' | 'domains'>): string[] {
  const aboutDomain = domains.length > 0 || (flows.length === 0 && route.carries === 'domain');
  return [
    ...(aboutDomain ? [NOTES.domain] : []),
    ...(flows.length === 0 && !aboutDomain ? [NOTES.noFlow] : []),
    ...(ONE_OF_MANY.includes(route.type) ? [NOTES.oneOfMany] : []),
    ...(route.carries === 'disk' ? [NOTES.disk] : []),
  ];
}

/** What a sequence has beside the part of one instance. */
export function sequenceNotes(instances: number, untied: number, unreadable: number): string[] {
  return [
    ...(instances > 1 ? [`The finding names ${instances} instances; this case is about this one alone.`] : []),
    ...(untied > 0 ? [NOTES.untied] : []),
    ...(unreadable > 0
      ? [`What the finding names could not all be read (${unreadable} left out); look at the finding in GuardDuty.`]
      : []),
  ];
}
