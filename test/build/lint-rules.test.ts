import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** What core must not do, what nothing deployed may do, and what is fine: sources by name. */
const IMPURE = {
  'the clock': 'export const now = () => Date.now();',
  'the clock, by constructor': 'export const now = () => new Date();',
  'the clock, by call': 'export const now = () => Date();',
  'the dice': 'export const roll = () => Math.random();',
  'the dice, taken apart': 'const { random } = Math;\nexport const roll = () => random();',
  'a random id': "import { randomUUID } from 'node:crypto';\nexport const id = () => randomUUID();",
  'the environment': 'export const home = () => process.env.HOME;',
  'the environment, by a detour': 'export const home = () => globalThis.process.env.HOME;',
  'the console': "export const say = () => console.log('x');",
  'the network': "export const get = () => fetch('https://example.com');",
  'a timer': 'export const later = () => setTimeout(() => {}, 1);',
  'the SDK': "import { EC2Client } from '@aws-sdk/client-ec2';\nexport const client = EC2Client;",
  'the file system': "import { readFileSync } from 'node:fs';\nexport const read = readFileSync;",
  'an adapter': "import { read } from '../aws/instances.ts';\nexport const again = read;",
  'a late import': "export const late = () => import('./errors.ts');",
};
const NOT_DEPLOYABLE = {
  'the local world': "import { x } from '../../local/world/state.ts';\nexport const y = x;",
  'the tests': "import { x } from '../../test/support/fixtures.ts';\nexport const y = x;",
  'all of zod': "import { z } from 'zod';\nexport const text = z.string();",
};
/** What the commands on real accounts must not lean on. */
const NOT_LIVE = {
  'the simulator': "import { x } from '../simulate.ts';\nexport const y = x;",
  'the world': "import { x } from '../world/state.ts';\nexport const y = x;",
  'a corner of the world': "import { x } from '../world/api/errors.ts';\nexport const y = x;",
};
const PURE = `import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { InputError } from './errors.ts';

export const all = [createHash, z, InputError, new Date(0).toISOString(), Math.floor(1.5)];
`;

/** The same of a file in a room of core. */
const IMPURE_IN_A_ROOM = {
  ...IMPURE,
  'an adapter': "import { read } from '../../aws/instances.ts';\nexport const again = read;",
};
const PURE_IN_A_ROOM = `import { InputError } from '../errors.ts';
import { route } from '../network/routes.ts';
import { near } from './near.ts';

export const all = [InputError, route, near];
`;

const fileOf = (folder: string, name: string) => `functions/${folder}/${name.replaceAll(/\W+/g, '-')}.ts`;

const liveFile = (name: string) => `local/live/${name.replaceAll(/\W+/g, '-')}.ts`;

let folder = '';
let findings: { category: string; location: { path: string } }[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'flowcut-lint-'));
  for (const file of ['biome.json', 'lint', 'package.json']) cpSync(file, join(folder, file), { recursive: true });
  const write = (path: string, source: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `${source}\n`);
  };
  for (const [name, source] of Object.entries(IMPURE)) write(fileOf('core', name), source);
  for (const [name, source] of Object.entries(NOT_DEPLOYABLE)) {
    write(fileOf('core', name), source);
    write(fileOf('aws', name), source);
  }
  write(fileOf('core', 'pure'), PURE);
  for (const [name, source] of Object.entries(IMPURE_IN_A_ROOM)) write(fileOf('core/room', name), source);
  write(fileOf('core/room', 'pure'), PURE_IN_A_ROOM);
  for (const [name, source] of Object.entries(NOT_LIVE)) write(liveFile(name), source);
  write(liveFile('the runner'), "import { x } from '../runner.ts';\nexport const y = x;");
  write(fileOf('aws', 'clock'), IMPURE['the clock, by constructor']);

  const options = ['--vcs-enabled=false', '--max-diagnostics=none', '--reporter=json'];
  const { stdout } = spawnSync(resolve('node_modules/.bin/biome'), ['lint', ...options], {
    cwd: folder,
    encoding: 'utf8',
  });
  findings = (JSON.parse(stdout) as { diagnostics: typeof findings }).diagnostics;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rulesBroken = (path: string) => findings.filter(({ location }) => location.path === path).map((f) => f.category);

describe('core is pure', () => {
  it.each(Object.keys({ ...IMPURE, ...NOT_DEPLOYABLE }))('refuses %s', (name) => {
    expect(rulesBroken(fileOf('core', name))).toEqual(
      expect.arrayContaining([expect.stringMatching(/^plugin$|noRestricted(Imports|Globals)$/)]),
    );
  });

  it.each(Object.keys(IMPURE_IN_A_ROOM))('refuses %s in a room', (name) => {
    expect(rulesBroken(fileOf('core/room', name))).toEqual(
      expect.arrayContaining([expect.stringMatching(/^plugin$|noRestricted(Imports|Globals)$/)]),
    );
  });

  it('permits what it needs', () => {
    expect(rulesBroken(fileOf('core', 'pure'))).toEqual([]);
    expect(rulesBroken(fileOf('core/room', 'pure'))).toEqual([]);
  });

  it('leaves the clock to everyone else', () => {
    expect(rulesBroken(fileOf('aws', 'clock'))).toEqual([]);
  });
});

describe('what is deployed', () => {
  it.each(Object.keys(NOT_DEPLOYABLE))('does not lean on %s', (name) => {
    expect(rulesBroken(fileOf('aws', name))).toContain('lint/style/noRestrictedImports');
  });
});

describe('what changes real accounts', () => {
  it.each(Object.keys(NOT_LIVE))('does not lean on %s', (name) => {
    expect(rulesBroken(liveFile(name))).toContain('lint/style/noRestrictedImports');
  });

  it('leans on the runner', () => {
    expect(rulesBroken(liveFile('the runner'))).toEqual([]);
  });
});

describe('no promise is left alone', () => {
  // Inside the project, so that the type checker finds the SDK's types.
  let sources = '';
  beforeAll(() => {
    mkdirSync('.cache', { recursive: true });
    sources = mkdtempSync(join('.cache', 'promises-'));
  });
  afterAll(() => rmSync(sources, { recursive: true, force: true }));

  it.each([
    ['an SDK call', 'client.send(command);'],
    ['an SDK call marked void', 'void client.send(command);'],
    ['a callback that nothing awaits', '[1].forEach(async () => { await client.send(command); });'],
  ])('refuses %s', (name, statement) => {
    const path = join(sources, `${name.replaceAll(' ', '-')}.ts`);
    const source = `import { DescribeVpcsCommand, EC2Client } from '@aws-sdk/client-ec2';
const client = new EC2Client({});
const command = new DescribeVpcsCommand({});
${statement}
export { client, command };
`;
    writeFileSync(path, source);

    const { status, stdout } = spawnSync('node_modules/.bin/oxlint', ['--no-ignore', '-f', 'unix', path], {
      encoding: 'utf8',
    });

    expect(stdout).toMatch(/no-floating-promises|no-misused-promises/);
    expect(status).not.toBe(0);
  });
});
