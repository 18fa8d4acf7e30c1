import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { environmentSettings } from '../../scripts/environment-settings.mjs';
import { leaveOut } from '../../scripts/leave-out.mjs';
import { nodeBuiltins } from '../../scripts/node-builtins.mjs';
import { dropErrorClasses, pruneAwsSchemas } from '../../scripts/prune-aws-schemas.mjs';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flowcut-guards-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Bundles a project that stands for a function and an SDK in which things have moved. */
async function bundle(files: Readonly<Record<string, string>>, plugins: readonly Plugin[]): Promise<string> {
  for (const [path, source] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), source);
  }
  const { outputFiles } = await build({
    stdin: { contents: files['index.js'] ?? '', resolveDir: folder },
    bundle: true,
    platform: 'node',
    format: 'esm',
    mainFields: ['module', 'main'],
    write: false,
    logLevel: 'silent',
    plugins: [...plugins],
  });
  return outputFiles.map(({ text }) => text).join('\n');
}

const manifest = (main: string) => JSON.stringify({ version: '9.9.9', main, sideEffects: false });
const modules = (name: string) => `node_modules/${name}`;

/** A client that pulls in what every client does. */
const CLIENT = {
  'index.js': "export { client } from '@aws-sdk/client-example';",
  [modules('@aws-sdk/client-example/package.json')]: manifest('dist-es/index.js'),
  [modules('@aws-sdk/client-example/dist-es/index.js')]: `
    import info from '../package.json';
    import { resolveRuntimeExtensions } from './runtimeExtensions';
    import bowser from 'bowser';
    import { all } from '@smithy/core/dist-es/all.js';
    import { HeaderFormatter } from '@smithy/signature-v4/dist-es/HeaderFormatter.js';
    import { getLoggerPlugin } from '@aws-sdk/core/dist-es/submodules/client/middleware-logger/loggerMiddleware.js';
    import { emitWarningIfUnsupportedVersion } from '@aws-sdk/core/dist-es/submodules/client/emitWarningIfUnsupportedVersion.js';
    export const client = [info, bowser, all, HeaderFormatter, emitWarningIfUnsupportedVersion, getLoggerPlugin, resolveRuntimeExtensions];`,
  [modules('@aws-sdk/client-example/dist-es/runtimeExtensions.js')]:
    "export const resolveRuntimeExtensions = 'the real extensions';",
  [modules('bowser/package.json')]: manifest('index.js'),
  [modules('bowser/index.js')]: "export default 'the real bowser';",
  [modules('@aws-sdk/core/dist-es/submodules/client/middleware-logger/loggerMiddleware.js')]:
    "export const getLoggerPlugin = 'the real logger';",
  [modules('@aws-sdk/core/dist-es/submodules/client/emitWarningIfUnsupportedVersion.js')]:
    "export const emitWarningIfUnsupportedVersion = 'the real warning';",
  [modules('@smithy/signature-v4/dist-es/HeaderFormatter.js')]: "export const HeaderFormatter = 'the real formatter';",
};

const OF_CORE = {
  'event-streams/index.js': ['eventStreamSerdeProvider'],
  'retry/util-retry/AdaptiveRetryStrategy.js': ['AdaptiveRetryStrategy'],
  'config/config-resolver/regionConfig/getInstanceMetadataRegion.js': ['getInstanceMetadataRegion'],
  'client/smithy-client/schemaLogFilter.js': ['schemaLogFilter'],
  'endpoints/middleware-endpoint/service-customizations/index.js': ['resolveParamsForS3'],
  'checksum/sha256/Sha256Js.js': ['Sha256Js'],
} as const;
const inCore = (path: string) => modules(`@smithy/core/dist-es/submodules/${path}`);

/** All of @smithy/core that is left out; `moved`: one file that has another name now. */
function coreWith(moved?: string): Record<string, string> {
  const files = Object.entries(OF_CORE).map(([path, [name]]) => ({
    path: path === moved ? path.replace('.js', '.new.js') : path,
    name,
  }));
  const imports = files.map(({ path, name }) => `import { ${name} } from './submodules/${path}';`);
  return {
    [modules('@smithy/core/dist-es/all.js')]: `${imports.join('\n')}
      export const all = [${files.map(({ name }) => name).join(', ')}];`,
    ...Object.fromEntries(files.map(({ path, name }) => [inCore(path), `export const ${name} = 'the real ${name}';`])),
  };
}

