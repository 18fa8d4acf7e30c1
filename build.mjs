/**
 * Bundles every functions/<name>/handler.ts into dist/<name>/index.mjs, and what it imports only on rare paths into files
 * beside it.
 *
 *   node build.mjs [--credentials environment|full] [--outdir dist]
 *
 * `--credentials full` keeps the SDK's whole credential chain and its files of settings, to run a bundle elsewhere than on
 * a zip Lambda.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { bundledBytes, bundleOptions } from './scripts/bundle-options.mjs';

/**
 * A function beyond this has lost its tree-shaking somewhere: the SDK's EC2 client alone is 800 kB without. Of those that read
 * flow logs, 80 kB are the client of the bucket, which is loaded when a log in it is asked.
 */
const MAX_FUNCTION_BYTES = 480_000;

const { values } = parseArgs({
  options: {
    credentials: { type: 'string', default: 'environment' },
    outdir: { type: 'string', default: 'dist' },
  },
});
const { credentials, outdir } = values;
if (credentials !== 'environment' && credentials !== 'full') {
  throw new Error(`--credentials: "${credentials}" is neither environment nor full`);
}

const functions = readdirSync('functions').filter((name) => existsSync(`functions/${name}/handler.ts`));
if (functions.length === 0) throw new Error('no functions/*/handler.ts here');
rmSync(outdir, { recursive: true, force: true });

const sizes = await Promise.all(
  functions.map(async (name) => {
    const { metafile } = await build({
      ...bundleOptions({ credentials }),
      entryPoints: [{ in: `functions/${name}/handler.ts`, out: 'index' }],
      outdir: `${outdir}/${name}`,
      // Each function has a folder of its own, so each is split by itself.
      splitting: true,
      chunkNames: '[name]-[hash]',
    });
    return { name, ...bundledBytes(metafile) };
  }),
);

/** @type {(bytes: number) => string} */
const kilobytes = (bytes) => (bytes / 1000).toFixed(1).padStart(8);
console.log('at start   in all');
for (const { name, all, atStart } of sizes.toSorted((one, other) => other.all - one.all)) {
  console.log(`${kilobytes(atStart)} ${kilobytes(all)} kB  ${outdir}/${name}`);
}
const tooLarge = sizes.filter(({ all }) => all > MAX_FUNCTION_BYTES);
if (tooLarge.length > 0) {
  console.error(`larger than ${MAX_FUNCTION_BYTES / 1000} kB: ${tooLarge.map(({ name }) => name).join(', ')}`);
  process.exitCode = 1;
}
