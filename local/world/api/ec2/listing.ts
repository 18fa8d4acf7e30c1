import type { Filter } from '@aws-sdk/client-ec2';
import { AwsError } from '../errors.ts';
import { found, type IdKindName } from '../ids.ts';
import { page } from '../paging.ts';
import type { Tag } from '../shapes.ts';
import { invalidValue } from './require.ts';

type FilterValue = string | number | boolean | undefined;

/** Documented filter name → the values of an item that it looks at. `tag:...` and `tag-key` come by themselves. */
export type FilterTable<T> = Record<string, (item: T) => FilterValue | readonly FilterValue[]>;

/** How one Describe call lists. */
export interface Listing<T> {
  readonly kind: IdKindName;
  readonly idOf: (item: T) => string;
  readonly tagsOf: (item: T) => readonly Tag[] | undefined;
  readonly filters: FilterTable<T>;
  readonly pageSize: { readonly min: number; readonly max: number };
  /** Calls that refuse MaxResults together with ids, as their pages say. */
  readonly noPagesOfIds?: boolean;
}

interface ListInput {
  Filters?: Filter[] | undefined;
  MaxResults?: number | undefined;
  NextToken?: string | undefined;
}

/** Lists as EC2's Describe calls do: ids must exist, filters narrow, pages follow. */
export function list<T>(
  items: readonly T[],
  listing: Listing<T>,
  ids: readonly string[] | undefined,
  input: ListInput,
): { items: T[]; nextToken: string | undefined } {
  const { MaxResults: size, NextToken: token } = input;
  if (size !== undefined) {
    const { min, max } = listing.pageSize;
    if (ids !== undefined && listing.noPagesOfIds === true) {
      throw new AwsError('InvalidParameterCombination', 'The parameter maxResults cannot be used together with ids');
    }
    if (size < min) throw invalidValue('maxResults', size, `Expecting a value greater than or equal to ${min}.`);
    return page(chosen(items, listing, ids, input.Filters), Math.min(size, max), token);
  }
  return page(chosen(items, listing, ids, input.Filters), undefined, token);
}

function chosen<T>(
  items: readonly T[],
  listing: Listing<T>,
  ids: readonly string[] | undefined,
  filters: Filter[] | undefined,
): T[] {
  const named = ids === undefined ? [...items] : ids.map((id) => found(listing.kind, id, items, listing.idOf));
  return (filters ?? []).reduce((left, filter) => left.filter(matching(filter, listing)), [...new Set(named)]);
}

function matching<T>(filter: Filter, { filters, tagsOf }: Listing<T>): (item: T) => boolean {
  const name = filter.Name ?? '';
  const wanted = (filter.Values ?? []).map(wildcard);
  if (wanted.length === 0) throw new AwsError('InvalidParameterValue', `The filter '${name}' has no values`);
  const meets = (value: FilterValue) => value !== undefined && wanted.some((pattern) => pattern.test(String(value)));
  if (name.startsWith('tag:')) {
    return (item) => (tagsOf(item) ?? []).some((tag) => tag.Key === name.slice(4) && meets(tag.Value));
  }
  if (name === 'tag-key') return (item) => (tagsOf(item) ?? []).some((tag) => meets(tag.Key));
  const valuesOf = filters[name];
  if (valuesOf === undefined) throw new AwsError('InvalidParameterValue', `The filter '${name}' is invalid`);
  return (item) => [valuesOf(item)].flat().some((value) => meets(value));
}

/** Filter values know `*` and `?`; `\` takes their meaning away. They compare case-sensitively. */
function wildcard(pattern: string): RegExp {
  const source = pattern.replace(/\\?[\s\S]/g, (part) => {
    if (part === '*') return '[\\s\\S]*';
    if (part === '?') return '[\\s\\S]';
    return part.at(-1)?.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') ?? '';
  });
  return new RegExp(`^${source}$`);
}
