import { isRecord } from './input-fields.ts';

/** Fields that say what and whose the finding is: null and "" are wrong there, and the refusal says so. */
const NEEDED: ReadonlySet<string> = new Set([
  'accountId',
  'region',
  'id',
  'type',
  'severity',
  'resource.instanceDetails.instanceId',
]);

/** Nothing that is read lies deeper; what does may be of any depth. */
const DEEPEST = 20;

const isBlank = (value: unknown): boolean => value === null || value === '';

/** A finding without the members that are null or "", in lists too: GuardDuty writes null for what is absent. */
export function withoutBlanks(value: unknown, path = '', depth = 0): unknown {
  if (depth > DEEPEST) return value;
  if (Array.isArray(value)) {
    return value.filter((item) => !isBlank(item)).map((item) => withoutBlanks(item, `${path}[]`, depth + 1));
  }
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).map(
    ([key, item]) => [path === '' ? key : `${path}.${key}`, key, item] as const,
  );
  return Object.fromEntries(
    entries
      .filter(([at, , item]) => NEEDED.has(at) || !isBlank(item))
      .map(([at, key, item]) => [key, withoutBlanks(item, at, depth + 1)]),
  );
}
