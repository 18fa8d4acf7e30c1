import { readBefore } from '../aws/case-table/before-states.ts';
import { ledgerOf } from '../aws/case-table/deny-ledger.ts';
import { readSealAcl } from '../aws/case-table/seals.ts';
import { errorText, isDenial } from '../aws/errors.ts';
import { flowLogsOn } from '../aws/flow-logs.ts';
import { getInstance } from '../aws/instances.ts';
import { aclsById, aclsOfSubnets } from '../aws/network-acls.ts';
import { interfacesInSubnet, interfacesOf } from '../aws/network-interfaces.ts';
import { carrierIds, unmodifiable } from '../core/case/assess.ts';
import {
  type BeforeInterface,
  type CaseDocument,
  type CaseFlow,
  defaultsOf,
  type LedgerDeny,
} from '../core/case/case.ts';
import { type FlowLogFacts, type SecondaryInterface, vpcIdsOf } from '../core/case/facts.ts';
import type { Config } from '../core/config.ts';
import type { AclFacts, NetworkInterfaceFacts } from '../core/model.ts';
import { protects, stands } from '../core/network/acl-numbers.ts';
import { isOnlyOn } from '../core/network/isolation-rules.ts';
import { letsNothingPass } from '../core/network/seal.ts';
import { AFTER_THE_CUT, urgencyOf } from '../core/pacing.ts';
import { namedChannels } from '../core/verdict/channels.ts';
import {
  type DenyStanding,
  type InterfaceStanding,
  judge,
  type Verdict,
  type VerdictQuestion,
} from '../core/verdict/verdict.ts';
import { exactGroupIds } from './isolation-group.ts';
import { isWatched, LOG_LOST } from './listening.ts';
import { afterTurn } from './paced.ts';
import type { Tools } from './toolbox.ts';

/** What is in force right now, read back from EC2: never what an earlier call answered. */
export interface Standing {
  readonly interfaces: readonly NetworkInterfaceFacts[];
  readonly standings: readonly InterfaceStanding[];
  readonly acls: readonly AclFacts[];
  readonly denies: ReadonlyMap<string, DenyStanding>;
  /** Denies of this case that stand in their ACL. */
  readonly held: readonly LedgerDeny[];
  /** null = they could not be listed: there may be one. */
  readonly flowLogs: readonly FlowLogFacts[] | null;
  readonly before: readonly BeforeInterface[];
  /** State of the instance; one that EC2 knows no more is `terminated`. null = it could not be read. */
  readonly instanceState: string | null;
  /** What could not be read back, in words. */
  readonly unread: readonly string[];
  /** A read failed that may succeed later: EC2 had a bad moment. */
  readonly isBlind: boolean;
}

/** How the isolation of each ENI stands, given our groups that were seen with no rule but the configured openings. */
function interfaceStandings(
  interfaces: readonly NetworkInterfaceFacts[],
  sealed: ReadonlyMap<string, boolean>,
  isolating: readonly string[],
  failures: ReadonlyMap<string, string>,
): readonly InterfaceStanding[] {
  const isSealed = ({ subnetId }: NetworkInterfaceFacts) =>
    sealed.has(subnetId) && { sealed: true, alone: sealed.get(subnetId) === true };
  return interfaces.map((eni) => {
    if (isOnlyOn(eni, isolating)) return { id: eni.id, isolation: 'in-force', reason: null, ...isSealed(eni) };
    const objection = unmodifiable(eni);
    if (objection !== null) return { id: eni.id, isolation: 'not-modifiable', reason: objection, ...isSealed(eni) };
    const reason =
      failures.get(eni.id) ?? `not seen on an isolation group without rules; holds ${eni.groupIds.join(', ')}`;
    return { id: eni.id, isolation: 'failed', reason, ...isSealed(eni) };
  });
}

/**
 * Subnets whose ACL lets nothing pass and is the one that this responder seals with, and whether every interface there is the
 * instance's own. Of another ACL, which may be without a rule by chance, nobody knows for how long it is.
 */
