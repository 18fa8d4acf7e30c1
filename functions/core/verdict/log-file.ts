import type { LogFormat } from './log-format.ts';

/**
 * A file holds what was recorded in so many seconds, or some of it: "multiple files may be published". What the newest file
 * covers is not known whole until the next one is there.
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html
 */
export const FILE_SECONDS = 300;

/**
 * Reads a flow log's file: a line with the names of the fields, then records. `take` is given each record; the answer is why
 * the file cannot be read by the format, in words, or null. What it holds then is not given to anybody.
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html
 */
export function readLogFile(text: string, format: LogFormat, take: (line: string) => void): string | null {
  const end = endOfLine(text, 0);
  const names = text.slice(0, end).trim().split(/\s+/);
  const isOfFormat = names.length === format.count && names.every((name, place) => format.placeOf.get(name) === place);
  if (!isOfFormat) return 'it does not begin with the names of the fields of its flow log';
  for (let from = end + 1; from < text.length; ) {
    const to = endOfLine(text, from);
    const line = text.slice(from, to).trim();
    if (line !== '') take(line);
    from = to + 1;
  }
  return null;
}

function endOfLine(text: string, from: number): number {
  const at = text.indexOf('\n', from);
  return at === -1 ? text.length : at;
}
