/**
 * Bundles every functions/<name>/handler.ts into dist/<name>/index.mjs.
 *
 *   node build.mjs [--credentials environment|full] [--outdir dist]
 *
 * `--credentials full` keeps the SDK's whole credential chain, to run a bundle elsewhere than on a zip Lambda.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { environmentCredentials } from './scripts/environment-credentials.mjs';
import { pruneAwsSchemas } from './scripts/prune-aws-schemas.mjs';

/** A bundle beyond this has lost its tree-shaking somewhere: the SDK's EC2 client alone is 800 kB without. */
const MAX_BUNDLE_BYTES = 600_000;

const { values } = parseArgs({
  options: {
    credentials: { type: 'string', default: 'environment' },
    outdir: { type: 'string', default: 'dist' },
  },
});
if (!['environment', 'full'].includes(values.credentials)) {
  throw new Error(`--credentials: "${values.credentials}" is neither environment nor full`);
}

const functions = readdirSync('functions').filter((name) => existsSync(`functions/${name}/handler.ts`));
if (functions.length === 0) throw new Error('no functions/*/handler.ts here');
rmSync(values.outdir, { recursive: true, force: true });

const { metafile } = await build({
  entryPoints: functions.map((name) => ({ in: `functions/${name}/handler.ts`, out: `${name}/index` })),
  outdir: values.outdir,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  // SAM's default, main before module, picks the SDK's CommonJS, which does not tree-shake.
  mainFields: ['module', 'main'],
  minify: true,
  // Step Functions and the logs compare and show the names of errors.
  keepNames: true,
  legalComments: 'none',
  metafile: true,
  // CommonJS inside the bundle still calls require() for Node's own modules.
  banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
  plugins: [pruneAwsSchemas(), ...(values.credentials === 'environment' ? [environmentCredentials()] : [])],
  logLevel: 'warning',
});

const sizes = Object.entries(metafile.outputs).map(([path, { bytes }]) => ({ path, bytes }));
for (const { path, bytes } of sizes.toSorted((one, other) => other.bytes - one.bytes)) {
  console.log(`${(bytes / 1000).toFixed(1).padStart(8)} kB  ${path}`);
}
const tooLarge = sizes.filter(({ bytes }) => bytes > MAX_BUNDLE_BYTES);
if (tooLarge.length > 0) {
  console.error(`larger than ${MAX_BUNDLE_BYTES / 1000} kB: ${tooLarge.map(({ path }) => path).join(', ')}`);
  process.exitCode = 1;
}
