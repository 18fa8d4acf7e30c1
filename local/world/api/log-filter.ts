import { AwsError } from './errors.ts';

/**
 * The unstructured part of CloudWatch Logs' filter patterns: terms that must all occur, `?term` of which one must where
 * only such are given (beside plain terms they are ignored), `-term` that must not; quotes hold anything but letters and
 * digits together; case matters. Space-delimited patterns (`[a, b, ...]`) are understood by equality and wildcard.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
 */
export function matchesPattern(pattern: string): (message: string) => boolean {
  const text = pattern.trim();
  if (text === '') return () => true;
  if (text.startsWith('[')) return matchesFields(text);
  if (text.startsWith('{') || text.startsWith('%')) throw invalidPattern(pattern, 'the world reads terms only');
  const terms = [...text.matchAll(/([?-]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))/g)].map(
    ([, prefix = '', quoted, bare = '']) => {
      if (quoted === undefined && !/^\w+$/.test(bare)) {
        throw invalidPattern(pattern, `"${bare}" has other characters than letters and digits and must be quoted`);
      }
      return { prefix, term: quoted?.replace(/\\(.)/g, '$1') ?? bare };
    },
  );
  const withPrefix = (wanted: string) => terms.filter(({ prefix }) => prefix === wanted).map(({ term }) => term);
  const [all, any, none] = [withPrefix(''), withPrefix('?'), withPrefix('-')];
  return (message) =>
    all.every((term) => message.includes(term)) &&
    (any.length === 0 || all.length + none.length > 0 || any.some((term) => message.includes(term))) &&
    !none.some((term) => message.includes(term));
}

/** `[version, account, eni, source="10.0.*", ...]`: a field each, in order; a bare name takes anything. */
function matchesFields(pattern: string): (message: string) => boolean {
  const inner = /^\[(.*)\]$/.exec(pattern)?.[1];
  if (inner === undefined) throw invalidPattern(pattern, 'it does not end in "]"');
  const fields = inner.split(',').map((field) => fieldTest(field.trim(), pattern));
  const gap = fields.indexOf(null);
  return (message) => {
    const values = message.trim().split(/\s+/);
    if (gap === -1 ? values.length !== fields.length : values.length < fields.length - 1) return false;
    const head = gap === -1 ? fields : fields.slice(0, gap);
    const tail = gap === -1 ? [] : fields.slice(gap + 1);
    const fits = (tests: typeof fields, from: number) =>
      tests.every((test, index) => test?.(values[from + index] ?? '') ?? true);
    return fits(head, 0) && fits(tail, values.length - tail.length);
  };
}

function fieldTest(field: string, pattern: string): ((value: string) => boolean) | null {
  if (field === '...') return null;
  if (/^\w+$/.test(field)) return () => true;
  const alternatives = field.split('||').map((part) => {
    const [, operator = '', operand = ''] = /^\w+\s*(!?=)\s*("[^"]*"|[\w.*:-]+)$/.exec(part.trim()) ?? [];
    if (operator === '') throw invalidPattern(pattern, `the field "${field}" is not understood`);
    const source = operand
      .replace(/^"|"$/g, '')
      .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*');
    const matcher = new RegExp(`^${source}$`);
    return (value: string) => matcher.test(value) === (operator === '=');
  });
  return (value) => alternatives.some((alternative) => alternative(value));
}

function invalidPattern(pattern: string, why: string): AwsError {
  return new AwsError('InvalidParameterException', `Invalid filter pattern ${JSON.stringify(pattern)}: ${why}`);
}
