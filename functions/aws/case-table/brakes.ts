import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { type CaseTable, ifHolds, keyOf, readItem } from './table.ts';

/** The one switch that stops everything: `observe` in it makes every response a plan. null = it is not set. */
export async function readSwitch(table: CaseTable): Promise<'observe' | 'contain' | null> {
  const item = await readItem(table, 'SETTINGS', 'MODE');
  return item?.mode === 'observe' || item?.mode === 'contain' ? item.mode : null;
}

/**
 * Takes one of the hour's places for a new isolation in the VPC; false = they are taken. Findings of high severity have as
 * many places of their own, which a flood of others cannot take. The same case takes one place however often it asks. One
 * write, however many ask at once: in a storm every response passes here.
 */
export async function takePlace(
  table: CaseTable,
  {
    vpcId,
    hour,
    isHigh,
    caseId,
    places,
  }: { vpcId: string; hour: string; isHigh: boolean; caseId: string; places: number },
): Promise<boolean> {
  if (places === 0) return false;
  const take = new UpdateItemCommand({
    TableName: table.name,
    Key: keyOf(`CAP#${vpcId}#${hour}${isHigh ? '#HIGH' : ''}`, 'PLACES'),
    UpdateExpression: 'ADD #cases :set',
    ConditionExpression: 'attribute_not_exists(#cases) OR contains(#cases, :case) OR size(#cases) < :places',
    ExpressionAttributeNames: { '#cases': 'cases' },
    ExpressionAttributeValues: {
      ':set': { SS: [caseId] },
      ':case': { S: caseId },
      ':places': { N: String(places) },
    },
  });
  return (await ifHolds(() => table.client.send(take))) !== null;
}
