import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { type Captured, captured } from './captured.ts';

const SCRIPT = fileURLToPath(new URL('../../local/demo.ts', import.meta.url));

/** Runs the demo as a person does, in a process of its own. */
export const runDemo = (...args: readonly string[]): Promise<Captured> => captured(process.execPath, [SCRIPT, ...args]);

/** A folder for input files, gone after the tests; give it text or something to write as JSON. */
export function inputFolder(): (name: string, content: unknown) => string {
  const folder = mkdtempSync(join(tmpdir(), 'flowcut-demo-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  return (name, content) => {
    const file = join(folder, name);
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
    return file;
  };
}
