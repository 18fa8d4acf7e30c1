/**
 * Writes docs/mutation.md and the README's line from Stryker's report of a whole run: `npm run test:mutation`. Why a change
 * that no test notices does no harm stands in test/mutation/survivors.json.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import stryker from '../stryker.config.mjs';
import { withMarkedPart } from './marked-part.ts';

interface Place {
  readonly line: number;
  readonly column: number;
}

/** https://github.com/stryker-mutator/mutation-testing-elements/tree/master/packages/report-schema */
export interface Report {
  readonly files: Readonly<
    Record<
      string,
      {
        readonly source: string;
        readonly mutants: readonly {
          readonly status: string;
          readonly location: { readonly start: Place; readonly end: Place };
          readonly replacement?: string;
        }[];
      }
    >
  >;
}

/** One change, told so that it is found again after lines have moved. */
interface Change {
  readonly file: string;
  /** The function or constant that it is in. */
  readonly in: string;
  /** The line in which it begins, with what is replaced between « and »; `…»` = the rest stands on the next lines. */
  readonly code: string;
  readonly becomes: string;
}

/** A change that no test notices, and why that is right. */
export interface Explanation extends Change {
  readonly why: string;
}

const onOneLine = (code: string): string => code.replaceAll(/\s+/g, ' ').trim();

type File = Report['files'][string];

function changeOf(file: string, { source }: File, { location, replacement = '' }: File['mutants'][number]): Change {
  const { start, end } = location;
  const lines = source.split('\n');
  const first = lines[start.line - 1] ?? '';
  const [before, rest] = [first.slice(0, start.column - 1), first.slice(start.column - 1)];
  const stop = end.column - start.column;
  const marked = end.line === start.line ? `«${rest.slice(0, stop)}»${rest.slice(stop)}` : `«${rest}…»`;
  const heads = lines.slice(0, start.line).flatMap((line) => {
    const head = /^(?:export )?(?:default )?(?:async )?(?:function|const) (\w+)/.exec(line);
    return head?.[1] === undefined ? [] : [head[1]];
  });
  return { file, in: heads.at(-1) ?? '', code: `${before}${marked}`.trim(), becomes: onOneLine(replacement) };
}

const keyOf = (change: Change): string => [change.file, change.in, change.code, change.becomes].join('\n');

const STATUSES = ['Killed', 'Timeout', 'Survived', 'NoCoverage'] as const;
type Counts = Readonly<Record<(typeof STATUSES)[number], number>>;

function countsOf(mutants: File['mutants']): Counts {
  const count = (wanted: string): number => mutants.filter(({ status }) => status === wanted).length;
  return {
    Killed: count('Killed'),
    Timeout: count('Timeout'),
    Survived: count('Survived'),
    NoCoverage: count('NoCoverage'),
  };
}

const totalOf = (counts: Counts): number => STATUSES.reduce((sum, status) => sum + counts[status], 0);

/** Rounded down: 100.0 is all of them. */
function scoreOf(counts: Counts): string {
  const total = totalOf(counts);
  const found = counts.Killed + counts.Timeout;
  return (total === 0 ? 100 : Math.floor((1000 * found) / total) / 10).toFixed(1);
}

