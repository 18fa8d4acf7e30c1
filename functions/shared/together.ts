/** Reads by id; what is asked for at the same time is one call. */
export function together<T extends { readonly id: string }>(
  readAll: (ids: readonly string[]) => Promise<readonly T[]>,
): (id: string) => Promise<T | undefined> {
  let waiting: { readonly ids: Set<string>; readonly answer: Promise<readonly T[]> } | null = null;
  return async (id) => {
    if (waiting === null) {
      const ids = new Set<string>();
      const answer = Promise.resolve().then(() => {
        waiting = null;
        return readAll([...ids]);
      });
      waiting = { ids, answer };
    }
    waiting.ids.add(id);
    return (await waiting.answer).find((one) => one.id === id);
  };
}
