/**
 * Counts how much of the house one change touches, and writes the table into docs/architecture.md. `--check` writes nothing, and
 * fails when the page is out of date or a number is beyond its limit.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';
import { exit } from 'node:process';
import { withMarkedPart } from './marked-part.ts';

const PAGE = 'docs/architecture.md';
const MARKS = ['<!-- house: node scripts/house-table.ts -->', '<!-- end of house -->'] as const;

const FILES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((path) => /\.(ts|mjs|json|md|yaml|py)$/.test(path) && path !== 'package-lock.json' && path !== PAGE)
  .filter((path) => path !== 'scripts/house-table.ts');

const texts = new Map(FILES.flatMap((path) => readIfThere(path)));

/** A file that git lists may be deleted. */
function readIfThere(path: string): readonly (readonly [string, string])[] {
  try {
    return [[path, readFileSync(path, 'utf8')]];
  } catch {
    return [];
  }
}

const inFolders = (...folders: readonly string[]): readonly (readonly [string, string])[] =>
  [...texts].filter(([path]) => folders.some((folder) => path.startsWith(folder)));

const naming = (words: RegExp, files: Iterable<readonly [string, string]>): readonly string[] =>
  [...files].filter(([, text]) => words.test(text)).map(([path]) => path);

const linesOf = (path: string): number => (texts.get(path) ?? '').trimEnd().split('\n').length;

const count = (words: RegExp, files: readonly (readonly [string, string])[]): number =>
  files.reduce((sum, [, text]) => sum + [...text.matchAll(words)].length, 0);

/** Files of a folder that import each other in a circle, types included, counted as circles. */
function circles(folders: readonly string[]): number {
  const edges = new Map(
    inFolders(...folders)
      .filter(([path]) => path.endsWith('.ts'))
      .map(([path, text]) => [
        path,
        [...text.matchAll(/from '(\.[^']+\.ts)'|import\('(\.[^']+\.ts)'\)/g)].map(([, from, later]) =>
          join(dirname(path), from ?? later ?? ''),
        ),
      ]),
  );
  const reaches = (start: string): ReadonlySet<string> => {
    const seen = new Set<string>();
    const open = [...(edges.get(start) ?? [])];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(...(edges.get(next) ?? []));
    }
    return seen;
  };
  const reach = new Map([...edges.keys()].map((path) => [path, reaches(path)]));
  const groups = new Set<string>();
  for (const [path, seen] of reach) {
    if (!seen.has(path)) continue;
    groups.add(
      [...seen]
        .filter((other) => reach.get(other)?.has(path))
        .sort()
        .join(),
    );
  }
  return groups.size;
}

