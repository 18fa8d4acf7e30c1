import { type CaseTable, type Condition, IS_NEW, numberOf, putIf, readItem, textOf } from './table.ts';

export interface InstanceKey {
  readonly accountId: string;
  readonly region: string;
  readonly instanceId: string;
}

export interface Claim {
  readonly caseId: string;
  readonly generation: number;
}

const claimKey = (key: InstanceKey): string => `INSTANCE#${key.accountId}#${key.region}#${key.instanceId}`;

export async function readClaim(table: CaseTable, key: InstanceKey): Promise<Claim | null> {
  const item = await readItem(table, claimKey(key), 'CLAIM');
  return item === null ? null : { caseId: textOf(item, 'caseId'), generation: numberOf(item, 'generation') };
}

/**
 * Makes `claim` the current case of the instance, if the current generation is `replaces` (0 = there is none).
 * false = somebody else was faster.
 */
export function writeClaim(table: CaseTable, key: InstanceKey, claim: Claim, replaces: number): Promise<boolean> {
  const stands: Condition = { expression: 'generation = :replaces', values: { ':replaces': replaces } };
  return putIf(table, { pk: claimKey(key), sk: 'CLAIM', ...claim }, replaces === 0 ? IS_NEW : stands);
}
