import { readBefore } from '../aws/case-table/before-states.ts';
import { needCase, readCase, recordEvent } from '../aws/case-table/cases.ts';
import { readClaim } from '../aws/case-table/claims.ts';
import { forgetGroupUse, readDeletedGroups } from '../aws/case-table/groups.ts';
import { errorText, isDenied, orDenied } from '../aws/errors.ts';
import { interfacesById, interfacesOf } from '../aws/network-interfaces.ts';
import { groupsThatIsolated } from '../aws/security-groups.ts';
import { type GroupsBefore, type InterfaceTools, interfaceGroups } from '../controls/interface-groups.ts';
import { interfaceTimers } from '../controls/interface-timers.ts';
import { groupTools, replacedGroups, successorsOf } from '../controls/replaced-groups.ts';
import { type BeforeInterface, type CaseDocument, isClosing, sameList } from '../core/case/case.ts';
import { vpcIdsOf } from '../core/case/facts.ts';
import type { RestoreItem, RestoreResult } from '../core/case/record.ts';
import { groupsItem, shortItems, TAKEN_UP } from '../core/case/restore-items.ts';
import type { UndoOutcome } from '../core/control.ts';
import { InputError, quote } from '../core/errors.ts';
import { parseRestoreRequest, type RestoreRequest } from '../core/intake/restore-request.ts';
import type { NetworkInterfaceFacts } from '../core/model.ts';
import { asFoundFirst } from '../shared/as-found.ts';
import { type Begun, beginGiveBack, ended } from '../shared/control-runner.ts';
import { hostPart, NO_HOST } from '../shared/host-part.ts';
import { liftDenies } from '../shared/lift-denies.ts';
import { hasLeftTraces, lostInterfaces, lostText, strayDenies } from '../shared/lost-states.ts';
import { restoreObjection } from '../shared/restore-objection.ts';
import { successorOf } from '../shared/successor.ts';
import { liftedText, restoredText, tell } from '../shared/timeline.ts';
import { together } from '../shared/together.ts';
import type { Tools } from '../shared/toolbox.ts';

type RestoreTools = Tools<'ec2' | 'logs' | 'bucket' | 'cases'>;

const STEP = 'restore-instance';

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
  let before = await readBefore(tools.cases, caseId);
  const isActor = before.length > 0 || (await hasLeftTraces(tools, document));
  // What a response has just recorded; still nothing = it is lost.
  if (isActor && before.length === 0) before = await readBefore(tools.cases, caseId);
  if (!isActor) {
    // Closed, the case would keep the next response from containing anything.
    const reason = 'this case has changed nothing: there is nothing to restore';
    await tell(tools, caseId, STEP, `refused: ${reason}`);
    return { kind: 'refused', caseId, instanceId, reason };
  }
  // A response has taken the case up since this execution began to restore it: started again, it leaves everything.
  const isTakenUp = !isClosing(document) && execution !== null && document.restoredBy === execution;
  if (!isClosing(document) && !isTakenUp) {
    const reason = request.force ? null : await restoreObjection(tools, document);
    if (reason !== null) {
      await tell(tools, caseId, STEP, `refused: ${reason}`);
      return { kind: 'refused', caseId, instanceId, reason };
    }
    await recordEvent(tools.cases, caseId, { kind: 'restoreBegun', by: execution });
  }
  const seen = await lookAt(tools, document, before);
  const successor = await successorOf(tools, document);
  const lost = lostInterfaces(seen, before, document, successor);
  let isOurs = true;
  const isStillOurs = async (): Promise<boolean> => {
    isOurs &&= isClosing(await needCase(tools.cases, caseId));
    return isOurs;
  };
  const { items: groupItems, successors } = isTakenUp ? NO_GROUPS : await restoreDeletedGroups(tools, caseId);
  const recorded = await asFoundFirst(tools, document, before, seen.isolation);
  const begun = await beginInterfaces(tools, { ...seen, recorded, successors, instanceId, successor, isStillOurs });
  // Denies last: they were first, and they hold the flows until the groups stand again.
  const lifted = await liftDenies(tools, caseId, document.aclIds, isStillOurs);
  const strays = before.length === 0 && isOurs ? await strayDenies(tools, document, seen.attached) : [];
  const restored = [...groupItems, ...lost, ...(await Promise.all(begun.map(ended)))];
  const items = [...restored, ...lifted, ...strays];
  const isDone = isOurs && lost.length === 0 && items.every((item) => item.outcome !== 'failed');
  if (isDone) {
    // Two responses at once: the later one found the isolation group of the first, and noted that.
    const states = before.flatMap((eni) => [eni, ...(eni.earlier ?? [])]);
    const noted = [...states.flatMap((state) => state.groupIds), ...seen.isolation];
    await forgetGroupUse(tools.cases, caseId, [...new Set(noted)]);
  }
  const parts = [restoredText(restored), liftedText([...lifted, ...strays], isOurs ? document.aclIds : [])].filter(
    (part) => part !== '',
  );
  await tell(tools, caseId, STEP, parts.join('; ') || 'nothing to restore');
  const { host, kept } = isOurs && successor === null ? await hostPart(tools, document, items) : NO_HOST;
  const kind = isDone ? 'restored' : 'partly-restored';
  const told = lostText(lost, [...lifted, ...strays]);
  return { kind, caseId, instanceId, items: shortItems([...items, ...kept]), ...told, host };
}

