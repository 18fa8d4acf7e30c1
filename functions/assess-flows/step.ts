import { noteGroupUse, readCase, readSwitch, recordBefore, takePlace, updateCase } from '../aws/cases.ts';
import { errorText } from '../aws/errors.ts';
import { readFacts } from '../aws/facts.ts';
import { readSurroundings } from '../aws/surroundings.ts';
import { type Assessment, assess, placeRefusal, refusal } from '../core/assess.ts';
import {
  beforeOf,
  type CaseDocument,
  type CaseFlow,
  isKnownFlow,
  modeOf,
  noteIdOf,
  withAcls,
  withRefusals,
} from '../core/case.ts';
import { InputError, quote } from '../core/errors.ts';
import type { Facts } from '../core/facts.ts';
import { headStartOf } from '../core/head-start.ts';
import type { CaseRequest } from '../core/intake-types.ts';
import { isOnlyOn } from '../core/isolation-rules.ts';
import { urgencyOf } from '../core/pacing.ts';
import { packDenies } from '../core/packed-denies.ts';
import { describePlan, RECORD_PLAN_DENIES } from '../core/plan.ts';
import { type Assessed, HOST_ADDRESS_LIMIT, HOST_LIST_LIMIT, type Opened } from '../core/record.ts';
import { timersAsFound } from '../shared/as-found.ts';
import { withBalancer } from '../shared/behind-balancer.ts';
import { exactGroupIds } from '../shared/isolation-group.ts';
import { type CaseOpening, openCase } from '../shared/open-case.ts';
import { tryTurn } from '../shared/paced.ts';
import { tell } from '../shared/timeline.ts';
import type { Tools } from '../shared/toolbox.ts';

type AssessTools = Tools<'ec2' | 'elb' | 'cases'>;

const STEP = 'assess-flows';

/**
 * Open and assess: takes a case id (from start-response), what a person typed into the console, or an EventBridge event;
 * reads everything in one round; decides; records the before-state. Nothing is changed on AWS here.
 */
export async function assessFlows(tools: AssessTools, input: unknown): Promise<Opened> {
  const caseId = caseIdIn(input);
  const reading = caseId === null ? null : readCase(tools.cases, caseId);
  const [start, ahead] = await Promise.all([
    caseId === null ? openWithout(tools, input) : openKnown(tools, caseId, reading),
    readAhead(tools, input, reading),
  ]);
  if ('assessment' in start) return start;
  const { request, scope } = start;
  const isEnough = ahead !== null && scope === 'carriers' && ahead.instanceId === request.instanceId;
  const [document, found] = await Promise.all([
    start.open(),
    isEnough ? ahead.facts : readFacts(tools.ec2, request.instanceId, { ...request, scope }),
  ]);
  const facts = found && (await withBalancer(tools, found, request.flows));
  return { case: refOf(tools, document), assessment: await decide(tools, document, facts) };
}

type Start =
  | Opened
  | {
      readonly request: CaseRequest;
      readonly open: () => Promise<CaseDocument>;
      /** `carriers` where the case is known to have no flow but those of the request. */
      readonly scope: 'every-interface' | 'carriers';
    };

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
  if (isOver) return { request, open: () => openCase(tools, again), scope: 'every-interface' };
  return { request, open: () => Promise.resolve(document), scope: 'carriers' };
}

async function openWithout(tools: AssessTools, input: unknown): Promise<Start> {
  // Most starts bring a case id: what reads findings and what people type is loaded for the others alone.
  const { intake } = await import('../core/intake.ts');
  const taken = intake(input);
  if (taken.kind === 'ignored') return ignored(taken.reason, taken.advice, taken.instanceId, taken.finding);
  const request = taken.kind === 'ask' ? taken.requests[0] : taken.request;
  if (request === undefined)
    return ignored('the finding names no instance', 'look at the finding in GuardDuty', null, null);
  const misplaced = placeRefusal(request, tools.config);
  if (misplaced !== null) return refused(tools, request, misplaced);
  const opening: CaseOpening = {
    decision: taken.kind === 'ask' ? 'ask' : 'act',
    class: taken.class,
    classReason: taken.reason,
    request,
  };
  return { request, open: () => openCase(tools, opening), scope: 'every-interface' };
}

