import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { BucketTimes } from '../../core/pacing.ts';
import { errorCode } from '../errors.ts';
import type { CaseTable } from './table.ts';

/**
 * EC2's token buckets as the functions of one account and Region share them: an item per API whose `fullAt` is the moment,
 * in ms, at which the bucket will be full again. The responder's own picture: what others call is learnt from refusals.
 */
export interface Bucket {
  readonly accountId: string;
  readonly region: string;
  readonly api: string;
}

/** Writes `fullAt` under a condition; null = written, otherwise what stands there. */
async function move(
  table: CaseTable,
  { accountId, region, api }: Bucket,
  update: string,
  condition: string,
  values: Readonly<Record<string, number>>,
): Promise<number | null> {
  try {
    await table.client.send(
      new UpdateItemCommand({
        TableName: table.name,
        Key: { pk: { S: `PACE#${accountId}#${region}` }, sk: { S: api } },
        UpdateExpression: update,
        ConditionExpression: condition,
        ExpressionAttributeNames: { '#fullAt': 'fullAt' },
        ExpressionAttributeValues: Object.fromEntries(
          Object.entries(values).map(([name, value]) => [name, { N: String(value) }]),
        ),
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
    );
    return null;
  } catch (error) {
    if (errorCode(error) !== 'ConditionalCheckFailedException') throw error;
    const { Item } = error as { Item?: Readonly<Record<string, { N?: string }>> };
    return Number(Item?.fullAt?.N ?? 0);
  }
}

/**
 * Takes the tokens, in one write where nobody calls much. Returns the milliseconds after which they can be there at the
 * earliest; 0 = they are taken.
 */
export async function takeTurn(table: CaseTable, bucket: Bucket, now: number, times: BucketTimes): Promise<number> {
  const { step, latest } = times;
  // More than a full bucket holds.
  if (latest < now) return now - latest;
  const full = await move(table, bucket, 'SET #fullAt = :next', 'attribute_not_exists(#fullAt) OR #fullAt < :now', {
    ':next': now + step,
    ':now': now,
  });
  if (full === null) return 0;
  if (full > latest) return full - latest;
  const other = await move(table, bucket, 'SET #fullAt = #fullAt + :step', '#fullAt BETWEEN :now AND :latest', {
    ':step': step,
    ':now': now,
    ':latest': latest,
  });
  // In between another may have taken the last one.
  return other === null ? 0 : Math.max(1, other - latest);
}

/** EC2 has refused a call: the bucket is empty, whatever we believed. */
export async function noteRefusal(table: CaseTable, bucket: Bucket, { ifEmpty }: BucketTimes): Promise<void> {
  await move(table, bucket, 'SET #fullAt = :empty', 'attribute_not_exists(#fullAt) OR #fullAt < :empty', {
    ':empty': ifEmpty,
  });
}