describe('what is left out', () => {
  it('is replaced where it is, and only the version of a package.json stays', async () => {
    const text = await bundle({ ...CLIENT, ...coreWith() }, [leaveOut()]);

    expect(text).toContain('9.9.9');
    expect(text).not.toContain('dist-es/index.js"');
    expect(text).not.toContain('the real');
  });

  it.each(Object.keys(OF_CORE))('fails the build when the SDK has moved %s', async (path) => {
    const moved = bundle({ ...CLIENT, ...coreWith(path) }, [leaveOut()]);

    await expect(moved).rejects.toThrow(`nothing was left out for @smithy/core/dist-es/submodules/${path}`);
  });

  it.each([
    [
      'the formatter of headers',
      "import { HeaderFormatter } from '@smithy/signature-v4/dist-es/HeaderFormatter.js';",
      'signature-v4',
    ],
    ['its extensions', "import { resolveRuntimeExtensions } from './runtimeExtensions';", 'runtimeExtensions'],
    [
      'the log of its calls',
      "import { getLoggerPlugin } from '@aws-sdk/core/dist-es/submodules/client/middleware-logger/loggerMiddleware.js';",
      'loggerMiddleware',
    ],
    [
      'the warning of an old Node',
      "import { emitWarningIfUnsupportedVersion } from '@aws-sdk/core/dist-es/submodules/client/emitWarningIfUnsupportedVersion.js';",
      'emitWarningIfUnsupportedVersion',
    ],
    ['the reader of user agents', "import bowser from 'bowser';", 'bowser'],
    ['the version of a client', "import info from '../package.json';", 'client-example/package.json'],
  ])('fails the build when a client has done away with %s', async (_, line, named) => {
    const index = modules('@aws-sdk/client-example/dist-es/index.js');
    const source = CLIENT[index]?.replace(line, '').replace(/\[info.*\]/, '[all]') ?? '';

    const gone = bundle({ ...CLIENT, ...coreWith(), [index]: source }, [leaveOut()]);

    await expect(gone).rejects.toThrow(new RegExp(`nothing was left out for [\\w@./-]*${named}`));
  });

  it('fails the build when DynamoDB has done away with endpoint discovery', async () => {
    const dynamodb = Object.fromEntries(
      Object.entries(CLIENT).map(([path, source]) => [
        path.replace('client-example', 'client-dynamodb'),
        source.replace('client-example', 'client-dynamodb'),
      ]),
    );

    const gone = bundle({ ...dynamodb, ...coreWith() }, [leaveOut()]);

    await expect(gone).rejects.toThrow(/nothing was left out for @aws-sdk\/middleware-endpoint-discovery/);
  });

  it('asks nothing of a bundle without a client', async () => {
    expect(await bundle({ 'index.js': 'export const one = 1;' }, [leaveOut(), environmentSettings()])).toContain('1');
  });
});

describe('settings from the environment', () => {
  const loader = modules('@smithy/core/dist-es/submodules/config/node-config-provider/configLoader.js');
  const index =
    "import '@aws-sdk/client-example'; export { loadConfig } from '@smithy/core/dist-es/submodules/config/node-config-provider/configLoader.js';";
  const files = {
    'index.js': index,
    [modules('@aws-sdk/client-example/package.json')]: manifest('index.js'),
    [modules('@aws-sdk/client-example/index.js')]: 'export {};',
  };

  it('are the first source and no other but the default', async () => {
    const text = await bundleOfSdk(environmentSettings());

    expect(text).toMatch(/chain\(fromEnv\([^)]*\), fromStatic\(/);
  });

  it.each([
    ['reads its settings in another way', loader, 'export const loadConfig = (all) => all.files();'],
    ['has moved the loader', loader.replace('configLoader', 'loader'), 'export const loadConfig = 1;'],
  ])('fail the build when the SDK %s', async (_, path, source) => {
    const moved = {
      ...files,
      [path]: source,
      'index.js': index.replace('configLoader', path.includes('configLoader') ? 'configLoader' : 'loader'),
    };

    await expect(bundle(moved, [environmentSettings()])).rejects.toThrow(/looks for its settings in files/);
  });
});

/** The SDK's own loader of settings, as it is bundled. */
async function bundleOfSdk(plugin: Plugin): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: "export { loadConfig } from '@smithy/core/config';", resolveDir: process.cwd() },
    bundle: true,
    platform: 'node',
    format: 'esm',
    mainFields: ['module', 'main'],
    write: false,
    logLevel: 'silent',
    plugins: [plugin],
  });
  return outputFiles.map(({ text }) => text).join('\n');
}

