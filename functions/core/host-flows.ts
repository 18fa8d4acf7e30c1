import { addressClass, parseAddress } from './addresses.ts';
import { caseFlow, type flowClassifier } from './assess.ts';
import { type CaseFlow, mayBeSameFlow } from './case.ts';
import type { HostFlowLine, HostReport } from './host-protocol.ts';
import type { CaseRequest } from './intake-types.ts';
import type { KnownFlow } from './model.ts';

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

/**
 * Services of the VPC itself (metadata, time, DNS resolver by link-local address): no group or ACL reaches them and no
 * attacker sits there.
 */
const isVpcService = (flow: KnownFlow): boolean => addressClass(flow.remoteAddress).kind === 'reserved';

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

export type JoinedFlows =
  | { readonly kind: 'joined'; readonly flows: readonly CaseFlow[]; readonly complete: boolean }
  | { readonly kind: 'no-evidence'; readonly reason: string };

/**
 * Joins what the host listed with what the case knows. A known flow of which only the address was known is replaced by
 * the sockets that match it; one that the host does not list at all is gone, if the list is whole and from two sources.
 */
export function joinHostFlows(
  known: readonly CaseFlow[],
  report: Extract<HostReport, { kind: 'evidence' }>,
  request: CaseRequest,
  classify: ReturnType<typeof flowClassifier>,
): JoinedFlows {
  const { verdict } = report;
  const twoSources = new Set(verdict.sources).size >= 2 || verdict.sources.includes('powershell');
  const listed: { line: HostFlowLine; flow: KnownFlow }[] = [];
  let boundless = 0;
  for (const line of report.flows) {
    const flow = toFlow(line);
    if (flow === null) return { kind: 'no-evidence', reason: 'the host listed a peer that is not an address' };
    const boundlessHere = hasAnyPeer(flow);
    if (boundlessHere) boundless += 1;
    // One that survived is alive and may speak to anyone; one that is closed leaves only a doubt.
    const isSuspect = boundlessHere ? line.after === 'open' : !isVpcService(flow);
    if (isSuspect) listed.push({ line, flow });
  }
  const pids = new Set(request.processes.map((process) => process.pid));
  const believed = (state: CaseFlow['host']): CaseFlow['host'] => (state === 'gone' && !twoSources ? 'unknown' : state);

  const flows: CaseFlow[] = [];
  const matched = new Set<HostFlowLine>();
  for (const flow of known) {
    const matches = listed.filter((entry) => mayBeSameFlow(entry.flow, flow));
    for (const { line } of matches) matched.add(line);
    const vague = flow.localPort === null && flow.remotePort === null;
    if (matches.length > 0 && vague) {
      // Whoever named the address named these sockets; `source` stays theirs, for a person's wish to deny is tied to it.
      flows.push(
        ...matches.map(({ line, flow: seen }) =>
          caseFlow({ ...seen, source: flow.source }, classify, {
            named: flow.named,
            process: line.process,
            host: believed(stateOf(line)),
          }),
        ),
      );
      continue;
    }
    // Only sockets are listed: that a ping or a tunnel is not among them says nothing.
    const listable = ['tcp', 'udp', 'unknown'].includes(flow.protocol);
    const unlisted = listable && verdict.omitted === 0 && verdict.survived === 0 ? believed('gone') : null;
    const host = matches.length > 0 ? believed(worst(matches.map(({ line }) => line))) : (unlisted ?? flow.host);
    flows.push({ ...flow, host, process: matches[0]?.line.process ?? flow.process });
  }
  for (const { line, flow } of listed) {
    if (matched.has(line)) continue;
    const named = line.pid !== null && pids.has(line.pid);
    flows.push(caseFlow(flow, classify, { named, process: line.process, host: believed(stateOf(line)) }));
  }
  // What goes through a socket without a peer is in no list.
  const complete =
    twoSources && boundless === 0 && verdict.survived === 0 && listed.every(({ line }) => stateOf(line) === 'gone');
  return { kind: 'joined', flows: merged(flows), complete };
}
