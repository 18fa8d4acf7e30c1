import { readFile } from 'node:fs/promises';

/**
 * Writes the computed keys of a generated AWS SDK schema file as plain keys: `{ [_xN]: _m }` becomes
 * `{ "xmlName": _m }`. To esbuild a computed key may have side effects, so one such key keeps its whole schema, and the
 * schemas of all 700 EC2 operations land in every bundle. The keys are string constants at the top of the same file.
 *
 * @param {string} source
 * @returns {{ code: string, rewritten: number, unresolved: string[] }} `unresolved`: keys without such a constant
 */
export function rewriteComputedKeys(source) {
  const constants = new Map(
    [...source.matchAll(/^const (_\w+) = ("(?:[^"\\\n]|\\.)*");$/gm)].map(([, name, literal]) => [name, literal]),
  );
  /** @type {string[]} */
  const unresolved = [];
  let rewritten = 0;
  /** @type {(whole: string, before: string, name: string) => string} */
  const rewrite = (whole, before, name) => {
    const literal = constants.get(name);
    if (literal === undefined) {
      unresolved.push(name);
      return whole;
    }
    rewritten += 1;
    return `${before}${literal}`;
  };
  const code = source.replaceAll(/([{,]\s*)\[(\w+)\](?=\s*:)/g, rewrite);
  return { code, rewritten, unresolved };
}

/**
 * esbuild plugin that does so for every AWS client of the bundle. It fails the build rather than let a bundle triple in
 * silence: when a client in `required` is bundled and nothing was rewritten in it (its files have moved, the build has
 * picked its CommonJS, or the SDK has been mended and the plugin can go), or when a key is not one of the constants.
 *
 * @param {{ required?: readonly string[] }} [options]
 * @returns {import('esbuild').Plugin}
 */
export function pruneAwsSchemas({ required = ['client-ec2'] } = {}) {
  return {
    name: 'prune-aws-schemas',
    setup(build) {
      /** @type {Set<string>} */
      const bundled = new Set();
      /** @type {Map<string, number>} */
      const rewrites = new Map();

      build.onResolve({ filter: /^@aws-sdk\/client-[\w-]+$/ }, ({ path }) => {
        bundled.add(path.slice('@aws-sdk/'.length));
        return undefined;
      });
      build.onLoad(
        { filter: /[\\/]@aws-sdk[\\/]client-[\w-]+[\\/]dist-es[\\/]schemas[\\/].+\.js$/ },
        async ({ path }) => {
          const { code, rewritten, unresolved } = rewriteComputedKeys(await readFile(path, 'utf8'));
          const client = /[\\/](client-[\w-]+)[\\/]dist-es[\\/]/.exec(path)?.[1] ?? path;
          rewrites.set(client, (rewrites.get(client) ?? 0) + rewritten);
          const errors =
            unresolved.length > 0 ? [{ text: `computed key [${unresolved[0]}] is no constant of ${path}` }] : [];
          return { contents: code, loader: 'js', errors };
        },
      );
      build.onEnd(() => ({
        errors: required
          .filter((client) => bundled.has(client) && !rewrites.get(client))
          .map((client) => ({ text: `nothing was rewritten in @aws-sdk/${client}, so it will not tree-shake` })),
      }));
    },
  };
}