/** Files to touch for a control, as its page lists them: each must be there. */
function filesForControl(): number {
  const page = texts.get('docs/adding-a-control.md') ?? '';
  const listed = [...page.matchAll(/^\| \[?`([\w./-]+)`/gm)].map(([, path = '']) => path);
  return listed.length;
}

/** Texts of five words or more, on the line of a matcher, where a kind or a field would do. */
const SENTENCE =
  /(?:toBe|toEqual|toContain|toThrow|toMatch|stringContaining)\(\s*['"`][^'"`\n]*(?: [^'"`\n ]+){4,}['"`]/g;

interface Row {
  readonly what: string;
  readonly before: number;
  readonly now: number;
  /** What it is to come to. */
  readonly goal: number;
  /** What it must not exceed today. Lowered with each change that lowers the number. */
  readonly limit: number;
}

const EVIDENCE_STEPS = ['preserve-evidence', 'restore-evidence', 'restore-instance'];
const CLASSIC = /classic|ElasticLoadBalancingClient|InstancesWithLoadBalancer|InstancesFromLoadBalancer/i;
const PARAMETER = /isolationsPerHour|FLOWCUT_ISOLATIONS_PER_HOUR|IsolationsPerHour/;
const deployed = inFolders('functions/');
const largest = Math.max(
  ...deployed.filter(([path]) => path.startsWith('functions/aws/')).map(([path]) => linesOf(path)),
);

const ROWS: readonly Row[] = [
  {
    what: 'files to touch for a new control ([the page](adding-a-control.md) lists them)',
    before: 36,
    now: filesForControl(),
    goal: 12,
    limit: 12,
  },
  {
    what: 'files of `functions/` that decide or act on one measure, the shutdown behaviour',
    before: 4,
    now: naming(/shutdown.?behavio/i, deployed).length,
    goal: 3,
    limit: 3,
  },
  {
    what: 'files that name one measure at all, the classic load balancer: world, tests and pages included',
    before: 38,
    now: naming(CLASSIC, texts).length,
    goal: 38,
    limit: 50,
  },
  {
    what: 'lines of the steps preserve-evidence, restore-evidence and restore-instance',
    before: 1120,
    now: EVIDENCE_STEPS.reduce((sum, name) => sum + linesOf(`functions/${name}/step.ts`), 0),
    goal: 450,
    limit: 450,
  },
  {
    what: 'files that a deployment parameter stands in, `IsolationsPerHour`, without tests',
    before: 6,
    now: naming(
      PARAMETER,
      [...texts].filter(([path]) => !path.startsWith('test/')),
    ).length,
    goal: 4,
    limit: 9,
  },
  {
    what: 'files that a field of the report stands in, `lastResort`, without tests',
    before: 9,
    now: naming(
      /lastResort/,
      [...texts].filter(([path]) => !path.startsWith('test/')),
    ).length,
    goal: 4,
    limit: 12,
  },
  {
    what: 'lines of the step assess-flows',
    before: 410,
    now: linesOf('functions/assess-flows/step.ts'),
    goal: 160,
    limit: 450,
  },
  { what: 'lines of the largest file of `functions/aws`', before: 764, now: largest, goal: 250, limit: 250 },
  {
    what: 'closures in steps that write a case',
    before: 14,
    now: count(
      /changeCase\([^;]*?=>/g,
      deployed.filter(([path]) => !path.startsWith('functions/aws/')),
    ),
    goal: 0,
    limit: 0,
  },
  {
    what: "reads of a parallel branch's result by index, outside `ResultSelector`",
    before: 24,
    now: count(/\b(?:cut|isolation)\??\.?\[\d\]/g, [
      ...deployed,
      ...inFolders('statemachine/')
        .filter(([path]) => path.endsWith('.asl.json'))
        .map(([path, text]) => [path, withoutSelectors(text)] as const),
    ]),
    goal: 0,
    limit: 0,
  },
  { what: 'import circles, of types too', before: 3, now: circles(['functions/', 'local/']), goal: 0, limit: 3 },
  {
    what: 'sentences that a test compares word by word',
    before: 74,
    now: count(SENTENCE, inFolders('test/')),
    goal: 40,
    limit: 120,
  },
];

function withoutSelectors(text: string): string {
  return text.replaceAll(/"ResultSelector": \{[^}]*\}/g, '');
}

const table = [
  '| what | before | now | goal |',
  '| --- | ---: | ---: | ---: |',
  ...ROWS.map(({ what, before, now, goal }) => `| ${what} | ${before} | ${now} | ${goal} |`),
].join('\n');

const page = readFileSync(PAGE, 'utf8');
const wanted = withMarkedPart(page, MARKS, table);
const beyond = ROWS.filter(({ now, limit }) => now > limit);
for (const { what, now, limit } of beyond) console.log(`${what}: ${now}, and ${limit} is the limit`);
if (process.argv.includes('--check')) {
  if (wanted !== page) console.log(`${PAGE} is out of date: run node scripts/house-table.ts`);
  exit(wanted !== page || beyond.length > 0 ? 1 : 0);
}
writeFileSync(PAGE, wanted);
