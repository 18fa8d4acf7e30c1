/**
 * Holds the Windows script, which nothing here can execute, against a grammar of PowerShell and against a table of documented
 * commands: the script as it is written, and as the command document carries it. The grammar comes from PyPI at the versions in
 * powershell-tools.txt, into a virtual environment under .cache/. Ends with `N passed, N failed`; without Python all is skipped.
 *
 *   node scripts/powershell-check.ts [FILE...]     other scripts instead
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMMANDS, COMMON_PARAMETERS, PROGRAMS } from './powershell-commands.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const REQUIREMENTS = join(ROOT, 'scripts/powershell-tools.txt');
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

function run(command: string, args: readonly string[], input = ''): string {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', input });
  if (status !== 0) throw new Error([`${command} ${args.join(' ')}`, error?.message, stdout, stderr].join('\n'));
  return stdout;
}

/** A Python that can make virtual environments and has wheels of the grammar; null = there is none. */
function findPython(): { readonly command: string; readonly version: string } | null {
  for (const command of ['python3', 'python']) {
    const said = spawnSync(command, ['-c', 'import ensurepip, venv, sys; print(sys.version.split()[0])'], {
      encoding: 'utf8',
    });
    const version = said.stdout?.trim() ?? '';
    if (said.status === 0 && /^3\.(1\d|[2-9]\d)\./.test(version)) return { command, version };
  }
  return null;
}

/** The Python that has the grammar, installed if it is not there yet. */
function grammarPython(python: { readonly command: string; readonly version: string }): string {
  const requirements = readFileSync(REQUIREMENTS, 'utf8');
  const key = createHash('sha256').update(requirements).update(python.version).digest('hex').slice(0, 12);
  const folder = join(ROOT, `.cache/powershell-${key}`);
  if (!existsSync(folder)) {
    // Somebody else may install at the same time: it is there as a whole or not at all.
    const making = `${folder}.${process.pid}`;
    console.log(`installing ${requirements.trim().split('\n').join(', ')} into ${folder}`);
    run(python.command, ['-m', 'venv', making]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary=:all:'];
    run(join(making, 'bin/python'), [...pip, '-r', REQUIREMENTS]);
    if (existsSync(folder)) rmSync(making, { recursive: true });
    else renameSync(making, folder);
  }
  return join(folder, 'bin/python');
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
  const python = findPython();
  if (python === null) {
    console.log('no Python 3.10 or later that can make virtual environments: the Windows script is not parsed');
    console.log(`0 passed, 0 failed, ${scripts.length + 1} skipped`);
    return;
  }
  const reader = grammarPython(python);
  const syntaxes = scripts.map(([, text]) => JSON.parse(run(reader, [READER], text)) as Syntax);
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
