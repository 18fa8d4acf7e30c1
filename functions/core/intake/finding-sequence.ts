import { InputError } from '../errors.ts';
import type { KnownFlow } from '../model.ts';
import { bareFlow, mergeFlows, openerOf, portOf } from './finding-flows.ts';
import type { Sequence } from './finding-schema.ts';
import { describe, type Place, spelled } from './input-fields.ts';
import type { Hints } from './intake-types.ts';

/** An instance that an attack sequence names, with the endpoints that a signal ties to it. */
export interface SequenceTarget {
  readonly instanceId: string;
  readonly accountId: string | null;
  readonly region: string | null;
  readonly flows: readonly KnownFlow[];
  readonly domains: readonly string[];
  readonly hints: Hints;
}

type Resource = NonNullable<Sequence['resources']>[number];
type Endpoint = NonNullable<Sequence['endpoints']>[number];

/** Whether a uid is an ARN or a bare id is not documented; the id stands at the end of both. */
function idIn(pattern: RegExp, ...candidates: readonly (string | null | undefined)[]): string | null {
  for (const candidate of candidates) {
    const id = candidate?.split('/').at(-1) ?? '';
    if (pattern.test(id)) return id;
  }
  return null;
}

const INSTANCE_ID = /^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$/;

/** Account and Region of an EC2 ARN (`arn:aws:ec2:<region>:<account>:instance/i-...`); null where it is none. */
function homeIn(uid: string): { readonly accountId: string | null; readonly region: string | null } {
  const [, region, accountId] = /^arn:[a-z-]+:ec2:([a-z0-9-]+):([0-9]{12}):/.exec(uid) ?? [];
  return { accountId: accountId ?? null, region: region ?? null };
}

const present = <T>(value: T | null | undefined): value is T => value !== null && value !== undefined;
const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];

function flowOf({ ip, port, connection }: Endpoint): KnownFlow[] {
  if (!present(ip)) return [];
  return [{ ...bareFlow(ip, 'finding'), remotePort: portOf(port), openedBy: openerOf(connection?.direction) }];
}

function hintsOf(interfaceUids: readonly string[], resources: readonly Resource[]): Hints {
  const details = resources
    .filter(({ uid }) => interfaceUids.includes(uid))
    .map(({ data }) => data?.ec2NetworkInterface)
    .filter(present);
  return {
    subnetIds: unique(details.map(({ subNetId }) => subNetId).filter(present)),
    vpcIds: unique(details.map(({ vpcId }) => vpcId).filter(present)),
    groupIds: unique(
      details.flatMap(({ securityGroups }) => (securityGroups ?? []).map(({ groupId }) => groupId)).filter(present),
    ),
  };
}

type Signal = NonNullable<Sequence['signals']>[number];

/** Signals say which endpoint belongs to which resource; the lists themselves are in no common order. */
function endpointsOf(uids: readonly string[], endpoints: readonly Endpoint[], signals: readonly Signal[]): Endpoint[] {
  const own = signals.filter(({ resourceUids }) => resourceUids?.some((uid) => uids.includes(uid)));
  const ids = new Set(own.flatMap(({ endpointIds }) => endpointIds ?? []));
  return endpoints.filter(({ id }) => ids.has(id));
}

function instanceOf(resource: Resource, path: readonly string[], place: Place): string {
  const instanceId = idIn(INSTANCE_ID, resource.uid, resource.name);
  if (instanceId !== null) return instanceId;
  const field = [place.root, ...path.map((key) => spelled(key, place))].join('.');
  throw new InputError(field, `${describe(resource.uid)}; expected an instance id or its ARN`);
}

/** Each instance of a sequence once, and how many endpoints no signal ties to any of them. */
export function targetsOf(
  sequence: Sequence | null | undefined,
  place: Place,
): { readonly targets: readonly SequenceTarget[]; readonly untied: number } {
  const { resources = [], endpoints = [], signals = [] } = sequence ?? {};
  const targets = new Map<string, SequenceTarget>();
  const tied = new Set<Endpoint>();
  for (const [index, resource] of resources.entries()) {
    if (resource.resourceType !== 'EC2_INSTANCE') continue;
    const instanceId = instanceOf(resource, ['service', 'detection', 'sequence', `resources[${index}]`, 'uid'], place);
    if (targets.has(instanceId)) continue;
    const interfaceUids = resource.data?.ec2Instance?.ec2NetworkInterfaceUids ?? [];
    const own = endpointsOf([resource.uid, ...interfaceUids], endpoints, signals);
    for (const endpoint of own) tied.add(endpoint);
    targets.set(instanceId, {
      instanceId,
      accountId: resource.accountId ?? homeIn(resource.uid).accountId,
      region: resource.region ?? homeIn(resource.uid).region,
      flows: mergeFlows(own.flatMap(flowOf)),
      domains: unique(own.map(({ domain }) => domain).filter(present)),
      hints: hintsOf(interfaceUids, resources),
    });
  }
  return { targets: [...targets.values()], untied: endpoints.filter((endpoint) => !tied.has(endpoint)).length };
}
