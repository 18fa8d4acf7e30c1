import { isIsolated, type JudgedFlow, judgedFlows } from './flows.ts';
import { interfaceId } from './ids.ts';
import type { Run } from './run.ts';

/** The promises. Each gives one sentence for every way in which a run breaks it. */
export type Property = (run: Run) => readonly string[];

/** Whether packets of the flow passed after the verdict, and after the last change had taken effect. */
function passedLater({ truth }: JudgedFlow, { incident, simulation }: Run): boolean {
  const from = simulation.reportedAt + incident.assumptions.propagationSeconds + 1;
  const revived = truth.revivedAt !== null && truth.revivedAt > from;
  return revived || (truth.lastPacketAt !== null && truth.lastPacketAt > from);
}

const story = ({ flow, truth }: JudgedFlow, { simulation }: Run): string =>
  `${flow.Name} to ${flow.RemoteAddress} had a packet at ${truth.lastPacketAt} s (revived ${truth.revivedAt}), after the verdict at ${simulation.reportedAt} s`;

const kept = (run: Run): boolean => ['contained', 'held'].includes(run.simulation.report.verdict);

/** `contained` and `held` imply that no packet of a flow that the report calls blocked passes after the verdict. */
export const namedFlowsStay: Property = (run) => {
  if (!kept(run)) return [];
  const { verdict } = run.simulation.report;
  return judgedFlows(run)
    .filter(({ reported }) => reported.some(({ evidence }) => evidence === 'in-force' || evidence === 'observed'))
    .filter((one) => passedLater(one, run))
    .map((one) => `${verdict}, but the reported ${story(one, run)}`);
};

/** `contained` implies it of every malicious flow, whatever the host does and says. */
export const containedIsAll: Property = (run) => {
  if (run.simulation.report.verdict !== 'contained') return [];
  return judgedFlows(run)
    .filter((one) => one.flow.Malicious && passedLater(one, run))
    .map((one) => `contained, but the malicious ${story(one, run)}`);
};

/** `contained` never rests on the host: a flow log sees every ENI, or every packet stops at a seal. */
export const containedIsWitnessed: Property = ({ incident, simulation: { report } }) => {
  const isCovered =
    incident.ownFlowLog ||
    !['none', 'first interface'].includes(incident.flowLogs) ||
    (incident.flowLogs === 'first interface' && incident.interfaces.length === 1);
  const isSealed = incident.seal !== 'never' && report.basis.includes('seal');
  if (report.verdict !== 'contained' || isSealed || (isCovered && report.basis.includes('flow-log'))) return [];
  return [`contained on the word of ${report.basis.join(', ')}, with flow logs on ${incident.flowLogs}`];
};

/** `contained` leaves no interface that no group reaches, and no connection of the agent. */
export const containedLeavesNone: Property = ({ incident, simulation: { report, truth, reportedAt } }) => {
  if (report.verdict !== 'contained') return [];
  const agent = [...truth].find(
    ([name, { lastPacketAt }]) => name.startsWith('SSM agent') && (lastPacketAt ?? 0) > reportedAt + 60,
  );
  return [
    ...(incident.secondaryInterface ? ['contained, although a secondary interface is attached'] : []),
    ...(agent === undefined ? [] : [`contained, although the connection of ${agent[0]} lives`]),
  ];
};

/** No ENI, group or ACL is ever more open than it was found, and every change of groups was recorded before it. */
export const neverMoreOpen: Property = ({ breaches }) => breaches;

/** `contained` needs every ENI isolated, `held` every one that can be. */
export const isolatedAsSaid: Property = (run) => {
  if (!kept(run)) return [];
  const { report } = run.simulation;
  return run.incident.interfaces.flatMap((eni, index) => {
    const id = interfaceId(index);
    if (isIsolated(run.after, id) || (report.verdict === 'held' && eni.managed !== 'no')) return [];
    return [`${report.verdict}, but ${id} is not isolated`];
  });
};

/**
 * `contained` and `held` need a control outside the host, in force at the end, on every flow that the request names, but for one
 * that the network's record shows dead.
 */
