import type { ReportedFlow } from '../functions/core/report/report.ts';
import type { Simulation } from './simulate.ts';
import type { WorldFlow } from './world/parse-world.ts';
import type { FlowTruth } from './world/truth.ts';

/** What the world knows of a flow, beside what the responder says. */
type Truth = Pick<FlowTruth, 'lastPacketAt' | 'stoppedBy' | 'revivedAt'>;

export interface ResultFlow {
  readonly name: string;
  readonly protocol: string;
  readonly remoteAddress: string;
  readonly remotePort: number | null;
  readonly localPort: number | null;
  readonly tracking: string;
  readonly because: string;
  readonly evidence: string;
  readonly truth: Truth | null;
}

const fits = (known: string | number | null, actual: string | number | null): boolean =>
  known === null || known === 'unknown' || known === actual;

/** How well a reported flow describes a flow of the world: 0 = not this one, 2 = by 5-tuple, 1 = by address alone. */
function likeness(reported: ReportedFlow, flow: WorldFlow): 0 | 1 | 2 {
  if (reported.remoteAddress !== flow.RemoteAddress) return 0;
  const same =
    fits(reported.protocol, flow.Protocol) &&
    fits(reported.remotePort, flow.RemotePort) &&
    fits(reported.localPort, flow.LocalPort) &&
    fits(reported.localAddress, flow.LocalAddress);
  return same ? 2 : 1;
}

function truthOf(name: string, truth: ReadonlyMap<string, FlowTruth>): Truth | null {
  const found = truth.get(name);
  return found === undefined
    ? null
    : { lastPacketAt: found.lastPacketAt, stoppedBy: found.stoppedBy, revivedAt: found.revivedAt };
}

const told = ({ localAddress: _localAddress, ...flow }: ReportedFlow) => flow;

/** Every malicious flow of the world, and whatever else the responder found, each with the world's truth. */
export function resultFlows({ file, report, truth }: Pick<Simulation, 'file' | 'report' | 'truth'>): ResultFlow[] {
  const used = new Set<ReportedFlow>();
  const best = (flow: WorldFlow): ReportedFlow | undefined => {
    const ranked = report.flows.map((reported) => ({ reported, rank: likeness(reported, flow) }));
    // By address alone only where nothing else claims the report: a stranger's flow to the same peer is not this one.
    const exact = ranked.find(({ rank }) => rank === 2);
    const vague = ranked.find(
      ({ reported, rank }) => rank === 1 && !file.Flows.some((other) => likeness(reported, other) === 2),
    );
    return (exact ?? vague)?.reported;
  };
  const malicious = file.Flows.filter((flow) => flow.Malicious).map((flow): ResultFlow => {
    const reported = best(flow);
    const common = { name: flow.Name, truth: truthOf(flow.Name, truth) };
    if (reported !== undefined) {
      used.add(reported);
      return { ...common, ...told(reported), protocol: flow.Protocol };
    }
    return {
      ...common,
      protocol: flow.Protocol,
      remoteAddress: flow.RemoteAddress,
      remotePort: flow.RemotePort,
      localPort: flow.LocalPort,
      tracking: 'unknown',
      because: 'not seen',
      evidence: 'unproven',
    };
  });
  const others = report.flows
    .filter((reported) => !used.has(reported))
    .map((reported): ResultFlow => {
      const flow = file.Flows.find((candidate) => likeness(reported, candidate) === 2);
      const name = flow?.Name ?? `${reported.protocol} ${reported.remoteAddress}:${reported.remotePort ?? '*'}`;
      return { name, ...told(reported), truth: flow === undefined ? null : truthOf(flow.Name, truth) };
    });
  return [...malicious, ...others];
}

/** Of a flow that the responder names and the world does not have: no packet of it ever passed. */
const NO_TRUTH: Truth = { lastPacketAt: null, stoppedBy: null, revivedAt: null };

/** The one object that `--json` prints. */
export function resultJson(simulation: Simulation): object {
  const { report, restore, calls, timeline } = simulation;
  return {
    verdict: report.verdict,
    reason: report.reason,
    basis: report.basis,
    finding: report.finding,
    domains: report.domains,
    processes: report.processes,
    flows: resultFlows(simulation).map((flow) => ({ ...flow, truth: flow.truth ?? NO_TRUTH })),
    skipped: report.skipped,
    held: report.held,
    leftOpen: report.leftOpen,
    lastResort: report.lastResort,
    onHost: report.onHost,
    preserved: report.preserved,
    plan: report.plan,
    ...(report.more.length > 0 && { more: report.more }),
    timeline: timeline.map(({ at, state, call, outcome }) => ({ at, state, call, outcome })),
    calls,
    ...(restore !== null && {
      restore: simulation.restored,
      ...(restore.kind === 'refused' && { restoreRefused: restore.reason }),
    }),
    world: simulation.finalState,
  };
}
