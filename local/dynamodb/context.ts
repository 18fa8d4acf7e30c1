import type { ServiceMemory } from '../memory-slots.ts';

/** What a table answers from: what it remembers, and the second. */
export interface TableContext {
  readonly memory: ServiceMemory;
  readonly now: number;
}

/** Answers one call; `input` is typed by each handler with the SDK's own type. */
export interface TableHandlers {
  readonly [command: string]: (context: TableContext, input: never) => object;
}
