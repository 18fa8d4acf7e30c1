import { readFileSync } from 'node:fs';
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { errorText } from '../functions/aws/errors.ts';
import { InputError, quote } from '../functions/core/errors.ts';
import type { Mode } from '../functions/core/model.ts';
import { jsonFlaw } from './json-text.ts';
import { adviceFor } from './near-miss.ts';

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

/** Why a file cannot be read, in words; codes of https://nodejs.org/api/errors.html#common-system-errors */
const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'is a folder, not a file',
  EACCES: 'may not be read: its permissions forbid it',
  EPERM: 'may not be read: its permissions forbid it',
};

/**
 * The text of a file: UTF-8, or UTF-16 as Windows PowerShell writes it when output is redirected, with or without a byte
 * order mark. https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_character_encoding
 */
export function decodeText(bytes: Uint8Array): string {
  const [first, second] = bytes;
  // The first character of JSON is ASCII: in UTF-16 one of the first two bytes is zero.
  const isLittle = (first === 0xff && second === 0xfe) || (first !== 0 && second === 0);
  const isBig = (first === 0xfe && second === 0xff) || (first === 0 && second !== 0);
  if (isLittle) return new TextDecoder('utf-16le', { fatal: true }).decode(bytes);
  return new TextDecoder(isBig ? 'utf-16be' : 'utf-8', { fatal: true }).decode(bytes);
}

/** Reads a JSON file that an option names. */
export function readJson(option: string, file: string | URL): unknown {
  const name = quote(String(file), 300);
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new InputError(option, `${name}: ${UNREADABLE[code] ?? `cannot be read (${code})`}`, { cause: error });
  }
  let text: string;
  try {
    text = decodeText(bytes);
  } catch (error) {
    throw new InputError(option, `${name} is not text in UTF-8 or UTF-16`, { cause: error });
  }
  return requireShallow(option, parseText(option, name, text));
}

function parseText(option: string, name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const flaw = jsonFlaw(text);
    const where = flaw === null ? '' : `: line ${flaw.line}, column ${flaw.column}: ${flaw.problem}`;
    throw new InputError(option, `${name} is not JSON${where}`, { cause: error });
  }
}

/** `-h` and `--help` of every command. */
export const HELP_OPTION = { help: { type: 'boolean', short: 'h' } } as const;

/** The options on the command line; an unknown or unfinished one is an InputError. */
export function readOptions<T extends ParseArgsOptionsConfig>(args: readonly string[], options: T) {
  const known = Object.keys(options).map((name) => `--${name}`);
  for (const arg of args) {
    if (arg === '--') break;
    const [name = ''] = arg.split('=');
    if (!name.startsWith('--') || known.includes(name)) continue;
    const advice = adviceFor(name, known, `the options are ${known.join(', ')}`);
    throw new InputError('arguments', `there is no option ${quote(name)}; ${advice}`);
  }
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
