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
function worst(lines: readonly HostFlowLine[]): HostFlowLine['after'] {
  const states = lines.map(stateOf);
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

export type JoinedFlows =
  | { readonly kind: 'joined'; readonly flows: readonly CaseFlow[]; readonly complete: boolean }
  | { readonly kind: 'no-evidence'; readonly reason: string };

interface Listed {
  readonly line: HostFlowLine;
  readonly flow: KnownFlow;
}

/** The lines that name flows, and whether some socket may have had peers that no line names; null = not readable. */
function readLines(
  lines: readonly HostFlowLine[],
): { readonly listed: readonly Listed[]; readonly boundless: boolean } | null {
  const all = lines.map((line) => ({ line, flow: toFlow(line) }));
  const readable = all.filter((entry): entry is Listed => entry.flow !== null);
  if (readable.length < all.length) return null;
  // A socket without a peer that survived is alive and may speak to anyone; one that is closed leaves only a doubt.
  const listed = readable.filter(({ line, flow }) => (hasAnyPeer(flow) ? line.after === 'open' : !isVpcService(flow)));
  return { listed, boundless: readable.some(({ flow }) => hasAnyPeer(flow)) };
}

/**
 * Joins what the host listed with what the case knows. A known flow of which only the address was known is replaced by
 * the sockets that match it; one that the host does not list at all is gone, if the list is whole and from two sources.
 */
export function joinHostFlows(
  known: readonly CaseFlow[],
  report: Extract<HostReport, { kind: 'evidence' }>,
  classify: ReturnType<typeof flowClassifier>,
): JoinedFlows {
  const { verdict } = report;
  const lines = readLines(report.flows);
  if (lines === null) return { kind: 'no-evidence', reason: 'the host listed a peer that is not an address' };
  const { listed, boundless } = lines;
  const twoSources = new Set(verdict.sources).size >= 2 || verdict.sources.includes('powershell');
  const believed = (state: CaseFlow['host']): CaseFlow['host'] => (state === 'gone' && !twoSources ? 'unknown' : state);
  const seen = ({ line, flow }: Listed, named: boolean): CaseFlow =>
    caseFlow(flow, classify, { named, process: line.process, ...seenAs(believed(stateOf(line))) });

  const joinKnown = (flow: CaseFlow): readonly CaseFlow[] => {
    const matches = listed.filter((entry) => mayBeSameFlow(entry.flow, flow));
    const vague = flow.localPort === null && flow.remotePort === null;
    if (matches.length === 0) {
      // Only sockets are listed: that a ping or a tunnel is not among them says nothing.
      const listable = ['tcp', 'udp', 'unknown'].includes(flow.protocol);
      // Nor does it of a datagram that may have gone through a socket without a peer.
      const isHidden = boundless && flow.protocol !== 'tcp';
      const isGone = listable && !isHidden && verdict.omitted === 0 && verdict.survived === 0;
      return [{ ...flow, host: isGone ? believed('gone') : flow.host }];
    }
    // Whoever named the address named these sockets, so they carry the source of that word.
    if (vague)
      return matches.map(({ line, flow: one }) => seen({ line, flow: { ...one, source: flow.source } }, flow.named));
    const host = believed(worst(matches.map(({ line }) => line)));
    return [{ ...flow, ...seenAs(host), process: matches[0]?.line.process ?? flow.process }];
  };
  // Nothing that a host prints makes a peer a named one: a named peer is denied for the whole subnet.
  const strangers = listed
    .filter((entry) => !known.some((flow) => mayBeSameFlow(entry.flow, flow)))
    .map((entry) => seen(entry, false));

  // What goes through a socket without a peer, or was left out of the output, is in no list.
  const isWhole = twoSources && !boundless && verdict.survived === 0 && verdict.omitted === 0;
  return {
    kind: 'joined',
    flows: merged([...known.flatMap(joinKnown), ...strangers]),
    complete: isWhole && listed.every(({ line }) => stateOf(line) === 'gone'),
  };
}
