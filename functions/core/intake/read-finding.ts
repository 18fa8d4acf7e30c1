import { domainsOfAction, flowsOfAction, mergeFlows } from './finding-flows.ts';
import { notesOf, sequenceNotes } from './finding-notes.ts';
import { routeOf } from './finding-routes.ts';
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
import { isOneOf, RESOURCES_OF_AN_INSTANCE } from './finding-subject.ts';
import {
  instanceId as instanceIdField,
  type Place,
  readFields,
  region as regionField,
  spelled,
  valueAt,
} from './input-fields.ts';
import { isInstanceType } from './instance-type.ts';
import {
  type CaseRequest,
  type FindingSummary,
  type Hints,
  type Intake,
  isDomainOnly,
  type NamedProcess,
} from './intake-types.ts';

/** The part of a finding that says what it is; read before anything else. */
export function readHead(finding: unknown, place: Place): FindingHead {
  return readFields(findingHead, finding, place);
}

export function summaryOf({ id, type, severity, updatedAt, service }: FindingHead): FindingSummary {
  return { id, type, severity, updatedAt: updatedAt ?? '', count: service?.count ?? 1 };
}

/** The place of a part of a finding. */
export function inside(place: Place, ...keys: readonly string[]): Place {
  return { ...place, root: [place.root, ...keys.map((key) => spelled(key, place))].join('.') };
}

function readInstance({ resource }: FindingBody, place: Place): InstanceDetails {
  const absent = resource.instanceDetails === undefined;
  if (absent || !isOneOf(RESOURCES_OF_AN_INSTANCE, resource.resourceType)) return { networkInterfaces: [] };
  return readFields(instanceDetails, resource.instanceDetails, inside(place, 'resource', 'instanceDetails'));
}

function hintsOf({ networkInterfaces: interfaces }: InstanceDetails): Hints {
  const unique = (ids: readonly (string | undefined)[]): string[] => [...new Set(ids.filter((id) => id !== undefined))];
  return {
    vpcIds: unique(interfaces.map(({ vpcId }) => vpcId)),
    subnetIds: unique(interfaces.map(({ subnetId }) => subnetId)),
    groupIds: unique(interfaces.flatMap(({ securityGroups }) => securityGroups).map(({ groupId }) => groupId)),
  };
}

/** What is no instance type is no hint. */
function typeHint({ resource }: FindingHead): Pick<Hints, 'instanceType'> {
  const instanceType = valueAt(resource, 'instanceDetails', 'instanceType');
  return isInstanceType(instanceType) ? { instanceType } : {};
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
export function sequenceIn(finding: unknown): SequenceTargets {
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
    hints: { ...hintsOf(instance), ...typeHint(head) },
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

type Ignored = Extract<Intake, { kind: 'ignored' }>;

/** What people are told of a finding on which nobody acts; what cannot be read of it is left out. */
export function toldOf(
  finding: unknown,
  head: FindingHead,
): Pick<Ignored, 'finding' | 'region' | 'domains' | 'processes'> {
  const details = findingRuntime.safeParse(valueAt(finding, 'service', 'runtimeDetails'));
  return {
    finding: summaryOf(head),
    region: regionField.safeParse(head.region).data ?? null,
    domains: domainsOfAction(actionIn(finding)),
    processes: details.success ? processesOf(details.data) : [],
  };
}

/** What the finding saw, where it can be read. */
export function actionIn(finding: unknown): FindingAction | undefined {
  const action = findingAction.safeParse(valueAt(finding, 'service', 'action'));
  return action.success ? action.data : undefined;
}
