import { createHash } from 'node:crypto';
import type { HostAccount } from '../host/host-account.ts';
import type { HostOptions } from '../host/host-options.ts';
import {
  type CaseRequest,
  type FindingClass,
  type FindingSummary,
  type HostRequest,
  isDomainOnly,
} from '../intake/intake-types.ts';
import type { DefaultTimeouts, KnownFlow, Mode, NetworkInterfaceFacts, TrackingTimeouts } from '../model.ts';
import { defaultTimeouts, type TrackingVerdict } from '../network/tracking.ts';
import type { EvidenceItem } from './evidence.ts';
import { SHORTEST_TIMEOUTS } from './expiry.ts';
import type { InstanceFacts } from './facts.ts';
import type { Retaken } from './lost-controls.ts';

/** What the responder knows of one flow, from the first read to the verdict. */
export interface CaseFlow extends KnownFlow {
  /** Stable within the case: protocol, remote and local end. */
  readonly id: string;
  /** The finding, a person or a named process points at it; an unnamed flow was only found on the way. */
  readonly named: boolean;
  readonly process: string | null;
  /** ENIs that may carry it: one where the local address is known, otherwise all of the instance. */
  readonly interfaceIds: readonly string[];
  readonly tracking: TrackingVerdict;
  /** Whether a network ACL sees its packets: `no` for a peer in the same subnet. */
  readonly crossesSubnetBoundary: boolean;
  /** What the host's own lists said after the cut; null = it was not asked or did not answer. */
  readonly host: 'gone' | 'open' | 'unknown' | null;
  /** Every session with the peer, whoever opens it and on whatever port, would be untracked too: the swap ends them all. */
  readonly staysUntracked?: boolean;
  /** A flow log, or the host's own second list, has shown it after the cut. */
  readonly seenAlive?: boolean;
  /** A flow log shows that an ACL drops its packets: a deny, perhaps not of this case, is what holds it. */
  readonly dropped?: boolean;
  /** The SSM agent's own connection to an endpoint of AWS: not denied for the whole subnet, and never called ended. */
  readonly spared?: boolean;
}

/** Why a peer is not denied at a subnet. */
export interface DenyRefusal {
  readonly address: string;
  readonly aclId: string | null;
  readonly reason: string;
}

/** One deny that is wanted: one address, one direction, one ACL. */
export interface WantedDeny {
  readonly aclId: string;
  readonly egress: boolean;
  readonly cidr: string;
  /** The number that was free and low enough when the ACL was read; null = an entry that covers it stands already. */
  readonly ruleNumber: number | null;
  /** The highest number that is low enough; absent where none is wanted, and in executions of before this was kept. */
  readonly highestNumber?: number;
}

/** What makes two denies the same, wanted ones and those of the ledger: the ACL, the direction and the network. */
export const placeOf = ({ aclId, egress, cidr }: Pick<WantedDeny, 'aclId' | 'egress' | 'cidr'>): string =>
  `${aclId} ${egress} ${cidr}`;

/** What the host answered to the cut, or why it did not. */
export type HostOutcome =
  | {
      readonly kind: 'answered';
      /** Every established flow was listed, twice, and none was left open or unlisted. */
      readonly complete: boolean;
      readonly listed: number;
      readonly closed: number;
      readonly survived: number;
      readonly omitted: number;
      readonly firewall: string;
      /** The last moment at which the host had not answered yet, ISO: flows may have been opened since. */
      readonly notBefore: string;
      readonly answeredAt: string;
      /** What else it said: its own word, for people. Absent in cases of before this was kept. */
      readonly account?: HostAccount;
    }
  | { readonly kind: 'no-evidence'; readonly reason: string }
  | { readonly kind: 'unavailable'; readonly reason: string };

/** The order that the host was given to cut, as far as a person chooses it. */
export interface HostAsked {
  readonly pids: readonly number[];
  readonly ports: readonly number[];
  readonly options: HostOptions;
}

/**
 * One ENI as it was found; written once, before anything changes. Only where the isolation was undone by hand, and the ENI left
 * otherwise than it was found, a later response finds it anew, and keeps what was found before.
 */
export interface BeforeInterface {
  readonly networkInterfaceId: string;
  readonly vpcId: string;
  readonly subnetId: string;
  readonly groupIds: readonly string[];
  readonly timeouts: TrackingTimeouts;
  readonly instanceType: string;
  /** What EC2 said of the type; absent = it did not, or in cases of before it was asked. */
  readonly defaultTimeouts?: DefaultTimeouts;
  readonly recordedAt: string;
  /** What was found before it, the newest first. Absent = it was found once. */
  readonly earlier?: readonly Pick<BeforeInterface, 'groupIds' | 'timeouts' | 'recordedAt'>[];
}