/** The interfaces as they are, and the groups that isolate them; or in one line why they may not be read. */
async function lookAt(
  { ec2 }: RestoreTools,
  { instanceId }: CaseDocument,
  before: readonly BeforeInterface[],
): Promise<Seen> {
  const ids = before.map(({ networkInterfaceId }) => networkInterfaceId);
  const seen = await orDenied(async () => {
    const [found, attached] = await Promise.all([interfacesById(ec2, ids), interfacesOf(ec2, instanceId)]);
    const vpcIds = vpcIdsOf([...before, ...attached]);
    return { isolation: await groupsThatIsolated(ec2, vpcIds), found, attached };
  });
  return isDenied(seen) ? { isolation: [], found: [], attached: [], denied: seen.denied } : { ...seen, denied: null };
}

interface DeletedGroups {
  readonly items: readonly RestoreItem[];
  readonly successors: ReadonlyMap<string, string>;
}

const NO_GROUPS: DeletedGroups = { items: [], successors: new Map() };

/** Makes deleted groups again; returns the id that each of them has now, of those that stand with all their rules. */
async function restoreDeletedGroups(tools: RestoreTools, caseId: string): Promise<DeletedGroups> {
  const recorded = await readDeletedGroups(tools.cases, caseId);
  if (recorded.length === 0) return NO_GROUPS;
  const whole = groupTools(tools, { caseId, groupIds: [], recorded });
  const items: RestoreItem[] = [];
  for (const group of recorded) items.push(await ended(await beginGiveBack(replacedGroups, whole, group)));
  return { items, successors: await successorsOf(whole) };
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

interface Seen {
  readonly found: readonly NetworkInterfaceFacts[];
  /** Interfaces that the instance has now. */
  readonly attached: readonly NetworkInterfaceFacts[];
  /** Groups with which interfaces were isolated. */
  readonly isolation: readonly string[];
  /** Why nothing may be read; null = it may. */
  readonly denied: string | null;
}

interface Interfaces extends Seen {
  readonly recorded: readonly BeforeInterface[];
  readonly successors: ReadonlyMap<string, string>;
  readonly instanceId: string;
  readonly successor: string | null;
  readonly isStillOurs: () => Promise<boolean>;
}

/** Gives back groups and timers, one interface after the other; all of them are read back together, later. */
async function beginInterfaces(
  tools: RestoreTools,
  { recorded, found, isolation, denied, successors, instanceId, successor, isStillOurs }: Interfaces,
): Promise<readonly Begun[]> {
  const interfaceById = together((ids) => interfacesById(tools.ec2, ids));
  const whole = { ...tools, interfaceById };
  const begun: Begun[] = [];
  for (const one of recorded) {
    const groupIds = one.groupIds.map((id) => successors.get(id) ?? id);
    const before = { ...one, groupIds, isolation, ours: isolation };
    const eni = found.find(({ id }) => id === one.networkInterfaceId);
    const left = (await isStillOurs()) ? eni && whoHas(eni, before, instanceId, successor) : TAKEN_UP;
    if (left != null) begun.push(leftAs(one.networkInterfaceId, left));
    else if (denied !== null) begun.push(leftAs(one.networkInterfaceId, { outcome: 'failed', detail: denied }));
    else if (eni === undefined) begun.push(leftAs(one.networkInterfaceId, { outcome: 'gone' }));
    else begun.push(...(await beginInterface(whole, before, eni, isStillOurs)));
  }
  return begun;
}

const leftAs = (networkInterfaceId: string, outcome: UndoOutcome): Begun => ({
  item: groupsItem(networkInterfaceId),
  isWritten: false,
  end: () => Promise.resolve(outcome),
});

async function beginInterface(
  tools: InterfaceTools,
  before: BeforeInterface & GroupsBefore,
  found: NetworkInterfaceFacts,
  isStillOurs: () => Promise<boolean>,
): Promise<readonly Begun[]> {
  const claimed = async (): Promise<UndoOutcome | null> => ((await isStillOurs()) ? null : TAKEN_UP);
  const groups = await beginGiveBack(interfaceGroups, tools, before, { found, claimed });
  // A response may have isolated it meanwhile, or found it isolated.
  if (groups.isWritten && !(await isStillOurs())) return [leftAs(found.id, await isolateAgain(tools, before, found))];
  return [groups, await beginGiveBack(interfaceTimers, tools, before, { found, claimed })];
}

/** Puts back the isolation that the restore has found, for the response that needs it. */
async function isolateAgain(
  tools: InterfaceTools,
  before: GroupsBefore,
  { groupIds }: NetworkInterfaceFacts,
): Promise<UndoOutcome> {
  try {
    await interfaceGroups.apply(tools, { ...before, isolation: groupIds });
    return TAKEN_UP;
  } catch (error) {
    const detail = `a response has taken the case up again, and its isolation could not be put back: ${errorText(error)}`;
    return { outcome: 'failed', detail };
  }
}

/** What is not this case's to give back: a newer case has isolated it, or another instance holds the ENI. null = it is. */
function whoHas(
  eni: NetworkInterfaceFacts,
  before: Pick<BeforeInterface, 'groupIds'>,
  instanceId: string,
  successor: string | null,
): UndoOutcome | null {
  const isElsewhere = eni.attachedTo !== null && eni.attachedTo !== instanceId;
  if (successor === null && !isElsewhere) return null;
  if (sameList(eni.groupIds, before.groupIds)) return { outcome: 'already' };
  const whose = isElsewhere
    ? `the interface is attached to ${eni.attachedTo} now`
    : `${successor} has it now: restore that case`;
  return { outcome: 'drifted', detail: `found ${eni.groupIds.join(', ')}; ${whose}` };
}
