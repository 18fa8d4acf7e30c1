import { isInstanceType } from '../intake/instance-type.ts';
import type { Hints } from '../intake/intake-types.ts';

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
    },
  };
}