describe('the classes of errors', () => {
  const REGISTRY = `
const _s_registry = TypeRegistry.for("base");
_s_registry.registerError(ExampleServiceException$, ExampleServiceException);
const n0_registry = TypeRegistry.for("one");
n0_registry.registerError(Throttled$, Throttled);
n0_registry.registerError(Cancelled$, Cancelled);
`;

  it('go, but for the base exception and those that are told by class', () => {
    const { code, dropped } = dropErrorClasses(REGISTRY, ['Cancelled']);

    expect(dropped).toBe(1);
    expect(code).not.toContain('Throttled');
    expect(code).toContain('(Cancelled$, Cancelled)');
    expect(code).toContain('(ExampleServiceException$, ExampleServiceException)');
  });

  it('stay, and none is counted, where the registry is written in another way', () => {
    const other = REGISTRY.replaceAll('registerError', 'add');

    expect(dropErrorClasses(other, [])).toEqual({ code: other, dropped: 0 });
  });

  const schema = modules('@aws-sdk/client-example/dist-es/schemas/schemas_0.js');
  const withRegistry = (registry: string) => ({
    'index.js': `export * from './${schema}';`,
    [schema]: `
      const TypeRegistry = { for: () => ({ registerError() {}, add() {} }) };
      const [ExampleServiceException$, ExampleServiceException, Throttled$, Throttled, Cancelled$, Cancelled] = [];
      ${registry}
      export const schemas = [n0_registry, _s_registry];`,
  });

  it('fail the build when none could be dropped', async () => {
    const other = withRegistry(REGISTRY.replaceAll('registerError', 'add'));

    await expect(bundle(other, [pruneAwsSchemas()])).rejects.toThrow(/no error class was dropped in .*schemas_0\.js/);
    expect(await bundle(withRegistry(REGISTRY), [pruneAwsSchemas()])).not.toContain('Throttled$, Throttled)');
  });

  it('are not looked for where all of them are to stay', async () => {
    const other = withRegistry(REGISTRY.replaceAll('registerError', 'add'));

    expect(await bundle(other, [pruneAwsSchemas({ errors: 'all' })])).toContain('Throttled');
  });
});

describe("Node's own modules", () => {
  const source = `
    import process, { version } from 'node:process';
    import * as path from 'path';
    import { createHash } from 'node:crypto';
    export const found = [process.version === version, path.join('a', 'b'), createHash('sha256').update('').digest('hex').slice(0, 8)];
    export const late = () => import('node:os');`;

  it('are not imported, and are the same', async () => {
    const text = await bundle({ 'index.js': source }, [nodeBuiltins()]);
    await writeFile(join(folder, 'bundle.mjs'), text);

    const { found, late } = (await import(join(folder, 'bundle.mjs'))) as { found: unknown[]; late(): Promise<object> };

    expect(text).not.toMatch(/^import /m);
    expect(found).toEqual([true, 'a/b', 'e3b0c442']);
    expect(Object.keys(await late())).toContain('hostname');
  });

  it('leave out what nobody uses', async () => {
    const text = await bundle({ 'index.js': "import 'node:https';\nexport const one = 1;" }, [nodeBuiltins()]);

    expect(text).not.toContain('https');
  });
});
