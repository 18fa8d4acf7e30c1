import { readBefore } from '../aws/case-table/before-states.ts';
import { needCase, readCase, updateCase } from '../aws/case-table/cases.ts';
import { readClaim } from '../aws/case-table/claims.ts';
import { forgetGroupUse, readDeletedGroups, readSuccessor, recordSuccessor } from '../aws/case-table/groups.ts';
import { errorText, isDenied, orDenied } from '../aws/errors.ts';
import { getInstance } from '../aws/instances.ts';
import { interfacesById, setGroups, setTimeouts } from '../aws/network-interfaces.ts';
import { lostTags, type RecordedGroup, readGroup, recreateGroup, refillGroup } from '../aws/replaced-groups.ts';
import { groupsThatIsolated } from '../aws/security-groups.ts';
import {
  type BeforeInterface,
  type CaseDocument,
  caseIdOf,
  isClosing,
  restorableTimeouts,
  sameList,
  sameTimeouts,
} from '../core/case/case.ts';
import { SHORTEST_TIMEOUTS } from '../core/case/expiry.ts';
import type { RestoreItem, RestoreResult } from '../core/case/record.ts';
import { groupsItem, HOST_ITEM, isStillIsolated, KEPT, shortItems, TAKEN_UP } from '../core/case/restore-items.ts';
import { InputError, quote } from '../core/errors.ts';
import type { NetworkInterfaceFacts, TrackingTimeouts } from '../core/model.ts';
import { isBy } from '../core/report/restore-report.ts';
import type { Verdict } from '../core/verdict/verdict.ts';
import { liftDenies } from '../shared/lift-denies.ts';
import { LISTEN_SECONDS, listen } from '../shared/listening.ts';
import { readBack } from '../shared/read-back.ts';
import { judgeStanding, readStanding } from '../shared/standing.ts';
import { successorOf } from '../shared/successor.ts';
import { liftedText, restoredText, tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

type RestoreTools = Tools<'ec2' | 'logs' | 'cases'>;

const STEP = 'restore-instance';

/** How a change of an interface is seen: `differs` says what it shows instead; null = what was written. */
interface ReadBack {
  readonly networkInterfaceId: string;
  readonly differs: (eni: NetworkInterfaceFacts) => string | null;
}

type Written = RestoreItem & { readonly readBack?: ReadBack };

/** Until EC2 knows a group that was just created. */
const GROUP_SETTLE_SECONDS = 2;

export interface RestoreRequest {
  readonly caseId: string | null;
  readonly instanceId: string | null;
  /** Restore although a flow may revive. */
  readonly force: boolean;
}

/** `{"caseId": "case-..."}` or `{"instanceId": "i-..."}`, with an optional `"force": true` and who starts it, `"by"`. */
export function parseRestoreRequest(input: unknown): RestoreRequest {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new InputError('input', 'expected {"caseId": "case-..."} or {"instanceId": "i-..."}');
  }
  const given = input as Record<string, unknown>;
  const unknown = Object.keys(given).find((key) => !['caseId', 'instanceId', 'force', 'by'].includes(key));
  if (unknown !== undefined) throw new InputError(quote(unknown), 'is not a member of a restore request');
  const { caseId = null, instanceId = null, force = false, by } = given;
  if (caseId !== null && (typeof caseId !== 'string' || !/^case-[0-9a-f]{20}$/.test(caseId))) {
    throw new InputError('caseId', `${quote(caseId)} is not a case id such as "case-0123456789abcdef0123"`);
  }
  if (instanceId !== null && (typeof instanceId !== 'string' || !/^i-([0-9a-f]{8}|[0-9a-f]{17})$/.test(instanceId))) {
    throw new InputError('instanceId', `${quote(instanceId)} is not an instance id`);
  }
  if (typeof force !== 'boolean') throw new InputError('force', `${quote(force)} is neither true nor false`);
  if (by !== undefined && !isBy(by)) {
    throw new InputError('by', `${quote(by)} is not a name of 1 to 128 letters, digits, spaces and .,@:/_+=-`);
  }
  if ((caseId === null) === (instanceId === null))
    throw new InputError('caseId', 'give either a caseId or an instanceId');
  return { caseId, instanceId, force };
}

