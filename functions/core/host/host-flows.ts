import { caseFlow, type flowClassifier } from '../case/assess.ts';
import { type CaseFlow, mayBeSameFlow } from '../case/case.ts';
import type { KnownFlow } from '../model.ts';
import { isVpcServiceAddress, parseAddress } from '../network/addresses.ts';
import type { HostFlowLine, HostReport } from './host-protocol.ts';

/** A line of the host as a flow; null when its peer is no address (the whole answer is then no evidence). */
function toFlow(line: HostFlowLine): KnownFlow | null {
  const remote = parseAddress(line.remoteAddress);
  if (remote === null) return null;
  return {
    protocol: line.protocol,
    family: remote.family,
    remoteAddress: remote.address,
    remotePort: line.remotePort,
    localAddress: parseAddress(line.localAddress)?.address ?? null,
    localPort: line.localPort,
    openedBy: line.openedBy,
    networkInterfaceId: null,
    source: 'host',
  };
}

/** The flows that the host listed, as they stand in its lines. */
export function listedFlows(report: Extract<HostReport, { kind: 'evidence' }>): readonly KnownFlow[] {
  return report.flows.map(toFlow).filter((flow) => flow !== null);
}

/** A ping or raw socket without a peer: it may reach anyone, and it is no flow that could be denied or found again. */
const hasAnyPeer = (flow: KnownFlow): boolean => flow.remoteAddress === '0.0.0.0' || flow.remoteAddress === '::';

/** Services of the VPC itself: no group or ACL reaches them and no attacker sits there. */
const isVpcService = (flow: KnownFlow): boolean => isVpcServiceAddress(flow.remoteAddress);

/**
 * A ping or raw socket is no connection: that it is closed does not end what went through it, for any other process may
 * send the next packet without a trace in the lists.
 */
function stateOf(line: HostFlowLine): HostFlowLine['after'] {
  const connected = line.protocol === 'tcp' || line.protocol === 'udp';
  return line.after === 'gone' && !connected ? 'unknown' : line.after;
}

/** Of several sockets that may be one flow, the worst counts. */
function worst(sockets: readonly CaseFlow[]): CaseFlow['host'] {
  const states = sockets.map(({ host }) => host);
  if (states.includes('open')) return 'open';
  return states.includes('unknown') ? 'unknown' : 'gone';
}

const SEVERITY = { open: 3, unknown: 2, gone: 1 } as const;

/** Sockets that look alike are one flow of the case, and the worst of them counts. */
function merged(flows: readonly CaseFlow[]): readonly CaseFlow[] {
  const byId = new Map<string, CaseFlow>();
  const rank = ({ host }: CaseFlow): number => (host === null ? 0 : SEVERITY[host]);
  for (const flow of flows) {
    const known = byId.get(flow.id);
    if (known === undefined || rank(flow) > rank(known)) byId.set(flow.id, flow);
  }
  return [...byId.values()];
}

/** What the host says of a flow; one that its own second list still shows was seen alive after the cut. */
const seenAs = (host: CaseFlow['host']): Pick<CaseFlow, 'host' | 'seenAlive'> =>
  host === 'open' ? { host, seenAlive: true } : { host };

/** What a host listed, as flows of the case; plain data, so that it can be joined with the case as it stands when it is written. */
export interface HostListing {
  /** One per line, classified, with what the host's own lists said of it. */
  readonly flows: readonly CaseFlow[];
  /** Some socket may have had peers that no line names. */
  readonly boundless: boolean;
  /** Two lists agree: what neither shows is gone, as far as the host says. */
  readonly twoSources: boolean;
  /** Lines that were left out of the output, and flows that the host could not end. */
  readonly omitted: number;
  readonly survived: number;
}

/** Reads the lines of the host's answer; null = one of them names a peer that is no address, and none counts. */
export function readListing(
  report: Extract<HostReport, { kind: 'evidence' }>,
  classify: ReturnType<typeof flowClassifier>,
): HostListing | null {
  const { verdict } = report;
  const all = report.flows.map((line) => ({ line, flow: toFlow(line) }));
  const readable = all.filter((entry): entry is { line: HostFlowLine; flow: KnownFlow } => entry.flow !== null);
  if (readable.length < all.length) return null;
  const twoSources = new Set(verdict.sources).size >= 2 || verdict.sources.includes('powershell');
  // A socket without a peer that survived is alive and may speak to anyone; one that is closed leaves only a doubt.
  const listed = readable.filter(({ line, flow }) => (hasAnyPeer(flow) ? line.after === 'open' : !isVpcService(flow)));
  return {
    flows: listed.map(({ line, flow }) => {
      const state = stateOf(line);
      const host = state === 'gone' && !twoSources ? 'unknown' : state;
      // Nothing that a host prints makes a peer a named one: a named peer is denied for the whole subnet.
      return caseFlow(flow, classify, { named: false, process: line.process, ...seenAs(host) });
    }),
    boundless: readable.some(({ flow }) => hasAnyPeer(flow)),
    twoSources,
    omitted: verdict.omitted,
    survived: verdict.survived,
  };
}

/** The list is whole: nothing goes through a socket without a peer, was left out of the output, or is still open. */
export const isComplete = ({ flows, boundless, twoSources, omitted, survived }: HostListing): boolean =>
  twoSources && !boundless && survived === 0 && omitted === 0 && flows.every(({ host }) => host === 'gone');

/**
 * Joins what the host listed with what the case knows. A known flow of which only the address was known is replaced by
 * the sockets that match it; one that the host does not list at all is gone, if the list is whole and from two sources.
 */
export function joinListing(known: readonly CaseFlow[], listing: HostListing): readonly CaseFlow[] {
  const { flows: listed, boundless, twoSources, omitted, survived } = listing;
  const joinKnown = (flow: CaseFlow): readonly CaseFlow[] => {
    const matches = listed.filter((one) => mayBeSameFlow(one, flow));
    const vague = flow.localPort === null && flow.remotePort === null;
    if (matches.length === 0) {
      // Only sockets are listed: that a ping or a tunnel is not among them says nothing.
      const listable = ['tcp', 'udp', 'unknown'].includes(flow.protocol);
      // Nor does the list tell of a datagram that may have gone through a socket without a peer.
      const isHidden = boundless && flow.protocol !== 'tcp';
      const isGone = listable && !isHidden && omitted === 0 && survived === 0;
      const gone = twoSources ? 'gone' : 'unknown';
      return [{ ...flow, host: isGone ? gone : flow.host }];
    }
    // Whoever named the address named these sockets, so they carry the source of that word.
    if (vague) return matches.map((one) => namedAs(one, flow));
    return [{ ...flow, ...seenAs(worst(matches)), process: matches[0]?.process ?? flow.process }];
  };
  const strangers = listed.filter((one) => !known.some((flow) => mayBeSameFlow(one, flow)));
  return merged([...known.flatMap(joinKnown), ...strangers]);
}

/** A socket that stands for a flow of which only the peer was known; what is named is never spared. */
export function namedAs({ spared, ...socket }: CaseFlow, { source, named }: CaseFlow): CaseFlow {
  return { ...socket, source, named, ...(spared === true && !named && { spared }) };
}
