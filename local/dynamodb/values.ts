import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { AwsError } from '../aws-error.ts';

export type TableItem = Record<string, AttributeValue>;

/** A document path: names of maps and indexes of lists. */
export type Path = readonly (string | number)[];

const SET_TYPES = ['SS', 'NS', 'BS'] as const;
const TYPES = ['S', 'N', 'B', 'BOOL', 'NULL', 'L', 'M', ...SET_TYPES] as const;
type Type = (typeof TYPES)[number];

export function typeOf(value: AttributeValue): Type {
  return TYPES.find((type) => value[type] !== undefined) ?? 'NULL';
}

export function validation(message: string): AwsError {
  return new AwsError('ValidationException', message);
}

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html */
export function checkValue(value: AttributeValue): void {
  const given = TYPES.filter((type) => value[type] !== undefined);
  if (given.length !== 1) {
    throw validation('Supplied AttributeValue is empty, must contain exactly one of the supported datatypes');
  }
  if (value.N !== undefined) number(value.N);
  for (const type of SET_TYPES) {
    const members = value[type];
    if (members === undefined) continue;
    if (members.length === 0) throw validation('One or more parameter values were invalid: A set may not be empty');
    if (new Set(members.map(String)).size < members.length) {
      throw validation(
        `One or more parameter values were invalid: Input collection [${members.join(', ')}] contains duplicates.`,
      );
    }
  }
  for (const member of [...(value.L ?? []), ...Object.values(value.M ?? {})]) checkValue(member);
}

/** Numbers have 38 digits; the world needs no more than a double's. */
export function number(text: string): number {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) {
    throw validation('The parameter cannot be converted to a numeric value');
  }
  return Number(text);
}

export function equal(a: AttributeValue, b: AttributeValue): boolean {
  const type = typeOf(a);
  if (type !== typeOf(b)) return false;
  if (type === 'N') return number(a.N ?? '') === number(b.N ?? '');
  if (type === 'SS' || type === 'NS' || type === 'BS') {
    const [left, right] = [members(a), members(b)];
    return left.length === right.length && left.every((member) => right.includes(member));
  }
  if (type === 'L') {
    const [left, right] = [a.L ?? [], b.L ?? []];
    return left.length === right.length && left.every((member, index) => equal(member, right[index] as AttributeValue));
  }
  if (type === 'M') {
    const [left, right] = [a.M ?? {}, b.M ?? {}];
    const names = Object.keys(left);
    return (
      names.length === Object.keys(right).length &&
      names.every((name) => right[name] !== undefined && equal(left[name] as AttributeValue, right[name]))
    );
  }
  return String(a[type]) === String(b[type]);
}

/** Order of two scalars of one type, null where there is none. */
export function order(a: AttributeValue, b: AttributeValue): number | null {
  if (a.S !== undefined && b.S !== undefined) return Buffer.compare(Buffer.from(a.S), Buffer.from(b.S));
  if (a.N !== undefined && b.N !== undefined) return Math.sign(number(a.N) - number(b.N));
  if (a.B !== undefined && b.B !== undefined) return Buffer.compare(a.B, b.B);
  return null;
}

/** Members of a set as text. */
export function members(value: AttributeValue): string[] {
  return (value.SS ?? value.NS?.map((text) => String(number(text))) ?? value.BS ?? []).map(String);
}

export function valueAt(item: TableItem | undefined, path: Path): AttributeValue | undefined {
  return path.reduce<AttributeValue | undefined>(
    (value, step) => (typeof step === 'number' ? value?.L?.[step] : value?.M?.[step]),
    { M: item ?? {} },
  );
}

/** Sets a value at a path; its parent must be there. */
export function setAt(item: TableItem, path: Path, value: AttributeValue): void {
  const parent = valueAt(item, path.slice(0, -1));
  const step = path.at(-1);
  if (typeof step === 'string' && parent?.M !== undefined) parent.M[step] = value;
  else if (typeof step === 'number' && parent?.L !== undefined) parent.L[Math.min(step, parent.L.length)] = value;
  else throw validation('The document path provided in the update expression is invalid for update');
}

export function removeAt(item: TableItem, path: Path): void {
  const parent = valueAt(item, path.slice(0, -1));
  const step = path.at(-1);
  if (typeof step === 'string' && parent?.M !== undefined) delete parent.M[step];
  else if (typeof step === 'number' && parent?.L !== undefined) parent.L.splice(step, 1);
  else throw validation('The document path provided in the update expression is invalid for update');
}

/** An item with nothing but the paths. */
export function projected(item: TableItem, paths: readonly Path[] | null): TableItem {
  if (paths === null) return item;
  const result: TableItem = {};
  for (const path of paths) {
    const value = valueAt(item, path);
    if (value === undefined) continue;
    let parent = result;
    for (const step of path.slice(0, -1)) {
      // Elements of lists come without their neighbours; the whole list is enough for this world.
      if (typeof step === 'number') break;
      parent[step] ??= { M: {} };
      parent = parent[step].M ?? {};
    }
    parent[String(path.at(-1))] = value;
  }
  return result;
}
