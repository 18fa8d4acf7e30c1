import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { STEPS } from '../../../local/definitions.ts';
import { motoPython } from '../../../scripts/moto-server.ts';

/** The variable that says where the bundles of the present sources are: not in dist/, which somebody may deploy from. */
export const BUNDLES = 'FLOWCUT_TEST_BUNDLES';

/** Before the files run side by side: one installation and one build for all of them. Returns what removes the build. */
export function prepare(): () => void {
  if (motoPython() === null) {
    console.log('no Python 3.10 or later that can make virtual environments: what needs moto is skipped');
    return () => undefined;
  }
  mkdirSync('.cache', { recursive: true });
  const folder = mkdtempSync('.cache/moto-bundles-');
  const { stderr } = spawnSync(process.execPath, ['build.mjs', '--outdir', folder], { encoding: 'utf8' });
  // The build begins with an empty folder; whether a bundle is too large is its own affair.
  const missing = Object.values(STEPS).filter(({ name }) => !existsSync(`${folder}/${name}/index.mjs`));
  if (missing.length > 0) throw new Error(`the functions cannot be built:\n${stderr}`);
  process.env[BUNDLES] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
