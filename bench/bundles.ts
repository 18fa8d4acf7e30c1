import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { bundledBytes, bundleOptions } from '../scripts/bundle-options.mjs';
import { environmentCredentials } from '../scripts/environment-credentials.mjs';
import { pruneAwsSchemas } from '../scripts/prune-aws-schemas.mjs';

/** A way to bundle a function, each with one step more than the one before; the first is what `sam build` does. */
export interface Variant {
  readonly name: string;
  readonly options: BuildOptions;
  readonly file: 'index.cjs' | 'index.mjs';
}

const ours = bundleOptions();
const unpruned: BuildOptions = { ...ours, keepNames: true, plugins: [] };

/**
 * SAM's own defaults: main before module, minified, CommonJS, ES2020.
 * https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-using-build-typescript.html
 */
const SAM: BuildOptions = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'es2020',
  mainFields: ['main', 'module'],
  minify: true,
  // Under this project's package.json a .js file would be an ES module.
  outExtension: { '.js': '.cjs' },
  metafile: true,
  logLevel: 'error',
};

export const SAM_DEFAULT: Variant = {
  name: 'SAM default: main before module, CommonJS',
  options: SAM,
  file: 'index.cjs',
};

export const OURS: Variant = {
  name: 'rare paths in files of their own (what is deployed)',
  options: { ...ours, splitting: true, chunkNames: '[name]-[hash]' },
  file: 'index.mjs',
};

/** What `zod/mini` spares. */
export const WITH_ALL_OF_ZOD: Variant = {
  name: 'all of zod instead of zod/mini',
  options: { ...OURS.options, alias: { 'zod/mini': 'zod' } },
  file: 'index.mjs',
};

export const STEPS: readonly Variant[] = [
  SAM_DEFAULT,
  { name: 'module before main, ES modules', options: unpruned, file: 'index.mjs' },
  {
    name: 'schemas with plain keys, which tree-shake',
    options: { ...unpruned, plugins: [pruneAwsSchemas({ errors: 'all' })] },
    file: 'index.mjs',
  },
  {
    name: 'credentials from the environment alone',
    options: { ...unpruned, plugins: [pruneAwsSchemas({ errors: 'all' }), environmentCredentials()] },
    file: 'index.mjs',
  },
  {
    name: "nothing that no function reaches, Node's own modules as they are used, no kept names, minified twice",
    options: ours,
    file: 'index.mjs',
  },
  OURS,
];

export const FUNCTIONS: readonly string[] = readdirSync('functions')
  .filter((name) => existsSync(`functions/${name}/handler.ts`))
  .sort();

export interface Artifact {
  readonly file: string;
  /** Bytes of what a start reads, and of everything that is deployed with it. */
  readonly atStart: number;
  readonly all: number;
}

/** Bundles one function in one way into a folder of its own. */
export async function bundle(folder: string, { options, file }: Variant, name: string): Promise<Artifact> {
  const entryPoints = [{ in: `functions/${name}/handler.ts`, out: 'index' }];
  const { metafile } = await build({ ...options, metafile: true, entryPoints, outdir: folder });
  return { file: join(folder, file), ...bundledBytes(metafile) };
}

/** All functions in one bundle, whose handler is that of one of them. */
export async function bundleTogether(folder: string, names: readonly string[], handler: string): Promise<Artifact> {
  const variable = (name: string) => name.replaceAll('-', '_');
  const imports = names.map((name) => `import * as ${variable(name)} from './functions/${name}/handler.ts';`);
  const contents = [
    ...imports,
    `export const all = [${names.map(variable).join(', ')}];`,
    `export { handler } from './functions/${handler}/handler.ts';`,
  ].join('\n');
  const { metafile } = await build({
    ...bundleOptions(),
    stdin: { contents, resolveDir: process.cwd() },
    outfile: join(folder, 'index.mjs'),
    metafile: true,
  });
  return { file: join(folder, 'index.mjs'), ...bundledBytes(metafile) };
}
