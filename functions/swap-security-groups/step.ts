import { readBefore, recordBefore } from '../aws/case-table/before-states.ts';
import { needCase, recordEvent } from '../aws/case-table/cases.ts';
import { readClaim } from '../aws/case-table/claims.ts';
import { noteGroupUse } from '../aws/case-table/groups.ts';
import { errorText } from '../aws/errors.ts';
import { getInstance } from '../aws/instances.ts';
import { interfacesOf } from '../aws/network-interfaces.ts';
import { interfaceGroups } from '../controls/interface-groups.ts';
import { interfaceTimers } from '../controls/interface-timers.ts';
import { isInBounds, unmodifiable } from '../core/case/assess.ts';
import { beforeOf, type CaseDocument, type HostOutcome, isClosing, UNKNOWN_TYPE } from '../core/case/case.ts';
import { SETTLE_SECONDS } from '../core/case/expiry.ts';
import { vpcIdsOf } from '../core/case/facts.ts';
import type { Isolating, IsolationResult } from '../core/case/record.ts';
import type { Config } from '../core/config.ts';
import { hostSilence } from '../core/host/host-silence.ts';
import type { NetworkInterfaceFacts } from '../core/model.ts';
import { AFTER_THE_CUT, urgencyOf } from '../core/pacing.ts';
import { DeadlineError } from '../shared/deadline.ts';
import { ensureIsolationGroup, GROUP_SECONDS } from '../shared/isolation-group.ts';
import { canSpeak, isWatched } from '../shared/listening.ts';
import { afterTurn, paced, tryTurn } from '../shared/paced.ts';
import { readBack } from '../shared/read-back.ts';
import { readStanding, type Standing } from '../shared/standing.ts';
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
  // A restore has begun since somebody undid the isolation: what is taken again now would be its to give back.
  if (record.verdict !== undefined && isClosing(document))
    return { kind: 'done', interfaces: [], settleSeconds: SETTLE_SECONDS };
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
    // EC2 may show for seconds what was before the swap.
    const look = () => readStanding(tools, document, { failures, canWait: false });
    const standing = await readBack(tools, look, (seen) => isShown(seen, failures));
    const [, { refusals }] = await Promise.all([
      noteIsolation(tools, document, standing, hostSilence(record), successor === null),
      canSpeak(tools, standing),
    ]);
    return {
      kind: 'done',
      interfaces: standing.standings,
      settleSeconds: SETTLE_SECONDS,
      ...(refusals.length > 0 && { logRefusals: refusals }),
    };
  } finally {
    await shortened;
  }
}

/** Every interface whose swap was accepted is seen isolated. */
const isShown = ({ standings }: Standing, failures: ReadonlyMap<string, string>): boolean =>
  standings.every(({ id, isolation }) => isolation !== 'failed' || failures.has(id));

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
      return [vpcId, { groupId: await ensureIsolationGroup(tools, vpcId, GROUP_SECONDS.swap) }];
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
  const others = vpcIdsOf(interfaces).filter((vpcId) => !known.has(vpcId));
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
  const event = {
    kind: 'isolated',
    at,
    complete,
    watched: isWatched(tools, standing),
    silence,
    takesUp: isOurs && inForce.length > 0,
  } as const;
  const [{ before, after }] = await Promise.all([
    recordEvent(tools.cases, document.caseId, event),
    tell(
      tools,
      document.caseId,
      'swap-security-groups',
      `isolation in force on ${inForce.join(', ') || 'no interface'}`,
    ),
  ]);
  if (isClosing(before) && !isClosing(after)) {
    const groupIds = standing.before.flatMap((eni) => eni.groupIds);
    await noteGroupUse(tools.cases, document.caseId, [...new Set(groupIds)]);
  }
  return after;
}
