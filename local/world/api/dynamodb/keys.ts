import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { memorySlot, type ServiceMemory } from '../memory.ts';
import { type TableItem, validation } from './values.ts';

/** The key of every table here: partition and sort key, both text. */
export const KEY_NAMES = ['pk', 'sk'] as const;

/** Table name → item key → item. */
export const tables = memorySlot(() => new Map<string, Map<string, TableItem>>());

export function tableOf(memory: ServiceMemory, name: string | undefined): Map<string, TableItem> {
  if (name === undefined || name === '')
    throw validation("Value null at 'tableName' failed to satisfy constraint: Member must not be null");
  // A full ARN names the table too.
  const short = name.split(':table/').at(-1) ?? name;
  const table = memory.of(tables).get(short) ?? new Map<string, TableItem>();
  memory.of(tables).set(short, table);
  return table;
}

/** The place of a `Key`, which must be the key and nothing else. */
export function requireKey(key: Record<string, AttributeValue> | undefined): string {
  const names = Object.keys(key ?? {});
  if (names.length !== KEY_NAMES.length || KEY_NAMES.some((name) => key?.[name]?.S === undefined)) {
    throw validation('The provided key element does not match the schema');
  }
  return placeOf(key ?? {});
}

/** The place of an item that is put. */
export function itemKey(item: TableItem): string {
  for (const name of KEY_NAMES) {
    if (item[name] === undefined)
      throw validation(`One or more parameter values were invalid: Missing the key ${name} in the item`);
    if (item[name].S === undefined) {
      throw validation(`One or more parameter values were invalid: Type mismatch for key ${name} expected: S`);
    }
  }
  return placeOf(item);
}

function placeOf(item: TableItem): string {
  const parts = KEY_NAMES.map((name) => item[name]?.S ?? '');
  const empty = KEY_NAMES.find((_, index) => parts[index] === '');
  if (empty !== undefined) {
    throw validation(
      `One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: ${empty}`,
    );
  }
  return JSON.stringify(parts);
}

export function keyOf(item: TableItem): TableItem {
  return Object.fromEntries(KEY_NAMES.flatMap((name) => (item[name] === undefined ? [] : [[name, item[name]]])));
}