/** What the state machine passes, so that a retry is known from a new restore: the request as ever, and the execution's ARN. */
export interface RestoreExecution {
  readonly request: unknown;
  readonly execution: string;
}

/** Takes a bare request as well: by hand there is no execution, and no retry. */
export function restoreExecution(tools: RestoreTools, input: unknown): Promise<RestoreResult> {
  const isWrapped = typeof input === 'object' && input !== null && 'request' in input && 'execution' in input;
  if (!isWrapped) return restoreInstance(tools, input);
  return restoreInstance(tools, input.request, typeof input.execution === 'string' ? input.execution : null);
}

/**
 * Restore: puts back what was recorded, newest change first (groups and timeouts, then the denies). Each item is compared
 * with what we wrote before it is touched; what somebody changed in between is reported and left. Run twice, the second
 * run changes nothing. The case is closed by the step behind it, which gives back what was done for the evidence. Where a
 * response takes the case up again meanwhile, the rest is left to that one.
 */
export async function restoreInstance(
  tools: RestoreTools,
  input: unknown,
  execution: string | null = null,
): Promise<RestoreResult> {
  const request = parseRestoreRequest(input);
  const document = await findCase(tools, request);
  const { caseId, instanceId } = document;
  const before = await readBefore(tools.cases, caseId);
  // A response has taken the case up since this execution began to restore it: started again, it leaves everything.
  if (before.length === 0) {
    // Closed, the case would keep the next response from containing anything.
    const reason = 'this case has changed nothing: there is nothing to restore';
    await tell(tools, caseId, STEP, `refused: ${reason}`);
    return { kind: 'refused', caseId, instanceId, reason };
  }
  const isTakenUp = !isClosing(document) && execution !== null && document.restoredBy === execution;
  if (!isClosing(document) && !isTakenUp) {
    const reason = request.force ? null : await objection(tools, document, before);
    if (reason !== null) {
      await tell(tools, caseId, STEP, `refused: ${reason}`);
      return { kind: 'refused', caseId, instanceId, reason };
    }
    // From here on the instance is no longer isolated as it was: what is isolated again later is so since then.
    const begun = { status: 'restoring', isolatedAt: null, restoredBy: execution } as const;
    await updateCase(tools.cases, caseId, (stored) => ({ ...stored, ...begun }));
  }
  const { isolation, interfaces, denied } = await lookAt(tools, before);
  const successor = await successorOf(tools, document);
  const found: Written[] = [];
  const successors: ReadonlyMap<string, string> = isTakenUp
    ? new Map()
    : await restoreGroupsThemselves(tools, caseId, found);
  let isOurs = true;
  const isStillOurs = async (): Promise<boolean> => {
    isOurs &&= isClosing(await needCase(tools.cases, caseId));
    return isOurs;
  };
  for (const recorded of await asFoundFirst(tools, document, before, isolation)) {
    if (!(await isStillOurs())) {
      found.push({ item: groupsItem(recorded.networkInterfaceId), ...TAKEN_UP });
      continue;
    }
    if (denied !== null) {
      found.push({ item: groupsItem(recorded.networkInterfaceId), outcome: 'failed', detail: denied });
      continue;
    }
    const expected = { ...recorded, groupIds: recorded.groupIds.map((id) => successors.get(id) ?? id) };
    const eni = interfaces.find((candidate) => candidate.id === recorded.networkInterfaceId);
    const elsewhere = eni === undefined ? null : whoHas(eni, expected, instanceId, successor);
    found.push(...(elsewhere ?? (await restoreInterface(tools, expected, eni, isolation, isStillOurs))));
  }
  // Denies last: they were first, and they hold the flows until the groups stand again.
  const lifted = await liftDenies(tools, caseId, document.aclIds, isStillOurs);
  const restored = await asReadBack(tools, found, isStillOurs);
  const items = [...restored, ...lifted];
  const isDone = isOurs && items.every((item) => item.outcome !== 'failed');
  if (isDone) {
    // Two responses at once: the later one found the isolation group of the first, and noted that.
    const states = before.flatMap((eni) => [eni, ...(eni.earlier ?? [])]);
    const noted = [...states.flatMap((state) => state.groupIds), ...isolation];
    await forgetGroupUse(tools.cases, caseId, [...new Set(noted)]);
  }
  const parts = [restoredText(restored), liftedText(lifted, isOurs ? document.aclIds : [])].filter(
    (part) => part !== '',
  );
  await tell(tools, caseId, STEP, parts.join('; ') || 'nothing to restore');
  const { host, kept } = isOurs && successor === null ? await hostPart(tools, document, items) : NO_HOST;
  const kind = isDone ? 'restored' : 'partly-restored';
  return { kind, caseId, instanceId, items: shortItems([...items, ...kept]), host };
}