/** One entry of the ledger: a deny of ours in an ACL and the cases that need it. */
export interface LedgerDeny {
  readonly aclId: string;
  readonly egress: boolean;
  readonly cidr: string;
  readonly ruleNumber: number;
  readonly cases: readonly string[];
  /** The case that has begun to remove the entry, if one has. */
  readonly liftedBy?: string;
}

export interface TimelineEntry {
  readonly at: string;
  readonly step: string;
  readonly what: string;
}

/**
 * How far a case has come. `reported`: a verdict was given; `restoring`: a restore was allowed and has begun, and may be
 * finished whatever the half-restored instance looks like; `restored`: everything was put back.
 */
export type CaseStatus = 'open' | 'reported' | 'restoring' | 'restored';

/** A restore has begun, or has put everything back. */
export const isClosing = ({ status }: { readonly status: CaseStatus }): boolean =>
  status === 'restoring' || status === 'restored';

/** The document of a case. Grows in the case table; the state machine carries only its id. */
export interface CaseDocument {
  readonly caseId: string;
  readonly generation: number;
  readonly accountId: string;
  readonly region: string;
  readonly instanceId: string;
  readonly openedAt: string;
  readonly status: CaseStatus;
  /** `ask`: whatever the mode, a person decides. */
  readonly decision: 'act' | 'ask';
  readonly class: FindingClass | 'MANUAL';
  readonly classReason: string;
  readonly request: CaseRequest;
  readonly flows: readonly CaseFlow[];
  /** Network ACLs in which this case may have denies: where the ledger is looked up. */
  readonly aclIds: readonly string[];
  readonly denyRefusals: readonly DenyRefusal[];
  readonly host: HostOutcome | null;
  /** What the host was last asked, or was about to be when the execution was stopped; absent = nothing yet. */
  readonly hostAsked?: HostAsked | undefined;
  /** When the SSM agent was last asked to close its own connection, ISO; absent = it was not, or a restore has begun since. */
  readonly agentAskedAt?: string | undefined;
  /** A restore has undone what the case did on the host; absent = it has not. */
  readonly hostUndone?: boolean;
  readonly evidence: readonly EvidenceItem[];
  /** A restore has begun to put the evidence back: what is found as it was may be its work. Absent = none has. */
  readonly evidenceReturning?: boolean;
  /** When every ENI that can be isolated was read back as isolated, ISO. */
  readonly isolatedAt: string | null;
  /** The execution that began the last restore: started again once a response has taken the case up, it restores nothing more. */
  readonly restoredBy?: string | null;
  /** When peers were last denied after the isolation, ISO: late in a storm, or seen alive at the verification; null = none was. */
  readonly cutAgainAt: string | null;
  /** A flow log was seen to cover the instance when it was isolated: wherever it is now, nothing is contained without its word. */
  readonly watched?: boolean;
  /** The denies are being lifted, or are, on the word of the host and the flow log both, as was opted in; absent = they stay. */
  readonly released?: boolean;
  /** What was lost and taken again, oldest first; absent = nothing was. */
  readonly retaken?: readonly Retaken[];
  /** The last verdict that people were told; null = none yet. */
  readonly verdict: string | null;
  /** Verdicts that people were told at the end of a response, each once; absent = none yet. */
  readonly endedAs?: readonly string[];
}

/** Short, safe for execution names (80 characters, restricted set), host firewall names and table keys. */
export function caseIdOf(key: { accountId: string; region: string; instanceId: string; generation: number }): string {
  const text = [key.accountId, key.region, key.instanceId, String(key.generation)].join('|');
  return `case-${createHash('sha256').update(text).digest('hex').slice(0, 20)}`;
}

/** Id for an input that opens no case (it names no instance, or nothing is to be done). */
export function noteIdOf(finding: FindingSummary | null, fallback: string): string {
  return `note-${createHash('sha256')
    .update(finding?.id ?? fallback)
    .digest('hex')
    .slice(0, 20)}`;
}

/**
 * Execution name for a case and what an event brings to it: while the case runs, the same event always gives the same
 * name, and a new peer a new one. Once the case is reported the occurrence counts too: a later one, or the same event
 * delivered that late, is verified again.
 */