function caseIdIn(input: unknown): string | null {
  if (typeof input !== 'object' || input === null || !('caseId' in input)) return null;
  const { caseId } = input;
  if (typeof caseId !== 'string' || !/^case-[0-9a-f]{20}$/.test(caseId)) {
    throw new InputError('caseId', `${quote(caseId)} is not a case id such as "case-0123456789abcdef0123"`);
  }
  return caseId;
}

const triggerOf = (request: CaseRequest): string => request.finding?.type ?? 'manual request';

function refOf(tools: AssessTools, document: CaseDocument): Opened['case'] {
  return {
    caseId: document.caseId,
    instanceId: document.instanceId,
    mode: modeOf(document.request, tools.config.defaultMode),
    trigger: triggerOf(document.request),
    urgency: urgencyOf(document.request),
  };
}

function ignored(reason: string, advice: string, instanceId: string | null, finding: CaseRequest['finding']): Opened {
  const ref = {
    caseId: noteIdOf(finding, reason),
    instanceId,
    mode: 'observe',
    trigger: finding?.type ?? 'unknown',
  } as const;
  return { case: ref, assessment: { kind: 'ignored', reason, advice } };
}

function refused(tools: AssessTools, request: CaseRequest, reason: string): Opened {
  const mode = modeOf(request, tools.config.defaultMode);
  const ref = {
    caseId: noteIdOf(request.finding, request.instanceId),
    instanceId: request.instanceId,
    mode,
    trigger: triggerOf(request),
  };
  return { case: ref, assessment: { kind: 'refused', reason } };
}

async function decide(tools: AssessTools, document: CaseDocument, facts: Facts | null): Promise<Assessed> {
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
  const watch = document.decision === 'ask' ? document.classReason : null;
  if (watch !== null || modeOf(request, tools.config.defaultMode) === 'observe') {
    await updateCase(tools.cases, document.caseId, (stored) => withAssessment(stored, assessment));
    const reason = watch ?? 'observe mode: nothing was changed, this is what would be done';
    return planned(tools, document, reason, facts, assessment);
  }
  const isolated = document.isolatedAt !== null && (await isIsolated(tools, facts));
  if (isolated && isStanding(document, assessment)) {
    const reason = 'the case is isolated and knows every peer: it is verified again';
    await tell(tools, document.caseId, STEP, reason);
    return { kind: 'already-contained', reason };
  }
  const brake = await brakes(tools, document, facts);
  if (brake !== null) return planned(tools, document, brake, facts, assessment);
  // Only now: a plan records no before-state, for by the time it is acted on the instance may look different.
  await record(tools, document, facts, assessment, isolated);
  return {
    kind: 'contain',
    reason: document.classReason,
    denies: packDenies(assessment.denies),
    platform: facts.instance.platform,
    vpcIds: [...new Set(facts.interfaces.map((eni) => eni.vpcId))],
    addresses: [...new Set(assessment.flows.map((flow) => flow.remoteAddress))].slice(0, HOST_ADDRESS_LIMIT),
    pids: request.processes.map((process) => process.pid).slice(0, HOST_LIST_LIMIT),
    ports: (request.host?.ports ?? []).slice(0, HOST_LIST_LIMIT),
    hostOptions: { ...tools.config.hostOptions, ...request.host?.options },
  };
}

async function refuse(tools: AssessTools, { caseId }: CaseDocument, reason: string): Promise<Assessed> {
  await tell(tools, caseId, STEP, `refused: ${reason}`);
  return { kind: 'refused', reason };
}