const row = (...cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;

function countRow(name: string, counts: Counts): string {
  return row(name, totalOf(counts), ...STATUSES.map((status) => counts[status]), `${scoreOf(counts)} %`);
}

/** A code span may hold backticks where longer ones stand around it. */
const span = (code: string): string => (code.includes('`') ? `\`\` ${code} \`\`` : `\`${code}\``);

export interface MutationPage {
  readonly page: string;
  /** The README's line. */
  readonly line: string;
  /** Survivors that nothing explains. */
  readonly unexplained: number;
  /** Explanations of changes that are noticed by now, or not made any more. */
  readonly unused: readonly Explanation[];
}

export function mutationPage(report: Report, explanations: readonly Explanation[]): MutationPage {
  const files = Object.entries(report.files).sort(([a], [b]) => a.localeCompare(b));
  const odd = files.flatMap(([name, { mutants }]) =>
    mutants
      .filter(({ status }) => ![...STATUSES, 'Ignored', 'CompileError'].includes(status))
      .map(({ status, location }) => `${name}:${location.start.line} ended as ${status}`),
  );
  if (odd.length > 0) throw new Error(`the run told nothing of some changes: ${odd.join(', ')}`);
  const known = new Map(explanations.map((explanation) => [keyOf(explanation), explanation]));
  const used = new Set<Explanation>();
  let unexplained = 0;
  const parts = files.flatMap(([name, file]) => {
    const lived = file.mutants.filter(({ status }) => status === 'Survived' || status === 'NoCoverage');
    if (lived.length === 0) return [];
    const items = lived.map((mutant) => {
      const change = changeOf(name, file, mutant);
      const explanation = known.get(keyOf(change));
      if (explanation === undefined) unexplained += 1;
      else used.add(explanation);
      const why = explanation?.why ?? '**not explained**';
      const becomes = change.becomes === '' ? 'nothing' : span(change.becomes);
      return `- \`${change.in}\`: ${span(change.code)} becomes ${becomes}: ${why}`;
    });
    return [`### ${name}`, '', ...items, ''];
  });
  const all = countsOf(files.flatMap(([, { mutants }]) => mutants));
  const survived = all.Survived + all.NoCoverage;
  const explained = unexplained === 0 ? 'each of them is explained' : `${unexplained} of them are not explained`;
  const page = [
    '# What the tests would not notice',
    '',
    '<!-- Written by scripts/mutation-report.ts in npm run test:mutation; do not edit. -->',
    '',
    'Who owns a case, what is written into the ledger and what is taken back: [Stryker](https://stryker-mutator.io/) changes this code in one place at a time and runs the tests on each change. A change that makes a test fail is killed, one that makes it run on without end timed out; one that no test notices has survived. The score is the share of the first two.',
    '',
    row('file', 'changes', 'killed', 'timed out', 'survived', 'no test runs it', 'score'),
    row('---', ...Array.from({ length: 6 }, () => '---:')),
    ...files.map(([name, { mutants }]) => countRow(`\`${name}\``, countsOf(mutants))),
    countRow('**all**', all),
    '',
    '## What survived',
    '',
    `${survived} changes, ${explained}. What stands between « and » is replaced; \`…»\` says that it goes on in the next lines.`,
    '',
    ...parts,
  ].join('\n');
  const line = `Of ${totalOf(all)} changes that a mutation run makes to the code of claim, ledger, release and restore, the tests notice ${scoreOf(all)} %; [docs/mutation.md](docs/mutation.md) lists the ${survived} others, ${explained.replace('each of them is', 'each')}.`;
  return { page, line, unexplained, unused: explanations.filter((explanation) => !used.has(explanation)) };
}

const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
const MARKS = ['<!-- mutation: npm run test:mutation -->', '<!-- end of mutation -->'] as const;

function main(): void {
  const report = JSON.parse(readFileSync(at(stryker.jsonReporter.fileName), 'utf8')) as Report;
  const missing = stryker.mutate.filter((file) => report.files[file] === undefined);
  if (missing.length > 0) throw new Error(`the report is one of a part only: ${missing.join(', ')} is not in it`);
  const explanations = JSON.parse(readFileSync(at('test/mutation/survivors.json'), 'utf8')) as readonly Explanation[];
  const { page, line, unexplained, unused } = mutationPage(report, explanations);
  writeFileSync(at('docs/mutation.md'), page);
  writeFileSync(at('README.md'), withMarkedPart(readFileSync(at('README.md'), 'utf8'), MARKS, line));
  for (const { file, code, becomes } of unused)
    console.warn(`explained and not needed: ${file}: ${code} => ${becomes}`);
  console.log(`${line}\n${unexplained} not explained, ${unused.length} explanations without a survivor`);
  if (unexplained + unused.length > 0) process.exitCode = 1;
}

if (import.meta.main) main();
