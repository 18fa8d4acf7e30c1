import { type CaseTable, numberOf, putIf, readItem, textOf } from './table.ts';

/** The ACL that seals subnets of a VPC. A tag can be set by anybody: by this record alone it is known. */
export interface SealAcl {
  readonly aclId: string;
  /** Counts the ACLs that were made, for one was deleted or got a rule by somebody. */
  readonly generation: number;
}

const partition = (vpcId: string): string => `SEAL#${vpcId}`;

export async function readSealAcl(table: CaseTable, vpcId: string): Promise<SealAcl | null> {
  const item = await readItem(table, partition(vpcId), 'ACL');
  return item === null ? null : { aclId: textOf(item, 'aclId'), generation: numberOf(item, 'generation') };
}

/** Keeps the ACL of a new generation; false = another run has kept one. */
export const keepSealAcl = (table: CaseTable, vpcId: string, { aclId, generation }: SealAcl): Promise<boolean> =>
  putIf(
    table,
    { pk: partition(vpcId), sk: 'ACL', aclId, generation },
    {
      expression: 'attribute_not_exists(pk) OR #generation < :generation',
      names: { '#generation': 'generation' },
      values: { ':generation': generation },
    },
  );

/** The ACL that a sealed subnet had before; null = it is not known. */
export async function readUnsealed(table: CaseTable, vpcId: string, subnetId: string): Promise<string | null> {
  const item = await readItem(table, partition(vpcId), `SUBNET#${subnetId}`);
  return item === null ? null : textOf(item, 'aclId');
}

/** Notes which ACL a subnet has, before it is sealed. */
export async function noteUnsealed(table: CaseTable, vpcId: string, subnetId: string, aclId: string): Promise<void> {
  await putIf(table, { pk: partition(vpcId), sk: `SUBNET#${subnetId}`, aclId });
}
