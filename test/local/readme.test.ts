import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { captured } from '../support/captured.ts';

/** Every command line of the README, without its comment: those in fences, indented or not. */
const LINES: readonly string[] = [...readFileSync('README.md', 'utf8').matchAll(/^ *```sh\n(.*?)^ *```$/gms)]
  .flatMap(([, block = '']) => block.replaceAll(/\\\n\s*/g, '').split('\n'))
  .map((line) => line.trim().replace(/(^|\s+)#.*$/, ''))
  .filter((line) => line !== '');

/** What speaks to an account with AWS's own tools, and what needs what those made. */
const OF_AWS = /\b(aws|sam) |\.aws-sam/;

/** Ours that speak to an account. */
const OF_ACCOUNT = /^npm run -s (plan|respond|snapshot) -- /;

/** This test is part of it. */
const NOT_AGAIN = ['npm test'];

const here = LINES.map((line) => line.replace('npm ci && ', '')).filter((line) => !OF_AWS.test(line));
const offline = here.filter((line) => !OF_ACCOUNT.test(line) && !NOT_AGAIN.includes(line));
const online = here.filter((line) => OF_ACCOUNT.test(line));

/** A clone: what the repository has, and what `npm ci` brings; what a command writes goes nowhere else. */
const folder = mkdtempSync(join(tmpdir(), 'flowcut-readme-'));
afterAll(() => rmSync(folder, { recursive: true }));
for (const name of readdirSync('.')) {
  if (!/^(dist|coverage|reports|\.)/.test(name)) symlinkSync(resolve(name), join(folder, name));
}
// What `snapshot` would have printed.
copyFileSync('local/worlds/snapshot-example.json', join(folder, 'world.json'));

const OURS = 'i-0000000000000ab01';

const run = (line: string) =>
  captured('bash', ['-c', `set -o pipefail; ${line.replaceAll('i-0123456789abcdef0', OURS)}`], {
    cwd: folder,
    env: { ...process.env, AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: 'not-a-secret' },
  });

/** Others use the cores too, and one of them builds everything. */
const PATIENCE_MS = 600_000;

describe('a command of the README', { concurrent: false }, () => {
  it.each(offline)('runs as written, with no account: %s', { timeout: PATIENCE_MS }, async (line) => {
    const { status, stdout, stderr } = await run(line);

    expect({ status, stderr: stderr.replaceAll(/^npm (warn|notice).*\n/gm, '') }).toEqual({ status: 0, stderr: '' });
    // `echo` writes into a file.
    expect(stdout === '').toBe(line.startsWith('echo '));
    expect(stdout).not.toMatch(/REFUSED|IGNORED/);
  });

  it.each(online)('gets as far as the account: %s', { timeout: PATIENCE_MS }, async (line) => {
    const nowhere = `${line.replace(/ > .*$/, '')} --region eu-central-1 --endpoint http://127.0.0.1:9`;

    const { status, stdout, stderr } = await run(nowhere);

    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^flowcut failed: .*ECONNREFUSED.*\n$/);
  });

  it('is one of these, or of the tools of AWS', () => {
    expect(offline.length).toBeGreaterThan(7);
    expect(online.length).toBeGreaterThan(3);
    expect(LINES.filter((line) => OF_AWS.test(line)).length).toBeGreaterThan(4);
    expect(here.filter((line) => NOT_AGAIN.includes(line))).toEqual(NOT_AGAIN);
  });
});

describe('the example of a snapshot', () => {
  it('is of the account and the instance of the example findings, so that either goes with the other', () => {
    const { AccountId, Reservations } = JSON.parse(readFileSync('local/worlds/snapshot-example.json', 'utf8'));
    const { detail } = JSON.parse(readFileSync('events/guardduty-ec2-c2activity.json', 'utf8'));

    expect(AccountId).toBe(detail.accountId);
    expect(JSON.stringify(Reservations)).toContain(`"${detail.resource.instanceDetails.instanceId}"`);
  });
});
