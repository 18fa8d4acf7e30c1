import { DeleteItemCommand } from '@aws-sdk/client-dynamodb';
import type { RecordedGroup } from '../replaced-groups.ts';
import {
  type CaseTable,
  caseKey,
  IS_NEW,
  ifHolds,
  keyOf,
  list,
  parsed,
  putIf,
  putNew,
  readItem,
  textOf,
} from './table.ts';

/** Notes that the restore of the case needs these groups: none of them is deleted before. */
export async function noteGroupUse(table: CaseTable, caseId: string, groupIds: readonly string[]): Promise<void> {
  await Promise.all(groupIds.map((groupId) => putNew(table, { pk: `GROUP#${groupId}`, sk: `CASE#${caseId}` })));
}

/** Cases whose restore needs the group. */
export async function casesNeedingGroup(table: CaseTable, groupId: string): Promise<readonly string[]> {
  const items = await list(table, `GROUP#${groupId}`, 'CASE#');
  return items.map((item) => textOf(item, 'sk').slice('CASE#'.length));
}

/** The restore is done: the case needs its groups no more. One that it has let go of before is let go of. */
export async function forgetGroupUse(table: CaseTable, caseId: string, groupIds: readonly string[]): Promise<void> {
  const forget = async (groupId: string): Promise<void> => {
    const remove = new DeleteItemCommand({
      TableName: table.name,
      Key: keyOf(`GROUP#${groupId}`, `CASE#${caseId}`),
      ConditionExpression: 'attribute_exists(pk)',
    });
    await ifHolds(() => table.client.send(remove));
  };
  await Promise.all(groupIds.map(forget));
}

/** Notes that a deleted group has been made again with all its rules, and under which id: the newest counts. */
export async function recordSuccessor(
  table: CaseTable,
  caseId: string,
  groupId: string,
  successor: string,
): Promise<void> {
  await putIf(table, { pk: caseKey(caseId), sk: `SUCCESSOR#${groupId}`, successor });
}

/** The id under which a deleted group was made again, rules and all; null = it was not. */
export async function readSuccessor(table: CaseTable, caseId: string, groupId: string): Promise<string | null> {
  const item = await readItem(table, caseKey(caseId), `SUCCESSOR#${groupId}`);
  return item === null ? null : textOf(item, 'successor');
}

/**
 * Records a group whole before it is deleted, in place of the record that was read before the group was: an earlier run could
 * not delete it. Throws where another run has recorded it in between.
 */
export async function recordDeletedGroup(
  table: CaseTable,
  caseId: string,
  group: RecordedGroup,
  inPlaceOf?: RecordedGroup,
): Promise<void> {
  const item = { pk: caseKey(caseId), sk: `GROUP#${group.groupId}`, group: JSON.stringify(group) };
  const condition =
    inPlaceOf === undefined
      ? IS_NEW
      : {
          expression: '#group = :known',
          names: { '#group': 'group' },
          values: { ':known': JSON.stringify(inPlaceOf) },
        };
  if (await putIf(table, item, condition)) return;
  // Ours, and its answer was lost; or another run's.
  const now = (await readDeletedGroups(table, caseId)).find(({ groupId }) => groupId === group.groupId);
  if (JSON.stringify(now) !== item.group)
    throw new Error(`security group ${group.groupId} was recorded by another run meanwhile`);
}

export async function readDeletedGroups(table: CaseTable, caseId: string): Promise<readonly RecordedGroup[]> {
  const items = await list(table, caseKey(caseId), 'GROUP#');
  return items.map((item) => parsed<RecordedGroup>(item, 'group'));
}
