import { fileURLToPath } from 'node:url';

const RUNNING = fileURLToPath(new URL('running.ts', import.meta.url));

const EXPORTED = /^export (async )?function (\w+)/gm;

/** `functions/<name>/step.ts`, whatever its folder is called. */
const STEP = /\/functions\/([\w-]+)\/step\.ts$/;

/**
 * The source of a step in which each exported function tells the recorder whose calls it makes; null = no step. So every
 * function that there is, or will be, is known by its folder, whoever calls it.
 */
export function attributed(source: string, path: string): string | null {
  const folder = STEP.exec(path)?.[1];
  if (folder === undefined) return null;
  const names = [...source.matchAll(EXPORTED)].map(([, , name]) => name);
  return [
    `import { asFunction } from ${JSON.stringify(RUNNING)};`,
    source.replaceAll(EXPORTED, 'export $1function own_$2'),
    ...names.map((name) => `export const ${name} = asFunction(${JSON.stringify(folder)}, own_${name});`),
  ].join('\n');
}

/** The plugin of the recording run. */
export const attribute = {
  name: 'flowcut-attribute',
  enforce: 'pre' as const,
  transform(source: string, path: string): { code: string; map: null } | null {
    const code = attributed(source, path.split('?')[0] ?? path);
    return code === null ? null : { code, map: null };
  },
};