interface HostPart {
  readonly host: Awaited<ReturnType<typeof hostToUndo>>;
  /** What is said of the host where nothing is to be undone now. */
  readonly kept: readonly RestoreItem[];
}

const NO_HOST: HostPart = { host: null, kept: [] };

/** What is to be undone on the host, once the network is put back: an instance that is still isolated keeps its firewall. */
async function hostPart(tools: RestoreTools, document: CaseDocument, items: readonly RestoreItem[]): Promise<HostPart> {
  const host = await orDenied(() => hostToUndo(tools, document));
  if (isDenied(host)) return { host: null, kept: [{ item: HOST_ITEM, outcome: 'failed', detail: host.denied }] };
  if (host === null || !isStillIsolated(items)) return { host, kept: [] };
  return { host: null, kept: [{ item: HOST_ITEM, ...KEPT }] };
}

/** The interfaces as they are, and the groups that isolate them; or in one line why they may not be read. */
async function lookAt({ ec2 }: RestoreTools, before: readonly BeforeInterface[]) {
  const seen = await orDenied(async () => ({
    isolation: await groupsThatIsolated(ec2, [...new Set(before.map((eni) => eni.vpcId))]),
    interfaces: await interfacesById(ec2, idsOf(before)),
  }));
  return isDenied(seen) ? { isolation: [], interfaces: [], denied: seen.denied } : { ...seen, denied: null };
}

/**
 * What is to be undone on the host; null = nothing. Also where no answer came, or the execution was stopped before one could: the
 * cut may have run all the same, and the answer been lost with the agent's path.
 */
async function hostToUndo(
  tools: RestoreTools,
  { instanceId, host, hostAsked, hostUndone = false }: CaseDocument,
): Promise<Exclude<RestoreResult, { kind: 'refused' }>['host']> {
  if ((host === null && hostAsked === undefined) || hostUndone) return null;
  const instance = await getInstance(tools.ec2, instanceId);
  const stopped = (host?.kind === 'answered' && host.account?.stopped) || [];
  return instance === null || instance.state === 'terminated' ? null : { platform: instance.platform, stopped };
}

/**
 * Makes deleted groups again: first all of them, then their rules, for they may reference each other. Returns the id that
 * each of them has now.
 */
async function restoreGroupsThemselves(
  tools: RestoreTools,
  caseId: string,
  items: RestoreItem[],
): Promise<ReadonlyMap<string, string>> {
  const successors = new Map<string, string>();
  const toFill: { readonly group: RecordedGroup; readonly item: string; readonly id: string }[] = [];
  for (const group of await readDeletedGroups(tools.cases, caseId)) {
    const item = `security group ${group.groupId} (${group.name})`;
    try {
      // Another restore at the same time may have been faster, and what it made is not seen at once.
      const { id, isNew } = await makeGroup(tools, caseId, group).catch(async () => {
        await tools.sleep(GROUP_SETTLE_SECONDS);
        return makeGroup(tools, caseId, group);
      });
      successors.set(group.groupId, id);
      if (isNew) toFill.push({ group, item, id });
      else items.push({ item, outcome: 'already' });
    } catch (error) {
      items.push({ item, outcome: 'failed', detail: errorText(error) });
    }
  }
  if (toFill.length > 0) await tools.sleep(GROUP_SETTLE_SECONDS);
  for (const { group, item, id } of toFill) {
    try {
      const goneGroups = await refillGroup(tools.ec2, id, group, successors);
      await recordSuccessor(tools.cases, caseId, group.groupId, id);
      const lost = lostTags(group);
      const detail = [
        `its id is ${id} now`,
        ...(lost.length === 0 ? [] : [`without ${lost.join(', ')}, which AWS alone can set`]),
        ...(goneGroups.length === 0 ? [] : [`without its rules for ${goneGroups.join(', ')}, which is there no more`]),
      ].join('; ');
      items.push({ item, outcome: 'restored', detail });
    } catch (error) {
      items.push({ item, outcome: 'failed', detail: errorText(error) });
      // Without all its rules it is not the group that the interface had.
      successors.delete(group.groupId);
    }
  }
  return successors;
}

