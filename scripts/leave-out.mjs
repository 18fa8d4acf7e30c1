import { readFile } from 'node:fs/promises';

/**
 * Parts of the SDK that every client pulls in and no function here ever reaches, by the module that is left out. What
 * stands for it keeps the clients working, and throws where it would be reached after all.
 */
const STAND_INS = {
  // Only operations whose answer never ends are streamed (StartLiveTail, SubscribeToShard): none is called here.
  '@smithy/core/event-streams': `
    const leftOut = () => { throw new Error('event streams are left out of this bundle (scripts/leave-out.mjs)'); };
    export const eventStreamSerdeProvider = () => ({ serialize: leftOut, deserialize: leftOut });
    export const resolveEventStreamSerdeConfig = (input) =>
      Object.assign(input, { eventStreamMarshaller: input.eventStreamSerdeProvider(input) });
    export class EventStreamSerde { constructor() { leftOut(); } }`,
  // Off unless somebody switches it on; DynamoDB's regional endpoint is used.
  // https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoint-discovery.html
  '@aws-sdk/middleware-endpoint-discovery': `
    const off = () => undefined;
    export const NODE_ENDPOINT_DISCOVERY_CONFIG_OPTIONS =
      { environmentVariableSelector: off, configFileSelector: off, default: undefined };
    export const resolveEndpointDiscoveryConfig = (input) =>
      Object.assign(input, { endpointDiscoveryEnabled: async () => false, isClientEndpointDiscoveryEnabled: false });`,
  // Hashing in JavaScript, for a Node without OpenSSL: @smithy/core takes `node:crypto` where it is there.
  './Sha256Js': "export class Sha256Js { constructor() { throw new Error('this Node has no sha256'); } }",
  // Reads the user agent of a browser.
  bowser: 'export default undefined;',
};

/**
 * esbuild plugin that leaves out of a bundle what is in {@link STAND_INS}, and of each SDK package's package.json all but
 * the version, which is what a client says of itself in its user agent.
 *
 * @returns {import('esbuild').Plugin}
 */
export function leaveOut() {
  return {
    name: 'leave-out',
    setup(build) {
      const names = Object.keys(STAND_INS)
        .map((name) => name.replaceAll(/[./]/g, '\\$&'))
        .join('|');
      build.onResolve({ filter: new RegExp(`^(${names})$`) }, ({ path }) => ({
        path,
        namespace: 'left-out',
        sideEffects: false,
      }));
      build.onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({
        contents: STAND_INS[/** @type {keyof typeof STAND_INS} */ (path)],
      }));
      build.onLoad({ filter: /[\\/]@aws-sdk[\\/][\w-]+[\\/]package\.json$/ }, async ({ path }) => {
        const { version } = /** @type {{ version: string }} */ (JSON.parse(await readFile(path, 'utf8')));
        return { contents: JSON.stringify({ version }), loader: 'json' };
      });
    },
  };
}
