import { readBefore, recordBefore, recordBeforeAnew } from '../aws/case-table/before-states.ts';
import { readCase, recordEvent } from '../aws/case-table/cases.ts';
import { noteGroupUse } from '../aws/case-table/groups.ts';
import { errorText } from '../aws/errors.ts';
import { readFacts } from '../aws/facts.ts';
import { interfacesOf } from '../aws/network-interfaces.ts';
import { groupsThatIsolated } from '../aws/security-groups.ts';
import { readSurroundings } from '../aws/surroundings.ts';
import {
  type Assessment,
  assess,
  borderRefusal,
  exemptByTag,
  placeRefusal,
  refusal,
  unmodifiable,
} from '../core/case/assess.ts';
import {
  type BeforeInterface,
  beforeOf,
  type CaseDocument,
  foundAnew,
  type HostAsked,
  isNamedFlow,
  modeOf,
  noteIdOf,
  placeOf,
  type WantedDeny,
} from '../core/case/case.ts';
import { needCaseId } from '../core/case/case-id.ts';
import { type Facts, vpcIdsOf } from '../core/case/facts.ts';
import { headStartOf } from '../core/case/head-start.ts';
import { describePlan, RECORD_PLAN_DENIES } from '../core/case/plan.ts';
import {
  type Assessed,
  type Cause,
  HOST_ADDRESS_LIMIT,
  HOST_LIST_LIMIT,
  type Opened,
  type PlannedChange,
} from '../core/case/record.ts';
import type { Config } from '../core/config.ts';
import { InputError, quote } from '../core/errors.ts';
import type { CaseRequest, Intake } from '../core/intake/intake-types.ts';
import type { Mode } from '../core/model.ts';
import { isOnlyOn } from '../core/network/isolation-rules.ts';
import { packDenies } from '../core/network/packed-denies.ts';
import { timersAsFound } from '../shared/as-found.ts';
import { withBalancer } from '../shared/behind-balancer.ts';
import { exactGroupIds } from '../shared/isolation-group.ts';
import { missingDenies } from '../shared/missing-denies.ts';
import { type CaseOpening, openCase } from '../shared/open-case.ts';
import { tryTurn } from '../shared/paced.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';
import { startWatch } from '../shared/watch.ts';
import { brakes } from './brakes.ts';
import { isLook, openLook } from './look.ts';
import { refOf, triggerOf } from './ref.ts';

export type AssessTools = Tools<'ec2' | 'elb' | 'cases' | 'later'>;

const STEP = 'assess-flows';

/**
 * Open and assess: takes a case id (from start-response), what a person typed into the console, or an EventBridge event;
 * reads everything in one round; decides; records the before-state. Nothing is changed on AWS here.
 */
export async function assessFlows(
  tools: AssessTools,
  input: unknown,
  execution: string | null = null,
): Promise<Opened> {
  if (isLook(input)) return openLook(tools, input);
  const caseId = caseIdIn(input);
  const reading = caseId === null ? null : readCase(tools.cases, caseId);
  const [start, ahead] = await Promise.all([
    caseId === null ? openWithout(tools, input) : openKnown(tools, caseId, reading),
    readAhead(tools, input, reading),
  ]);
  if ('assessment' in start) return start;
  const { request, scope } = start;
  const beyond = start.isUnclaimed ? await outOfBounds(tools, request) : null;
  if (beyond !== null) return refused(tools, request, beyond);
  const isEnough = ahead !== null && scope === 'carriers' && ahead.instanceId === request.instanceId;
  const [document, found] = await Promise.all([
    start.open(),
    isEnough ? ahead.facts : readFacts(tools.ec2, request.instanceId, { ...request, scope }),
  ]);
  const facts = found && (await withBalancer(tools, found, request.flows));
  const mode = start.isLook ? 'observe' : modeOf(document.request, tools.config.defaultMode);
  const byHand = caseId === null || headStartOf(input) === null;
  const asked: Asked = { mode, byHand, wantsHostCut: start.wantsHostCut, execution };
  return { case: refOf(document, mode), assessment: await decide(tools, document, facts, asked) };
}

type Start =
  | Opened
  | {
      readonly request: CaseRequest;
      readonly open: () => Promise<CaseDocument>;
      /** No case is claimed yet. */
      readonly isUnclaimed: boolean;
      /** A person only looks, whatever the case does otherwise. */
      readonly isLook: boolean;
      /** A person says what the host is to be asked for: then it is asked, whatever it was asked for before. */
      readonly wantsHostCut: boolean;
      /** `carriers` where the case is known to have no flow but those of the request. */
      readonly scope: 'every-interface' | 'carriers';
    };

