/**
 * Does a metric filter with this pattern count the line? Equalities of text fields, with * at the end, and IS TRUE, joined by
 * && or by ||, as far as a pattern of ours goes; anything else is refused.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
 */
export function counts(pattern: string, line: string): boolean {
  const inner = /^\{(.+)\}$/.exec(pattern)?.[1];
  if (inner === undefined) throw new Error(`not a pattern for JSON: ${pattern}`);
  let fields: unknown;
  try {
    fields = JSON.parse(line);
  } catch {
    return false;
  }
  if (typeof fields !== 'object' || fields === null) return false;
  const record = fields as Record<string, unknown>;
  const holds = (term: string): boolean => {
    const flag = /^\s*\$\.(\w+) IS TRUE\s*$/.exec(term)?.[1];
    if (flag !== undefined) return record[flag] === true;
    const [, field, wanted] = /^\s*\$\.(\w+) = "([^"]*)"\s*$/.exec(term) ?? [];
    if (field === undefined || wanted === undefined) throw new Error(`this matcher does not know ${term.trim()}`);
    const value = record[field];
    if (typeof value !== 'string') return false;
    return wanted.endsWith('*') ? value.startsWith(wanted.slice(0, -1)) : value === wanted;
  };
  return inner.split('||').some((alternative) => alternative.split('&&').map(holds).every(Boolean));
}
