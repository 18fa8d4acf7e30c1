/**
 * Writes docs/settings.md from the table of settings and the template, so that the page cannot say anything else than what
 * is deployed. `--check` writes nothing and fails when the page is out of date.
 */

import { fileURLToPath } from 'node:url';
import { allSettings, type Bounds } from '../functions/core/settings.ts';
import { type Parameter, readTemplate, type Template } from './template.ts';
import { keepPage } from './written-page.ts';

export const SETTINGS_PAGE = fileURLToPath(new URL('../docs/settings.md', import.meta.url));

const cell = (text: string): string => text.replaceAll('|', '\\|').trim();
const row = (...cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
const code = (text: string): string => (text === '' ? 'empty' : `\`${text}\``);

function boundsText(bounds: Bounds): string {
  switch (bounds.kind) {
    case 'choice':
      return bounds.of.map(code).join(', ');
    case 'whole-number':
      return `${bounds.least} to ${bounds.most}`;
    case 'list':
      return 'a list with commas';
    case 'text':
      return 'text';
    default:
      return bounds satisfies never;
  }
}

const defaultText = ({ Default = '' }: Parameter): string => code(String(Default));

/** One row for each parameter that the functions read. */
function settingRows({ Parameters }: Template): readonly string[] {
  return allSettings().flatMap(({ parameter, variable, bounds }) => {
    const declared = parameter === null ? undefined : Parameters[parameter];
    if (parameter === null || declared === undefined) return [];
    return [
      row(code(parameter), declared.Description ?? '', boundsText(bounds), defaultText(declared), code(variable)),
    ];
  });
}

/** One row for each parameter that only the template itself reads. */
function stackRows({ Parameters }: Template): readonly string[] {
  const read = new Set(allSettings().map(({ parameter }) => parameter));
  return Object.entries(Parameters)
    .filter(([name]) => !read.has(name))
    .map(([name, parameter]) => row(code(name), parameter.Description ?? '', defaultText(parameter)));
}

export function settingsPage(template: Template = readTemplate()): string {
  return [
    '# Settings',
    '',
    '<!-- Written by scripts/settings-doc.ts from functions/core/settings.ts and template.yaml; do not edit. -->',
    '',
    'What a deployment chooses. The first table is what the functions read; a local run takes the same parameters',
    '([embedded world](embedded-world.md#parameters)).',
    '',
    row('parameter', 'what it is', 'takes', 'default', 'environment variable'),
    row('---', '---', '---', '---', '---'),
    ...settingRows(template),
    '',
    'These are for the stack itself:',
    '',
    row('parameter', 'what it is', 'default'),
    row('---', '---', '---'),
    ...stackRows(template),
    '',
  ].join('\n');
}

if (import.meta.main) keepPage(SETTINGS_PAGE, settingsPage(), 'settings-doc.ts');
