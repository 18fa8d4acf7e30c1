/** Tools that come from PyPI: installed by the project itself, at pinned versions, into a virtual environment under .cache/. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What is said where a suite that needs Python is skipped. */
export const noPython = (leastMinor = 10): string =>
  `no Python 3.${leastMinor} or later that can make virtual environments`;

/** A Python that can make virtual environments and that the tools run on; null = there is none. */
function findPython(leastMinor: number): { readonly command: string; readonly version: string } | null {
  for (const command of ['python3', 'python']) {
    const answer = spawnSync(command, ['-c', 'import ensurepip, venv, sys; print(sys.version.split()[0])'], {
      encoding: 'utf8',
    });
    const version = answer.stdout?.trim() ?? '';
    const minor = /^3\.(\d+)\./.exec(version)?.[1];
    if (answer.status === 0 && minor !== undefined && Number(minor) >= leastMinor) return { command, version };
  }
  return null;
}

/** Runs a program to its end and returns what it printed; throws with all that it said where it failed. */
export function mustRun(command: string, args: readonly string[], input = ''): string {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', input });
  if (status !== 0) throw new Error([`${command} ${args.join(' ')}`, error?.message, stdout, stderr].join('\n'));
  return stdout;
}

/**
 * The Python that has what `scripts/<name>-tools.txt` lists, installed if it is not there yet; null = no Python on this
 * machine. Programs that come with it stand beside it; start them with it, for the environment was made elsewhere.
 */
export function pythonWith(
  name: string,
  { leastMinor = 10, pipOptions = [] }: { readonly leastMinor?: number; readonly pipOptions?: readonly string[] } = {},
): string | null {
  const python = findPython(leastMinor);
  if (python === null) return null;
  const file = join(ROOT, `scripts/${name}-tools.txt`);
  const requirements = readFileSync(file, 'utf8');
  const key = createHash('sha256').update(requirements).update(python.version).digest('hex').slice(0, 12);
  const folder = join(ROOT, `.cache/python-${name}-${key}`);
  if (!existsSync(folder)) {
    // Somebody else may install at the same time: it is there as a whole or not at all.
    const making = `${folder}.${process.pid}`;
    // What a command answers stays alone on its standard output.
    console.error(`installing ${requirements.trim().split('\n').join(', ')} into ${folder}`);
    mustRun(python.command, ['-m', 'venv', making]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...pipOptions, '-r', file];
    mustRun(join(making, 'bin/python'), pip);
    if (existsSync(folder)) rmSync(making, { recursive: true });
    else renameSync(making, folder);
  }
  return join(folder, 'bin/python');
}
