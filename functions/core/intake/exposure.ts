import type { KnownFlow, Opener } from '../model.ts';
import type { FindingSummary } from './intake-types.ts';

/** Addresses that the advice names before it counts the rest. */
const MOST_ADDRESSES = 10;

const DIRECTIONS: Readonly<Record<Opener, string>> = {
  remote: 'inbound',
  instance: 'outbound',
  unknown: 'in a direction that is not known',
};

const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];

function portsText(flows: readonly KnownFlow[]): string {
  const ports = unique(flows.map((flow) => (flow.openedBy === 'instance' ? flow.remotePort : flow.localPort)));
  const known = ports.filter((port) => port !== null);
  return known.length === 0 ? '' : `, port ${known.join(', ')}`;
}

function addressesText(flows: readonly KnownFlow[]): string {
  const all = unique(flows.map(({ remoteAddress }) => remoteAddress));
  const more = all.length > MOST_ADDRESSES ? ` and ${all.length - MOST_ADDRESSES} more` : '';
  return `${all.slice(0, MOST_ADDRESSES).join(', ')}${more}`;
}

/** Who was seen at which port of an instance that is only exposed: what a person needs who closes it. */
export function exposureText({ id, type }: FindingSummary, flows: readonly KnownFlow[]): string {
  const finding = `Finding ${id} of type ${type}`;
  if (flows.length === 0) return `${finding} names no address and no port.`;
  const directions = unique(flows.map(({ openedBy }) => openedBy));
  const seen = directions.map((opener) => {
    const own = flows.filter(({ openedBy }) => openedBy === opener);
    return `${DIRECTIONS[opener]}${portsText(own)}, ${opener === 'instance' ? 'to' : 'from'} ${addressesText(own)}`;
  });
  return `${finding} saw: ${seen.join('; ')}.`;
}
