import { environmentCredentials } from './environment-credentials.mjs';
import { environmentSettings } from './environment-settings.mjs';
import { leaveOut } from './leave-out.mjs';
import { minifyAgain } from './minify-again.mjs';
import { nodeBuiltins } from './node-builtins.mjs';
import { pruneAwsSchemas } from './prune-aws-schemas.mjs';

/**
 * How a function is bundled, wherever it is: for the deployment, to see which commands it holds, to measure it.
 *
 * @param {{ credentials?: 'environment' | 'full' }} [options]
 * @returns {import('esbuild').BuildOptions}
 */
export function bundleOptions({ credentials = 'environment' } = {}) {
  return {
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    // SAM's default, main before module, picks the SDK's CommonJS, which does not tree-shake.
    mainFields: ['module', 'main'],
    minify: true,
    legalComments: 'none',
    metafile: true,
    plugins: [
      nodeBuiltins(),
      pruneAwsSchemas(),
      leaveOut(),
      ...(credentials === 'environment' ? [environmentCredentials(), environmentSettings()] : []),
      minifyAgain(),
    ],
    logLevel: 'warning',
  };
}

/**
 * Bytes of one function as it is bundled: all of it, and what is read when it starts, which is the entry and all that it
 * imports before it runs; what `import()` fetches later is not among that.
 *
 * @param {import('esbuild').Metafile | undefined} metafile
 */
export function bundledBytes({ outputs } = { inputs: {}, outputs: {} }) {
  const reached = new Set(Object.keys(outputs).filter((path) => outputs[path]?.entryPoint !== undefined));
  /** @type {(path: string) => boolean} */
  const isLazyEntry = (path) =>
    Object.values(outputs).some(({ imports }) =>
      imports.some((imported) => imported.path === path && imported.kind === 'dynamic-import'),
    );
  for (const path of [...reached].filter(isLazyEntry)) reached.delete(path);
  for (const path of reached) {
    for (const imported of outputs[path]?.imports ?? []) {
      if (imported.kind === 'import-statement' && outputs[imported.path] !== undefined) reached.add(imported.path);
    }
  }
  /** @type {(paths: Iterable<string>) => number} */
  const sum = (paths) => [...paths].reduce((total, path) => total + (outputs[path]?.bytes ?? 0), 0);
  return { all: sum(Object.keys(outputs)), atStart: sum(reached) };
}
