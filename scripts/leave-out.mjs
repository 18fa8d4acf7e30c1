import { readFile } from 'node:fs/promises';

const LEFT_OUT = 'is left out (scripts/leave-out.mjs)';

/**
 * Parts of the SDK that a client pulls in and no function here ever reaches, by the file that is left out. What stands for
 * it keeps the clients working, and throws where it would be reached after all. `by`: the clients that pull it in.
 *
 * @type {Record<string, { by: RegExp, source: string }>}
 */
const STAND_INS = {
  // Only operations whose answer never ends are streamed (StartLiveTail, SubscribeToShard): none is called here.
  '@smithy/core/dist-es/submodules/event-streams/index.js': {
    by: /./,
    source: `
      const leftOut = () => { throw new Error('event streaming ${LEFT_OUT}'); };
      export const eventStreamSerdeProvider = () => ({ serialize: leftOut, deserialize: leftOut });
      export const resolveEventStreamSerdeConfig = (input) =>
        Object.assign(input, { eventStreamMarshaller: input.eventStreamSerdeProvider(input) });
      export class EventStreamSerde { constructor() { leftOut(); } }`,
  },
  // Signs what is streamed.
  '@smithy/signature-v4/dist-es/HeaderFormatter.js': {
    by: /./,
    source: `export class HeaderFormatter { format() { throw new Error('event streaming ${LEFT_OUT}'); } }`,
  },
  // Off unless somebody switches it on; DynamoDB's regional endpoint is used.
  // https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoint-discovery.html
  '@aws-sdk/middleware-endpoint-discovery/dist-es/index.js': {
    by: /^client-dynamodb$/,
    source: `
      const off = () => undefined;
      export const NODE_ENDPOINT_DISCOVERY_CONFIG_OPTIONS =
        { environmentVariableSelector: off, configFileSelector: off, default: undefined };
      export const resolveEndpointDiscoveryConfig = (input) =>
        Object.assign(input, { endpointDiscoveryEnabled: async () => false, isClientEndpointDiscoveryEnabled: false });`,
  },
  // Of the retry mode `adaptive`; functions/aws/client-settings.ts says `standard`.
  '@smithy/core/dist-es/submodules/retry/util-retry/AdaptiveRetryStrategy.js': {
    by: /./,
    source: `export class AdaptiveRetryStrategy { constructor() { throw new Error('adaptive retry ${LEFT_OUT}'); } }`,
  },
  // Warns of a Node that will soon be too old; the template says which it is.
  '@aws-sdk/core/dist-es/submodules/client/emitWarningIfUnsupportedVersion.js': {
    by: /./,
    source: `
      export const state = { warningEmitted: false };
      export const emitWarningIfUnsupportedVersion = () => {};`,
  },
  // Asks the metadata service of an EC2 instance for the Region, which a Lambda has in its environment.
  '@smithy/core/dist-es/submodules/config/config-resolver/regionConfig/getInstanceMetadataRegion.js': {
    by: /./,
    source: 'export const getInstanceMetadataRegion = async () => undefined;',
  },
  // Tells the logger of a client about each call, and prepares what it is told by walking through all of the answer: no
  // client has a logger.
  '@aws-sdk/core/dist-es/submodules/client/middleware-logger/loggerMiddleware.js': {
    by: /./,
    source: `
      export const loggerMiddlewareOptions = { name: 'loggerMiddleware', step: 'initialize', override: true };
      export const loggerMiddleware = () => (next) => next;
      export const getLoggerPlugin = () => ({ applyToStack: () => {} });`,
  },
  '@smithy/core/dist-es/submodules/client/smithy-client/schemaLogFilter.js': {
    by: /./,
    source: `export const schemaLogFilter = () => 'what was sent and answered ${LEFT_OUT}';`,
  },
  // Which buckets cannot be part of a host's name: the one that is read here, the stack's own, has a name of CloudFormation's,
  // which can.
  '@smithy/core/dist-es/submodules/endpoints/middleware-endpoint/service-customizations/index.js': {
    by: /./,
    source: `
      export const resolveParamsForS3 = async (params) => {
        if (!/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(params.Bucket)) throw new Error('a bucket of such a name ${LEFT_OUT}');
        return params;
      };`,
  },
  // Hashing in JavaScript, for a Node without OpenSSL: @smithy/core takes `node:crypto` where it is there.
  '@smithy/core/dist-es/submodules/checksum/sha256/Sha256Js.js': {
    by: /./,
    source: "export class Sha256Js { constructor() { throw new Error('this Node has no sha256'); } }",
  },
};

