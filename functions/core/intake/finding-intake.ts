import { InputError, quote } from '../errors.ts';
import { domainsOfAction, flowsOfAction, mergeFlows } from './finding-flows.ts';
import { ADVICE, type Decision, decide, type FindingRoute, routeOf } from './finding-routes.ts';
import {
  type FindingBody,
  type FindingHead,
  findingBody,
  findingHead,
  type InstanceDetails,
  instanceDetails,
} from './finding-schema.ts';
import { targetsOf } from './finding-sequence.ts';
import { describe, instanceId as instanceIdField, type Place, readFields, spelled, valueAt } from './input-fields.ts';
import { isInstanceType } from './instance-type.ts';
import type { CaseRequest, FindingSummary, Hints, Intake, NamedProcess } from './intake-types.ts';

/** What CreateSampleFindings writes for every instance. */
const SAMPLE_INSTANCE_ID = 'i-99999999';

/** instanceDetails also stand in findings about access keys and buckets, which are no reason to touch the machine. */
const RESOURCES_OF_AN_INSTANCE: readonly string[] = ['Instance', 'EKSCluster', 'ECSCluster', 'Container'];
const SHARED_RESOURCES: readonly string[] = ['EKSCluster', 'ECSCluster', 'Container'];
const SHARED_DETAILS: readonly string[] = ['eksClusterDetails', 'ecsClusterDetails', 'kubernetesDetails'];

function isOneOf(names: readonly string[], value: unknown): value is string {
  return typeof value === 'string' && names.includes(value);
}

const NOTES = {
  domain:
    'The finding names a domain, not a peer, so no deny comes of it; security groups and network ACLs do not reach the VPC resolver: DNS stays open until a DNS Firewall rule blocks the domain.',
  noFlow: 'The finding names no flow; only flows that the host or the flow log lists can be cut.',
  oneOfMany: 'The finding shows one flow of many; a deny for this peer does not stop the others, isolation does.',
  untied: 'The sequence names endpoints that no signal ties to an instance; look for them on each of its instances.',
  disk: 'The finding comes from a disk scan; the finding that triggered it may name a flow.',
} as const;

const ONE_OF_MANY: readonly string[] = ['Impact:EC2/PortSweep', 'Recon:EC2/Portscan', 'Backdoor:EC2/Spambot'];

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
  if (absent || !RESOURCES_OF_AN_INSTANCE.includes(resource.resourceType)) return {};
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

/** A hint and no more: what is no instance type is no hint. */
function typeHint({ resource }: FindingHead): Pick<Hints, 'instanceType'> {
  const instanceType = valueAt(resource, 'instanceDetails', 'instanceType');
  return isInstanceType(instanceType) ? { instanceType } : {};
}

function processesOf({ service }: FindingBody): NamedProcess[] {
  const { pid, name, executablePath } = service?.runtimeDetails?.process ?? {};
  return pid === undefined ? [] : [{ pid, name: name ?? null, executablePath: executablePath ?? null }];
}

function notesOf(route: FindingRoute, flows: number, domains: number): string[] {
  const aboutDomain = domains > 0 || (flows === 0 && route.carries === 'domain');
  return [
    ...(aboutDomain ? [NOTES.domain] : []),
    ...(flows === 0 && !aboutDomain ? [NOTES.noFlow] : []),
    ...(ONE_OF_MANY.includes(route.type) ? [NOTES.oneOfMany] : []),
    ...(route.carries === 'none' ? [NOTES.disk] : []),
  ];
}

/** What a finding says about the incident, whoever asks; `instanceId` is null where it names none that may be acted on. */
export interface ReadFinding {
  readonly accountId: string;
  readonly region: string;
  readonly parts: Pick<CaseRequest, 'finding' | 'flows' | 'processes' | 'domains' | 'hints' | 'notes'>;
  /** One per instance; a sequence may name several, each with its own account. */
  readonly requests: readonly CaseRequest[];
}

