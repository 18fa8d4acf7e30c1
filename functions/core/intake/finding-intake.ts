import { InputError, quote } from '../errors.ts';
import { withoutBlanks } from './blank-fields.ts';
import { exposureText } from './exposure.ts';
import { domainsOfAction, flowsOfAction, mergeFlows } from './finding-flows.ts';
import { notesOf, sequenceNotes } from './finding-notes.ts';
import { ADVICE, type Decision, decide, type FindingRoute, routeOf } from './finding-routes.ts';
import {
  type FindingAction,
  type FindingBody,
  type FindingHead,
  findingAction,
  findingBody,
  findingHead,
  findingRuntime,
  findingSequence,
  type InstanceDetails,
  instanceDetails,
  type RuntimeDetails,
} from './finding-schema.ts';
import { type SequenceTargets, targetsOf } from './finding-sequence.ts';
import {
  describe,
  instanceId as instanceIdField,
  type Place,
  readFields,
  region as regionField,
  spelled,
  valueAt,
} from './input-fields.ts';
import {
  type CaseRequest,
  type FindingSummary,
  type Hints,
  type Intake,
  isDomainOnly,
  type NamedProcess,
} from './intake-types.ts';

/** What CreateSampleFindings writes for every instance. */
const SAMPLE_INSTANCE_ID = 'i-99999999';

/** instanceDetails also stand in findings about access keys and buckets, which are no reason to touch the machine. */
const RESOURCES_OF_AN_INSTANCE: readonly string[] = ['Instance', 'EKSCluster', 'ECSCluster', 'Container'];
const SHARED_RESOURCES: readonly string[] = ['EKSCluster', 'ECSCluster', 'Container'];
const SHARED_DETAILS: readonly string[] = ['eksClusterDetails', 'ecsClusterDetails', 'kubernetesDetails'];

function isOneOf(names: readonly string[], value: unknown): value is string {
  return typeof value === 'string' && names.includes(value);
}

/** May a flow of the finding be one of an EC2 instance, whatever else it names? */
export function isAboutInstance({ resource }: FindingHead): boolean {
  const { resourceType } = resource;
  return !runsOnFargate(resource) && isOneOf([...RESOURCES_OF_AN_INSTANCE, 'AttackSequence'], resourceType);
}

const runsOnFargate = (resource: unknown): boolean =>
  valueAt(resource, 'ecsClusterDetails', 'taskDetails', 'launchType') === 'FARGATE';

/** The part of a finding that says what it is; read before anything else. */
export function readHead(finding: unknown, place: Place): FindingHead {
  return readFields(findingHead, finding, place);
}

export function summaryOf({ id, type, severity, updatedAt, service }: FindingHead): FindingSummary {
  return { id, type, severity, updatedAt: updatedAt ?? '', count: service?.count ?? 1 };
}

function saysSample(value: unknown): boolean {
  const said = valueAt(value, 'sample');
  return said === true || (typeof said === 'string' && said.toLowerCase() === 'true');
}

