import { readBefore, recordBefore } from '../aws/case-table/before-states.ts';
import { needCase, updateCase } from '../aws/case-table/cases.ts';
import { readClaim } from '../aws/case-table/claims.ts';
import { noteGroupUse } from '../aws/case-table/groups.ts';
import { errorText } from '../aws/errors.ts';
import { getInstance } from '../aws/instances.ts';
import { interfacesOf } from '../aws/network-interfaces.ts';
import { interfaceGroups } from '../controls/interface-groups.ts';
import { interfaceTimers } from '../controls/interface-timers.ts';
import { isInBounds, unmodifiable } from '../core/case/assess.ts';
import { beforeOf, type CaseDocument, type HostOutcome, isClosing, UNKNOWN_TYPE } from '../core/case/case.ts';
import { computeWait, FLOW_LOG_DELAY_SECONDS, SETTLE_SECONDS } from '../core/case/expiry.ts';
import type { Isolating, IsolationResult } from '../core/case/record.ts';
import type { Config } from '../core/config.ts';
import { hostSilence } from '../core/host/host-silence.ts';
import type { NetworkInterfaceFacts } from '../core/model.ts';
import { hostAddress } from '../core/network/addresses.ts';
import { waitingAfter } from '../core/network/packed-denies.ts';
import { AFTER_THE_CUT, urgencyOf } from '../core/pacing.ts';
import type { Verdict, VerdictQuestion } from '../core/verdict/verdict.ts';
import { DeadlineError } from '../shared/deadline.ts';
import { ensureIsolationGroup } from '../shared/isolation-group.ts';
import { canSpeak, isWatched, unheardFlowLog } from '../shared/listening.ts';
import { afterTurn, paced, tryTurn } from '../shared/paced.ts';
import { judgeStanding, longestTimer, readStanding, type Standing } from '../shared/standing.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

/**
 * Isolate: every modifiable ENI of the instance gets the VPC's isolation group, seen without rules, and the shortest
 * tracking timeouts. One ENI that fails is reported and does not stop the others.
 */
export async function swapSecurityGroups(
  tools: Tools<'ec2' | 'logs' | 'cases'>,
  record: Isolating,
): Promise<IsolationResult> {
  const { caseId } = record.case;
  const document = await needCase(tools.cases, caseId);
  const pace = { urgency: urgencyOf(document.request), startedAt: tools.now().getTime() };
  const until = pace.startedAt + READ_WAIT_SECONDS * 1000;
  const read = { ...READ, urgency: pace.urgency + AFTER_THE_CUT, canWait: false, until };
  const [interfaces, before, successor, known] = await Promise.all([
    afterTurn(tools, read, () => interfacesOf(tools.ec2, document.instanceId)),
    readBefore(tools.cases, caseId),
    successorOf(tools, document),
    groupsIn(tools, record.assessment.kind === 'contain' ? record.assessment.vpcIds : []),
  ]);
  const modifiable = interfaces.filter((eni) => unmodifiable(eni) === null && isInBounds(eni, tools.config.vpcIds));
  if (successor === null) {
    await recordNewcomers(
      tools,
      document,
      interfaces,
      before.map((entry) => entry.networkInterfaceId),
    );
  }
  const shortened = successor === null ? shorten(tools, modifiable, pace) : Promise.resolve();
  try {
    const failed = successor === null ? await isolate(tools, modifiable, pace, known) : leftTo(successor, modifiable);
    const failures = new Map([...failed, ...outOfBounds(interfaces, tools.config)]);
    const standing = await readStanding(tools, document, { failures, canWait: false });
    const [isolated, { speaks, refusals }] = await Promise.all([
      noteIsolation(tools, document, standing, hostSilence(record), successor === null),
      canSpeak(tools, standing),
    ]);
    const unheard = unheardFlowLog(tools, isolated, standing, refusals);
    const expiry = planWait(tools.config, isolated, standing, waitingDenies(record), speaks ? 'will speak' : unheard);
    const interfacesNow = standing.standings;
    return { kind: 'done', interfaces: interfacesNow, expiry, ...(refusals.length > 0 && { logRefusals: refusals }) };
  } finally {
    await shortened;
  }
}

const READ = { api: 'DescribeNetworkInterfaces' } as const;
const SWAP = { api: 'ModifyNetworkInterfaceAttribute' } as const;
/** How long each may wait for its turn in a storm, in seconds. */
const READ_WAIT_SECONDS = 10;
const SWAP_WAIT_SECONDS = 80;
const TIMEOUTS_WAIT_SECONDS = 40;

interface Pace {
  readonly urgency: number;
  readonly startedAt: number;
}

