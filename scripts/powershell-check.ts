/**
 * Holds the Windows script, which nothing here can execute, against a grammar of PowerShell and against a table of documented
 * commands: the script as it is written, and as the command document carries it. The grammar comes from PyPI at the versions in
 * powershell-tools.txt, into a virtual environment under .cache/. Ends with `N passed, N failed`; without Python all is skipped.
 *
 *   node scripts/powershell-check.ts [FILE...]     other scripts instead
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMMANDS, COMMON_PARAMETERS, PROGRAMS } from './powershell-commands.ts';
import { mustRun, noPython, pythonWith } from './python-tools.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const READER = join(ROOT, 'scripts/powershell-syntax.py');

/** What powershell-syntax.py prints. */
interface Syntax {
  readonly errors: readonly string[];
  readonly functions: readonly string[];
  readonly commands: readonly {
    readonly line: number;
    readonly name: string;
    readonly parameters: readonly string[];
    readonly splatted: boolean;
  }[];
  readonly programs: readonly { readonly line: number; readonly name: string }[];
}

/** Everything that is wrong with a script, a sentence each. */
function problemsOf({ errors, functions, commands, programs }: Syntax): readonly string[] {
  const foreign = commands.filter(({ name }) => !functions.includes(name));
  return [
    ...errors,
    ...foreign.flatMap(({ line, name, parameters, splatted }) => {
      const documented = COMMANDS[name];
      if (documented === undefined) return [`line ${line}: ${name} is not in the table of documented commands`];
      const known = [...documented.parameters, ...COMMON_PARAMETERS];
      return [
        ...parameters
          .filter((parameter) => !known.includes(parameter))
          .map((parameter) => `line ${line}: ${name} -${parameter} is not in the table (${documented.page})`),
        ...(splatted ? [`line ${line}: ${name} takes parameters from a variable, which nothing here can check`] : []),
      ];
    }),
    ...programs
      .filter(({ name }) => !Object.hasOwn(PROGRAMS, name))
      .map(({ line, name }) => `line ${line}: the program ${name} is not in the table`),
    // A grammar that suddenly finds nothing would find no error either.
    ...(foreign.length < 10 ? [`only ${foreign.length} calls were found`] : []),
  ];
}

/** What of the table no script uses any more. */
function unusedOf(syntaxes: readonly Syntax[]): readonly string[] {
  const used = new Set(syntaxes.flatMap(({ commands }) => commands.map(({ name }) => name)));
  return Object.keys(COMMANDS)
    .filter((name) => !used.has(name))
    .map((name) => `${name} is in the table and not used`);
}

function carriedScript(): string {
  const document = JSON.parse(readFileSync(join(ROOT, 'documents/flowcut-host-windows.json'), 'utf8')) as {
    mainSteps: [{ inputs: { runCommand: string[] } }];
  };
  return document.mainSteps[0].inputs.runCommand.join('\n');
}

function main(files: readonly string[]): void {
  const given = files.map((file) => [file, readFileSync(file, 'utf8')] as const);
  const own = [
    ['flowcut-host-windows.ps1', readFileSync(join(ROOT, 'documents/flowcut-host-windows.ps1'), 'utf8')],
    ['flowcut-host-windows.json', carriedScript()],
  ] as const;
  const scripts = given.length > 0 ? given : own;
  const python = pythonWith('powershell', { pipOptions: ['--only-binary=:all:'] });
  if (python === null) {
    console.log(`${noPython()}: the Windows script is not parsed`);
    console.log(`0 passed, 0 failed, ${scripts.length + 1} skipped`);
    return;
  }
  const syntaxes = scripts.map(([, text]) => JSON.parse(mustRun(python, [READER], text)) as Syntax);
  const results = [
    ...scripts.map(([name], index) => {
      const syntax = syntaxes[index];
      const problems = syntax === undefined ? ['it was not read'] : problemsOf(syntax);
      return [`${name} follows the grammar and uses documented commands and parameters`, problems] as const;
    }),
    ...(given.length > 0 ? [] : [['the table of documented commands holds what is used', unusedOf(syntaxes)] as const]),
  ];
  for (const [title, problems] of results)
    console.log(problems.length === 0 ? `ok    ${title}` : `FAIL  ${title}\n        ${problems.join('\n        ')}`);
  const failed = results.filter(([, problems]) => problems.length > 0).length;
  console.log(`${results.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

main(process.argv.slice(2));