async function sealedSubnets(
  tools: Tools<'ec2' | 'cases'>,
  instanceId: string,
  interfaces: readonly NetworkInterfaceFacts[],
  acls: readonly AclFacts[],
): Promise<ReadonlyMap<string, boolean>> {
  const closed = acls.filter(letsNothingPass);
  const ours = await Promise.all(vpcIdsOf(closed).map((vpcId) => readSealAcl(tools.cases, vpcId)));
  const sealed = closed
    .filter(({ id }) => ours.some((seal) => seal?.aclId === id))
    .flatMap(({ subnetIds }) => subnetIds)
    .filter((id) => interfaces.some(({ subnetId }) => subnetId === id));
  const all = await Promise.all(sealed.map((subnetId) => interfacesInSubnet(tools.ec2, subnetId)));
  const isAlone = all.map((found) => found.length > 0 && found.every(({ attachedTo }) => attachedTo === instanceId));
  return new Map(sealed.map((subnetId, index) => [subnetId, isAlone[index] === true]));
}

/** No group reaches a secondary interface; where it is not known whether there is one, there may be. */
function secondaryStandings(
  instanceId: string,
  secondary: readonly SecondaryInterface[] | null,
): readonly InterfaceStanding[] {
  const beyond = { isolation: 'not-modifiable', outOfReach: true } as const;
  if (secondary === null) {
    const reason = 'it could not be read whether there is one, which no security group would reach';
    return [{ id: `a secondary interface of ${instanceId}`, ...beyond, reason }];
  }
  const reason = 'secondary interface: no security group and no network ACL reaches it';
  return secondary.map(({ id }) => ({ id, ...beyond, reason }));
}

/** How the denies of one flow stand: in force only where every ACL that may see it denies its peer both ways. */
function denyStanding(
  flow: CaseFlow,
  interfaces: readonly NetworkInterfaceFacts[],
  acls: readonly AclFacts[],
): DenyStanding {
  const ids = carrierIds(flow, interfaces);
  const subnetIds = interfaces.filter((eni) => ids.has(eni.id)).map((eni) => eni.subnetId);
  const denied = (subnetId: string): boolean => {
    const acl = acls.find((candidate) => candidate.subnetIds.includes(subnetId));
    return acl !== undefined && [true, false].every((egress) => protects(acl.entries, flow.remoteAddress, egress));
  };
  return subnetIds.length > 0 && subnetIds.every(denied) ? 'in-force' : 'none';
}

/** How long the reads wait for their turn in a storm, in seconds; what the isolation needs goes before what reports do. */
const READ_WAIT_SECONDS = 20;

interface Reading {
  /** Why the swap of an ENI failed, by its id. */
  readonly failures?: ReadonlyMap<string, string>;
  /** Others may read first. */
  readonly canWait?: boolean;
}

/**
 * Reads back what is in force. A read that fails takes nothing for granted: what it would have shown counts as not in
 * force, and `unread` says so.
 */
