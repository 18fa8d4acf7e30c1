import { globSync, readFileSync } from 'node:fs';
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
 * Takes the classes of errors out of the registry of a generated AWS SDK schema file, where each stands with a statement
 * of its own that keeps class and schema in every bundle. An error without a class arrives as the client's base exception
 * with the same name, message and members, which is all that is asked of it here; those in `kept` are compared by class.
 *
 * @param {string} source
 * @param {readonly string[]} kept
 * @returns {{ code: string, dropped: number }}
 */
export function dropErrorClasses(source, kept) {
  let dropped = 0;
  /** @type {(whole: string, name: string) => string} */
  const drop = (whole, name) => {
    if (name.endsWith('ServiceException') || kept.includes(name)) return whole;
    dropped += 1;
    return '';
  };
  // The base exception, in the registry `_s_registry`, is never dropped.
  const code = source.replaceAll(/^n\d+_registry\.registerError\(\w+\$, (\w+)\);\n/gm, drop);
  return { code, dropped };
}

/**
 * Classes of errors that the functions import from an AWS client: these they tell by class, all others by code.
 *
 * @param {string} folder
 * @returns {string[]}
 */
function errorClassesIn(folder) {
  return globSync(`${folder}/**/*.ts`).flatMap((path) => {
    const source = readFileSync(path, 'utf8');
    const imports = [...source.matchAll(/import\s*\{([^}]*)\}\s*from\s*'@aws-sdk\/client-[\w-]+'/g)];
    const names = imports.flatMap(([, list = '']) => list.split(',').map((name) => name.trim()));
    return names.filter((name) => /^\w+(Exception|Error|Fault|Exceeded)$/.test(name));
  });
}

/** Clients whose schema files hold no error: EC2 names its errors nowhere. */
const WITHOUT_ERRORS = ['client-ec2'];

/**
 * esbuild plugin that does both for every AWS client of the bundle. It fails the build rather than let a bundle triple in
 * silence: when a client in `required` is bundled and nothing was rewritten in it (its files have moved, the build has
 * picked its CommonJS, or the SDK has been mended and the plugin can go), when a client has lost no error class, or when a
 * key is not one of the constants.
 *
 * @param {{ required?: readonly string[], errors?: 'those-imported' | 'all' }} [options] `errors`: which stay in
 * @returns {import('esbuild').Plugin}
 */
export function pruneAwsSchemas({ required = ['client-ec2'], errors: stay = 'those-imported' } = {}) {
  return {
    name: 'prune-aws-schemas',
    setup(build) {
      /** @type {Set<string>} */
      const bundled = new Set();
      /** @type {Map<string, number>} */
      const rewrites = new Map();
      const kept = stay === 'all' ? null : errorClassesIn('functions');

      build.onResolve({ filter: /^@aws-sdk\/client-[\w-]+$/ }, ({ path }) => {
        bundled.add(path.slice('@aws-sdk/'.length));
        return undefined;
      });
      build.onLoad(
        { filter: /[\\/]@aws-sdk[\\/]client-[\w-]+[\\/]dist-es[\\/]schemas[\\/].+\.js$/ },
        async ({ path }) => {
          const plain = rewriteComputedKeys(await readFile(path, 'utf8'));
          const { rewritten, unresolved } = plain;
          const { code, dropped } = kept === null ? { ...plain, dropped: null } : dropErrorClasses(plain.code, kept);
          const client = /[\\/](client-[\w-]+)[\\/]dist-es[\\/]/.exec(path)?.[1] ?? path;
          rewrites.set(client, (rewrites.get(client) ?? 0) + rewritten);
          const errors = unresolved
            .slice(0, 1)
            .map((key) => ({ text: `computed key [${key}] is no constant of ${path}` }));
          if (dropped === 0 && !WITHOUT_ERRORS.includes(client)) {
            errors.push({ text: `no error class was dropped in ${path}: its registry is written in another way` });
          }
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
