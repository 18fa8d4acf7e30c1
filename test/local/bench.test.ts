import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';

/** Preloaded into the bench: whatever is used on the way says something there, as an installation does. */
const NOISE = `data:text/javascript,${encodeURIComponent(`
  const say = () => console.log('installing something into somewhere');
  setTimeout(say, 0);
  setInterval(say, 20).unref();
`)}`;

function bench(
  args: readonly string[],
): Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawn(process.execPath, ['--import', NOISE, 'bench/run.ts', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (out.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (out.stderr += chunk.toString()));
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (status) => done({ status, ...out }));
  });
}

describe('the bench', () => {
  it('prints one object with --json and nothing else, whatever is said on the way', { timeout: 300_000 }, async () => {
    const { status, stdout, stderr } = await bench(['--json', '--quick', '--only', 'cost']);

    expect(status).toBe(0);
    expect(stderr).toContain('installing something into somewhere');
    expect(JSON.parse(stdout)).toMatchObject({ goals: expect.any(Array), sections: [{ name: 'cost' }] });
  });
});
