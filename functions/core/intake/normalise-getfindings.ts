import { InputError } from '../errors.ts';
import { isRecord } from './input-fields.ts';

/** Findings nest about ten deep. */
const DEEPEST = 40;

/**
 * Rewrites the PascalCase keys that `aws guardduty get-findings` prints into the camelCase of EventBridge
 * (`IpAddressV4` -> `ipAddressV4`); camelCase keys stay as they are. Only for findings in a manual request: on the bus
 * there is one spelling, and guessing there has made responders fail on every real event.
 */
export function normaliseGetFindings(value: unknown, path: string, depth = 0): unknown {
  if (depth > DEEPEST) throw new InputError(path, `is nested deeper than ${DEEPEST} levels`);
  if (Array.isArray(value)) return value.map((item) => normaliseGetFindings(item, path, depth + 1));
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).map(([key, item]): [string, unknown] => [
    key.charAt(0).toLowerCase() + key.slice(1),
    normaliseGetFindings(item, path, depth + 1),
  ]);
  const result = Object.fromEntries(entries);
  if (Object.keys(result).length !== entries.length) {
    throw new InputError(path, 'has the same key in PascalCase and in camelCase');
  }
  return result;
}
