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
  return new Map(await Promise.all(deployedFolders().map(async (name) => [name, await commandsOf(name)] as const)));
}

/** Split, as build.mjs splits: what is imported late is not shaken otherwise. */
async function commandsOf(name: string): Promise<readonly string[]> {
  const { metafile } = await build({
    ...bundleOptions(),
    entryPoints: [`functions/${name}/handler.ts`],
    outdir: 'unwritten',
    splitting: true,
    write: false,
    logLevel: 'error',
  });
  const commands = Object.values(metafile?.outputs ?? {})
    .flatMap(({ inputs }) => Object.entries(inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .flatMap(([path]) => {
      const [, client, command] = COMMAND.exec(path) ?? [];
      return client === undefined || command === undefined ? [] : [`${client}:${command}`];
    });
  return [...new Set(commands)].sort();
}
