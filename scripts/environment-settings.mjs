import { readFile } from 'node:fs/promises';

const MODULE =
  /[\\/]@smithy[\\/]core[\\/]dist-es[\\/]submodules[\\/]config[\\/]node-config-provider[\\/]configLoader\.js$/;
const FROM_FILES = 'fromSharedConfigFiles(configFileSelector, configuration), ';

/**
 * esbuild plugin that leaves one source of settings in the bundle: the environment variables. The SDK looks for each
 * setting that is not there (dual stack, FIPS, the name of the application) in `~/.aws/config` too, at the first call of
 * each client, and on a Lambda there is no such file. It fails the build when the SDK reads its settings in another way.
 *
 * @returns {import('esbuild').Plugin}
 */
export function environmentSettings() {
  return {
    name: 'environment-settings',
    setup(build) {
      let [isNeeded, isDone] = [false, false];
      build.onResolve({ filter: /^@aws-sdk\/client-[\w-]+$/ }, () => {
        isNeeded = true;
        return undefined;
      });
      build.onLoad({ filter: MODULE }, async ({ path }) => {
        const source = await readFile(path, 'utf8');
        isDone = source.includes(FROM_FILES);
        return { contents: source.replace(FROM_FILES, ''), loader: 'js' };
      });
      build.onEnd(() => ({
        errors:
          isNeeded && !isDone ? [{ text: 'the SDK still looks for its settings in files: nothing was rewritten' }] : [],
      }));
    },
  };
}