export function executionNameOf(document: Pick<CaseDocument, 'caseId' | 'status'>, request: CaseRequest): string {
  const occurrence = document.status === 'reported' ? (request.finding?.updatedAt ?? '') : '';
  const text = [...request.flows.map(flowId).sort(), occurrence].join('|');
  return `${document.caseId}-${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
}

const portText = (port: number | null): string => (port === null ? '*' : String(port));

/** The identity of a flow within its case. */
export function flowId(flow: KnownFlow): string {
  const local = `${flow.localAddress ?? '*'}:${portText(flow.localPort)}`;
  return `${flow.protocol} ${local} ${flow.remoteAddress}:${portText(flow.remotePort)}`;
}

const agrees = <T>(known: T | null, seen: T | null): boolean => known === null || seen === null || known === seen;

/** Could the two be one flow? Unknown members match anything. */
export function mayBeSameFlow(a: KnownFlow, b: KnownFlow): boolean {
  return (
    a.remoteAddress === b.remoteAddress &&
    (a.protocol === b.protocol || a.protocol === 'unknown' || b.protocol === 'unknown') &&
    agrees(a.remotePort, b.remotePort) &&
    agrees(a.localPort, b.localPort) &&
    agrees(a.localAddress, b.localAddress)
  );
}

/**
 * Does the case know the flow? One of which only the peer is named is known by any flow to that peer: the host's list may
 * have replaced it by the sockets that it stood for. One whose local end nobody knows stands for every flow to that port of the
 * peer.
 */
export function isKnownFlow(flow: KnownFlow, known: readonly CaseFlow[]): boolean {
  const vague = flow.localPort === null && flow.remotePort === null;
  const standsFor = (other: CaseFlow): boolean =>
    other.localAddress === null &&
    other.localPort === null &&
    other.remotePort === flow.remotePort &&
    other.protocol === flow.protocol;
  return known.some(
    (other) => other.id === flowId(flow) || ((vague || standsFor(other)) && mayBeSameFlow(other, flow)),
  );
}

/** Is the flow named already? One that only the host has listed is known, and yet news where somebody names it. */
export const isNamedFlow = (flow: KnownFlow, known: readonly CaseFlow[]): boolean =>
  isKnownFlow(
    flow,
    known.filter(({ named }) => named),
  );

/** Addresses that a person asked to be denied: only those may be private ones. */
export function askedAddresses(request: CaseRequest): ReadonlySet<string> {
  return new Set(request.flows.filter((flow) => flow.source === 'request').map((flow) => flow.remoteAddress));
}

/** Every port is kept; of an option that both choose, the newer choice counts. */
function mergedHost(known: HostRequest | undefined, next: HostRequest | undefined): { readonly host?: HostRequest } {
  if (next === undefined) return known === undefined ? {} : { host: known };
  const ports = [...new Set([...(known?.ports ?? []), ...next.ports])];
  return { host: { ports, options: { ...known?.options, ...next.options } } };
}

/** Who asks to contain means it for what comes after, too; who only looks means this one look. */
function mergedMode(known: Mode | null, next: Mode | null): Mode | null {
  if (next === 'observe') return known;
  return next ?? (known === 'contain' ? 'contain' : null);
}

/** The union of what two inputs say of the same instance: every peer is kept, the newer finding gives the summary. */
export function mergeRequests(known: CaseRequest, next: CaseRequest): CaseRequest {
  const fresh = next.flows.filter((flow) => !known.flows.some((other) => flowId(other) === flowId(flow)));
  const newer = next.finding !== null && (known.finding === null || next.finding.updatedAt > known.finding.updatedAt);
  const union = <T>(a: readonly T[], b: readonly T[]): readonly T[] => [...new Set([...a, ...b])];
  const instanceType = next.hints.instanceType ?? known.hints.instanceType;
  const flows = [...known.flows, ...fresh];
  const domains = union(known.domains, next.domains);
  const severities = [known.severity, next.severity].filter((severity) => typeof severity === 'number');
  return {
    ...known,
    origin: next.origin === 'manual' ? 'manual' : known.origin,
    mode: mergedMode(known.mode, next.mode),
    reason: next.reason ?? known.reason,
    finding: newer ? next.finding : known.finding,
    flows,
    processes: [
      ...known.processes,
      ...next.processes.filter((process) => !known.processes.some((other) => other.pid === process.pid)),
    ],
    ...mergedHost(known.host, next.host),
    ...((known.seal === true || next.seal === true) && { seal: true }),
    domains,
    severity: severities.length === 0 ? null : Math.max(...severities),
    domainOnly: isDomainOnly({ flows, domains }),
    byRuntime: known.byRuntime === true || next.byRuntime === true,
    notes: union(known.notes, next.notes),
    hints: {
      vpcIds: union(known.hints.vpcIds, next.hints.vpcIds),
      subnetIds: union(known.hints.subnetIds, next.hints.subnetIds),
      groupIds: union(known.hints.groupIds, next.hints.groupIds),
      ...(instanceType !== undefined && { instanceType }),
    },
  };
}

/** An instance of which nothing is known: its interfaces have the longest timers. */
export const UNKNOWN_TYPE = { instanceType: 'unknown', defaultTimeouts: null } as const;

/** The before-state of an ENI, from what was read of it. */
export function beforeOf(
  eni: NetworkInterfaceFacts,
  { instanceType, defaultTimeouts: told }: Pick<InstanceFacts, 'instanceType' | 'defaultTimeouts'>,
  recordedAt: string,
): BeforeInterface {
  const { id: networkInterfaceId, vpcId, subnetId, groupIds, timeouts } = eni;
  const defaults = told === null ? {} : { defaultTimeouts: told };
  return { networkInterfaceId, vpcId, subnetId, groupIds, timeouts, instanceType, ...defaults, recordedAt };
}

/** The later of two ISO times in UTC; null = never. */
export const laterOf = (a: string | null, b: string | null): string | null => {
  if (a === null || b === null) return a ?? b;
  return a > b ? a : b;
};

/** The same groups in the same order. */
export const sameList = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((id, index) => id === b[index]);

/**
 * The before-state of an ENI that a later response finds neither as it was found first nor as we made it: somebody has undone the
 * isolation and left it like this. `ours`: groups with which ENIs were isolated. null = there is no news.
 */
export function foundAnew(
  known: BeforeInterface,
  found: BeforeInterface,
  ours: readonly string[],
): BeforeInterface | null {
  const isOurWork = found.groupIds.some((id) => ours.includes(id));
  const groupIds = isOurWork ? known.groupIds : found.groupIds;
  const written = [SHORTEST_TIMEOUTS, known.timeouts, restorableTimeouts(known)];
  const timeouts = written.some((one) => sameTimeouts(one, found.timeouts)) ? known.timeouts : found.timeouts;
  if (sameList(groupIds, known.groupIds) && timeouts === known.timeouts) return null;
  const { groupIds: first, timeouts: then, recordedAt, earlier = [] } = known;
  return { ...found, groupIds, timeouts, earlier: [{ groupIds: first, timeouts: then, recordedAt }, ...earlier] };
}

export const sameTimeouts = (a: TrackingTimeouts, b: TrackingTimeouts): boolean =>
  a.tcpEstablishedSeconds === b.tcpEstablishedSeconds &&
  a.udpSeconds === b.udpSeconds &&
  a.udpStreamSeconds === b.udpStreamSeconds;

/** What holds on an ENI that has no timeout set. */
export const defaultsOf = (before: Pick<BeforeInterface, 'defaultTimeouts' | 'instanceType'>): DefaultTimeouts =>
  before.defaultTimeouts ?? defaultTimeouts(before.instanceType);

/** One that was not set cannot be unset again: the type's default is written instead. */
export function restorableTimeouts(
  before: Pick<BeforeInterface, 'timeouts' | 'instanceType' | 'defaultTimeouts'>,
): TrackingTimeouts {
  const { timeouts } = before;
  const defaults = defaultsOf(before);
  return {
    tcpEstablishedSeconds: timeouts.tcpEstablishedSeconds ?? defaults.tcpEstablishedSeconds,
    udpSeconds: timeouts.udpSeconds ?? defaults.udpSeconds,
    udpStreamSeconds: timeouts.udpStreamSeconds ?? defaults.udpStreamSeconds,
  };
}

/** Adds why peers were not denied; for a peer and an ACL the newest reason counts. */
export function withRefusals(document: CaseDocument, refusals: readonly DenyRefusal[]): CaseDocument {
  const all = [...document.denyRefusals, ...refusals].map(
    (entry) => [`${entry.aclId} ${entry.address}`, entry] as const,
  );
  return { ...document, denyRefusals: [...new Map(all).values()] };
}

/** Adds the ACLs of denies that are about to be made: recorded first, so that a restore finds every one of them. */
export function withAcls(document: CaseDocument, denies: readonly WantedDeny[]): CaseDocument {
  const aclIds = [...new Set([...document.aclIds, ...denies.map((deny) => deny.aclId)])];
  return aclIds.length === document.aclIds.length ? document : { ...document, aclIds };
}

/** The mode that holds: the request's own, otherwise the configured one. */
export function modeOf(request: CaseRequest, defaultMode: Mode): Mode {
  return request.mode ?? defaultMode;
}