/** Makes a deleted group again, without its rules, unless an earlier run has, or it stands since its deletion failed. */
async function makeGroup(
  tools: RestoreTools,
  caseId: string,
  group: RecordedGroup,
): Promise<{ readonly id: string; readonly isNew: boolean }> {
  const known = (await readSuccessor(tools.cases, caseId, group.groupId)) ?? group.groupId;
  if ((await readGroup(tools.ec2, known)) !== null) return { id: known, isNew: false };
  return { id: await recreateGroup(tools.ec2, group), isNew: true };
}

async function findCase(tools: RestoreTools, request: RestoreRequest): Promise<CaseDocument> {
  const { accountId, region } = tools.config;
  const claim =
    request.instanceId === null
      ? null
      : await readClaim(tools.cases, { accountId, region, instanceId: request.instanceId });
  const caseId = request.caseId ?? claim?.caseId ?? null;
  const document = caseId === null ? null : await readCase(tools.cases, caseId);
  if (document !== null) return document;
  throw request.caseId === null
    ? new InputError('instanceId', `${quote(request.instanceId)} has no case in the case table`)
    : new InputError('caseId', `${quote(request.caseId)} is not in the case table`);
}

/** Why the restore is refused; null = it is not. An instance that is gone has no flow. */
async function objection(
  tools: RestoreTools,
  document: CaseDocument,
  before: readonly BeforeInterface[],
): Promise<string | null> {
  const reason = await revivable(tools, document, before);
  if (reason === null) return null;
  const instance = await orDenied(() => getInstance(tools.ec2, document.instanceId));
  return instance === null || (!isDenied(instance) && instance.state === 'terminated') ? null : reason;
}

/** Why the restore would let a flow live again; null = it would not. */
async function revivable(
  tools: RestoreTools,
  document: CaseDocument,
  before: readonly BeforeInterface[],
): Promise<string | null> {
  if (before.length === 0) return null;
  const standing = await readStanding(tools, document);
  const flowLog = await listen(tools, document, standing, LISTEN_SECONDS.restore);
  const verdict: Verdict = judgeStanding(tools.config, document, standing, flowLog);
  // The swap drops packets and an expired entry is gone, but a socket that is still open sends again once the groups are back.
  const alive = verdict.flows.filter(({ gone, flow }) => !gone && flow.host !== 'gone');
  if (alive.length === 0 && verdict.kind === 'contained') return null;
  const peers = [...new Set(alive.map(({ flow }) => flow.remoteAddress))].join(', ');
  return alive.length > 0
    ? `the socket of the flow to ${peers} may still be open on the host, and would go on (verdict: ${verdict.kind}); give "force": true to restore all the same`
    : `the verdict is ${verdict.kind}: ${verdict.reason}; give "force": true to restore all the same`;
}

/**
 * The before-states, of an ENI that this case found still isolated by an earlier one as that one found it: it was out of reach
 * when that one was restored.
 */
