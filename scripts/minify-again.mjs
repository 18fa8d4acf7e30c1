import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import { minify } from 'terser';

/**
 * esbuild plugin that minifies once more what is written. esbuild keeps a declaration for every string of a schema, though
 * most are used once after tree-shaking; terser writes those in where they are used, and joins what is left.
 *
 * @returns {import('esbuild').Plugin}
 */
export function minifyAgain() {
  return {
    name: 'minify-again',
    setup(build) {
      const { initialOptions } = build;
      // Who asks for no files looks at what is in them.
      if (initialOptions.write === false) return;
      initialOptions.write = false;
      build.onEnd(async ({ outputFiles = [], metafile }) => {
        for (const { path, text } of outputFiles) {
          const { code = '' } = await minify(text, { module: true, ecma: 2020, compress: { passes: 2 } });
          await mkdir(dirname(path), { recursive: true });
          await writeFile(path, code);
          const output = metafile?.outputs[relative(initialOptions.absWorkingDir ?? process.cwd(), path)];
          if (output !== undefined) output.bytes = Buffer.byteLength(code);
        }
      });
    },
  };
}
