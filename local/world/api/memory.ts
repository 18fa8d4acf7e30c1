/**
 * What the services remember beside the world file. Each service brings its own slot, and nobody else knows what is in
 * it.
 */
export interface ServiceMemory {
  /** What a service keeps in its slot, fresh at the first look. */
  of<T>(slot: MemorySlot<T>): T;
}

export interface MemorySlot<T> {
  readonly fresh: () => T;
}

/**
 * Declares what a service remembers.
 *
 * @example
 * const commands = memorySlot(() => new Map<string, RunningCommand>());
 * memory.of(commands).set(id, command);
 */
export function memorySlot<T>(fresh: () => T): MemorySlot<T> {
  return { fresh };
}

export function newServiceMemory(): ServiceMemory {
  const kept = new Map<unknown, unknown>();
  return {
    of<T>(slot: MemorySlot<T>): T {
      if (!kept.has(slot)) kept.set(slot, slot.fresh());
      return kept.get(slot) as T;
    },
  };
}
