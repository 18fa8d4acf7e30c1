import { DeleteItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import type { SharedLedger, SharedThing } from '../../core/control.ts';
import { type CaseTable, despiteConflicts, ifHolds, keyOf } from './table.ts';

/**
 * The ledger of things that several cases share: a deny in a network ACL, a blocked domain, an instance in the list of a policy.
 * Whoever needs a thing joins it, and leaves it when it is restored; the last one out undoes it.
 *
 * An item has the set of cases that need the thing, and, while one of them undoes it, which one (`liftedBy`). Denies keep
 * items of their own kind (deny-ledger.ts), for they have a rule number; everything else is under its kind and id.
 */
export interface LedgerKey {
  readonly pk: string;
  readonly sk: string;
}

const thingKey = ({ kind, id }: SharedThing): LedgerKey => ({ pk: `SHARED#${kind}`, sk: `THING#${id}` });

export interface LedgerState {
  readonly cases: readonly string[];
  /** The case that has begun to undo it, if one has. */
  readonly liftedBy?: string;
}

/** What is common to every item of the ledger. */
export function ledgerState(item: Readonly<Record<string, unknown>>): LedgerState {
  return {
    // A set that has lost its last member is gone from the item.
    cases: item['cases'] instanceof Set ? [...(item['cases'] as Set<string>)].sort() : [],
    ...(typeof item['liftedBy'] === 'string' && { liftedBy: item['liftedBy'] }),
  };
}

/** Puts the case on a thing or takes it off, and returns the item; null = the ledger has no such thing. */
export async function changeCases(
  table: CaseTable,
  key: LedgerKey,
  change: 'ADD' | 'DELETE',
  caseId: string,
  condition: 'attribute_exists(pk)' | null = 'attribute_exists(pk)',
): Promise<Record<string, unknown> | null> {
  const update = new UpdateItemCommand({
    TableName: table.name,
    Key: keyOf(key.pk, key.sk),
    UpdateExpression: `${change} #cases :case`,
    ...(condition !== null && { ConditionExpression: condition }),
    ExpressionAttributeNames: { '#cases': 'cases' },
    ExpressionAttributeValues: { ':case': { SS: [caseId] } },
    ReturnValues: 'ALL_NEW',
  });
  const answer = await ifHolds(() => despiteConflicts(() => table.client.send(update)));
  return answer?.Attributes === undefined ? null : unmarshall(answer.Attributes);
}

/** `begin`: only where no case needs the thing. `end`: only the mark of this case. false = that does not hold. */
export async function markUndo(
  table: CaseTable,
  key: LedgerKey,
  what: 'begin' | 'end',
  caseId: string,
): Promise<boolean> {
  const isBegin = what === 'begin';
  const update = new UpdateItemCommand({
    TableName: table.name,
    Key: keyOf(key.pk, key.sk),
    UpdateExpression: isBegin ? 'SET #liftedBy = :case' : 'REMOVE #liftedBy',
    ConditionExpression: `attribute_exists(pk) AND ${isBegin ? 'attribute_not_exists(#cases)' : '#liftedBy = :case'}`,
    ExpressionAttributeNames: { '#liftedBy': 'liftedBy', ...(isBegin && { '#cases': 'cases' }) },
    ExpressionAttributeValues: { ':case': { S: caseId } },
  });
  return (await ifHolds(() => despiteConflicts(() => table.client.send(update)))) !== null;
}

/** The ledger as one case sees it. */
export function sharedLedger(table: CaseTable, caseId: string): SharedLedger {
  const stateOf = (item: Record<string, unknown> | null): LedgerState | null => item && ledgerState(item);
  return {
    join: async (thing) => {
      await changeCases(table, thingKey(thing), 'ADD', caseId, null);
    },
    joinKnown: async (thing) => stateOf(await changeCases(table, thingKey(thing), 'ADD', caseId)) !== null,
    leave: async (thing) => stateOf(await changeCases(table, thingKey(thing), 'DELETE', caseId))?.cases ?? null,
    beginUndo: (thing) => markUndo(table, thingKey(thing), 'begin', caseId),
    endUndo: async (thing) => {
      const { pk, sk } = thingKey(thing);
      const forget = new DeleteItemCommand({
        TableName: table.name,
        Key: keyOf(pk, sk),
        ConditionExpression: 'attribute_not_exists(#cases)',
        ExpressionAttributeNames: { '#cases': 'cases' },
      });
      return (await ifHolds(() => despiteConflicts(() => table.client.send(forget)))) !== null;
    },
    keep: async (thing) => {
      await markUndo(table, thingKey(thing), 'end', caseId);
    },
  };
}
