import fc from 'fast-check';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

type Path = readonly (string | number)[];

interface Change {
  /** Which of the sample's places, modulo their number. */
  readonly place: number;
  /** What the value there becomes; undefined = it is left out. `other` is a value from elsewhere in the sample. */
  readonly apply: (value: Json, other: Json) => Json | undefined;
  readonly other: number;
  /** The key under which it stands from now on. */
  readonly rename?: string;
}

/** Lists in lists, deeper than any stack: made anew for each use, never walked by the harness. */
export function deep(levels: number): Json {
  let value: Json = [];
  for (let level = 1; level < levels; level += 1) value = [value];
  return value;
}

/** Values that have broken readers elsewhere. */
const HOSTILE: readonly Json[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  65_536,
  2 ** 31,
  2 ** 53,
  1e308,
  -0,
  5e-324,
  '',
  ' ',
  '0',
  '-1',
  'null',
  'i-',
  'i-0000000000000ab01',
  'i-0000000000000ab01\n',
  'eni-00000000000000e01',
  '0.0.0.0',
  '0.0.0.0/0',
  '::',
  '::/0',
  '::ffff:192.0.2.1',
  '10.1',
  '010.0.0.5',
  'fe80::1%eth0',
  '1.2.3.4/33',
  'a\nb',
  'a\u0000b',
  '\u001b[31m',
  '\u2028',
  '\u202e',
  '\ud800',
  '__proto__',
  'constructor',
  'toString',
  '2026-02-30T00:00:00Z',
  '+275760-09-13T00:00:00.001Z',
  '1e3',
  'Infinity',
  'NaN',
  '{}',
  '[]',
  '"',
  'x'.repeat(5000),
  '\u{1f600}'.repeat(100),
  [],
  {},
  [null],
  [[]],
  [{}],
  { '': null },
  { length: -1 },
  { toString: 5 },
  { S: 'x' },
  { toJSON: 1 },
];

const textChange = fc.constantFrom<(text: string) => string>(
  (text) => `${text}\n`,
  (text) => ` ${text}`,
  (text) => text.slice(0, -1),
  (text) => text.slice(1),
  (text) => text.toUpperCase(),
  (text) => `${text}${text}`,
  (text) => text.replace(/\d/, '\u0664'),
  (text) => text.replace(/\d/, '9'),
  (text) => text.replace(/[a-f]/, 'g'),
  (text) => `${text}\u0000`,
  (text) => `${text}\u2029`,
);

const numberChange = fc.constantFrom<(value: number) => number>(
  (value) => -value,
  (value) => value + 0.5,
  (value) => value + 1,
  (value) => value * 1e9,
  () => Number.MAX_SAFE_INTEGER + 2,
);

const change: fc.Arbitrary<Change> = fc.record({ place: fc.nat(), other: fc.nat() }).chain((where) =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant<Change>({ ...where, apply: () => undefined }) },
    {
      weight: 6,
      arbitrary: fc.constantFrom(...HOSTILE).map((value): Change => ({ ...where, apply: () => value })),
    },
    {
      weight: 1,
      arbitrary: fc.jsonValue({ maxDepth: 3 }).map((value): Change => ({ ...where, apply: () => value as Json })),
    },
    {
      weight: 4,
      arbitrary: fc.tuple(textChange, numberChange).map(
        ([ofText, ofNumber]): Change => ({
          ...where,
          apply: (value) => {
            if (typeof value === 'string') return ofText(value);
            return typeof value === 'number' ? ofNumber(value) : [value, value];
          },
        }),
      ),
    },
    { weight: 3, arbitrary: fc.constant<Change>({ ...where, apply: (_value, other) => other }) },
    {
      weight: 2,
      arbitrary: fc
        .constantFrom('__proto__', 'constructor', 'hasOwnProperty', '', 'a\nb', 'x'.repeat(300), '\u2028')
        .map((rename): Change => ({ ...where, apply: (value) => value, rename })),
    },
    {
      weight: 1,
      arbitrary: fc.constant<Change>({
        ...where,
        apply: (value) => (Array.isArray(value) ? [...value, ...value] : [value]),
      }),
    },
    { weight: 1, arbitrary: fc.nat(20_000).map((levels): Change => ({ ...where, apply: () => deep(levels + 1) })) },
  ),
);

function placesIn(value: Json, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const below = Array.isArray(value)
    ? value.flatMap((item, index) => placesIn(item, [...path, index]))
    : Object.entries(value).flatMap(([key, item]) => placesIn(item, [...path, key]));
  return [path, ...below];
}

function valueAt(value: Json, path: Path): Json {
  return path.reduce<Json>((at, key) => (at as Record<string | number, Json>)[key] ?? null, value);
}

/** A copy along the path alone; a place that an earlier change has taken away is left as it is. */
function changedAt(value: Json, [key, ...rest]: Path, apply: (value: Json) => Json | undefined, rename?: string): Json {
  if (typeof value !== 'object' || value === null || key === undefined) return value;
  const entries = Object.entries(value).flatMap(([name, item]): [string, Json][] => {
    if (name !== String(key)) return [[name, item]];
    if (rest.length > 0) return [[name, changedAt(item, rest, apply, rename)]];
    const next = apply(item);
    return next === undefined ? [] : [[rename ?? name, next]];
  });
  return Array.isArray(value) ? entries.map(([, item]) => item) : Object.fromEntries(entries);
}

/** One of the samples with one to four changes at places of its own. */
export function mutated(samples: readonly Json[]): fc.Arbitrary<Json> {
  const all = samples.map((sample) => ({ sample, places: placesIn(sample).filter((path) => path.length > 0) }));
  return fc
    .tuple(fc.constantFrom(...all), fc.array(change, { minLength: 1, maxLength: 4 }))
    .map(([{ sample, places }, changes]) =>
      changes.reduce<Json>((current, { place, other, apply, rename }) => {
        const path = places[place % places.length] ?? [];
        const stranger = valueAt(sample, places[other % places.length] ?? []);
        return changedAt(current, path, (value) => apply(value, stranger), rename);
      }, sample),
    );
}

/** Any JSON at all, small, large, deep or odd. */
export const anyJson: fc.Arbitrary<Json> = fc.oneof(
  { weight: 10, arbitrary: fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' }) as fc.Arbitrary<Json> },
  { weight: 2, arbitrary: fc.constantFrom(...HOSTILE) },
  { weight: 1, arbitrary: fc.nat(20_000).map((levels) => deep(levels + 1)) },
);
