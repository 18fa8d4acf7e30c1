import { describe, expect, it } from 'vitest';
import { captured } from '../support/captured.ts';

/** Preloaded into the bench: whatever is used on the way says something there, as an installation does. */
const NOISE = `data:text/javascript,${encodeURIComponent(`
  const say = () => console.log('installing something into somewhere');
  setTimeout(say, 0);
  setInterval(say, 20).unref();
`)}`;

const bench = (args: readonly string[]) => captured(process.execPath, ['--import', NOISE, 'bench/run.ts', ...args]);

describe('the bench', () => {
  it('prints one object with --json and nothing else, whatever is said on the way', { timeout: 300_000 }, async () => {
    const { status, stdout, stderr } = await bench(['--json', '--quick', '--only', 'cost']);

    expect(status).toBe(0);
    expect(stderr).toContain('installing something into somewhere');
    expect(JSON.parse(stdout)).toMatchObject({ goals: expect.any(Array), sections: [{ name: 'cost' }] });
  });
});
