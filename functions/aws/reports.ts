import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import type { Report } from '../core/report.ts';
import type { CaseTable } from './cases.ts';
import { errorCode } from './errors.ts';

const keyOf = (caseId: string) => ({ pk: { S: `CASE#${caseId}` }, sk: { S: 'REPORT' } });

/**
 * Keeps the newest report of a case: the lists of the one in the execution's output are cut to what a state machine may
 * carry. `at`, ISO, is when what it says was read; one that is newer stays.
 */
export async function keepReport(table: CaseTable, report: Report, at: string): Promise<void> {
  try {
    await table.client.send(
      new PutItemCommand({
        TableName: table.name,
        Item: { ...keyOf(report.caseId), at: { S: at }, report: { S: JSON.stringify(report) } },
        ConditionExpression: 'attribute_not_exists(pk) OR #at <= :at',
        ExpressionAttributeNames: { '#at': 'at' },
        ExpressionAttributeValues: { ':at': { S: at } },
      }),
    );
  } catch (error) {
    if (errorCode(error) !== 'ConditionalCheckFailedException') throw error;
  }
}

/** The newest report of a case; null = none was kept. */
export async function readReport(table: CaseTable, caseId: string): Promise<Report | null> {
  const input = { TableName: table.name, Key: keyOf(caseId), ConsistentRead: true };
  const text = (await table.client.send(new GetItemCommand(input))).Item?.['report']?.S;
  return text === undefined ? null : (JSON.parse(text) as Report);
}
