import { AwsError } from './errors.ts';

/** One page of a list and the token of the next, as all of the services page. */
export function page<T>(
  items: readonly T[],
  size: number | undefined,
  token: string | undefined,
  badToken: () => AwsError = () =>
    new AwsError('InvalidPaginationToken', 'The specified pagination token is not valid or is expired.'),
): { items: T[]; nextToken: string | undefined } {
  const start = token === undefined ? 0 : tokenOffset(token, badToken);
  const end = size === undefined ? items.length : start + size;
  return { items: items.slice(start, end), nextToken: end < items.length ? offsetToken(end) : undefined };
}

function offsetToken(offset: number): string {
  return Buffer.from(`page:${offset}`).toString('base64url');
}

function tokenOffset(token: string, badToken: () => AwsError): number {
  const match = /^page:(\d+)$/.exec(Buffer.from(token, 'base64url').toString());
  if (match?.[1] === undefined) throw badToken();
  return Number(match[1]);
}
