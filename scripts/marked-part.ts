/** A page with `text` between two of its marks, which are HTML comments that stand in it already. */
export function withMarkedPart(page: string, marks: readonly [begin: string, end: string], text: string): string {
  const [begin, end] = marks;
  const [start, stop] = [page.indexOf(begin), page.indexOf(end)];
  if (start < 0 || stop < start) throw new Error(`the page has no place for it: ${begin} ... ${end}`);
  return `${page.slice(0, start + begin.length)}\n\n${text}\n\n${page.slice(stop)}`;
}
