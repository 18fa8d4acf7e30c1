import type { Report, ReportedFlow } from '../functions/core/report/report.ts';
import type { Simulation } from './simulate.ts';
import type { Told } from './told.ts';
import type { World } from './toolbox.ts';
import type { WorldFile, WorldFlow } from './world/parse-world.ts';
import type { FlowTruth } from './world/truth.ts';

/** What the world knows of a flow, beside what the responder says. */
type Truth = Pick<FlowTruth, 'lastPacketAt' | 'stoppedBy' | 'revivedAt'>;

export interface ResultFlow {
  readonly name: string;
  /** Of a flow that the world does not have: false. */
  readonly malicious: boolean;
  readonly protocol: string;
  readonly remoteAddress: string;
  readonly remotePort: number | null;
  readonly localPort: number | null;
  readonly tracking: string;
  readonly because: string;
  readonly evidence: string;
  /** null = it is no flow of the world. */
  readonly truth: Truth | null;
}

/** A world that has come to its end, and what is true of its flows. */
export interface Ended {
  readonly file: WorldFile;
  readonly truth: ReadonlyMap<string, FlowTruth>;
}

const fits = (known: string | number | null, actual: string | number | null): boolean =>
  known === null || known === 'unknown' || known === actual;

/** How well a reported flow describes a flow of the world: 0 = not this one, 2 = by 5-tuple, 1 = by address alone. */
function likeness(
  reported: ReportedFlow,
  flow: WorldFlow,
  ports: readonly (number | null)[] = [flow.LocalPort],
): 0 | 1 | 2 {
  if (reported.remoteAddress !== flow.RemoteAddress) return 0;
  const same =
    fits(reported.protocol, flow.Protocol) &&
    fits(reported.remotePort, flow.RemotePort) &&
    ports.some((port) => fits(reported.localPort, port)) &&
    fits(reported.localAddress, flow.LocalAddress);
  return same ? 2 : 1;
}

function truthOf(name: string, { truth }: Ended): Truth | null {
  const found = truth.get(name);
  return found === undefined
    ? null
    : { lastPacketAt: found.lastPacketAt, stoppedBy: found.stoppedBy, revivedAt: found.revivedAt };
}

const told = ({ localAddress: _localAddress, ...flow }: ReportedFlow) => flow;

/** What the responder says of a flow of the world; undefined = nothing. */
function reportedOf(
  flow: WorldFlow,
  reported: readonly ReportedFlow[],
  { Flows }: WorldFile,
): ReportedFlow | undefined {
  const exact = reported.find((one) => likeness(one, flow) === 2);
  if (exact !== undefined) return exact;
  // By address alone only where nothing else claims the report: a stranger's flow to the same peer is not this one.
  return reported.find((one) => likeness(one, flow) === 1 && !Flows.some((other) => likeness(one, other) === 2));
}

/** Every flow of the world, the malicious ones first, and whatever else the responder found, each with the world's truth. */
export function resultFlows(ended: Ended & { readonly report: Pick<Report, 'flows'> }): ResultFlow[] {
  const { file, truth } = ended;
  const reported = ended.report.flows;
  const used = new Set<ReportedFlow>();
  const ofWorld = [...file.Flows.filter((flow) => flow.Malicious), ...file.Flows.filter((flow) => !flow.Malicious)];
  const known = ofWorld.map((flow): ResultFlow => {
    const found = reportedOf(flow, reported, file);
    if (found !== undefined) used.add(found);
    return {
      name: flow.Name,
      malicious: flow.Malicious,
      ...(found === undefined ? unseen(flow) : told(found)),
      protocol: flow.Protocol,
      truth: truthOf(flow.Name, ended),
    };
  });
  const others = reported
    .filter((one) => !used.has(one))
    .map((one): ResultFlow => {
      // One that was opened again has had several local ports.
      const flow = file.Flows.find(
        (candidate) => likeness(one, candidate, truth.get(candidate.Name)?.localPorts) === 2,
      );
      const name = flow?.Name ?? `${one.protocol} ${one.remoteAddress}:${one.remotePort ?? '*'}`;
      const malicious = flow?.Malicious ?? false;
      return { name, malicious, ...told(one), truth: flow === undefined ? null : truthOf(flow.Name, ended) };
    });
  return [...known, ...others];
}

/** A flow that the responder says nothing of. */
const unseen = ({ RemoteAddress, RemotePort, LocalPort }: WorldFlow) => ({
  remoteAddress: RemoteAddress,
  remotePort: RemotePort,
  localPort: LocalPort,
  tracking: 'unknown',
  because: 'not seen',
  evidence: 'unproven',
});

/** Of a flow that the responder names and the world does not have: no packet of it ever passed. */
const NO_TRUTH: Truth = { lastPacketAt: null, stoppedBy: null, revivedAt: null };

/** The flows as they are printed. */
export const printedFlows = (flows: readonly ResultFlow[]): readonly ResultFlow[] =>
  flows.map((flow) => ({ ...flow, truth: flow.truth ?? NO_TRUTH }));

/** Messages as they are printed. */
export const printedMessages = (messages: World['messages']) =>
  messages.map(({ at, subject, message }) => ({ at, subject, body: message }));

/** What a result is made of, beside the world that it is about. */
export interface ResultParts extends Omit<Told, 'toldAt'> {
  readonly calls: ReturnType<World['calls']>;
  readonly timeline: ReturnType<World['timeline']>;
}

/** When the verdict will be proven if nothing stirs, in seconds; null = it is, or will not be. */
function provenAtOf({ provenAt }: Report, { Now }: WorldFile): number | null {
  return provenAt === null ? null : (Date.parse(provenAt) - Date.parse(Now)) / 1000;
}

/** The object that one event or request prints, without the world and the messages. */
export function resultOf(ended: Ended, { report, verdicts, calls, timeline }: ResultParts): object {
  return {
    verdict: report.verdict,
    reason: report.reason,
    basis: report.basis,
    finding: report.finding,
    domains: report.domains,
    processes: report.processes,
    provenAt: provenAtOf(report, ended.file),
    verdicts,
    flows: printedFlows(resultFlows({ ...ended, report })),
    skipped: report.skipped,
    held: report.held,
    leftOpen: report.leftOpen,
    lastResort: report.lastResort,
    onHost: report.onHost,
    sealed: report.sealed,
    preserved: report.preserved,
    ...(report.cleanUp.length > 0 && { cleanUp: report.cleanUp }),
    plan: report.plan,
    ...(report.more.length > 0 && { more: report.more }),
    timeline: timeline.map(({ at, state, call, outcome }) => ({ at, state, call, outcome })),
    calls,
  };
}

/** The one object that `--json` prints of one event or request. */
export function resultJson(simulation: Simulation): object {
  const { restore, restored, restoreFailure } = simulation;
  return {
    ...resultOf(simulation, simulation),
    ...(restore !== null && {
      restore: restored,
      ...(restore.kind === 'refused' && { restoreRefused: restore.reason }),
    }),
    ...(restoreFailure !== null && { restore: [], restoreRefused: restoreFailure }),
    messages: printedMessages(simulation.messages),
    world: simulation.finalState,
  };
}
