import { existsSync, readdirSync } from 'node:fs';
import { build } from 'esbuild';
import { bundleOptions } from './bundle-options.mjs';

/** The folders under functions/ that are deployed. */
export const deployedFolders = (): readonly string[] =>
  readdirSync('functions')
    .filter((name) => existsSync(`functions/${name}/handler.ts`))
    .sort();

const COMMAND = /@aws-sdk\/client-([\w-]+)\/dist-es\/commands\/(\w+)Command\.js$/;

/**
 * The SDK commands that remain in each function's bundle after tree-shaking, as `client:Command`. Bundled as build.mjs
 * does in all that decides what remains.
 */
export async function bundledCommands(): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = deployedFolders().map(async (name) => {
    const { metafile } = await build({
      ...bundleOptions(),
      entryPoints: [{ in: `functions/${name}/handler.ts`, out: 'index' }],
      outdir: 'unwritten',
      // What is imported on rare paths alone loses its tree-shaking without.
      splitting: true,
      write: false,
      logLevel: 'error',
    });
    const inputs = Object.values(metafile?.outputs ?? {}).flatMap((output) => Object.entries(output.inputs));
    const commands = inputs
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .flatMap(([path]) => {
        const [, client, command] = COMMAND.exec(path) ?? [];
        return client === undefined || command === undefined ? [] : [`${client}:${command}`];
      });
    return [name, [...new Set(commands)].sort()] as const;
  });
  return new Map(await Promise.all(found));
}