export async function readStanding(
  tools: Tools<'ec2' | 'cases'>,
  document: CaseDocument,
  { failures = new Map(), canWait = true }: Reading = {},
): Promise<Standing> {
  const until = tools.now().getTime() + READ_WAIT_SECONDS * 1000;
  const urgency = urgencyOf(document.request) + AFTER_THE_CUT;
  const call = { api: 'DescribeNetworkInterfaces', urgency, canWait, until };
  const unread: string[] = [];
  let isBlind = false;
  const attempt = async <T>(what: string, read: Promise<readonly T[]>): Promise<readonly T[] | null> => {
    try {
      return await read;
    } catch (error) {
      unread.push(`${what} could not be read back: ${errorText(error)}`);
      isBlind ||= !isDenial(error);
      return null;
    }
  };
  const instanceOf = async () => [await getInstance(tools.ec2, document.instanceId)];
  const [found, instances, before] = await Promise.all([
    attempt(
      'the network interfaces',
      afterTurn(tools, call, () => interfacesOf(tools.ec2, document.instanceId)),
    ),
    attempt('the instance', instanceOf()),
    readBefore(tools.cases, document.caseId),
  ]);
  const interfaces = found ?? [];
  const instance = instances?.[0];
  const places = interfaces.length > 0 ? interfaces : before;
  const vpcIds = vpcIdsOf(places);
  const subnetIds = [...new Set(places.map((eni) => eni.subnetId))];
  const resourceIds = [...vpcIds, ...subnetIds, ...interfaces.map((eni) => eni.id)];
  const [readAcls, isolating, flowLogs] = await Promise.all([
    attempt('the network ACLs', aclsOfSubnets(tools.ec2, subnetIds)),
    attempt('the isolation groups', exactGroupIds(tools, vpcIds)),
    attempt('the flow logs', flowLogsOn(tools.ec2, resourceIds)),
  ]);
  const seen = readAcls ?? [];
  const sealed = attempt(
    'the sealed subnets',
    (async () => [...(await sealedSubnets(tools, document.instanceId, interfaces, seen))])(),
  );
  // Of a subnet that has another ACL now, the old one may hold denies of ours.
  const left = document.aclIds.filter((aclId) => !seen.some((acl) => acl.id === aclId));
  const acls = [
    ...seen,
    ...((await attempt('network ACLs with denies of this case', aclsById(tools.ec2, left))) ?? []),
  ];
  // Only a group of ours counts: one that happens to be without rules today may get some tomorrow.
  const ledgers = await Promise.all(acls.map((acl) => ledgerOf(tools.cases, acl.id)));
  const held = ledgers
    .flat()
    .filter((deny) => deny.cases.includes(document.caseId) && stands(deny, acls))
    .sort(
      (a, b) => a.aclId.localeCompare(b.aclId) || a.ruleNumber - b.ruleNumber || Number(a.egress) - Number(b.egress),
    );
  if (document.watched && flowLogs !== null && !isWatched(tools, { interfaces, flowLogs })) unread.push(LOG_LOST);
  // Not seen at all: what was recorded before stands for them.
  const unseen = interfaces.length === 0 ? before : [];
  return {
    interfaces,
    standings: [
      ...interfaceStandings(interfaces, new Map(await sealed), isolating ?? [], failures),
      ...secondaryStandings(document.instanceId, instances && (instance?.secondaryInterfaces ?? [])),
      ...unseen.map(
        (entry): InterfaceStanding => ({
          id: entry.networkInterfaceId,
          isolation: 'failed',
          reason: 'could not be read back',
        }),
      ),
    ],
    acls,
    denies: new Map(document.flows.map((flow) => [flow.id, denyStanding(flow, interfaces, acls)])),
    held,
    flowLogs,
    before,
    instanceState: instances === null ? null : (instance?.state ?? 'terminated'),
    unread,
    isBlind,
  };
}

/**
 * The longest tracking timer that an entry may have, over all ENIs, in seconds: the larger of what was recorded and the
 * default of the type. What EC2 shows may have been lowered by whoever holds the instance, before or after the recording.
 */
export function longestTimer(before: readonly BeforeInterface[]): number {
  const established = before.map((eni) =>
    Math.max(eni.timeouts.tcpEstablishedSeconds ?? 0, defaultsOf(eni).tcpEstablishedSeconds),
  );
  // Protocols without a timer of their own are tracked for 600 s.
  return Math.max(600, ...established);
}

/** The verdict as things stand. Without `witness` it is an interim one: the log has had no time to speak. */
export function judgeStanding(
  { openings }: Config,
  document: CaseDocument,
  standing: Standing,
  witness: VerdictQuestion['witness'],
): Verdict {
  return judge({
    openings,
    flows: document.flows,
    denies: standing.denies,
    interfaces: standing.standings,
    host: document.host,
    agentAskedAt: document.agentAskedAt ?? null,
    isolatedAt: document.isolatedAt,
    cutAgainAt: document.cutAgainAt,
    witness,
    acls: standing.acls,
    longestTimerSeconds: longestTimer(standing.before),
    released: document.released === true,
    channels: namedChannels(document.request),
    terminated: standing.instanceState === 'terminated',
  });
}
