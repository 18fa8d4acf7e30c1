/**
 * The bench: every figure a ratio or a count, every goal with what was measured.
 *
 *   node bench/run.ts [--json] [--quick] [--only NAME]
 *
 * A whole run writes docs/performance.md; `--quick` (fewer repetitions) and `--only` (one section) print alone.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { coldStart } from './cold-start.ts';
import { cost } from './cost.ts';
import { depth } from './depth.ts';
import { equivalence } from './equivalence.ts';
import { scaleOfOne } from './scale.ts';
import { type Effort, markdownSection, type Section } from './section.ts';
import { storm } from './storm.ts';

const PARTS = {
  'cold-start': coldStart,
  equivalence,
  depth,
  storm,
  'scale-of-one': scaleOfOne,
  cost,
} as const satisfies Record<string, (effort: Effort) => Promise<Section> | Section>;

const { values } = parseArgs({
  options: { json: { type: 'boolean' }, quick: { type: 'boolean' }, only: { type: 'string' } },
});
const names = Object.keys(PARTS) as (keyof typeof PARTS)[];
const { only, quick = false } = values;
if (only !== undefined && !names.some((name) => name === only)) {
  throw new Error(`--only: "${only}" is none of ${names.join(', ')}`);
}

// Whatever is said on the way, by whatever is used: what is printed is the answer alone.
const said = console.log;
console.log = console.error;
console.info = console.error;

const sections: Section[] = [];
for (const name of names.filter((candidate) => only === undefined || candidate === only)) {
  console.error(`bench: ${name}`);
  sections.push(await PARTS[name]({ quick }));
}
const goals = sections.flatMap((section) => section.goals);
const missed = goals.filter((goal) => !goal.met);

const page = [
  '# Performance',
  'Written by `npm run bench` from its own output; `npm run -s bench -- --json` prints the same figures as JSON. Every figure is a ratio or a count: absolute times belong to one machine.',
  missed.length === 0
    ? 'Every goal is met.'
    : `${goals.length - missed.length} of ${goals.length} goals are met. Not met: ${missed.map((goal) => `${goal.name} (${goal.goal}, measured ${goal.measured ?? 'not at all'})`).join('; ')}.`,
  ...sections.map(markdownSection),
].join('\n\n');

if (only === undefined && !quick) writeFileSync(new URL('../docs/performance.md', import.meta.url), `${page}\n`);
said(values.json ? JSON.stringify({ goals, sections }, null, 2) : page);
