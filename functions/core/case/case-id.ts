import { InputError, quote } from '../errors.ts';

const CASE_ID = /^case-[0-9a-f]{20}$/;

/** Has the value the form of a case's id? It says nothing of whether there is such a case. */
export const isCaseId = (value: unknown): value is string => typeof value === 'string' && CASE_ID.test(value);

/** The id of a case that `field` of an input gives; throws the sentence where it is none. */
export function needCaseId(value: unknown, field: string): string {
  if (isCaseId(value)) return value;
  throw new InputError(field, `${quote(value)} is not a case id such as "case-0123456789abcdef0123"`);
}
