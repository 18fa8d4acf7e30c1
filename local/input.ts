import { readFileSync } from 'node:fs';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { errorText } from '../functions/aws/errors.ts';
import { InputError, quote } from '../functions/core/errors.ts';
import type { Mode } from '../functions/core/model.ts';

/** What every command on this machine reads from its command line and from files, and how it ends. */

/** No input of ours is nested deeper; what is breaks readers and writers of JSON that have a stack. */
const DEEPEST = 200;

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((item) => isDeeperThan(item, levels - 1));
}

/** Any JSON from outside, or an InputError: lists in lists without end are no input. */
export function requireShallow(option: string, json: unknown): unknown {
  if (isDeeperThan(json, DEEPEST)) throw new InputError(option, `is nested deeper than ${DEEPEST} levels`);
  return json;
}

/** Reads a JSON file that an option names. */
export function readJson(option: string, file: string | URL): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new InputError(option, `${quote(String(file), 300)} cannot be read (${code})`, { cause: error });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new InputError(option, `${quote(String(file), 300)} is not JSON`, { cause: error });
  }
  return requireShallow(option, json);
}

/** The options on the command line; an unknown or unfinished one is an InputError. */
export function readOptions<T extends ParseArgsOptionsConfig>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], allowPositionals: false, options }).values;
  } catch (error) {
    // Node's own sentence names the option; one line of it is enough.
    throw new InputError('arguments', error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error), {
      cause: error,
    });
  }
}

export function modeOption(text: string | undefined): Mode | undefined {
  if (text === undefined || text === 'observe' || text === 'contain') return text;
  throw new InputError('--mode', `${quote(text)} is neither observe nor contain`);
}

/** What AWS or the network answered is one line; where the fault may be ours, the stack belongs to it. */
export function faultText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isOutside =
    '$metadata' in error || '$fault' in error || 'code' in error || error.name === 'CredentialsProviderError';
  return isOutside ? errorText(error) : (error.stack ?? error.message);
}

/**
 * Runs a command: what it answers goes to stdout, a refusal to stderr with exit status 2 and nothing on stdout, a fault of
 * the program to stderr with exit status 1.
 */
export async function runCommand(main: (args: string[]) => Promise<string>): Promise<void> {
  try {
    process.stdout.write(`${await main(process.argv.slice(2))}\n`);
  } catch (error) {
    if (error instanceof InputError) {
      process.stderr.write(`${error.message}\n`);
      process.exitCode = 2;
    } else {
      process.stderr.write(`flowcut failed: ${faultText(error)}\n`);
      process.exitCode = 1;
    }
  }
}
