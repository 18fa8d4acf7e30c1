/** A copy of an input without what is not on the wire: undefined members, and empty lists where the protocol has none. */
export function definedMembers(input: unknown, { dropEmptyLists = false } = {}): unknown {
  const copy = (value: unknown): unknown => {
    if (value instanceof Date || value instanceof Uint8Array || value instanceof Set) return value;
    if (Array.isArray(value)) return value.map(copy);
    if (value === null || typeof value !== 'object') return value;
    const members = Object.entries(value).filter(
      ([, member]) => member !== undefined && !(dropEmptyLists && Array.isArray(member) && member.length === 0),
    );
    return Object.fromEntries(members.map(([name, member]) => [name, copy(member)]));
  };
  return copy(input);
}
