import type { FindingHead } from './finding-schema.ts';
import { instanceId as instanceIdField, isRecord, valueAt } from './input-fields.ts';

/** What a finding is about, and whether it is about anything that happened. */

/** What CreateSampleFindings writes for every instance. */
const SAMPLE_INSTANCE_ID = 'i-99999999';

/** instanceDetails also stand in findings about access keys and buckets, which are no reason to touch the machine. */
export const RESOURCES_OF_AN_INSTANCE: readonly string[] = ['Instance', 'EKSCluster', 'ECSCluster', 'Container'];
const SHARED_RESOURCES: readonly string[] = ['EKSCluster', 'ECSCluster', 'Container'];
const SHARED_DETAILS: readonly string[] = ['eksClusterDetails', 'ecsClusterDetails', 'kubernetesDetails'];

export function isOneOf(names: readonly string[], value: unknown): value is string {
  return typeof value === 'string' && names.includes(value);
}

/** A finding that does not say what its resource is, and names an instance, is about the instance. */
export function withResourceType(finding: unknown): unknown {
  const resource = valueAt(finding, 'resource');
  if (!isRecord(finding) || !isRecord(resource) || resource.resourceType !== undefined) return finding;
  const { success } = instanceIdField.safeParse(valueAt(resource, 'instanceDetails', 'instanceId'));
  return success ? { ...finding, resource: { ...resource, resourceType: 'Instance' } } : finding;
}

/** May a flow of the finding be one of an EC2 instance, whatever else it names? */
export function isAboutInstance({ resource }: FindingHead): boolean {
  const { resourceType } = resource;
  return !runsOnFargate(resource) && isOneOf([...RESOURCES_OF_AN_INSTANCE, 'AttackSequence'], resourceType);
}

export const runsOnFargate = (resource: unknown): boolean =>
  valueAt(resource, 'ecsClusterDetails', 'taskDetails', 'launchType') === 'FARGATE';

/** Why the instance carries others' work too, or null. */
export function sharedBy({ resource }: FindingHead): string | null {
  if (isOneOf(SHARED_RESOURCES, resource.resourceType)) return resource.resourceType;
  return SHARED_DETAILS.find((key) => resource[key] !== undefined && resource[key] !== null) ?? null;
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