export const blockedAsSaid: Property = (run) => {
  if (!kept(run)) return [];
  const { verdict } = run.simulation.report;
  return judgedFlows(run)
    .filter((one) => one.named && one.reported.length > 0)
    .filter((one) => !one.blocked && one.reported.some(({ evidence }) => evidence !== 'observed'))
    .map(({ flow }) => `${verdict}, but nothing outside the host reaches ${flow.Name} to ${flow.RemoteAddress}`);
};

/**
 * `leaking` is said only where nothing in force reaches a reported flow, as far as the responder knows its path, or where
 * one had packets once the response had ended its cuts.
 */
export const leakingIsReal: Property = (run) => {
  const { simulation } = run;
  const { report, reportedAt } = simulation;
  // What cannot be read back may be feared open.
  const { faults, outages, readLagSeconds } = run.incident;
  const blind =
    faults.some(({ api }) => api.startsWith('Describe')) ||
    outages.some(({ service }) => service === 'ec2') ||
    readLagSeconds > 0;
  if (report.verdict !== 'leaking' || blind) return [];
  const flows = judgedFlows(run).filter((one) => one.reported.length > 0);
  const cutAt = isolatedAt(run) ?? reportedAt;
  const alive = ({ truth }: JudgedFlow) => truth.lastPacketAt !== null && truth.lastPacketAt >= cutAt;
  const unmatched = report.flows.some((one) => flows.every(({ reported }) => !reported.includes(one)));
  if (unmatched || flows.some((one) => !one.reached || alive(one))) return [];
  return [`leaking, but every reported flow is blocked and none had a packet after ${cutAt} s: ${report.reason}`];
};

/** When the last ENI got its isolation group. */
function isolatedAt({ simulation }: Run): number | null {
  const swaps = simulation.timeline.filter(
    (entry) =>
      entry.call === 'ModifyNetworkInterfaceAttribute' && entry.input.includes('Groups') && entry.outcome === 'ok',
  );
  return swaps.at(-1)?.at ?? null;
}

const VERDICTS = ['contained', 'held', 'not-proven', 'leaking'];

/**
 * The report is whole: a verdict, a reason, and a basis where something was proven. No incident is one that the responder
 * may refuse, ignore or only plan for: what goes wrong in its reads is no refusal.
 */
export const reportIsWhole: Property = ({ simulation: { report } }) => [
  ...(VERDICTS.includes(report.verdict) ? [] : [`${report.verdict}, where the response was to act: ${report.reason}`]),
  ...(report.reason === '' ? ['the report gives no reason'] : []),
  ...(report.verdict === 'contained' && report.basis.length === 0 ? ["contained on nobody's word"] : []),
];

/** What the report calls held stands in the ACLs at the end. */
export const heldStands: Property = ({ simulation, aclsAfter }) =>
  simulation.report.held.flatMap((deny) => {
    const line = `${deny.Egress ? 'out' : 'in'} ${deny.RuleNumber} deny -1 ${deny.Cidr}`;
    const stands = aclsAfter.get(deny.NetworkAclId)?.some((entry) => entry.trim() === line) === true;
    return stands ? [] : [`the report holds "${line}" at ${deny.NetworkAclId}, where it does not stand`];
  });

export const RESPONSE_PROPERTIES: Readonly<Record<string, Property>> = {
  namedFlowsStay,
  containedIsAll,
  containedIsWitnessed,
  containedLeavesNone,
  neverMoreOpen,
  isolatedAsSaid,
  blockedAsSaid,
  leakingIsReal,
  reportIsWhole,
  heldStands,
};

/** After a restore every ENI has its groups in their order again, and every ACL its entries. */
export const restoredAsFound: Property = (run) => {
  if (run.simulation.restore === null) return [];
  const groups = [...run.groupsBefore].filter(([id, line]) => run.groupsAfter.get(id) !== line);
  const acls = [...run.aclsBefore].filter(([id, lines]) => run.aclsAfter.get(id)?.join() !== lines.join());
  return [
    ...groups.map(([id, line]) => `${id} had ${line} and has ${run.groupsAfter.get(id)} after the restore`),
    ...acls.map(([id]) => `${id} is not as it was found after the restore`),
  ];
};

/** A restore happens between two runs of the clock; what is true of flows after it is no promise. */
export const RESTORE_PROPERTIES: Readonly<Record<string, Property>> = { neverMoreOpen, restoredAsFound };
