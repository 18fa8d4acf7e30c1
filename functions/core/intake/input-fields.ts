import * as z from 'zod/mini';
import { InputError, quote } from '../errors.ts';
import { parseAddress } from '../network/addresses.ts';
import { cleaned } from '../plain-text.ts';

/**
 * The fields that inputs are made of, each with the sentence it answers a wrong value with, and the one way to read them.
 * `z.optional` lets a field be absent, `hint` and `members` let it be anything; null is refused wherever a field is used.
 */

export type Address = NonNullable<ReturnType<typeof parseAddress>>;

/** Where a value stands in the input: the path of its root (empty for the input itself), and how the person spelled the keys below it. */
export interface Place {
  readonly root: string;
  readonly keys: 'camelCase' | 'PascalCase';
}

/** Says what a value is without walking into it: outside objects may be of any size and depth. */
export function describe(value: unknown): string {
  if (value === undefined) return 'is missing';
  if (value === null) return 'is null';
  if (Array.isArray(value)) return 'is a list';
  if (typeof value === 'object') return 'is an object';
  return `is ${quote(value)}`;
}

export function expected(shape: string) {
  return { error: ({ input }: { readonly input?: unknown }) => `${describe(input)}; expected ${shape}` };
}

export function spelled(key: string, place: Place): string {
  return place.keys === 'PascalCase' ? key.charAt(0).toUpperCase() + key.slice(1) : key;
}

function pathOf(segments: readonly PropertyKey[], place: Place): string {
  return segments.reduce<string>((path, segment) => {
    if (typeof segment === 'number') return `${path}[${segment}]`;
    const key = spelled(String(segment), place);
    return path === '' ? key : `${path}.${key}`;
  }, place.root);
}

/** Reads a value by its schema; the first thing wrong with it becomes the {@link InputError}. */
export function readFields<T>(schema: z.ZodMiniType<T>, value: unknown, place: Place): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new InputError(pathOf(issue?.path ?? [], place), issue?.message ?? 'is not of the expected shape');
}

/** The value at a path of keys, or undefined; for looking at parts of a finding that no response uses. */
export function valueAt(value: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>(
    (current, key) => (isRecord(current) && Object.hasOwn(current, key) ? current[key] : undefined),
    value,
  );
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const record = z.looseObject({}, expected('an object'));

export function fields<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.object(shape, expected('an object'));
}

export function list<Item extends z.ZodMiniType>(item: Item) {
  return z.array(item, expected('a list'));
}

/** One value in place of whatever the schema refuses. Under this name, for a linter takes `catch` for a promise's. */
export const orElse = z.catch;

/** What is not well-formed is as good as absent. */
export function hint<Item extends z.ZodMiniType>(item: Item) {
  return orElse(z.optional(item), undefined);
}

/** The well-formed items of a list; none where it is no list. */
export function members<Item extends z.ZodMiniType>(item: Item) {
  return z.pipe(
    orElse(z.array(hint(item)), []),
    z.transform((all) => all.filter((one) => one !== undefined)),
  );
}

export const text = z.string(expected('text'));

function textLike(pattern: RegExp, shape: string) {
  return z.string(expected(shape)).check(z.regex(pattern, expected(shape)));
}

/** One line of printable ASCII: ids, finding types and times, whose format is AWS's own business. */
export function printable(limit: number) {
  return textLike(new RegExp(`^[\\x20-\\x7e]{1,${limit}}$`), `1 to ${limit} printable characters`);
}

function resourceId(prefix: string, name: string) {
  return textLike(
    new RegExp(`^${prefix}-(?:[0-9a-f]{8}|[0-9a-f]{17})$`),
    `${name} id: ${prefix}- and 8 or 17 hexadecimal digits`,
  );
}

export const instanceId = resourceId('i', 'an instance');
export const networkInterfaceId = resourceId('eni', 'a network interface');
export const subnetId = resourceId('subnet', 'a subnet');
export const vpcId = resourceId('vpc', 'a VPC');
export const groupId = resourceId('sg', 'a security group');
export const accountId = textLike(/^[0-9]{12}$/, 'an account id of 12 digits');
/** us-gov-west-1, us-isob-east-1 and eusc-de-east-1 are Regions too. */
export const region = textLike(/^[a-z]{2,4}(?:-[a-z]+){1,2}-[0-9]{1,2}$/, 'a Region such as eu-central-1');

/** Some writers print these booleans as text; "True" then counts as what it says. */
export const flag = z.union(
  [
    z.boolean(),
    z.pipe(
      z.string().check(z.regex(/^(?:true|false)$/i)),
      z.transform((said: string) => said.toLowerCase() === 'true'),
    ),
  ],
  expected('true or false'),
);

export function integer(minimum: number, maximum: number) {
  const shape = expected(`a whole number from ${minimum} to ${maximum}`);
  return z
    .number(shape)
    .check(z.refine((value) => Number.isInteger(value) && value >= minimum && value <= maximum, shape));
}

const PORT = 'a port from 0 to 65535';

/** A port: a number, or text of digits as some findings have it. */
export const port = z
  .union([z.number(), z.pipe(z.string().check(z.regex(/^[0-9]{1,5}$/)), z.transform(Number))], expected(PORT))
  .check(z.refine((value) => Number.isInteger(value) && value >= 0 && value <= 65_535, expected(PORT)));

function addressOf(shape: string, accepts: (address: Address, written: string) => boolean) {
  return z.pipe(
    z.string(expected(shape)),
    z.transform((written: string, context): Address => {
      const address = parseAddress(written);
      if (address !== null && accepts(address, written)) return address;
      context.issues.push({ code: 'custom', input: written, message: `${describe(written)}; expected ${shape}` });
      return z.NEVER;
    }),
  );
}

export const anyAddress = addressOf('a single IP address, not a range or a name', () => true);
export const ipv4Address = addressOf('a single IPv4 address', (address) => address.family === 'ipv4');
/** An IPv4-mapped address is written as IPv6 and means IPv4. */
export const ipv6Address = addressOf('a single IPv6 address', (_address, written) => written.includes(':'));

/**
 * Text that an attacker may have chosen (a domain, the name of a process, a path), for reports only: never refused, or a
 * newline in the name of a process would keep flowcut from acting.
 */
export function plainText(limit: number) {
  return z.pipe(
    text,
    z.transform((value: string) => cleaned(value).slice(0, limit).toWellFormed()),
  );
}
