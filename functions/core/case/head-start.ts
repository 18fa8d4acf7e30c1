import { isInstanceType } from '../intake/instance-type.ts';
import type { Hints } from '../intake/intake-types.ts';
import { parseAddress } from '../network/addresses.ts';

/**
 * What an execution is told beside its case id, so that the reading of EC2 begins while the case is still being read. A head
 * start and no more: what is decided on is read from the case and from EC2.
 */
export interface HeadStart {
  readonly instanceId: string;
  readonly hints: Hints;
}

/** Ids of one kind that a finding names at most: more are no help, and the first round asks for all of them. */
const MOST_IDS = 20;

const isId = (prefix: string, id: unknown): id is string =>
  typeof id === 'string' && new RegExp(`^${prefix}-[0-9a-f]{8,17}$`).test(id);

function idsOf(value: unknown, prefix: string): readonly string[] {
  return Array.isArray(value) ? value.filter((id) => isId(prefix, id)).slice(0, MOST_IDS) : [];
}

const addressesIn = (values: readonly unknown[]): readonly string[] =>
  values.flatMap((text) => parseAddress(text)?.address ?? []).slice(0, MOST_IDS);

const peersIn = (value: unknown): Pick<Hints, 'peers'> => (Array.isArray(value) ? { peers: addressesIn(value) } : {});

/** The head start in the input of an execution; null = there is none, and ids that are none are left out. */
export function headStartOf(input: unknown): HeadStart | null {
  if (typeof input !== 'object' || input === null || !('instanceId' in input) || !('hints' in input)) return null;
  const { instanceId, hints } = input;
  if (!isId('i', instanceId) || typeof hints !== 'object' || hints === null) return null;
  const given = hints as Readonly<Record<string, unknown>>;
  return {
    instanceId,
    hints: {
      vpcIds: idsOf(given.vpcIds, 'vpc'),
      subnetIds: idsOf(given.subnetIds, 'subnet'),
      groupIds: idsOf(given.groupIds, 'sg'),
      ...(isInstanceType(given.instanceType) && { instanceType: given.instanceType }),
      ...peersIn(given.peers),
    },
  };
}

/** What the input of an execution says by itself of its case, where that cannot be read. */
interface NamedByInput {
  readonly instanceId: string | null;
  /** Of the finding that has started it, or of a person's request. */
  readonly peers: readonly string[];
}

/**
 * Reads the input of an execution as far as it goes: whatever is no id and no address is left out.
 *
 * @example namedByInput({ instanceId: 'i-0000000000000ab01', remoteAddresses: ['198.51.100.7'] })
 */
export function namedByInput(input: unknown): NamedByInput {
  if (typeof input !== 'object' || input === null) return { instanceId: null, peers: [] };
  const { instanceId, remoteAddresses, hints } = input as Readonly<Record<string, unknown>>;
  const asked = Array.isArray(remoteAddresses) ? addressesIn(remoteAddresses) : [];
  const found =
    typeof hints === 'object' && hints !== null && 'peers' in hints ? (peersIn(hints.peers).peers ?? []) : [];
  return { instanceId: isId('i', instanceId) ? instanceId : null, peers: [...new Set([...asked, ...found])] };
}
