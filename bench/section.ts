/** A figure that is to be reached. `measured` null = could not be measured on this machine, which is not met either. */
export interface Goal {
  readonly name: string;
  /** In words, with the comparison: `at most 2.5`. */
  readonly goal: string;
  readonly measured: number | null;
  readonly met: boolean;
}

export interface Table {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** One part of the bench: a section of docs/performance.md and an entry of the JSON. */
export interface Section {
  readonly name: string;
  readonly title: string;
  readonly text: readonly string[];
  readonly tables: readonly Table[];
  readonly goals: readonly Goal[];
}

/** How thorough a run is. */
export interface Effort {
  readonly quick: boolean;
}

export const atMost = (name: string, limit: number, measured: number | null): Goal => ({
  name,
  goal: `at most ${limit}`,
  measured: measured === null ? null : rounded(measured),
  met: measured !== null && measured <= limit,
});

export const atLeast = (name: string, limit: number, measured: number | null): Goal => ({
  name,
  goal: `at least ${limit}`,
  measured: measured === null ? null : rounded(measured),
  met: measured !== null && measured >= limit,
});

/** Three digits that count: enough for a ratio, and no more than two runs agree on. */
export function rounded(value: number): number {
  if (Math.abs(value) >= 100 || value === 0) return Math.round(value);
  return Number(value.toPrecision(3));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) throw new Error('the median of nothing');
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

function markdownTable({ caption, head, rows }: Table): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  return [caption, '', line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

export function markdownSection(section: Section): string {
  const goals: Table = {
    caption: 'Goals:',
    head: ['goal', 'wanted', 'measured', 'met'],
    rows: section.goals.map((goal) => [
      goal.name,
      goal.goal,
      goal.measured ?? 'not measured',
      goal.met ? 'yes' : '**no**',
    ]),
  };
  const parts = [`## ${section.title}`, ...section.text, ...section.tables.map(markdownTable)];
  return [...parts, ...(section.goals.length > 0 ? [markdownTable(goals)] : [])].join('\n\n');
}
