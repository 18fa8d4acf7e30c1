import { AsyncLocalStorage } from 'node:async_hooks';
import type { Config } from '../../../functions/core/config.ts';

/** The deployed function on whose behalf a call is made, and how it is configured. */
interface Running {
  readonly name: string;
  readonly config: Config;
}

// One for the whole process, however often a test loads this module anew.
const store = globalThis as { flowcutRunning?: AsyncLocalStorage<Running> };
store.flowcutRunning ??= new AsyncLocalStorage<Running>();
const running = store.flowcutRunning;

export const runningFunction = (): Running | undefined => running.getStore();

/**
 * A step whose calls are known as those of its function. A function that is started from within another one, as an
 * execution is by start-response, counts as itself.
 */
export function asFunction<A extends readonly unknown[], R>(
  name: string,
  step: (...given: A) => R,
): (...given: A) => R {
  return (...given) => {
    const config = (given[0] as { readonly config?: Config } | undefined)?.config;
    return config === undefined ? step(...given) : running.run({ name, config }, () => step(...given));
  };
}
