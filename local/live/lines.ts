import { wrap } from '../tell.ts';

/** What a terminal shows without breaking it. */
const WIDTH = 100;

/** Text behind a first word, with every further line indented below it. */
export const wrapped = (first: string, text: string): string =>
  `${first}${wrap(text, ' '.repeat(first.length), WIDTH)}`;

export const bullet = (text: string): string => wrapped('  - ', text);
