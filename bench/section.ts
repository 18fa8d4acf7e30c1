/** A figure that is to be reached. `measured` null = could not be measured on this machine, which is not met either. */
export interface Goal {
  readonly name: string;
  /** In words, with the comparison: `at most 2.5`. */
  readonly goal: string;
  readonly measured: number | null;
  readonly met: boolean;
  /** What stands in the way where it is not met. */
  readonly limit?: string;
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

/** `why`: what stands in the way, told only where the goal is missed. */
export function atMost(name: string, limit: number, measured: number | null, why?: string): Goal {
  return goalOf({ name, goal: `at most ${limit}`, met: measured !== null && measured <= limit }, measured, why);
}

export function atLeast(name: string, limit: number, measured: number | null, why?: string): Goal {
  return goalOf({ name, goal: `at least ${limit}`, met: measured !== null && measured >= limit }, measured, why);
}

function goalOf(goal: Pick<Goal, 'name' | 'goal' | 'met'>, measured: number | null, why: string | undefined): Goal {
  const told = { ...goal, measured: measured === null ? null : rounded(measured) };
  return goal.met || why === undefined ? told : { ...told, limit: why };
}

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
  const command = `This section alone: \`npm run -s bench -- --only ${section.name}\`.`;
  const limits = section.goals.flatMap(({ name, limit }) =>
    limit === undefined ? [] : [`Not met: ${name}. ${limit}`],
  );
  const parts = [`## ${section.title}`, ...section.text, command, ...section.tables.map(markdownTable)];
  return [...parts, ...(section.goals.length > 0 ? [markdownTable(goals)] : []), ...limits].join('\n\n');
}