async function asFoundFirst(
  tools: RestoreTools,
  { accountId, region, instanceId, generation }: CaseDocument,
  before: readonly BeforeInterface[],
  isolation: readonly string[],
): Promise<readonly BeforeInterface[]> {
  const isOurWork = ({ groupIds }: BeforeInterface): boolean =>
    groupIds.length > 0 && groupIds.every((id) => isolation.includes(id));
  let states = before;
  for (let earlier = generation - 1; earlier > 0 && states.some(isOurWork); earlier -= 1) {
    const found = await readBefore(tools.cases, caseIdOf({ accountId, region, instanceId, generation: earlier }));
    states = states.map((state) => {
      const first = isOurWork(state) && found.find((one) => one.networkInterfaceId === state.networkInterfaceId);
      if (!first) return state;
      const timeouts = sameTimeouts(state.timeouts, SHORTEST_TIMEOUTS) ? first.timeouts : state.timeouts;
      return { ...state, groupIds: first.groupIds, timeouts };
    });
  }
  return states;
}

/** What is not this case's to give back: a newer case has isolated it, or another instance holds the ENI. null = it is. */
function whoHas(
  eni: NetworkInterfaceFacts,
  before: BeforeInterface,
  instanceId: string,
  successor: string | null,
): readonly RestoreItem[] | null {
  const isElsewhere = eni.attachedTo !== null && eni.attachedTo !== instanceId;
  if (successor === null && !isElsewhere) return null;
  const item = groupsItem(eni.id);
  if (sameList(eni.groupIds, before.groupIds)) return [{ item, outcome: 'already' }];
  const whose = isElsewhere
    ? `the interface is attached to ${eni.attachedTo} now`
    : `${successor} has it now: restore that case`;
  return [{ item, outcome: 'drifted', detail: `found ${eni.groupIds.join(', ')}; ${whose}` }];
}

const idsOf = (before: readonly BeforeInterface[]): readonly string[] =>
  before.map(({ networkInterfaceId }) => networkInterfaceId);

async function restoreInterface(
  tools: RestoreTools,
  before: BeforeInterface,
  eni: NetworkInterfaceFacts | undefined,
  isolation: readonly string[],
  isStillOurs: () => Promise<boolean>,
): Promise<readonly Written[]> {
  const groups = groupsItem(before.networkInterfaceId);
  if (eni === undefined) return [{ item: groups, outcome: 'gone' }];
  const restored = await restoreGroups(tools, groups, before, eni, isolation);
  // A response may have isolated it meanwhile, or found it isolated.
  if (restored.outcome === 'restored' && !(await isStillOurs())) return [await isolateAgain(tools, groups, eni)];
  return [restored, await restoreTimeouts(tools, before, eni)];
}

/** Puts back the isolation that the restore has found, for the response that needs it. */
async function isolateAgain(tools: RestoreTools, item: string, eni: NetworkInterfaceFacts): Promise<RestoreItem> {
  try {
    await setGroups(tools.ec2, eni.id, eni.groupIds);
    return { item, ...TAKEN_UP };
  } catch (error) {
    const detail = `a response has taken the case up again, and its isolation could not be put back: ${errorText(error)}`;
    return { item, outcome: 'failed', detail };
  }
}

async function restoreGroups(
  tools: RestoreTools,
  item: string,
  before: BeforeInterface,
  eni: NetworkInterfaceFacts,
  isolation: readonly string[],
): Promise<Written> {
  if (sameList(eni.groupIds, before.groupIds)) return { item, outcome: 'already' };
  if (!eni.groupIds.every((id) => isolation.includes(id))) {
    return { item, outcome: 'drifted', detail: `found ${eni.groupIds.join(', ')}, expected the isolation group` };
  }
  try {
    await setGroups(tools.ec2, eni.id, before.groupIds);
    const differs = ({ groupIds }: NetworkInterfaceFacts) =>
      sameList(groupIds, before.groupIds) ? null : groupIds.join(', ');
    return { item, outcome: 'restored', ...foundTwice(before), readBack: { networkInterfaceId: eni.id, differs } };
  } catch (error) {
    return { item, outcome: 'failed', detail: errorText(error) };
  }
}

