/** Makes a thing when it is first asked for: a client that few runs use costs the others nothing. */
export function once<T>(make: () => T): () => T {
  let made: { readonly thing: T } | null = null;
  return () => {
    made ??= { thing: make() };
    return made.thing;
  };
}
