import { InputError, quote } from '../../../functions/core/errors.ts';

/** What the AWS CLI prints under names that lie close to keys of the world. */
const OTHER_PEOPLES_KEYS: ReadonlySet<string> = new Set(['Regions', 'Rules']);

/** Up to this length two slips are too many: `Note` is not a `Name`. */
const SHORT = 6;

/**
 * Unknown keys are welcome, since merged snapshots are full of them, but one that lies a slip or two from a known key is
 * a slip, and what stands under it would be ignored without a word.
 *
 * @example refuseNearMisses({ Flowz: [] }, ['Flows'], '') // InputError: Flowz: is not a key here; "Flows" is meant
 */
export function refuseNearMisses(json: object, known: readonly string[], path: string): void {
  for (const key of Object.keys(json)) {
    if (known.includes(key) || OTHER_PEOPLES_KEYS.has(key)) continue;
    const meant = known.find((one) => isNearMiss(key, one));
    if (meant === undefined) continue;
    throw new InputError(path === '' ? key : `${path}.${key}`, `is not a key here; ${quote(meant)} is meant`);
  }
}

function isNearMiss(key: string, known: string): boolean {
  const slips = known.length < SHORT ? 1 : 2;
  if (Math.abs(key.length - known.length) > slips) return false;
  return editDistance(key.toLowerCase(), known.toLowerCase()) <= slips;
}

/** Letters put in, left out, replaced or swapped with their neighbour (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min((row[j - 1] ?? 0) + 1, (above[j] ?? 0) + 1, replaced);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) least = Math.min(least, (before[j - 2] ?? 0) + 1);
      row.push(least);
    }
    before = above;
    above = row;
  }
  return above[b.length] ?? 0;
}
