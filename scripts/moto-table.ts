/**
 * Writes the table of docs/held-to.md that says where moto or the embedded world answers otherwise than AWS documents,
 * from the probes of the parity suite, which hold each line. `test/moto/parity.test.ts` fails where it is out of date.
 *
 *   node scripts/moto-table.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { type Difference, PROBES } from '../test/moto/support/probes.ts';

const PAGE = 'docs/held-to.md';
const BEGIN = '<!-- differences: node scripts/moto-table.ts -->';
const END = '<!-- /differences -->';

const shown = ({ answers, why }: Difference): string => `\`${answers}\`: ${why}`;

/** One line for each probe that somebody answers otherwise. */
function differences(): string {
  const rows = Object.entries(PROBES).flatMap(([service, probes]) =>
    probes
      .filter(({ moto, world }) => moto !== undefined || world !== undefined)
      .map(({ title, call, aws, page, moto, world }) => {
        const others = [moto && `moto ${shown(moto)}`, world && `world ${shown(world)}`].filter(Boolean).join('; ');
        return `| ${service} \`${call}\` | ${title} | [\`${aws}\`](${page}) | ${others} |`;
      }),
  );
  return ['| call | what | AWS documents | who answers otherwise |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

/** The page as it is and as it should be. */
export function heldToPage(): { readonly found: string; readonly wanted: string } {
  const found = readFileSync(new URL(`../${PAGE}`, import.meta.url), 'utf8');
  const [before, rest = ''] = found.split(BEGIN);
  const after = rest.split(END)[1];
  if (after === undefined) throw new Error(`${PAGE} has no place for the table: ${BEGIN} ... ${END}`);
  return { found, wanted: `${before}${BEGIN}\n${differences()}\n${END}${after}` };
}

if (import.meta.main) writeFileSync(new URL(`../${PAGE}`, import.meta.url), heldToPage().wanted);
