/** Where a text stops being JSON; V8's own message does not always say. */
export interface JsonFlaw {
  readonly line: number;
  readonly column: number;
  readonly problem: string;
}

/** One lexical element of JSON (RFC 8259) that is no text in quotes: white space, a mark, a number, a word. */
const TOKEN = /[ \t\n\r]+|[{}[\],:]|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** A piece of a text in quotes: what stands for itself, or an escape. */
const PIECE = /[ !#-[\]-\uffff]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** The element at a place; undefined = there is none. */
function tokenAt(text: string, offset: number): string | undefined {
  if (text[offset] !== '"') return matchAt(TOKEN, text, offset);
  let end = offset + 1;
  for (let piece = matchAt(PIECE, text, end); piece !== undefined; piece = matchAt(PIECE, text, end)) {
    end += piece.length;
  }
  return text[end] === '"' ? text.slice(offset, end + 1) : undefined;
}

function matchAt(pattern: RegExp, text: string, offset: number): string | undefined {
  pattern.lastIndex = offset;
  return pattern.exec(text)?.[0];
}

/** What may come next: a value, a key, or what follows a value. */
type Awaited = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | 'end';

interface Place {
  /** Brackets that are open, outermost first. */
  readonly open: ('{' | '[')[];
  awaited: Awaited;
}

const WORDS: Readonly<Record<Exclude<Awaited, 'end'>, string>> = {
  value: 'a value',
  'value or ]': 'a value or ]',
  key: 'a key in double quotes',
  'key or }': 'a key in double quotes or }',
  ':': 'a colon',
};

function expected({ open, awaited }: Place): string {
  if (awaited !== 'end') return WORDS[awaited];
  const bracket = open.at(-1);
  if (bracket === undefined) return 'nothing more';
  return bracket === '{' ? 'a comma or }' : 'a comma or ]';
}

/** Takes one element; false = it may not stand here. */
function take(place: Place, token: string): boolean {
  const { open, awaited } = place;
  const bracket = open.at(-1);
  switch (token) {
    case '{':
    case '[':
      if (awaited !== 'value' && awaited !== 'value or ]') return false;
      open.push(token);
      place.awaited = token === '{' ? 'key or }' : 'value or ]';
      return true;
    case '}':
    case ']': {
      const isEmpty = awaited === (token === '}' ? 'key or }' : 'value or ]');
      if (!isEmpty && awaited !== 'end') return false;
      if (bracket !== (token === '}' ? '{' : '[')) return false;
      open.pop();
      place.awaited = 'end';
      return true;
    }
    case ',':
      if (awaited !== 'end' || bracket === undefined) return false;
      place.awaited = bracket === '{' ? 'key' : 'value';
      return true;
    case ':':
      if (awaited !== ':') return false;
      place.awaited = 'value';
      return true;
    default:
      return takeScalar(place, token);
  }
}

function takeScalar(place: Place, token: string): boolean {
  if (place.awaited === 'key' || place.awaited === 'key or }') {
    place.awaited = ':';
    return token.startsWith('"');
  }
  if (place.awaited !== 'value' && place.awaited !== 'value or ]') return false;
  place.awaited = 'end';
  return true;
}

/**
 * Finds the first place at which a text is not JSON; null = it is.
 *
 * @example jsonFlaw('{"a":}') // { line: 1, column: 6, problem: 'expected a value' }
 */
export function jsonFlaw(text: string): JsonFlaw | null {
  const place: Place = { open: [], awaited: 'value' };
  let offset = 0;
  while (offset < text.length) {
    const token = tokenAt(text, offset);
    const before = expected(place);
    if (token === undefined) {
      if (text[offset] === '"') return flawAt(text, offset, null);
      return flawAt(text, offset, before);
    }
    if (token.trim() !== '' && !take(place, token)) return flawAt(text, offset, before);
    offset += token.length;
  }
  return place.awaited === 'end' && place.open.length === 0 ? null : flawAt(text, offset, expected(place));
}

/** `wanted`: what should stand there; null = a text in quotes that is not one. */
function flawAt(text: string, offset: number, wanted: string | null): JsonFlaw {
  const lines = text.slice(0, offset).split(/\r\n|\n|\r/);
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1, problem: problemOf(text, offset, wanted) };
}

function problemOf(text: string, offset: number, wanted: string | null): string {
  if (wanted === null) return 'the text in quotes that begins here does not end on its line, or has a wrong escape';
  return offset >= text.length ? `the text ends; expected ${wanted}` : `expected ${wanted}`;
}