async function planned(
  tools: AssessTools,
  { caseId }: CaseDocument,
  reason: string,
  facts: Facts,
  assessment: Assessment,
): Promise<Assessed> {
  const [surroundings] = await Promise.all([
    readSurroundings(tools.ec2, facts).catch((error: unknown) => {
      tools.log.warn('the surroundings cannot be read', { error: errorText(error) });
      return null;
    }),
    tell(tools, caseId, STEP, `a plan was made: ${reason}`),
  ]);
  return {
    kind: 'planned',
    reason,
    plan: describePlan({ ...facts, surroundings }, assessment.flows, assessment.denies, RECORD_PLAN_DENIES),
  };
}

/**
 * Read right before the first change: the switch that stops everything, and the cap on new isolations. Why a person has
 * to decide; null = nothing holds us back.
 */
async function brakes(tools: AssessTools, document: CaseDocument, facts: Facts): Promise<string | null> {
  const { isolationsPerHour: places } = tools.config;
  const hour = tools.now().toISOString().slice(0, 13);
  const vpcIds = [...new Set(facts.interfaces.map((eni) => eni.vpcId))];
  // The cap is a brake against a flood of findings; what a person asks for is not counted.
  const isCounted = document.isolatedAt === null && document.request.origin === 'finding';
  if ((await readSwitch(tools.cases)) === 'observe') {
    return 'the switch in the case table says observe: nothing was changed';
  }
  if (!isCounted) return null;
  const taken = await Promise.all(
    vpcIds.map(async (vpcId) => ({
      vpcId,
      got: await takePlace(tools.cases, { vpcId, hour, caseId: document.caseId, places }),
    })),
  );
  const full = taken.find(({ got }) => !got);
  if (full === undefined) return null;
  return `cap reached: ${places} new isolations in ${full.vpcId} within this hour; a person decides`;
}

/** Reported before and nothing new: where it is isolated still, it is verified and not started over. */
const isStanding = (document: CaseDocument, assessment: Assessment): boolean =>
  document.status === 'reported' && assessment.flows.every((flow) => isKnownFlow(flow, document.flows));

/** Every ENI is on a group of ours without a rule but the openings: somebody may have taken it off, or added one. */
async function isIsolated(tools: AssessTools, { interfaces }: Facts): Promise<boolean> {
  const isolating = await exactGroupIds(tools, [...new Set(interfaces.map((eni) => eni.vpcId))]);
  return interfaces.every((eni) => isOnlyOn(eni, isolating));
}

/** The before-state of every ENI and the flows of the case, recorded before anything changes. */
async function record(
  tools: AssessTools,
  document: CaseDocument,
  facts: Facts,
  assessment: Assessment,
  isolated: boolean,
): Promise<void> {
  const recordedAt = tools.now().toISOString();
  const interfaces = facts.interfaces.map((eni) => beforeOf(eni, facts.instance.instanceType, recordedAt));
  const groupIds = [...new Set(facts.interfaces.flatMap((eni) => eni.groupIds))];
  await Promise.all([
    ...interfaces.map((before) => recordBefore(tools.cases, document.caseId, before)),
    noteGroupUse(tools.cases, document.caseId, groupIds),
    updateCase(tools.cases, document.caseId, (stored) => {
      // What is cut during a restore takes the case up again: its before-state is still the one of the first response.
      const status = stored.status === 'restoring' ? 'open' : stored.status;
      const noted = { ...withAssessment(stored, assessment), status };
      // Isolated no more: what was listed and watched before says nothing of what was opened since.
      if (isolated) return { ...noted, cutAgainAt: recordedAt };
      // Noted meanwhile, it is the work of another response.
      return stored.isolatedAt === document.isolatedAt ? { ...noted, isolatedAt: null } : noted;
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

/**
 * Adds what is new. A flow that the case knows keeps its first classification: once the groups are swapped, the rules
 * say nothing any more about the entries that the old rules made.
 */
function withAssessment(stored: CaseDocument, assessment: Assessment): CaseDocument {
  const fresh: readonly CaseFlow[] = assessment.flows.filter((flow) => !isKnownFlow(flow, stored.flows));
  const document = { ...stored, flows: [...stored.flows, ...fresh] };
  return withAcls(withRefusals(document, assessment.refusals), assessment.denies);
}
