import { TransactionCanceledException, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import { marshall } from '@aws-sdk/util-dynamodb';
import type { LedgerDeny } from '../../core/case/case.ts';
import { changeCases, type LedgerKey, ledgerState, markUndo } from './shared-things.ts';
import { type CaseTable, despiteConflicts, keyOf, list, numberOf, readItem, textOf } from './table.ts';

const aclKey = (aclId: string): string => `ACL#${aclId}`;

const side = (egress: boolean): string => (egress ? 'out' : 'in');

const denyKey = (deny: { egress: boolean; cidr: string }): string => `DENY#${side(deny.egress)}#${deny.cidr}`;

const numberKey = (place: { egress: boolean; ruleNumber: number }): string =>
  `NUMBER#${side(place.egress)}#${String(place.ruleNumber).padStart(5, '0')}`;

function toLedgerDeny(item: Record<string, unknown>): LedgerDeny {
  return {
    aclId: textOf(item, 'aclId'),
    egress: item.egress === true,
    cidr: textOf(item, 'cidr'),
    ruleNumber: numberOf(item, 'ruleNumber'),
    ...ledgerState(item),
  };
}

/** Our denies on one ACL. */
export async function ledgerOf(table: CaseTable, aclId: string): Promise<readonly LedgerDeny[]> {
  return (await list(table, aclKey(aclId), 'DENY#')).map(toLedgerDeny);
}

export type Reservation =
  /** The number is ours now, or was from an earlier run. `shared`: another case needs the deny too, and may have made it. */
  | { readonly kind: 'reserved'; readonly ruleNumber: number; readonly shared: boolean }
  /** Another record holds the number for another network: take the next one. */
  | { readonly kind: 'number-taken' };

/**
 * Records a deny before it is made: its number and that `caseId` needs it, in one transaction, which is all that the first
 * cut waits for. A deny of the same network in the same direction that is in the ledger already is joined, whatever its
 * number.
 */
export async function reserveDeny(
  table: CaseTable,
  deny: { aclId: string; egress: boolean; cidr: string; ruleNumber: number },
  caseId: string,
): Promise<Reservation> {
  const isNew = 'attribute_not_exists(pk)';
  const { aclId, egress, cidr, ruleNumber } = deny;
  const denyItem = { pk: aclKey(aclId), sk: denyKey(deny), aclId, egress, cidr, ruleNumber, cases: new Set([caseId]) };
  const numberItem = { pk: aclKey(aclId), sk: numberKey(deny), cidr };
  try {
    await despiteConflicts(() =>
      table.client.send(
        new TransactWriteItemsCommand({
          TransactItems: [denyItem, numberItem].map((item) => ({
            Put: { TableName: table.name, Item: marshall(item), ConditionExpression: isNew },
          })),
        }),
      ),
    );
    return { kind: 'reserved', ruleNumber, shared: false };
  } catch (error) {
    if (!(error instanceof TransactionCanceledException)) throw error;
    const reasons = (error.CancellationReasons ?? []).map((reason) => reason.Code ?? 'None');
    // A conflict beside a condition that failed is no news: what failed stands.
    const isAnswer = ['None', 'ConditionalCheckFailed', 'TransactionConflict'];
    if (reasons.some((reason) => !isAnswer.includes(reason))) throw error;
    // The deny is recorded already, by another case or an earlier run of this one: join it. Or the number alone is taken.
    const recorded = await joinDeny(table, deny, caseId);
    if (recorded === null) return { kind: 'number-taken' };
    return { kind: 'reserved', ruleNumber: recorded.ruleNumber, shared: recorded.cases.length > 1 };
  }
}

const ledgerKey = (deny: { aclId: string; egress: boolean; cidr: string }): LedgerKey => ({
  pk: aclKey(deny.aclId),
  sk: denyKey(deny),
});

/** Adds the case to a deny of the ledger; null = the ledger has no such deny. */
export async function joinDeny(
  table: CaseTable,
  deny: { aclId: string; egress: boolean; cidr: string },
  caseId: string,
): Promise<LedgerDeny | null> {
  const item = await changeCases(table, ledgerKey(deny), 'ADD', caseId);
  return item && toLedgerDeny(item);
}

/** Takes the case off a deny; returns the cases that still need it. */
export async function leaveDeny(table: CaseTable, deny: LedgerDeny, caseId: string): Promise<readonly string[]> {
  const item = await changeCases(table, ledgerKey(deny), 'DELETE', caseId);
  return item === null ? [] : ledgerState(item).cases;
}

/**
 * Says that the case is about to remove the entry of a deny that nobody needs; until {@link forgetDeny} or
 * {@link endLifting} whoever finds this looks whether the entry still stands. false = a case has joined it in the meantime.
 */
export function beginLifting(table: CaseTable, deny: LedgerDeny, caseId: string): Promise<boolean> {
  return markUndo(table, ledgerKey(deny), 'begin', caseId);
}

/** The entry stands again, for a case that joined while it was being removed. */
export async function endLifting(table: CaseTable, deny: LedgerDeny, caseId: string): Promise<void> {
  await markUndo(table, ledgerKey(deny), 'end', caseId);
}

/**
 * Gives a deny of the ledger another number, for all cases that need it, where somebody else's entry stands at its own.
 * false = its number has changed in the meantime, or the new one is taken.
 */
export async function renumberDeny(
  table: CaseTable,
  deny: { aclId: string; egress: boolean; cidr: string; ruleNumber: number },
  ruleNumber: number,
): Promise<boolean> {
  const { aclId, egress, cidr } = deny;
  const TableName = table.name;
  const numberItem = { pk: aclKey(aclId), sk: numberKey({ egress, ruleNumber }), cidr };
  try {
    await despiteConflicts(() =>
      table.client.send(
        new TransactWriteItemsCommand({
          TransactItems: [
            {
              Update: {
                TableName,
                Key: keyOf(aclKey(aclId), denyKey(deny)),
                UpdateExpression: 'SET #ruleNumber = :new',
                ConditionExpression: '#ruleNumber = :old',
                ExpressionAttributeNames: { '#ruleNumber': 'ruleNumber' },
                ExpressionAttributeValues: {
                  ':new': { N: String(ruleNumber) },
                  ':old': { N: String(deny.ruleNumber) },
                },
              },
            },
            { Put: { TableName, Item: marshall(numberItem), ConditionExpression: 'attribute_not_exists(pk)' } },
            { Delete: { TableName, Key: keyOf(aclKey(aclId), numberKey(deny)) } },
          ],
        }),
      ),
    );
    return true;
  } catch (error) {
    const reasons = error instanceof TransactionCanceledException ? (error.CancellationReasons ?? []) : [];
    if (reasons.some((reason) => reason.Code === 'ConditionalCheckFailed')) return false;
    throw error;
  }
}

/**
 * Forgets a deny that nobody needs and that is gone from the ACL, with its number. false = a case has joined it in the
 * meantime. One that is forgotten already, or has become another one at another number, is left as it is.
 */
export async function forgetDeny(table: CaseTable, deny: LedgerDeny): Promise<boolean> {
  const TableName = table.name;
  const [pk, sk] = [aclKey(deny.aclId), denyKey(deny)];
  const denyItem = {
    TableName,
    Key: keyOf(pk, sk),
    ConditionExpression: 'attribute_not_exists(#cases) AND #ruleNumber = :ruleNumber',
    ExpressionAttributeNames: { '#cases': 'cases', '#ruleNumber': 'ruleNumber' },
    ExpressionAttributeValues: { ':ruleNumber': { N: String(deny.ruleNumber) } },
  };
  const numberItem = {
    TableName,
    Key: keyOf(pk, numberKey(deny)),
    ConditionExpression: '#cidr = :cidr',
    ExpressionAttributeNames: { '#cidr': 'cidr' },
    ExpressionAttributeValues: { ':cidr': { S: deny.cidr } },
  };
  try {
    await despiteConflicts(() =>
      table.client.send(
        new TransactWriteItemsCommand({ TransactItems: [{ Delete: denyItem }, { Delete: numberItem }] }),
      ),
    );
    return true;
  } catch (error) {
    const reasons = error instanceof TransactionCanceledException ? (error.CancellationReasons ?? []) : [];
    if (!reasons.some((reason) => reason.Code === 'ConditionalCheckFailed')) throw error;
    const now = await readItem(table, pk, sk);
    return now === null || toLedgerDeny(now).cases.length === 0;
  }
}
