import type { ReportedFlow } from '../../../functions/core/report/report.ts';
import type { WorldFlow } from '../../../local/world/parse-world.ts';
import { tupleOf } from '../../../local/world/physics/judge.ts';
import { type Path, pathOf } from '../../../local/world/physics/path.ts';
import type { Snapshot } from '../../../local/world/physics/snapshot.ts';
import type { FlowTruth } from '../../../local/world/truth.ts';
import { namedAddresses } from './build-request.ts';
import { INSTANCE, interfaceId } from './ids.ts';
import type { Run } from './run.ts';

/** A flow of the world, what the report says of it, and what became of it. */
export interface JudgedFlow {
  readonly flow: WorldFlow;
  readonly truth: FlowTruth;
  /** Lines of the report that may speak of this flow. */
  readonly reported: readonly ReportedFlow[];
  /** The request names its peer. */
  readonly named: boolean;
  /**
   * Something in force at the end reaches it, as far as the responder can know: denies at the subnet of every ENI that may
   * carry it, or the swap where the report has it untracked.
   */
  readonly reached: boolean;
  /** A control outside the host reaches it: denies at either subnet, or the swap if it was untracked from the beginning. */
  readonly blocked: boolean;
}

/** By 5-tuple, where the responder knew it; what it did not know fits anything. */
function speaksOf(reported: ReportedFlow, flow: WorldFlow, localPorts: readonly (number | null)[]): boolean {
  return (
    reported.remoteAddress === flow.RemoteAddress &&
    (reported.protocol === 'unknown' || reported.protocol === flow.Protocol) &&
    (reported.remotePort === null || reported.remotePort === flow.RemotePort) &&
    (reported.localPort === null || localPorts.includes(reported.localPort)) &&
    (reported.localAddress === null || reported.localAddress === flow.LocalAddress)
  );
}

const path = (snapshot: Snapshot, flow: WorldFlow, via = flow.NetworkInterfaceId): Path =>
  pathOf(snapshot, via, tupleOf(flow), INSTANCE);

/** Groups that permit nothing, not only nothing of this flow. */
export function isIsolated(snapshot: Snapshot, interfaceId: string): boolean {
  const rules = snapshot.enis.get(interfaceId)?.rules;
  return rules !== undefined && rules.in.length === 0 && rules.out.length === 0;
}

const isDenied = (acl: Path['localAcl']): boolean => !acl.in && !acl.out;

const isUntracked = ({ local }: Path): boolean => local?.untracked[local.opening] === true;

/** Denied at the subnets of the ENIs that may carry what is reported: all of them where its local end is not known. */
function isReached({ after, incident }: Run, flow: WorldFlow, { localAddress, tracking }: ReportedFlow): boolean {
  const all = incident.interfaces.map((_, index) => interfaceId(index));
  const carriers = localAddress === null ? all : [flow.NetworkInterfaceId];
  return (
    carriers.every((id) => isDenied(path(after, flow, id).localAcl)) ||
    (tracking === 'untracked' && carriers.every((id) => isIsolated(after, id)))
  );
}

export function judgedFlows(run: Run): readonly JudgedFlow[] {
  const { simulation, incident } = run;
  const named = namedAddresses(incident);
  return simulation.file.Flows.flatMap((flow) => {
    const truth = simulation.truth.get(flow.Name);
    if (truth === undefined) return [];
    const reported = simulation.report.flows.filter((one) =>
      speaksOf(one, flow, [flow.LocalPort, ...truth.localPorts]),
    );
    const { localAcl, peerAcl } = path(run.after, flow);
    const swapped = isUntracked(path(run.before, flow)) && isIsolated(run.after, flow.NetworkInterfaceId);
    const blocked = isDenied(localAcl) || isDenied(peerAcl) || swapped;
    const reached = reported.every((one) => isReached(run, flow, one));
    return [{ flow, truth, reported, named: named.includes(flow.RemoteAddress), reached, blocked }];
  });
}
