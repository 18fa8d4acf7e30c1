import type * as z from 'zod/mini';
import { InputError, quote } from '../../../functions/core/errors.ts';

type Issue = z.core.$ZodIssue;

/** The first thing that the schema has against the file, as a sentence that names the field. */
export function problemOf(issue: Issue | undefined, json: unknown): InputError {
  const path = issue?.path ?? [];
  let value: unknown = json;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  return new InputError(fieldPath(path), issue === undefined ? 'is malformed' : problem(issue, value));
}

/** A key that is no plain name is shown as the person wrote it, and could hold anything. */
const keyText = (key: string): string => (/^[\w-]{1,60}$/.test(key) ? `.${key}` : `[${quote(key)}]`);

function fieldPath(path: readonly PropertyKey[]): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : keyText(String(key)))).join('');
  return text === '' ? 'world' : text.replace(/^\./, '');
}

const articles: Readonly<Record<string, string>> = { int: 'a whole number', array: 'a list', object: 'an object' };

function problem(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type': {
      const wanted = articles[issue.expected] ?? `a ${issue.expected}`;
      return value === undefined ? `is missing; it has to be ${wanted}` : `${quote(value)} is not ${wanted}`;
    }
    case 'invalid_value':
      return `${value === undefined ? 'nothing' : quote(value)} is not one of ${issue.values.map((one) => quote(one)).join(', ')}`;
    case 'too_small': {
      if (issue.origin === 'string') return issue.message;
      const least = issue.inclusive === false ? `it has to be above ${issue.minimum}` : `the least is ${issue.minimum}`;
      return `${quote(value)} is too small, ${least}`;
    }
    case 'too_big':
      return `${quote(value)} is too large, the most is ${issue.maximum}`;
    case 'invalid_key':
      return `${quote(issue.path.at(-1))} is not a valid key`;
    default:
      return value === undefined ? 'is missing' : `${quote(value)} ${issue.message}`;
  }
}