/** Lets extensions change the settings of a client, one file in each: without one it writes them back as they are. */
const EXTENSIONS = `
  export const resolveRuntimeExtensions = (config, extensions) => {
    if (extensions.length > 0) throw new Error('what extensions change ${LEFT_OUT}');
    return config;
  };`;

/** Reads the user agent of a browser. */
const BOWSER = 'bowser';

/** @type {(path: string) => string} */
const withSlashes = (path) => path.replaceAll('\\', '/');
/** @type {(text: string) => string} */
const literally = (text) => text.replaceAll('.', '\\.').replaceAll('/', '[\\\\/]');

/**
 * esbuild plugin that leaves out of a bundle what is in {@link STAND_INS}, and of each SDK package's package.json all but
 * the version, which is what a client says of itself in its user agent. It fails the build when one of them is not met
 * where it must be: the SDK has moved it, and all of it is in the bundle again.
 *
 * @returns {import('esbuild').Plugin}
 */
export function leaveOut() {
  return {
    name: 'leave-out',
    setup(build) {
      /** @type {Set<string>} */
      const clients = new Set();
      /** @type {Set<string>} */
      const met = new Set();

      build.onResolve({ filter: /^@aws-sdk\/client-[\w-]+$/ }, ({ path }) => {
        clients.add(path.slice('@aws-sdk/'.length));
        return undefined;
      });
      build.onResolve({ filter: new RegExp(`^${BOWSER}$`) }, () => {
        met.add(BOWSER);
        return { path: BOWSER, namespace: 'left-out', sideEffects: false };
      });
      build.onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: 'export default undefined;' }));
      for (const [file, { source }] of Object.entries(STAND_INS)) {
        build.onLoad({ filter: new RegExp(`[\\\\/]${literally(file)}$`) }, () => {
          met.add(file);
          return { contents: source, loader: 'js' };
        });
      }
      build.onLoad({ filter: /[\\/]@aws-sdk[\\/]client-[\w-]+[\\/]dist-es[\\/]runtimeExtensions\.js$/ }, ({ path }) => {
        met.add(`${withSlashes(path).split('/').at(-3)}/dist-es/runtimeExtensions.js`);
        return { contents: EXTENSIONS, loader: 'js' };
      });
      build.onLoad({ filter: /[\\/]@aws-sdk[\\/][\w-]+[\\/]package\.json$/ }, async ({ path }) => {
        const { version } = /** @type {{ version: string }} */ (JSON.parse(await readFile(path, 'utf8')));
        met.add(`${withSlashes(path).split('/').at(-2)}/package.json`);
        return { contents: JSON.stringify({ version }), loader: 'json' };
      });
      build.onEnd(() => {
        const named = [...clients];
        const wanted = [
          ...Object.entries(STAND_INS).flatMap(([file, { by }]) => (named.some((one) => by.test(one)) ? [file] : [])),
          ...(named.length > 0 ? [BOWSER] : []),
          ...named.flatMap((client) => [`${client}/package.json`, `${client}/dist-es/runtimeExtensions.js`]),
        ];
        return {
          errors: wanted
            .filter((what) => !met.has(what))
            .map((what) => ({ text: `nothing was left out for ${what}: the SDK no longer has it there` })),
        };
      });
    },
  };
}
