import type { CaseDocument, LedgerDeny } from '../case/case.ts';
import type { PlannedChange } from '../case/record.ts';
import { isSealItem } from '../case/restore-items.ts';
import type { WayOut } from '../control.ts';
import { accountLines } from '../host/host-account.ts';
import type { CaseRequest, FindingSummary, NamedProcess } from '../intake/intake-types.ts';
import type { KnownFlow } from '../model.ts';
import type { Basis, EvidenceLevel, FlowVerdict, InterfaceStanding, Verdict, VerdictKind } from '../verdict/verdict.ts';
import { findingLink } from './console-links.ts';

export type ReportVerdict = VerdictKind | 'planned' | 'refused' | 'ignored';

/**
 * What is told to people and kept with the case. Every word is ours or validated, but for the domains and the processes of a
 * finding, which an attacker may have named: they are one line of what can be seen as it is (plain-text.ts).
 */
export interface Report {
  readonly caseId: string;
  readonly instanceId: string | null;
  readonly verdict: ReportVerdict;
  readonly reason: string;
  /** The finding behind it, the newest of several; null = a person asked without one. */
  readonly finding: ReportedFinding | null;
  /** Domains that the findings name: what a DNS Firewall rule blocks. */
  readonly domains: readonly string[];
  /** Processes that the findings name. */
  readonly processes: readonly NamedProcess[];
  readonly basis: readonly Basis[];
  /** When it will be proven if nothing stirs, ISO; null = it is proven, or nothing will prove it: `reason` says which. */
  readonly provenAt: string | null;
  readonly flows: readonly ReportedFlow[];
  readonly skipped: readonly { readonly id: string; readonly reason: string }[];
  readonly held: readonly HeldDeny[];
  readonly leftOpen: readonly string[];
  readonly lastResort: readonly string[];
  /** What the host said of itself, in sentences: its own word, which counts for no verdict. */
  readonly onHost: readonly string[];
  /** Subnets that were closed as a whole, and are as far as is read. */
  readonly sealed: readonly string[];
  /** What was done to keep the evidence. */
  readonly preserved: readonly string[];
  /** What was cleaned up on proof: denies that were released, security groups that were deleted or are kept. */
  readonly cleanUp: readonly string[];
  readonly plan: readonly PlannedChange[];
  readonly undo: string | null;
  /** What is left out of the lists, and where it is: short-report.ts. Empty = nothing is. */
  readonly more: readonly string[];
}

export interface ReportedFinding extends FindingSummary {
  /** Where it is in the console of GuardDuty; null where that is not known. */
  readonly link: string | null;
}

export interface ReportedFlow {
  readonly protocol: string;
  readonly remoteAddress: string;
  readonly remotePort: number | null;
  readonly localPort: number | null;
  readonly localAddress: string | null;
  readonly tracking: string;
  readonly because: string;
  readonly evidence: EvidenceLevel;
}

/** A deny of ours that stands in an ACL, in the names of DescribeNetworkAcls. */
export interface HeldDeny {
  readonly NetworkAclId: string;
  readonly RuleNumber: number;
  readonly Egress: boolean;
  readonly Cidr: string;
}

/**
 * What isolation does not reach, whatever is done to groups and ACLs.
 * https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html (traffic to and from these is not filtered)
 */
export const LEFT_OPEN = [
  'VPC DNS resolver',
  'instance metadata',
  "copies of the instance role's credentials",
] as const satisfies readonly WayOut[];

/** What is left to a person when flows go on, least harmful first. */
export function lastResorts(
  verdict: ReportVerdict,
  instanceId: string,
  interfaces: readonly { id: string; deviceIndex: number | null }[],
): readonly string[] {
  if (verdict !== 'leaking' && verdict !== 'not-proven') return [];
  const secondary = interfaces
    .filter((eni) => (eni.deviceIndex ?? 0) > 0)
    .map((eni) => `detach the secondary interface ${eni.id}`);
  return [
    ...secondary,
    `stop the instance ${instanceId} (ends every flow, loses its memory)`,
    `seal its subnet, which cuts off every neighbour in it: start the state machine again with {"instanceId": "${instanceId}", "seal": true}`,
    "clone the subnet's network ACL with the denies first and associate the clone with the subnet",
  ];
}

