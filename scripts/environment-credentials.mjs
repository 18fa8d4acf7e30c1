/**
 * esbuild plugin that leaves one credential source in the bundle: the environment variables, from which alone a Lambda
 * function deployed as a zip gets its role's credentials. The SDK's default chain (SSO, profiles, web identity,
 * container and instance metadata) is a third of such a bundle. A function that assumes another role gives its client
 * `credentials` of its own, as ever.
 *
 * @returns {import('esbuild').Plugin}
 */
export function environmentCredentials() {
  return {
    name: 'environment-credentials',
    setup(build) {
      build.onResolve({ filter: /^@aws-sdk\/credential-provider-node$/ }, ({ resolveDir }) => ({
        // The folder to resolve from is the name: the SDK's packages may be nested.
        path: resolveDir,
        namespace: 'environment-credentials',
        sideEffects: false,
      }));
      build.onLoad({ filter: /.*/, namespace: 'environment-credentials' }, ({ path }) => ({
        contents: "export { fromEnv as defaultProvider } from '@aws-sdk/credential-provider-env';",
        resolveDir: path,
      }));
    },
  };
}