interface Asked {
  readonly mode: Mode;
  /** Started by a person, not by a finding that came in. */
  readonly byHand: boolean;
  readonly wantsHostCut: boolean;
  readonly execution: string | null;
}

/** Reads EC2 while the case is being read, where the input says of which instance. */
async function readAhead(
  tools: AssessTools,
  input: unknown,
  reading: Promise<CaseDocument | null> | null,
): Promise<{ readonly instanceId: string; readonly facts: Facts | null } | null> {
  const known = headStartOf(input);
  if (known === null || reading === null) return null;
  const { instanceId, hints } = known;
  const flows = reading.then((document) => document?.request.flows ?? []);
  return { instanceId, facts: await readFacts(tools.ec2, instanceId, { hints, flows, scope: 'carriers' }) };
}

async function openKnown(
  tools: AssessTools,
  caseId: string,
  reading: Promise<CaseDocument | null> | null,
): Promise<Start> {
  const document = await reading;
  if (document === null) throw new InputError('caseId', `${quote(caseId)} is not in the case table`);
  const { decision, class: routed, classReason, request } = document;
  // A restored case is over: started again it is the next generation, with a before-state of its own.
  const isOver = document.status === 'restored';
  const again = { decision, class: routed, classReason, request };
  const plain = { request, isUnclaimed: false, isLook: false, wantsHostCut: false };
  if (isOver) return { ...plain, isUnclaimed: true, open: () => openCase(tools, again), scope: 'every-interface' };
  return { ...plain, open: () => Promise.resolve(document), scope: 'carriers' };
}

async function openWithout(tools: AssessTools, input: unknown): Promise<Start> {
  // Most starts bring a case id: what reads findings and what people type is loaded for the others alone.
  const { intake } = await import('../core/intake/intake.ts');
  const taken = intake(input);
  if (taken.kind === 'ignored') return ignored(taken);
  const request = oneOf(taken, tools.config);
  const misplaced = placeRefusal(request, tools.config);
  if (misplaced !== null) return refused(tools, request, misplaced);
  const opening: CaseOpening = {
    decision: taken.kind === 'ask' ? 'ask' : 'act',
    class: taken.class,
    classReason: taken.reason,
    request,
  };
  const isLook = request.mode === 'observe';
  const wantsHostCut = request.origin === 'manual' && (request.host !== undefined || request.processes.length > 0);
  const open = () => openCase(tools, opening);
  return { request, isUnclaimed: true, open, isLook, wantsHostCut, scope: 'every-interface' };
}

/** Looked at before a case is claimed, where the deployment names VPCs; whoever is started with a case is looked at later. */
async function outOfBounds(tools: AssessTools, { instanceId }: CaseRequest): Promise<string | null> {
  if (tools.config.vpcIds.length === 0) return null;
  return borderRefusal(instanceId, await interfacesOf(tools.ec2, instanceId), tools.config);
}

/** Instances that a sentence names at most. */
const NAMED_INSTANCES = 20;

/** An execution is about one instance: of those that a finding names, the first of this account and Region. */
function oneOf(taken: Exclude<Intake, { kind: 'ignored' }>, config: Config): CaseRequest {
  if (taken.kind === 'case') return taken.request;
  const { requests } = taken;
  const chosen = requests.find((request) => placeRefusal(request, config) === null) ?? requests[0];
  const others = requests.filter((request) => request !== chosen).map(({ instanceId }) => instanceId);
  if (others.length === 0) return chosen;
  const named = others.slice(0, NAMED_INSTANCES).join(', ');
  const more = others.length > NAMED_INSTANCES ? ` and ${others.length - NAMED_INSTANCES} more` : '';
  const note = `Nothing was begun for the other instances of the finding, ${named}${more}: start a response for each of them.`;
  return { ...chosen, notes: [...chosen.notes, note] };
}

function caseIdIn(input: unknown): string | null {
  if (typeof input !== 'object' || input === null || !('caseId' in input)) return null;
  return needCaseId(input.caseId, 'caseId');
}

/** Names that the record of the state machine carries at most: an attack sequence may name hundreds. */
const CARRIED_NAMES = 20;

const causeOf = ({ finding, region, domains, processes }: Cause): Cause => ({
  finding,
  region,
  domains: domains.slice(0, CARRIED_NAMES),
  processes: processes.slice(0, CARRIED_NAMES),
});

function ignored(taken: Extract<Intake, { kind: 'ignored' }>): Opened {
  const { reason, advice, instanceId, finding } = taken;
  const ref = {
    caseId: noteIdOf(finding, reason),
    instanceId,
    mode: 'observe',
    trigger: finding?.type ?? 'unknown',
  } as const;
  return { case: ref, assessment: { kind: 'ignored', reason, advice, cause: causeOf(taken) } };
}

