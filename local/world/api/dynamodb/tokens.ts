import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { RESERVED_WORDS } from './reserved-words.ts';
import { type Path, validation } from './values.ts';

/** The placeholders of a request; remembers which were used, for an unused one is an error. */
export interface Placeholders {
  readonly names: Record<string, string>;
  readonly values: Record<string, AttributeValue>;
  readonly usedNames: Set<string>;
  readonly usedValues: Set<string>;
}

export function placeholders(
  names: Record<string, string> | undefined,
  values: Record<string, AttributeValue> | undefined,
): Placeholders {
  if (names !== undefined && Object.keys(names).length === 0)
    throw validation('ExpressionAttributeNames must not be empty');
  if (values !== undefined && Object.keys(values).length === 0)
    throw validation('ExpressionAttributeValues must not be empty');
  return { names: names ?? {}, values: values ?? {}, usedNames: new Set(), usedValues: new Set() };
}

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ExpressionAttributeNames.html */
export function requireAllUsed({ names, values, usedNames, usedValues }: Placeholders): void {
  const unused = (given: object, used: Set<string>) => Object.keys(given).filter((key) => !used.has(key));
  const unusedNames = unused(names, usedNames);
  const unusedValues = unused(values, usedValues);
  if (unusedNames.length > 0) {
    throw validation(
      `Value provided in ExpressionAttributeNames unused in expressions: keys: {${unusedNames.join(', ')}}`,
    );
  }
  if (unusedValues.length > 0) {
    throw validation(
      `Value provided in ExpressionAttributeValues unused in expressions: keys: {${unusedValues.join(', ')}}`,
    );
  }
}

const TOKEN = /\s*(?:(<>|<=|>=|[=<>()[\],.+-])|(:[A-Za-z0-9_]+)|(#[A-Za-z0-9_]+)|([A-Za-z_][A-Za-z0-9_]*)|(\d+))/y;

/** Reads an expression token by token; words compare without case. */
export interface TokenReader {
  peek(): string | undefined;
  /** The next token if it is this one, which is then read. */
  take(token: string): boolean;
  expect(token: string): void;
  next(): string;
  path(): Path;
  value(placeholder: string): AttributeValue;
  fail(why: string): Error;
  /** Whether the token after the next is this one. */
  follows(token: string): boolean;
}

export function readTokens(kind: string, expression: string, known: Placeholders): TokenReader {
  const tokens = tokenize(kind, expression);
  let position = 0;
  const fail = (why: string) => validation(`Invalid ${kind}: ${why}`);
  const syntaxError = () => fail(`Syntax error; token: "${tokens[position] ?? '<EOF>'}"`);
  const is = (token: string | undefined, wanted: string) => token?.toUpperCase() === wanted.toUpperCase();
  const next = () => {
    const token = tokens[position];
    if (token === undefined) throw syntaxError();
    position += 1;
    return token;
  };
  const take = (token: string) => {
    if (!is(tokens[position], token)) return false;
    position += 1;
    return true;
  };
  const expect = (token: string) => {
    if (!take(token)) throw syntaxError();
  };
  const name = () => {
    const token = next();
    if (token.startsWith('#')) return meantBy(token, known, fail);
    if (!/^[A-Za-z]/.test(token)) {
      position -= 1;
      throw syntaxError();
    }
    if (RESERVED_WORDS.has(token.toUpperCase())) {
      throw fail(`Attribute name is a reserved keyword; reserved keyword: ${token}`);
    }
    return token;
  };
  return {
    peek: () => tokens[position],
    follows: (token) => is(tokens[position + 1], token),
    take,
    expect,
    next,
    fail,
    path() {
      const path: (string | number)[] = [name()];
      for (;;) {
        if (take('.')) path.push(name());
        else if (take('[')) {
          path.push(Number(next()));
          expect(']');
        } else return path;
      }
    },
    value(placeholder) {
      known.usedValues.add(placeholder);
      const value = known.values[placeholder];
      if (value === undefined) {
        throw fail(`An expression attribute value used in expression is not defined; attribute value: ${placeholder}`);
      }
      return value;
    },
  };
}

function meantBy(placeholder: string, known: Placeholders, fail: (why: string) => Error): string {
  known.usedNames.add(placeholder);
  const meant = known.names[placeholder];
  if (meant !== undefined) return meant;
  throw fail(`An expression attribute name used in the document path is not defined; attribute name: ${placeholder}`);
}

function tokenize(kind: string, expression: string): string[] {
  if (expression.trim() === '') throw validation(`Invalid ${kind}: The expression can not be empty;`);
  const tokens: string[] = [];
  let position = 0;
  const rest = expression.trimEnd();
  while (position < rest.length) {
    TOKEN.lastIndex = position;
    const match = TOKEN.exec(rest);
    if (match === null) throw validation(`Invalid ${kind}: Syntax error; token: "${rest.slice(position).trim()[0]}"`);
    tokens.push(match[0].trim());
    position = TOKEN.lastIndex;
  }
  return tokens;
}
