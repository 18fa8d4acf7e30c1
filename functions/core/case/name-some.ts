/** Names in one line before the rest is counted. */
const NAME_LIMIT = 6;

/** `a, b and 12 more`; `none` where there is nothing to name. */
export function nameSome(words: readonly string[], none = ''): string {
  if (words.length === 0) return none;
  const shown = words.slice(0, NAME_LIMIT).join(', ');
  return words.length <= NAME_LIMIT ? shown : `${shown} and ${words.length - NAME_LIMIT} more`;
}