function refused(tools: AssessTools, request: CaseRequest, reason: string): Opened {
  const mode = modeOf(request, tools.config.defaultMode);
  const ref = {
    caseId: noteIdOf(request.finding, request.instanceId),
    instanceId: request.instanceId,
    mode,
    trigger: triggerOf(request),
  };
  return { case: ref, assessment: { kind: 'refused', reason, cause: causeOf(request) } };
}

async function decide(
  tools: AssessTools,
  document: CaseDocument,
  facts: Facts | null,
  { mode, byHand, wantsHostCut, execution }: Asked,
): Promise<Assessed> {
  const { request } = document;
  if (facts === null) {
    const { instanceId, accountId, region } = document;
    return refuse(tools, document, `there is no instance ${instanceId} in account ${accountId}, Region ${region}`);
  }
  const objection = refusal(request, facts, tools.config);
  if (objection !== null) return refuse(tools, document, objection);
  if (facts.interfaces.length === 0) {
    return refuse(tools, document, `instance ${document.instanceId} has no network interface that could be read`);
  }
  // In a later response of the case the timers are ours.
  const isFirst = document.flows.length === 0 && document.isolatedAt === null;
  const found = isFirst ? facts : (await timersAsFound(tools, document.caseId))(facts);
  const assessment = assess(request, found, tools.config);
  const doubt = document.decision === 'ask' ? document.classReason : null;
  const watch = doubt ?? (byHand ? null : exemptByTag(facts, tools.config));
  if (watch !== null || mode === 'observe') {
    await recordEvent(tools.cases, document.caseId, { kind: 'planned', ...assessment });
    const reason = watch ?? 'observe mode: nothing was changed, this is what would be done';
    return planned(tools, document, reason, facts, assessment);
  }
  const isolated = document.isolatedAt !== null && (await isIsolated(tools, facts));
  const hostAsked = hostOrderOf(tools.config, request);
  const missing = isolated ? await missingDenies(tools, document, facts) : [];
  const isMore =
    missing.length > 0 || wantsHostCut || asksMore(document, hostAsked) || (byHand && lacksEvidence(document));
  if (isolated && isStanding(document, assessment) && !isMore) {
    const reason = 'the case is isolated and knows every peer: it is verified again';
    await tell(tools, document.caseId, STEP, reason);
    return { kind: 'already-contained', reason };
  }
  const brake = await brakes(tools, document, vpcIdsOf(facts.interfaces));
  if (brake !== null) return planned(tools, document, brake, facts, assessment);
  // Only now: a plan records no before-state, for by the time it is acted on the instance may look different.
  const denies = allOf(assessment.denies, missing);
  await record(tools, document, facts, {
    assessment: { ...assessment, denies },
    isolated,
    isFirst,
    hostAsked,
    execution,
  });
  return {
    kind: 'contain',
    reason: document.classReason,
    denies: packDenies(denies),
    platform: facts.instance.platform,
    vpcIds: vpcIdsOf(facts.interfaces),
    addresses: [...new Set(assessment.flows.map((flow) => flow.remoteAddress))].slice(0, HOST_ADDRESS_LIMIT),
    pids: hostAsked.pids,
    ports: hostAsked.ports,
    hostOptions: hostAsked.options,
  };
}

/** The order to the host, as far as a finding and a person choose it. */
function hostOrderOf({ hostOptions }: Config, { processes, host }: CaseRequest): HostAsked {
  return {
    pids: processes.map((process) => process.pid).slice(0, HOST_LIST_LIMIT),
    ports: (host?.ports ?? []).slice(0, HOST_LIST_LIMIT),
    options: { ...hostOptions, ...host?.options },
  };
}

/** The host is asked for more, or for something else, than it was the last time. */
const asksMore = ({ hostAsked }: CaseDocument, now: HostAsked): boolean =>
  hostAsked !== undefined && JSON.stringify(hostAsked) !== JSON.stringify(now);

const lacksEvidence = ({ evidence }: CaseDocument): boolean => evidence.some(({ outcome }) => outcome === 'failed');

/** What the request wants denied, and after it what the case lacks besides. */
function allOf(wanted: readonly WantedDeny[], missing: readonly WantedDeny[]): readonly WantedDeny[] {
  const known = new Set(wanted.map(placeOf));
  return [...wanted, ...missing.filter((deny) => !known.has(placeOf(deny)))];
}

async function refuse(tools: AssessTools, { caseId }: CaseDocument, reason: string): Promise<Assessed> {
  await tell(tools, caseId, STEP, `refused: ${reason}`);
  return { kind: 'refused', reason };
}

