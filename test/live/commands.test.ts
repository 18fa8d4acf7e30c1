import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../functions/core/errors.ts';
import { modeOption, readJson, readOptions, requireShallow } from '../../local/input.ts';
import { accountOf, instanceIdOf, whereOf } from '../../local/live/clients.ts';
import { type Captured, captured } from '../support/captured.ts';

const folder = mkdtempSync(join(tmpdir(), 'flowcut-commands-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a command as a person does, in a folder without a store, with nobody's credentials. */
const run = (command: 'plan' | 'respond' | 'snapshot', args: readonly string[], env: object = {}): Promise<Captured> =>
  captured(process.execPath, [fileURLToPath(new URL(`../../local/${command}.ts`, import.meta.url)), ...args], {
    cwd: folder,
    env: { ...process.env, ...env },
  });

const event = join(folder, 'event.json');
writeFileSync(event, '{"instanceId": "i-0000000000000ab01"}');
const broken = join(folder, 'broken.json');
writeFileSync(broken, '{');

const WRONG = [
  ['plan', ['--instance-id', 'i-1; reboot'], '--instance-id: "i-1; reboot" is not an instance id'],
  ['snapshot', [], '--instance-id: is missing'],
  ['respond', ['--restore'], '--case: is missing: what is to be restored?'],
  [
    'respond',
    ['--event', event, '--linux-document', 'a b'],
    '--linux-document: "a b" is not the name of an SSM document',
  ],
  [
    'respond',
    ['--event', broken, '--mode', 'observe'],
    `--event: ${JSON.stringify(broken)} is not JSON: line 1, column 2: the text ends; expected a key in double quotes or }`,
  ],
] as const;

describe('a command with a wrong option', () => {
  it.each(WRONG)('%s %j is refused in one sentence', async (command, args, sentence) => {
    const { status, stdout, stderr } = await run(command, args);

    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toBe(`${sentence}\n`);
  });
});

describe('an option', () => {
  it.each<[string, () => unknown]>([
    ['--instance-id: is missing', () => instanceIdOf(undefined)],
    ['--region: "../x" is not the name of a Region', () => whereOf({ region: '../x' })],
    ['--endpoint: "ftp://x" is not an http or https URL', () => whereOf({ endpoint: 'ftp://x' })],
    ['--account: "1" is not a 12-digit account id', () => accountOf('1')],
    ['--mode: "destroy" is neither observe nor contain', () => modeOption('destroy')],
    ['--event: "/nowhere": there is no such file', () => readJson('--event', '/nowhere')],
    [
      'arguments: there is no option "--mood"; did you mean --mode?',
      () => readOptions(['--mood'], { mode: { type: 'string' } }),
    ],
    ['--event: is nested deeper than 200 levels', () => requireShallow('--event', nested(201))],
  ])('is refused with: %s', (sentence, read) => {
    expect(read).toThrow(new InputError(...splitAt(sentence)));
  });

  it('may be nested as deep as inputs are', () => {
    expect(requireShallow('--event', nested(200))).toEqual(nested(200));
  });
});

const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);

function splitAt(sentence: string): [string, string] {
  const [field = '', ...rest] = sentence.split(': ');
  return [field, rest.join(': ')];
}

describe('a command', () => {
  it('that reaches nobody says so in one line, and leaves nothing behind', async () => {
    const { status, stdout, stderr } = await run('respond', ['--event', event, '--endpoint', 'http://127.0.0.1:9']);

    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^flowcut failed: .*ECONNREFUSED.*\n$/);
    expect(readdirSync(folder)).not.toContain('.flowcut');
  });
});
