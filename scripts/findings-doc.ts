/**
 * Writes docs/findings.md from the routing table, so that the page cannot say anything else than the code does.
 * `--check` writes nothing and fails when the page is out of date.
 */

import { fileURLToPath } from 'node:url';
import {
  ADVICE,
  CLASS_MEANINGS,
  type DecidedBy,
  type FindingRoute,
  ROUTE_GROUPS,
} from '../functions/core/intake/finding-routes.ts';
import { keepPage } from './written-page.ts';

export const FINDINGS_PAGE = fileURLToPath(new URL('../docs/findings.md', import.meta.url));

const cell = (text: string): string => text.replaceAll('|', '\\|');
const row = (...cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;

function decided({ field, values, otherwise }: DecidedBy): string {
  const cases = Object.entries(values).map(([value, decision]) => `${value}: ${decision.class}`);
  return `by \`${field}\`: ${[...cases, `else ${otherwise.class}`].join(', ')}`;
}

function routeRow({ type, class: asked, carries, reason, advice }: FindingRoute): string {
  const because = advice === undefined ? reason : `${reason}. ${advice}`;
  return row(`\`${type}\``, typeof asked === 'string' ? asked : decided(asked), carries, because);
}

function groupOf({ title, routes }: { readonly title: string; readonly routes: readonly FindingRoute[] }): string {
  const head = [row('type', 'class', 'carries', 'because'), row('---', '---', '---', '---')];
  return [`## ${title}`, '', ...head, ...routes.map(routeRow)].join('\n');
}

export function findingsPage(): string {
  const advice: Readonly<Record<string, string>> = ADVICE;
  const classes = Object.entries(CLASS_MEANINGS).map(([name, meaning]) => row(name, meaning, advice[name] ?? ''));
  return [
    '# What flowcut does with each GuardDuty finding type',
    '',
    '<!-- Written by scripts/findings-doc.ts from functions/core/intake/finding-routes.ts; do not edit. -->',
    '',
    'The type decides, never the severity alone. A type that is not listed is never contained: it is reported and left to a person.',
    '',
    row('class', 'meaning', 'instead'),
    row('---', '---', '---'),
    ...classes,
    '',
    'Before the type is looked at: sample findings (CreateSampleFindings) and archived findings are ignored.',
    'After it: a node that containers share (`EKSCluster`, `ECSCluster` or `Container` resources, or their details beside the instance) is only ever asked about, and so is every instance of an attack sequence.',
    'A finding of class ISO, ISO-ASK or ASK that names no EC2 instance is reported as such, with `NO INSTANCE NAMED` as the first words of the reason.',
    '',
    'Null and empty text count as absent in every field but the id, the type, the severity, the account, the Region and the instance id. Hints (subnets, groups, interfaces, local addresses) that are not well-formed are left out, and so are members of an attack sequence that cannot be read; the report counts these. A peer that is no address is refused.',
    '',
    'carries: `flow` = remote address, ports and direction; `probe` = remote addresses and local ports; `domain` = a domain only: no deny is possible, and the VPC resolver stays open; below severity 7 a person is asked, for a stranger can make an instance ask for a domain; `process` = a process only; `disk` = what a scan of a disk found; `call` = an API call about the instance; `none` = none of these.',
    '',
    ROUTE_GROUPS.map(groupOf).join('\n\n'),
    '',
  ].join('\n');
}

if (import.meta.main) keepPage(FINDINGS_PAGE, findingsPage(), 'findings-doc.ts');