async function planned(
  tools: AssessTools,
  document: CaseDocument,
  reason: string,
  facts: Facts,
  assessment: Assessment,
): Promise<Assessed> {
  const { caseId, isolatedAt } = document;
  const vpcIds = vpcIdsOf(facts.interfaces);
  const { config } = tools;
  const [surroundings, isolating, controls] = await Promise.all([
    readSurroundings(tools.ec2, facts).catch((error: unknown) => {
      tools.log.warn('the surroundings cannot be read', { error: errorText(error) });
      return null;
    }),
    // Unread, an interface that is isolated already is planned to be, which does no harm.
    isolatedAt === null ? [] : exactGroupIds(tools, vpcIds).catch(() => []),
    planEvidence(tools, document, facts),
    tell(tools, caseId, STEP, `a plan was made: ${reason}`),
  ]);
  return {
    kind: 'planned',
    reason,
    plan: describePlan(
      { ...facts, surroundings, isolating, controls, config },
      assessment.flows,
      assessment.denies,
      RECORD_PLAN_DENIES,
    ),
  };
}

/** What the controls find to change. They are loaded for a plan alone: no cut waits for them. */
async function planEvidence(
  tools: AssessTools,
  { caseId, request }: CaseDocument,
  facts: Facts,
): Promise<readonly PlannedChange[]> {
  const [{ planControls }, clients] = await Promise.all([import('../controls/planned.ts'), tools.later()]);
  return planControls({ ...tools, ...clients }, { caseId, isSealOrdered: request.seal === true, ...facts });
}

/** Reported before and nothing new: where it is isolated still, it is verified and not started over. */
const isStanding = (document: CaseDocument, assessment: Assessment): boolean =>
  document.status === 'reported' && assessment.flows.every((flow) => isNamedFlow(flow, document.flows));

/**
 * Every ENI that can be is on a group of ours without a rule but the openings: somebody may have taken it off, or added one.
 */
async function isIsolated(tools: AssessTools, { interfaces }: Facts): Promise<boolean> {
  const isolating = await exactGroupIds(tools, vpcIdsOf(interfaces));
  return interfaces.every((eni) => unmodifiable(eni) !== null || isOnlyOn(eni, isolating));
}

/** The before-state of every ENI and the flows of the case, recorded before anything changes. */
async function record(
  tools: AssessTools,
  document: CaseDocument,
  facts: Facts,
  {
    assessment,
    isolated,
    isFirst,
    hostAsked,
    execution,
  }: {
    readonly assessment: Assessment;
    readonly isolated: boolean;
    readonly isFirst: boolean;
    readonly hostAsked: HostAsked;
    readonly execution: string | null;
  },
): Promise<void> {
  const recordedAt = tools.now().toISOString();
  const interfaces = facts.interfaces.map((eni) => beforeOf(eni, facts.instance, recordedAt));
  const groupIds = [...new Set(facts.interfaces.flatMap((eni) => eni.groupIds))];
  await Promise.all([
    ...interfaces.map((before) => recordBefore(tools.cases, document.caseId, before)),
    isFirst || isolated ? undefined : recordAnew(tools, document.caseId, interfaces),
    noteGroupUse(tools.cases, document.caseId, groupIds),
    startWatch(tools, document, { interfaces, denies: assessment.denies, execution }),
    recordEvent(tools.cases, document.caseId, {
      kind: 'cutBegun',
      ...assessment,
      hostAsked,
      at: recordedAt,
      isolated,
      isolatedAtBefore: document.isolatedAt,
    }),
    // The reads on the way to the first cut wait for no turn; they are counted for the others.
    tryTurn(tools, { api: 'DescribeNetworkInterfaces', urgency: 0, canWait: false, until: 0 }),
    tell(
      tools,
      document.caseId,
      STEP,
      `to be contained: ${document.classReason}; as they were found are recorded: ${interfaces.map((eni) => eni.networkInterfaceId).join(', ')}`,
    ),
  ]);
}

/** What a later response finds as neither an earlier one found it nor we made it. */
async function recordAnew(tools: AssessTools, caseId: string, found: readonly BeforeInterface[]): Promise<void> {
  const known = await readBefore(tools.cases, caseId);
  const pairs = found.flatMap((now) => {
    const first = known.find(({ networkInterfaceId }) => networkInterfaceId === now.networkInterfaceId);
    return first === undefined || foundAnew(first, now, []) === null ? [] : [{ first, now }];
  });
  if (pairs.length === 0) return;
  const ours = await groupsThatIsolated(tools.ec2, vpcIdsOf(pairs.map(({ now }) => now)));
  await Promise.all(
    pairs.map(async ({ first, now }) => {
      const news = foundAnew(first, now, ours);
      if (news !== null) await recordBeforeAnew(tools.cases, caseId, first, news);
    }),
  );
}
