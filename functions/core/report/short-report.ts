import type { Report } from './report.ts';

/**
 * The lists of a report, and what an entry of each is called. They are what makes a report long: a large instance has
 * hundreds of flows, and two denies for each peer on each of its ACLs.
 */
const LISTS = {
  domains: ['domain', 'domains'],
  processes: ['process', 'processes'],
  flows: ['flow', 'flows'],
  skipped: ['thing that could not be done', 'things that could not be done'],
  held: ['deny that stands', 'denies that stand'],
  leftOpen: ['thing that is still open', 'things that are still open'],
  lastResort: ['last resort', 'last resorts'],
  onHost: ['remark of the host', 'remarks of the host'],
  sealed: ['sealed subnet', 'sealed subnets'],
  preserved: ['preserved thing', 'preserved things'],
  cleanUp: ['thing that was cleaned up', 'things that were cleaned up'],
  plan: ['step of the plan', 'steps of the plan'],
} as const satisfies Partial<Record<keyof Report, readonly [string, string]>>;

type ListName = keyof typeof LISTS;
const NAMES = Object.keys(LISTS) as ListName[];

/** What the record of the state machine has room for: with all else in it, it stays under 64 KiB. */
export const RECORD_REPORT_BYTES = 24 * 1024;

/**
 * "The maximum item size in DynamoDB is 400 KB, which includes both attribute name binary length (UTF-8 length) and
 * attribute value lengths": the rest is for what is not in a list, for keys and times.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
 */
export const STORED_REPORT_BYTES = 380_000;

const bytesOf = (entry: unknown): number => Buffer.byteLength(JSON.stringify(entry)) + 1;

/** What each list may take: an equal share, and what the short ones leave goes to the long ones. */
function sharesOf(sizes: ReadonlyMap<ListName, number>, bytes: number): ReadonlyMap<ListName, number> {
  let left = bytes;
  const shares = [...sizes]
    .sort(([, a], [, b]) => a - b)
    .map(([name, size], index): [ListName, number] => {
      const share = Math.min(size, Math.floor(left / (sizes.size - index)));
      left -= share;
      return [name, share];
    });
  return new Map(shares);
}

function beginning<T>(list: readonly T[], bytes: number): readonly T[] {
  let left = bytes;
  const end = list.findIndex((entry) => {
    left -= bytesOf(entry);
    return left < 0;
  });
  return end === -1 ? list : list.slice(0, end);
}

/**
 * The report with lists that take no more than so many bytes. Of each list its beginning stays, which is what matters most;
 * `more` counts the rest and says where it is.
 */
export function shortReport(report: Report, bytes: number, where: string): Report {
  const sizes = new Map(NAMES.map((name) => [name, report[name].reduce((sum, entry) => sum + bytesOf(entry), 0)]));
  const shares = sharesOf(sizes, bytes);
  const short = Object.fromEntries(
    NAMES.map((name) => [name, beginning<unknown>(report[name], shares.get(name) ?? 0)]),
  );
  const more = NAMES.flatMap((name) => {
    const count = report[name].length - (short[name]?.length ?? 0);
    return count === 0 ? [] : [`and ${count} more ${LISTS[name][count === 1 ? 0 : 1]}: ${where}`];
  });
  return { ...report, ...short, more: [...report.more, ...more] };
}