/** What GuardDuty found, as far as it is known. */
export function causeOf(
  request: Partial<Pick<CaseRequest, 'finding' | 'region' | 'domains' | 'processes'>> | null | undefined,
): Pick<Report, 'finding' | 'domains' | 'processes'> {
  const { finding = null, region = null, domains = [], processes = [] } = request ?? {};
  return { finding: finding && { ...finding, link: findingLink(region, finding.id) }, domains, processes };
}

/** A flow as reports show it, with what is known of its tracking. */
export function describeFlow(
  flow: Pick<KnownFlow, 'protocol' | 'remoteAddress' | 'remotePort' | 'localPort' | 'localAddress'>,
  tracking: { readonly kind: string; readonly because: string },
  evidence: EvidenceLevel,
): ReportedFlow {
  const { protocol, remoteAddress, remotePort, localPort, localAddress } = flow;
  const { kind, because } = tracking;
  return { protocol, remoteAddress, remotePort, localPort, localAddress, tracking: kind, because, evidence };
}

export const heldDeny = (deny: LedgerDeny): HeldDeny => ({
  NetworkAclId: deny.aclId,
  RuleNumber: deny.ruleNumber,
  Egress: deny.egress,
  Cidr: deny.cidr,
});

/** What could not be done, by name. */
function skippedOf(
  document: CaseDocument,
  interfaces: readonly InterfaceStanding[],
  denied: ReadonlySet<string>,
): Report['skipped'] {
  const enis = interfaces
    .filter((eni) => eni.isolation !== 'in-force')
    .map((eni) => ({ id: eni.id, reason: eni.reason ?? 'not isolated' }));
  // Refused once, and made since.
  const refusals = document.denyRefusals.filter((refusal) => !denied.has(refusal.address));
  const denies = refusals.map((refusal) => ({
    id: refusal.aclId === null ? refusal.address : `${refusal.address} at ${refusal.aclId}`,
    reason: refusal.reason,
  }));
  const host =
    document.host !== null && document.host.kind !== 'answered'
      ? [{ id: document.instanceId, reason: `no host cut: ${document.host.reason}` }]
      : [];
  const evidence = document.evidence
    .filter((entry) => entry.outcome === 'failed' || entry.outcome === 'not-possible')
    .map((entry) => ({ id: entry.item, reason: entry.reason ?? entry.outcome }));
  // The denies last: with many ACLs they are many, and where the report must be short the beginning stays.
  return [...enis, ...host, ...evidence, ...denies];
}

const FIREWALLS: Readonly<Record<string, string>> = {
  nftables: 'an nftables table',
  iptables: 'iptables rules',
  windows: 'Windows firewall rules',
};

/** What the host said, beginning with what it did. */
function onHostOf({ host, agentAskedAt }: CaseDocument): readonly string[] {
  if (host?.kind !== 'answered') return [];
  const { listed, closed, survived, omitted, firewall, account } = host;
  const tool = FIREWALLS[firewall];
  return [
    `${closed} of ${listed} flows closed, ${survived} left${omitted === 0 ? '' : `, ${omitted} not listed`}`,
    tool === undefined
      ? 'its firewall holds nothing'
      : `its firewall holds the peers (${tool} of this case, which does not survive a reboot)`,
    ...(agentAskedAt === undefined ? [] : [`the SSM agent was asked to close its own connection at ${agentAskedAt}`]),
    ...(account === undefined ? [] : accountLines(account)),
  ];
}

/** Sockets that outlived the cut: their owners may be killed, where a person wants that. */
function killOwners({ host, instanceId, request, agentAskedAt }: CaseDocument): readonly string[] {
  if (host?.kind !== 'answered' || host.survived === 0 || request.host?.options.survivors === 'kill') return [];
  const reach =
    agentAskedAt === undefined
      ? 'while the agent can be reached'
      : 'with AgentEgress set, for the agent was asked to close its connection';
  return [
    `kill the owners of the ${host.survived} sockets that could not be closed: start the state machine again with {"instanceId": "${instanceId}", "host": {"survivors": "kill"}}, ${reach}`,
  ];
}