/** Addresses whose denies wait for their turn, and will be made after the isolation. */
function waitingDenies({ cut }: Isolating): ReadonlySet<string> {
  const denies = waitingAfter(cut).flatMap((waiting) => waiting.denies);
  return new Set(denies.map((deny) => hostAddress(deny.cidr)));
}

/** The case that was opened since this one was restored, while this response went on; null = there is none. */
async function successorOf(tools: Tools<'cases'>, document: CaseDocument): Promise<string | null> {
  if (document.status !== 'restored') return null;
  const claim = await readClaim(tools.cases, document);
  return claim === null || claim.caseId === document.caseId ? null : claim.caseId;
}

/** What this response isolated now, the newer case would record as found. */
const leftTo = (successor: string, interfaces: readonly NetworkInterfaceFacts[]): ReadonlyMap<string, string> =>
  new Map(interfaces.map((eni) => [eni.id, `the case was restored meanwhile; ${successor} has the instance now`]));

/** What was attached since, beyond the border, is left as it is. */
const outOfBounds = (interfaces: readonly NetworkInterfaceFacts[], { vpcIds }: Config): ReadonlyMap<string, string> =>
  new Map(
    interfaces
      .filter((eni) => !isInBounds(eni, vpcIds))
      .map((eni) => [eni.id, `it is in ${eni.vpcId}, where this responder may change nothing (VpcIds)`]),
  );

/** An ENI that was attached since the case was assessed is recorded before it is touched. */
async function recordNewcomers(
  tools: Tools<'ec2' | 'cases'>,
  document: CaseDocument,
  interfaces: readonly NetworkInterfaceFacts[],
  recorded: readonly string[],
): Promise<void> {
  const newcomers = interfaces.filter((eni) => !recorded.includes(eni.id));
  if (newcomers.length === 0) return;
  const instance = await getInstance(tools.ec2, document.instanceId);
  const recordedAt = tools.now().toISOString();
  const groupIds = [...new Set(newcomers.flatMap((eni) => eni.groupIds))];
  await Promise.all([
    noteGroupUse(tools.cases, document.caseId, groupIds),
    ...newcomers.map((eni) =>
      recordBefore(tools.cases, document.caseId, beforeOf(eni, instance ?? UNKNOWN_TYPE, recordedAt)),
    ),
  ]);
}

/** The isolation group of a VPC, or why there is none. */
type Found = { readonly groupId: string } | { readonly problem: string };

async function groupsIn(tools: Tools<'ec2' | 'cases'>, vpcIds: readonly string[]): Promise<ReadonlyMap<string, Found>> {
  const found = vpcIds.map(async (vpcId): Promise<readonly [string, Found]> => {
    try {
      return [vpcId, { groupId: await ensureIsolationGroup(tools, vpcId) }];
    } catch (error) {
      if (error instanceof DeadlineError) throw error;
      return [vpcId, { problem: `no isolation group in ${vpcId}: ${errorText(error)}` }];
    }
  });
  return new Map(await Promise.all(found));
}

async function isolate(
  tools: Tools<'ec2' | 'cases'>,
  interfaces: readonly NetworkInterfaceFacts[],
  { urgency, startedAt }: Pace,
  known: ReadonlyMap<string, Found>,
): Promise<ReadonlyMap<string, string>> {
  const failures = new Map<string, string>();
  const call = { ...SWAP, urgency, canWait: false, until: startedAt + SWAP_WAIT_SECONDS * 1000 };
  const others = [...new Set(interfaces.map((eni) => eni.vpcId))].filter((vpcId) => !known.has(vpcId));
  // One turn for all, so that they are made at once; where there is none, each waits for its own.
  const [more, turn] = await Promise.all([groupsIn(tools, others), tryTurn(tools, call, interfaces.length)]);
  const groups = new Map([...known, ...more]);
  await Promise.all(
    interfaces.map(async (eni) => {
      const group = groups.get(eni.vpcId) ?? { problem: `no isolation group in ${eni.vpcId}` };
      if ('problem' in group) {
        failures.set(eni.id, group.problem);
        return;
      }
      await paced(
        tools,
        call,
        () => interfaceGroups.apply(tools, { networkInterfaceId: eni.id, isolation: [group.groupId] }),
        turn,
      ).catch((error: unknown) => {
        // Run again it has its whole time again, and the report says why it ran out the last time.
        if (error instanceof DeadlineError) throw error;
        failures.set(eni.id, errorText(error));
      });
    }),
  );
  return failures;
}

