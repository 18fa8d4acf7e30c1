import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';

/**
 * Writes a page of docs/ that a script makes; with `--check` on the command line it only compares.
 *
 * @returns What is wrong, in one sentence; null = nothing, or the page is written.
 */
export function writtenPage(path: string, content: string, script: string): string | null {
  if (!process.argv.includes('--check')) {
    writeFileSync(path, content);
    return null;
  }
  return readFileSync(path, 'utf8') === content
    ? null
    : `docs/${basename(path)} is out of date: run node scripts/${script}`;
}

/** The same for a script that does nothing else. */
export function keepPage(path: string, content: string, script: string): void {
  const problem = writtenPage(path, content, script);
  if (problem === null) return;
  console.error(problem);
  process.exitCode = 1;
}
