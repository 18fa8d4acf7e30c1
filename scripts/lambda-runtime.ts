/**
 * What runs a Lambda function outside of Lambda: AWS's own runtime client for Node, and an emulator of the Runtime API.
 * Both into .cache/, at pinned versions, when they are asked for.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * https://github.com/aws/aws-lambda-nodejs-runtime-interface-client, what Lambda's managed runtime for Node is made of. Not
 * a dependency: npm would build its HTTP transport from C++ sources; lambda-runtime-transport.mjs takes its place.
 */
const CLIENT = 'aws-lambda-ric@4.0.2';
const CLIENT_INTEGRITY =
  'sha512-FE5Vskx7mYNnqAnWWJXUOsLp2VGgdsJsCoRLFTa8L4Yk0QVtArqR8q58yPA++QC1a73ZWJXBQ2AH31nIAv7NOQ==';

/** https://github.com/aws/aws-lambda-runtime-interface-emulator, which `sam local invoke` runs inside its containers. */
const EMULATOR = 'github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie';

const CACHE = fileURLToPath(new URL('../.cache', import.meta.url));

/** Tells the runtime client to speak HTTP with Node's own client. */
export const RUNTIME_ENVIRONMENT = { AWS_LAMBDA_NODEJS_USE_ALTERNATIVE_CLIENT_1: 'true' } as const;

/** The module to start, or why there is none. */
export function runtimeClient(): { readonly path: string } | { readonly missing: string } {
  const folder = resolve(CACHE, CLIENT);
  const path = join(folder, 'package/index.mjs');
  if (!existsSync(path)) {
    const missing = fetchClient(folder);
    if (missing !== null) return { missing };
  }
  const transport = new URL('lambda-runtime-transport.mjs', import.meta.url);
  // What `require('./rapid-client.node')` finds where nothing was built.
  copyFileSync(transport, join(folder, 'package/rapid-client.node.js'));
  return { path };
}

/** Unpacks the client into the folder; otherwise says why not. */
function fetchClient(folder: string): string | null {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const packed = spawnSync('npm', ['pack', CLIENT, '--json', '--pack-destination', folder], { encoding: 'utf8' });
  if (packed.status !== 0) return `npm does not get ${CLIENT}`;
  const [archive] = JSON.parse(packed.stdout) as [{ filename: string; integrity: string }];
  if (archive.integrity !== CLIENT_INTEGRITY) throw new Error(`${CLIENT} is ${archive.integrity}, not what was pinned`);
  const unpacked = spawnSync('tar', ['-xzf', join(folder, archive.filename), '-C', folder], { encoding: 'utf8' });
  if (unpacked.status !== 0) throw new Error(`${archive.filename}: ${unpacked.stderr}`);
  return null;
}

/** A command that takes `--runtime-interface-emulator-address`, `--runtime-api-address` and the runtime to start. */
export interface Emulator {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

/** AWS's emulator where Go can install it, and ours: the one to try first comes first. */
export function emulators(): readonly [Emulator, ...Emulator[]] {
  const ours: Emulator = {
    name: 'our emulator',
    command: [process.execPath, fileURLToPath(new URL('lambda-emulator.ts', import.meta.url))],
  };
  const path = join(CACHE, 'aws-lambda-rie');
  if (!existsSync(path)) {
    const env = { ...process.env, GOBIN: CACHE };
    spawnSync('go', ['install', `${EMULATOR}@latest`], { env, stdio: 'ignore', timeout: 120_000 });
  }
  return existsSync(path) ? [{ name: 'aws-lambda-rie', command: [path] }, ours] : [ours];
}