function parsed(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

/** The mark stands in `additionalInfo.sample`, or inside the JSON text of `additionalInfo.value`, or in the made-up ids. */
export function isSample(finding: unknown, { service, resource }: FindingHead): boolean {
  return (
    service?.additionalInfo?.sample === true ||
    saysSample(parsed(service?.additionalInfo?.value)) ||
    valueAt(resource, 'instanceDetails', 'instanceId') === SAMPLE_INSTANCE_ID ||
    sequenceUids(finding).some((uid) => typeof uid === 'string' && uid.endsWith(SAMPLE_INSTANCE_ID))
  );
}

/** Ids that only CreateSampleFindings writes; a real finding that somebody edited may have them too, so on the bus they say nothing. */
export function namesMadeUpNetwork({ resource }: FindingHead): boolean {
  const interfaces = valueAt(resource, 'instanceDetails', 'networkInterfaces');
  const ids = (Array.isArray(interfaces) ? interfaces : []).flatMap((eni) => [
    valueAt(eni, 'subnetId'),
    valueAt(eni, 'vpcId'),
  ]);
  return ids.some((id) => typeof id === 'string' && /^(?:GeneratedFinding|vpc-generated)/.test(id));
}

function sequenceUids(finding: unknown): readonly unknown[] {
  const resources = valueAt(finding, 'service', 'detection', 'sequence', 'resources');
  return Array.isArray(resources) ? resources.map((resource) => valueAt(resource, 'uid')) : [];
}

/** The instance that a finding speaks of where nobody acts on it: from its details, or from `AROA...:i-...`. */
export function mentionedInstance({ resource }: FindingHead): string | null {
  const principal = valueAt(resource, 'accessKeyDetails', 'principalId');
  const candidates = [
    typeof principal === 'string' ? principal.split(':').at(-1) : undefined,
    isOneOf(RESOURCES_OF_AN_INSTANCE, resource.resourceType)
      ? valueAt(resource, 'instanceDetails', 'instanceId')
      : undefined,
  ];
  for (const candidate of candidates) {
    const id = instanceIdField.safeParse(candidate);
    if (id.success) return id.data;
  }
  return null;
}

/** The place of a part of a finding. */
function inside(place: Place, ...keys: readonly string[]): Place {
  return { ...place, root: [place.root, ...keys.map((key) => spelled(key, place))].join('.') };
}

function readInstance({ resource }: FindingBody, place: Place): InstanceDetails {
  const absent = resource.instanceDetails === undefined;
  if (absent || !RESOURCES_OF_AN_INSTANCE.includes(resource.resourceType)) return { networkInterfaces: [] };
  return readFields(instanceDetails, resource.instanceDetails, inside(place, 'resource', 'instanceDetails'));
}

function hintsOf({ networkInterfaces: interfaces = [] }: InstanceDetails): Hints {
  const unique = (ids: readonly (string | undefined)[]): string[] => [...new Set(ids.filter((id) => id !== undefined))];
  return {
    vpcIds: unique(interfaces.map(({ vpcId }) => vpcId)),
    subnetIds: unique(interfaces.map(({ subnetId }) => subnetId)),
    groupIds: unique(interfaces.flatMap(({ securityGroups }) => securityGroups ?? []).map(({ groupId }) => groupId)),
  };
}

function processesOf(details: RuntimeDetails | undefined): NamedProcess[] {
  const { pid, name, executablePath } = details?.process ?? {};
  return pid === undefined ? [] : [{ pid, name: name ?? null, executablePath: executablePath ?? null }];
}

/** What a finding says about the incident, whoever asks. */
export interface ReadFinding {
  readonly accountId: string;
  readonly region: string;
  readonly parts: FindingParts;
  /** One per instance; a sequence may name several, each with its own account. */
  readonly requests: readonly CaseRequest[];
}

type FindingParts = Pick<
  CaseRequest,
  'finding' | 'flows' | 'processes' | 'domains' | 'hints' | 'notes' | 'severity' | 'domainOnly' | 'byRuntime'
>;

/** The sequence that a finding tells, or nothing. */
function sequenceIn(finding: unknown): SequenceTargets {
  return targetsOf(findingSequence.parse(valueAt(finding, 'service', 'detection', 'sequence')));
}

/**
 * Instances that an API call was made about. `affectedResources` maps types of resources to names; how a custom detection rule
 * fills it is not documented, so an instance id counts wherever it stands in it.
 */
function instancesOfCall(finding: unknown): readonly string[] {
  const affected = valueAt(finding, 'service', 'action', 'awsApiCallAction', 'affectedResources');
  const ids = Object.values(affected ?? {})
    .filter((value) => typeof value === 'string')
    .map((value) => instanceIdField.safeParse(value.split('/').at(-1)).data);
  return [...new Set(ids.filter((id) => id !== undefined))];
}

/** Found on the host itself. https://docs.aws.amazon.com/guardduty/latest/ug/runtime-monitoring.html */
const isRuntime = ({ type }: FindingHead): boolean => type.includes(':Runtime/');

/** Reads every field that a response uses, strictly. */
export function readFinding(finding: unknown, head: FindingHead, place: Place): ReadFinding {
  const body = readFields(findingBody, finding, place);
  const { accountId, region, resource, service } = body;
  const instance = readInstance(body, place);
  const flows = mergeFlows(flowsOfAction(service?.action));
  const domains = domainsOfAction(service?.action);
  const route = routeOf(head.type);
  const parts: FindingParts = {
    finding: summaryOf(head),
    flows,
    processes: processesOf(service?.runtimeDetails),
    domains,
    hints: hintsOf(instance),
    notes: notesOf(route, { flows, domains }),
    severity: head.severity,
    domainOnly: isDomainOnly({ flows, domains }),
    byRuntime: isRuntime(head),
  };
  const common = { ...parts, accountId, region, origin: 'finding', mode: null, reason: null } as const;
  const { instanceId } = instance;
  if (instanceId !== undefined) return { accountId, region, parts, requests: [{ ...common, instanceId }] };
  if (resource.resourceType !== 'AttackSequence' && route.carries !== 'call')
    return { accountId, region, parts, requests: [] };

  const { targets, untied, unreadable } = sequenceIn(finding);
  const ofSequence = targets.map(({ byRuntime, ...target }) => ({
    ...common,
    ...target,
    accountId: target.accountId ?? accountId,
    region: target.region ?? region,
    domainOnly: isDomainOnly(target),
    byRuntime: byRuntime || parts.byRuntime === true,
    notes: [...notesOf(route, target), ...sequenceNotes(targets.length, untied, unreadable)],
  }));
  if (ofSequence.length > 0) return { accountId, region, parts, requests: ofSequence };
  const called = route.carries === 'call' ? instancesOfCall(finding) : [];
  const notes = [...parts.notes, ...sequenceNotes(called.length, 0, 0)];
  return { accountId, region, parts, requests: called.map((id) => ({ ...common, instanceId: id, notes })) };
}

/** Why the instance carries others' work too, or null. */
function sharedBy({ resource }: FindingHead): string | null {
  if (isOneOf(SHARED_RESOURCES, resource.resourceType)) return resource.resourceType;
  return SHARED_DETAILS.find((key) => resource[key] !== undefined && resource[key] !== null) ?? null;
}

type Ignored = Extract<Intake, { kind: 'ignored' }>;

/** What people are told of a finding on which nobody acts; what cannot be read of it is left out. */
function toldOf(finding: unknown, head: FindingHead): Pick<Ignored, 'finding' | 'region' | 'domains' | 'processes'> {
  const details = findingRuntime.safeParse(valueAt(finding, 'service', 'runtimeDetails'));
  return {
    finding: summaryOf(head),
    region: regionField.safeParse(head.region).data ?? null,
    domains: domainsOfAction(actionIn(finding)),
    processes: details.success ? processesOf(details.data) : [],
  };
}

/** What the finding saw, where it can be read. */
function actionIn(finding: unknown): FindingAction | undefined {
  const action = findingAction.safeParse(valueAt(finding, 'service', 'action'));
  return action.success ? action.data : undefined;
}

/** A finding that asks for action and names nothing to act on must not pass in silence: the reason says so first. */
function unnamedInstance(finding: unknown, head: FindingHead, decision: Decision): Ignored {
  const fargate = runsOnFargate(head.resource);
  return {
    kind: 'ignored',
    class: decision.class,
    ...toldOf(finding, head),
    instanceId: null,
    reason: `NO INSTANCE NAMED: ${decision.reason}, but the finding names no EC2 instance to contain${fargate ? ' (the task runs on Fargate)' : ''}`,
    advice: fargate
      ? 'Stop the task or take it off its network; no EC2 instance is yours to contain.'
      : 'Find the instance (its volume, node, task or the finding that triggered this one) and contain it with a manual request.',
  };
}

/** ISO, ISO-ASK and ASK: someone acts, now or after a person's word. */
function containable(
  finding: unknown,
  head: FindingHead,
  { carries }: FindingRoute,
  decision: Decision,
  place: Place,
): Intake {
  const resourceType = head.resource.resourceType;
  if (typeof resourceType !== 'string') {
    throw new InputError(
      inside(place, 'resource', 'resourceType').root,
      `${describe(resourceType)}; expected text such as "Instance"`,
    );
  }
  const isSequence = resourceType === 'AttackSequence';
  const mayName = isSequence || carries === 'call' || RESOURCES_OF_AN_INSTANCE.includes(resourceType);
  if (!mayName) return unnamedInstance(finding, head, decision);

  const [request, ...others] = readFinding(finding, head, place).requests;
  if (request === undefined) return unnamedInstance(finding, head, decision);
  const requests = [request, ...others] as const;

  const shared = sharedBy(head);
  if (shared !== null) {
    const why = `the instance is shared (${shared}): containing it cuts work that is not part of this finding`;
    return { kind: 'ask', class: 'ASK', requests, reason: `${decision.reason}, but ${why}` };
  }
  if (decision.class === 'ISO' && !isSequence) return { kind: 'case', class: 'ISO', request, reason: decision.reason };
  return { kind: 'ask', ...decision, requests };
}

/**
 * Decides what a GuardDuty finding asks for, in this order: what it is, whether it is a sample or archived, what its type
 * asks for, and only then the fields that a response would use.
 */
export function intakeFinding(written: unknown, place: Place): Intake {
  const finding = withoutBlanks(written);
  const head = readHead(finding, place);
  const ignored = (ignoredClass: Ignored['class'], reason: string, advice: string): Ignored => ({
    kind: 'ignored',
    class: ignoredClass,
    ...toldOf(finding, head),
    instanceId: mentionedInstance(head),
    reason,
    advice,
  });
  if (isSample(finding, head)) return ignored('SAMPLE', `${quote(head.type, 100)} is a sample finding`, ADVICE.SAMPLE);
  if (head.service?.archived === true)
    return ignored('ARCHIVED', `${quote(head.type, 100)} is archived`, ADVICE.ARCHIVED);

  const route = routeOf(head.type);
  const isSequence = head.resource.resourceType === 'AttackSequence';
  const decision = decide(route, {
    resourceRole: valueAt(finding, 'service', 'resourceRole'),
    connectionDirection: valueAt(finding, 'service', 'action', 'networkConnectionAction', 'connectionDirection'),
    instances: isSequence && sequenceIn(finding).targets.length > 0 ? 'some' : 'none',
  });
  switch (decision.class) {
    case 'ISO':
    case 'ISO-ASK':
    case 'ASK':
      return containable(finding, head, route, decision, place);
    case 'EXPOSED':
      return ignored(
        'EXPOSED',
        decision.reason,
        `${exposureText(summaryOf(head), mergeFlows(flowsOfAction(actionIn(finding))))} ${ADVICE.EXPOSED}`,
      );
    case 'CRED':
    case 'NOTIFY':
      return ignored(decision.class, decision.reason, route.advice ?? ADVICE[decision.class]);
    default:
      return decision.class satisfies never;
  }
}