/** Reads every field that a response uses, strictly. */
export function readFinding(finding: unknown, head: FindingHead, place: Place): ReadFinding {
  const body = readFields(findingBody, finding, place);
  const { accountId, region, resource, service } = body;
  const instance = readInstance(body, place);
  const flows = mergeFlows(flowsOfAction(service?.action));
  const domains = domainsOfAction(service?.action);
  const route = routeOf(head.type);
  const parts = {
    finding: summaryOf(head),
    flows,
    processes: processesOf(body),
    domains,
    hints: { ...hintsOf(instance), ...typeHint(head) },
    notes: notesOf(route, flows.length, domains.length),
  };
  const common = { ...parts, origin: 'finding', mode: null, reason: null } as const;
  if (resource.resourceType === 'AttackSequence') {
    const { targets, untied } = targetsOf(service?.detection?.sequence, place);
    const requests = targets.map((target) => ({
      ...common,
      ...target,
      accountId: target.accountId ?? accountId,
      region: target.region ?? region,
      notes: [...notesOf(route, target.flows.length, target.domains.length), ...(untied > 0 ? [NOTES.untied] : [])],
    }));
    return { accountId, region, parts, requests };
  }
  const { instanceId } = instance;
  const requests = instanceId === undefined ? [] : [{ ...common, accountId, region, instanceId }];
  return { accountId, region, parts, requests };
}

/** Why the instance carries others' work too, or null. */
function sharedBy({ resource }: FindingHead): string | null {
  if (isOneOf(SHARED_RESOURCES, resource.resourceType)) return resource.resourceType;
  return SHARED_DETAILS.find((key) => resource[key] !== undefined && resource[key] !== null) ?? null;
}

type Ignored = Extract<Intake, { kind: 'ignored' }>;

/** A finding that asks for action and names nothing to act on must not pass in silence: the reason says so first. */
function unnamedInstance(head: FindingHead, decision: Decision): Ignored {
  const fargate = valueAt(head.resource, 'ecsClusterDetails', 'taskDetails', 'launchType') === 'FARGATE';
  return {
    kind: 'ignored',
    class: decision.class,
    finding: summaryOf(head),
    instanceId: null,
    reason: `NO INSTANCE NAMED: ${decision.reason}, but the finding names no EC2 instance to contain${fargate ? ' (the task runs on Fargate)' : ''}`,
    advice: fargate
      ? 'Stop the task or take it off its network; no EC2 instance is yours to contain.'
      : 'Find the instance (its volume, node, task or the finding that triggered this one) and contain it with a manual request.',
  };
}

/** ISO, ISO-ASK and ASK: someone acts, now or after a person's word. */
function containable(finding: unknown, head: FindingHead, decision: Decision, place: Place): Intake {
  const resourceType = head.resource.resourceType;
  if (typeof resourceType !== 'string') {
    throw new InputError(
      inside(place, 'resource', 'resourceType').root,
      `${describe(resourceType)}; expected text such as "Instance"`,
    );
  }
  const isSequence = resourceType === 'AttackSequence';
  if (!isSequence && !RESOURCES_OF_AN_INSTANCE.includes(resourceType)) return unnamedInstance(head, decision);

  const { requests } = readFinding(finding, head, place);
  const [request] = requests;
  if (request === undefined) return unnamedInstance(head, decision);

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
export function intakeFinding(finding: unknown, place: Place): Intake {
  const head = readHead(finding, place);
  const summary = summaryOf(head);
  const ignored = (ignoredClass: Ignored['class'] & keyof typeof ADVICE, reason: string): Ignored => {
    const advice = ADVICE[ignoredClass];
    return {
      kind: 'ignored',
      class: ignoredClass,
      finding: summary,
      instanceId: mentionedInstance(head),
      reason,
      advice,
    };
  };
  if (isSample(finding, head)) return ignored('SAMPLE', `${quote(head.type, 100)} is a sample finding`);
  if (head.service?.archived === true) return ignored('ARCHIVED', `${quote(head.type, 100)} is archived`);

  const decision = decide(routeOf(head.type), {
    resourceRole: valueAt(finding, 'service', 'resourceRole'),
    connectionDirection: valueAt(finding, 'service', 'action', 'networkConnectionAction', 'connectionDirection'),
  });
  switch (decision.class) {
    case 'ISO':
    case 'ISO-ASK':
    case 'ASK':
      return containable(finding, head, decision, place);
    case 'EXPOSED':
    case 'CRED':
    case 'NOTIFY':
      return ignored(decision.class, decision.reason);
    default:
      return decision.class satisfies never;
  }
}
