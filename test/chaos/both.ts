/**
 * Findings interleaved, then interruptions and faults: `npm run test:chaos`. Ends with the counts of the last, or of the
 * first that found something.
 *
 *   npm run test:chaos              as in every build
 *   npm run test:chaos -- --long    more seeds of every interleaving, every point of every world
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { long: { type: 'boolean', default: false } } });

for (const script of [import.meta.resolve('./interleave.ts'), import.meta.resolve('./run.ts')]) {
  const args = [fileURLToPath(script), ...(values.long ? ['--long'] : [])];
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  process.exitCode = status ?? 1;
  if (status !== 0) break;
}