/** Whoever gives back what somebody has set between two isolations says what was there before that. */
function foundTwice({ groupIds, recordedAt, earlier = [] }: BeforeInterface): Pick<RestoreItem, 'detail'> {
  const first = earlier.at(-1);
  if (first === undefined || sameList(first.groupIds, groupIds)) return {};
  const then = `${first.groupIds.join(', ')} at ${first.recordedAt}`;
  return {
    detail: `as found at ${recordedAt}, after the isolation had been undone by hand; before that it was found with ${then}`,
  };
}

const secondsText = (value: number | null): string => (value === null ? 'not set' : `${value} s`);

const timeoutsText = (timeouts: TrackingTimeouts): string =>
  `established ${secondsText(timeouts.tcpEstablishedSeconds)}, UDP ${secondsText(timeouts.udpSeconds)}, UDP stream ${secondsText(timeouts.udpStreamSeconds)}`;

async function restoreTimeouts(
  tools: RestoreTools,
  before: BeforeInterface,
  eni: NetworkInterfaceFacts,
): Promise<Written> {
  const item = `${eni.id} tracking timeouts`;
  const target = restorableTimeouts(before);
  const isUnset = Object.values(before.timeouts).some((value) => value === null);
  const note = isUnset ? { detail: "not set before; now the instance family's default is" } : {};
  if (sameTimeouts(eni.timeouts, before.timeouts)) return { item, outcome: 'already' };
  // Written by a run that died before it said so.
  if (sameTimeouts(eni.timeouts, target)) return { item, outcome: 'already', ...note };
  if (!sameTimeouts(eni.timeouts, SHORTEST_TIMEOUTS)) {
    const detail = `found ${timeoutsText(eni.timeouts)}; expected ${timeoutsText(SHORTEST_TIMEOUTS)}`;
    return { item, outcome: 'drifted', detail };
  }
  try {
    await setTimeouts(tools.ec2, eni.id, target);
    const differs = ({ timeouts }: NetworkInterfaceFacts) =>
      sameTimeouts(timeouts, target) ? null : timeoutsText(timeouts);
    return { item, outcome: 'restored', ...note, readBack: { networkInterfaceId: eni.id, differs } };
  } catch (error) {
    return { item, outcome: 'failed', detail: errorText(error) };
  }
}

/**
 * The items as the interfaces show them now: what counts as restored was seen so. What EC2 accepted and does not show is a
 * failure, unless a response has taken the case up again and isolated the instance.
 */
async function asReadBack(
  tools: RestoreTools,
  items: readonly Written[],
  isStillOurs: () => Promise<boolean>,
): Promise<readonly RestoreItem[]> {
  const written = items.flatMap((item) => item.readBack ?? []);
  if (written.length === 0) return items;
  const areShown = (interfaces: readonly NetworkInterfaceFacts[]): boolean =>
    written.every((one) => shown(one, interfaces) === null);
  let interfaces: readonly NetworkInterfaceFacts[] = [];
  let isTakenUp = false;
  let problem: string | null = null;
  try {
    const ids = [...new Set(written.map(({ networkInterfaceId }) => networkInterfaceId))];
    interfaces = await readBack(tools, () => interfacesById(tools.ec2, ids), areShown);
    isTakenUp = !(areShown(interfaces) || (await isStillOurs()));
  } catch (error) {
    problem = `EC2 has accepted the change, and it could not be read back: ${errorText(error)}`;
  }
  return items.map(({ readBack: one, ...item }) => {
    if (one === undefined) return item;
    if (problem !== null) return { ...item, outcome: 'failed', detail: problem };
    const otherwise = shown(one, interfaces);
    return otherwise === null ? item : { item: item.item, ...(isTakenUp ? TAKEN_UP : otherwise) };
  });
}

/** What an interface shows instead of what was written; null = what was written. */
function shown({ networkInterfaceId, differs }: ReadBack, interfaces: readonly NetworkInterfaceFacts[]) {
  const eni = interfaces.find((one) => one.id === networkInterfaceId);
  if (eni === undefined) return { outcome: 'gone' } as const;
  const found = differs(eni);
  return found === null
    ? null
    : ({ outcome: 'failed', detail: `EC2 has accepted the change and shows ${found}` } as const);
}
