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
  const folders = deployedFolders();
  const { metafile } = await build({
    ...bundleOptions(),
    entryPoints: folders.map((name) => ({ in: `functions/${name}/handler.ts`, out: name })),
    outdir: 'unwritten',
    write: false,
    logLevel: 'error',
  });
  const found = Object.entries(metafile?.outputs ?? {}).map(([output, { inputs }]) => {
    const name = output.replace(/^unwritten\/|\.mjs$/g, '');
    const commands = Object.entries(inputs)
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .flatMap(([path]) => {
        const [, client, command] = COMMAND.exec(path) ?? [];
        return client === undefined || command === undefined ? [] : [`${client}:${command}`];
      });
    return [name, commands.sort()] as const;
  });
  return new Map(found);
}