/** Shortens the tracking timeouts, beside the swap and never before it. Throws nothing, for nothing rests on it. */
async function shorten(
  tools: Tools<'ec2' | 'cases'>,
  interfaces: readonly NetworkInterfaceFacts[],
  { urgency, startedAt }: Pace,
): Promise<void> {
  const call = { ...SWAP, urgency, canWait: true, until: startedAt + TIMEOUTS_WAIT_SECONDS * 1000 };
  const turn = await tryTurn(tools, call, interfaces.length);
  await Promise.all(
    interfaces.map((eni) =>
      paced(tools, call, () => interfaceTimers.apply(tools, { networkInterfaceId: eni.id }), turn).catch(
        (error: unknown) => {
          // Configurable on Nitro instances only.
          tools.log.warn('tracking timeouts were not shortened', {
            networkInterfaceId: eni.id,
            error: errorText(error),
          });
        },
      ),
    ),
  );
}

/**
 * Notes when isolation was first seen in force on every ENI that can be isolated. A restore that ran beside this response
 * has looked at the interfaces too early: whatever is isolated has an open case, which knows what was found first.
 */
async function noteIsolation(
  tools: Tools<'ec2' | 'cases'>,
  document: CaseDocument,
  standing: Standing,
  silence: HostOutcome | null,
  isOurs: boolean,
): Promise<CaseDocument> {
  const complete = standing.standings.length > 0 && standing.standings.every((entry) => entry.isolation !== 'failed');
  const at = tools.now().toISOString();
  const inForce = standing.standings.filter((entry) => entry.isolation === 'in-force').map((entry) => entry.id);
  let isTakenUp = false;
  const [updated] = await Promise.all([
    updateCase(tools.cases, document.caseId, (stored) => {
      isTakenUp = isClosing(stored) && isOurs && inForce.length > 0;
      const isolatedAt = complete ? (stored.isolatedAt ?? at) : stored.isolatedAt;
      const host = stored.host ?? silence;
      const watched = stored.watched || isWatched(tools, standing);
      const noted = { ...stored, isolatedAt, host, ...(watched && { watched }) };
      if (isTakenUp) return { ...noted, status: 'open' };
      const isSame = isolatedAt === stored.isolatedAt && host === stored.host && noted.watched === stored.watched;
      return isSame ? stored : noted;
    }),
    tell(
      tools,
      document.caseId,
      'swap-security-groups',
      `isolation in force on ${inForce.join(', ') || 'no interface'}`,
    ),
  ]);
  if (isTakenUp) {
    const groupIds = standing.before.flatMap((eni) => eni.groupIds);
    await noteGroupUse(tools.cases, document.caseId, [...new Set(groupIds)]);
  }
  return updated;
}

/**
 * One computed wait, for what waiting can still show:
 * - a flow log can speak for every ENI: its silence over the whole timer is proof, and it is asked before the host is believed;
 * - as things stand the answer is leaking or not-proven: a wait cannot better it, a person is told at once;
 * - the host's word is complete: a margin for the changes to take effect;
 * - otherwise: the timer that was in force before, plus retransmissions.
 * Denies that wait for their turn count as made: where one is refused in the end, the wait is left out.
 */
function planWait(
  config: Config,
  document: CaseDocument,
  found: Standing,
  waiting: ReadonlySet<string>,
  flowLog: 'will speak' | VerdictQuestion['flowLog'],
): IsolationResult['expiry'] {
  const standing = withDenies(found, document, waiting);
  const willSpeak = flowLog === 'will speak';
  const prospect: Verdict = judgeStanding(config, document, standing, willSpeak ? null : flowLog);
  if (prospect.kind === 'leaking' || (prospect.kind === 'not-proven' && !willSpeak)) {
    return { seconds: SETTLE_SECONDS, because: `waiting cannot better this: ${prospect.reason}` };
  }
  const longest = longestTimer(standing.before);
  if (willSpeak) {
    const wait = computeWait({ flows: [], establishedTimeoutSeconds: longest });
    return {
      seconds: wait.seconds + FLOW_LOG_DELAY_SECONDS,
      because: 'the flow log must be silent for the whole tracking timer',
    };
  }
  if (prospect.kind === 'contained') return { seconds: SETTLE_SECONDS, because: prospect.reason };
  return computeWait({
    flows: document.flows.map((flow) => ({
      protocol: flow.protocol,
      tracking: flow.tracking,
      evidence: flow.host === 'gone' ? 'host' : 'none',
    })),
    establishedTimeoutSeconds: longest,
  });
}

function withDenies(standing: Standing, document: CaseDocument, waiting: ReadonlySet<string>): Standing {
  const denies = new Map(standing.denies);
  for (const flow of document.flows) if (waiting.has(flow.remoteAddress)) denies.set(flow.id, 'in-force');
  return { ...standing, denies };
}