export const undoText = (caseId: string): string => `start the restore state machine with {"caseId": "${caseId}"}`;

const isOpen = ({ evidence }: FlowVerdict): boolean => evidence === 'unproven' || evidence === 'requested';

/** What goes on, or may, comes first; of two alike the one that somebody named. */
const byImportance = (a: FlowVerdict, b: FlowVerdict): number =>
  Number(b.alive) - Number(a.alive) ||
  Number(isOpen(b)) - Number(isOpen(a)) ||
  Number(b.flow.named) - Number(a.flow.named);

/** What stays open whatever is done, and what the request has to say. */
export const leftOpenOf = ({ notes }: Pick<CaseRequest, 'notes'>, more: readonly string[] = []): readonly string[] => [
  ...LEFT_OPEN,
  ...notes,
  ...more,
];

/** The report of a case that acted. */
export function caseReport(input: {
  readonly document: CaseDocument;
  readonly verdict: Verdict;
  readonly interfaces: readonly InterfaceStanding[];
  readonly held: readonly LedgerDeny[];
  /** Peers that are denied both ways wherever their packets pass. */
  readonly denied: ReadonlySet<string>;
  readonly devices: readonly { readonly id: string; readonly deviceIndex: number | null }[];
  readonly notes: readonly string[];
  readonly cleanUp?: readonly string[];
}): Report {
  const { document, verdict } = input;
  return {
    caseId: document.caseId,
    instanceId: document.instanceId,
    verdict: verdict.kind,
    reason: verdict.reason,
    ...causeOf(document.request),
    basis: verdict.basis,
    provenAt: verdict.provenAt,
    flows: [...verdict.flows]
      .sort(byImportance)
      .map(({ flow, evidence }) => describeFlow(flow, flow.tracking, evidence)),
    skipped: skippedOf(document, input.interfaces, input.denied),
    held: input.held.map(heldDeny),
    leftOpen: leftOpenOf(document.request, [...verdict.goesOn, ...input.notes]),
    lastResort: [...killOwners(document), ...lastResorts(verdict.kind, document.instanceId, input.devices)],
    onHost: onHostOf(document),
    ...takenOf(document, input.interfaces),
    cleanUp: input.cleanUp ?? [],
    plan: [],
    undo: undoText(document.caseId),
    more: [],
  };
}

/** What controls took: to close subnets, as long as one is seen closed, and to keep the evidence. */
function takenOf(
  { evidence }: CaseDocument,
  interfaces: readonly InterfaceStanding[],
): Pick<Report, 'sealed' | 'preserved'> {
  const done = evidence.filter(({ outcome }) => outcome === 'done').map(({ item }) => item);
  const isSealed = interfaces.some(({ sealed }) => sealed === true);
  return {
    sealed: isSealed ? done.filter(isSealItem).map((item) => `${item}: no packet passes in or out`) : [],
    preserved: done.filter((item) => !isSealItem(item)),
  };
}

/** The report of a case in which nothing was changed. */
export function quietReport(input: {
  readonly caseId: string;
  readonly instanceId: string | null;
  readonly verdict: 'planned' | 'refused' | 'ignored';
  readonly reason: string;
  readonly flows?: readonly ReportedFlow[];
  readonly skipped?: Report['skipped'];
  readonly plan?: readonly PlannedChange[];
  readonly held?: readonly HeldDeny[];
  readonly undo?: string | null;
  readonly finding?: ReportedFinding | null;
  readonly domains?: readonly string[];
  readonly processes?: readonly NamedProcess[];
  readonly leftOpen?: readonly string[];
}): Report {
  return {
    finding: null,
    domains: [],
    processes: [],
    leftOpen: [],
    flows: [],
    skipped: [],
    plan: [],
    held: [],
    undo: null,
    ...input,
    basis: [],
    provenAt: null,
    lastResort: [],
    onHost: [],
    sealed: [],
    preserved: [],
    cleanUp: [],
    more: [],
  };
}
