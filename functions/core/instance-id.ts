import { InputError, quote } from './errors.ts';

const INSTANCE_ID = /^i-([0-9a-f]{8}|[0-9a-f]{17})$/;

/** Has the value the form of an EC2 instance's id, the short old one or the long one? */
export const isInstanceId = (value: unknown): value is string => typeof value === 'string' && INSTANCE_ID.test(value);

/** The instance id that `field` of an input gives; throws the sentence where it is none. */
export function needInstanceId(value: unknown, field: string): string {
  if (isInstanceId(value)) return value;
  throw new InputError(field, `${quote(value)} is not an instance id`);
}
