import { createHash } from 'node:crypto';
import { ConditionalCheckFailedException, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { TimelineEntry } from '../../core/case/case.ts';
import { type CaseTable, caseKey, putNew } from './table.ts';

/** A step that is started again says the same within this time; beyond it, it is news that nothing has changed. */
const SAME_ENTRY_SECONDS = 900;

/**
 * Appends to the timeline, once however often the step is started again: what the step said last is kept beside it, and
 * an entry that repeats it gets the time of the first. Died in between, the next run writes the entry under that time.
 */
export async function addToTimeline(table: CaseTable, caseId: string, entry: TimelineEntry): Promise<void> {
  const pk = caseKey(caseId);
  const since = new Date(Date.parse(entry.at) - SAME_ENTRY_SECONDS * 1000).toISOString();
  let { at } = entry;
  try {
    await table.client.send(
      new PutItemCommand({
        TableName: table.name,
        Item: marshall({ pk, sk: `SAID#${entry.step}#last`, at, what: entry.what }),
        ConditionExpression: 'attribute_not_exists(pk) OR #what <> :what OR #at < :since',
        ExpressionAttributeNames: { '#what': 'what', '#at': 'at' },
        ExpressionAttributeValues: { ':what': { S: entry.what }, ':since': { S: since } },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    at = error.Item?.['at']?.S ?? at;
  }
  // Two runs of a step may say different things in the same millisecond.
  const words = createHash('sha256').update(entry.what).digest('hex').slice(0, 8);
  await putNew(table, { ...entry, pk, sk: `TIME#${at}#${entry.step}#${words}`, at });
}
