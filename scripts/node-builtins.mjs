import { builtinModules } from 'node:module';

/**
 * esbuild plugin that takes Node's own modules from `process.getBuiltinModule`. Where a module is imported, Node reads each
 * of its exports at once, among them those that are made when they are read: the streams of `process`, the promises of
 * `fs`, all of web crypto. That is a fifth of what an import costs here. Taken in this way, an export is read where it is
 * used, and what is never reached is never made.
 * https://nodejs.org/api/process.html#processgetbuiltinmoduleid
 *
 * @returns {import('esbuild').Plugin}
 */
export function nodeBuiltins() {
  return {
    name: 'node-builtins',
    setup(build) {
      const filter = new RegExp(`^(node:.+|${builtinModules.join('|')})$`);
      build.onResolve({ filter }, ({ path, kind }) =>
        // What is imported late is rare; it stays as it is.
        kind === 'dynamic-import' ? undefined : { path, namespace: 'node-builtins', sideEffects: false },
      );
      // CommonJS, to which esbuild leads by getters.
      build.onLoad({ filter: /.*/, namespace: 'node-builtins' }, ({ path }) => ({
        contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
      }));
    },
  };
}
