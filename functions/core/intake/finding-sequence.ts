import type { KnownFlow } from '../model.ts';
import { bareFlow, mergeFlows, openerOf, portOf } from './finding-flows.ts';
import type { Sequence } from './finding-schema.ts';
import type { Hints } from './intake-types.ts';

/** An instance that an attack sequence names, with the endpoints that a signal ties to it. */
export interface SequenceTarget {
  readonly instanceId: string;
  readonly accountId: string | null;
  readonly region: string | null;
  readonly flows: readonly KnownFlow[];
  readonly domains: readonly string[];
  /** A signal of Runtime Monitoring is tied to it. */
  readonly byRuntime: boolean;
  readonly hints: Hints;
}

/** The instances of a sequence, and how much of it is tied to none or cannot be read. */
export interface SequenceTargets {
  readonly targets: readonly SequenceTarget[];
  /** Endpoints that no signal ties to an instance. */
  readonly untied: number;
  /** Instances without an instance id, and endpoints whose address is none. */
  readonly unreadable: number;
}

type Resource = Sequence['resources'][number];
type Endpoint = Sequence['endpoints'][number];
type Signal = Sequence['signals'][number];

/** Whether a uid is an ARN or a bare id is not documented; the id stands at the end of both. */
function idIn(pattern: RegExp, ...candidates: readonly (string | undefined)[]): string | null {
  for (const candidate of candidates) {
    const id = candidate?.split('/').at(-1) ?? '';
    if (pattern.test(id)) return id;
  }
  return null;
}

const INSTANCE_ID = /^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$/;

/** Account and Region of an EC2 ARN (`arn:aws:ec2:<region>:<account>:instance/i-...`); null where it is none. */
function homeIn(uid: string | undefined): { readonly accountId: string | null; readonly region: string | null } {
  const [, region, accountId] = /^arn:[a-z-]+:ec2:([a-z0-9-]+):([0-9]{12}):/.exec(uid ?? '') ?? [];
  return { accountId: accountId ?? null, region: region ?? null };
}

const present = <T>(value: T | null | undefined): value is T => value !== null && value !== undefined;
const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];

function flowOf({ ip, port, connection }: Endpoint): KnownFlow[] {
  if (!present(ip)) return [];
  return [{ ...bareFlow(ip, 'finding'), remotePort: portOf(port), openedBy: openerOf(connection?.direction) }];
}

const isOneOf = (uid: string | undefined, uids: readonly string[]): boolean => uid !== undefined && uids.includes(uid);

function hintsOf(interfaceUids: readonly string[], resources: readonly Resource[]): Hints {
  const details = resources
    .filter(({ uid }) => isOneOf(uid, interfaceUids))
    .map(({ data }) => data?.ec2NetworkInterface)
    .filter(present);
  return {
    subnetIds: unique(details.map(({ subNetId }) => subNetId).filter(present)),
    vpcIds: unique(details.map(({ vpcId }) => vpcId).filter(present)),
    groupIds: unique(
      details.flatMap(({ securityGroups }) => securityGroups.map(({ groupId }) => groupId)).filter(present),
    ),
  };
}

/** Signals say which endpoint belongs to which resource; the lists themselves are in no common order. */
function endpointsOf(endpoints: readonly Endpoint[], signals: readonly Signal[]): Endpoint[] {
  const ids = signals.flatMap(({ endpointIds }) => endpointIds);
  return endpoints.filter(({ id }) => isOneOf(id, ids));
}

/** Each instance of a sequence once; a member that cannot be read is counted and passed over. */
export function targetsOf(sequence: Sequence | undefined): SequenceTargets {
  const { resources = [], endpoints = [], signals = [] } = sequence ?? {};
  const targets = new Map<string, SequenceTarget>();
  const tied = new Set<Endpoint>();
  let unreadable = endpoints.filter(({ ip }) => ip === null).length;
  for (const resource of resources) {
    if (resource.resourceType !== 'EC2_INSTANCE') continue;
    const instanceId = idIn(INSTANCE_ID, resource.uid, resource.name);
    if (instanceId === null) unreadable += 1;
    if (instanceId === null || targets.has(instanceId)) continue;
    const interfaceUids = resource.data?.ec2Instance?.ec2NetworkInterfaceUids ?? [];
    const uids = [resource.uid, ...interfaceUids].filter(present);
    const ownSignals = signals.filter(({ resourceUids }) => resourceUids.some((uid) => uids.includes(uid)));
    const own = endpointsOf(endpoints, ownSignals);
    for (const endpoint of own) tied.add(endpoint);
    targets.set(instanceId, {
      instanceId,
      accountId: resource.accountId ?? homeIn(resource.uid).accountId,
      region: resource.region ?? homeIn(resource.uid).region,
      flows: mergeFlows(own.flatMap(flowOf)),
      domains: unique(own.map(({ domain }) => domain).filter(present)),
      byRuntime: ownSignals.some(({ type }) => type === 'RUNTIME_MONITORING'),
      hints: hintsOf(interfaceUids, resources),
    });
  }
  return {
    targets: [...targets.values()],
    untied: endpoints.filter((endpoint) => !tied.has(endpoint)).length,
    unreadable,
  };
}
