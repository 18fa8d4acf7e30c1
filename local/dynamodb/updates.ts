import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { type Placeholders, readTokens, type TokenReader } from './tokens.ts';
import { members, number, type Path, removeAt, setAt, type TableItem, typeOf, validation, valueAt } from './values.ts';

type Term =
  | { readonly kind: 'path'; readonly path: Path }
  | { readonly kind: 'value'; readonly value: AttributeValue }
  | { readonly kind: 'if_not_exists'; readonly path: Path; readonly otherwise: Term }
  | { readonly kind: 'list_append'; readonly first: Term; readonly second: Term }
  | { readonly kind: '+' | '-'; readonly left: Term; readonly right: Term };

type Action =
  | { readonly kind: 'SET'; readonly path: Path; readonly term: Term }
  | { readonly kind: 'REMOVE'; readonly path: Path }
  | { readonly kind: 'ADD' | 'DELETE'; readonly path: Path; readonly value: AttributeValue };

const CLAUSES = ['SET', 'REMOVE', 'ADD', 'DELETE'] as const;

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html */
export function parseUpdate(expression: string, known: Placeholders): Action[] {
  const tokens = readTokens('UpdateExpression', expression, known);
  const actions: Action[] = [];
  const seen = new Set<string>();
  while (tokens.peek() !== undefined) {
    const clause = CLAUSES.find((name) => tokens.take(name));
    if (clause === undefined) throw tokens.fail(`Syntax error; token: "${tokens.peek()}"`);
    if (seen.has(clause)) throw tokens.fail(`The "${clause}" section can only be used once in an update expression;`);
    seen.add(clause);
    do actions.push(readAction(clause, tokens));
    while (tokens.take(','));
  }
  requireApart(actions, tokens);
  return actions;
}

function readAction(clause: (typeof CLAUSES)[number], tokens: TokenReader): Action {
  const path = tokens.path();
  if (clause === 'REMOVE') return { kind: clause, path };
  if (clause === 'SET') {
    tokens.expect('=');
    return { kind: clause, path, term: readSum(tokens) };
  }
  const placeholder = tokens.next();
  if (!placeholder.startsWith(':')) throw tokens.fail(`Syntax error; token: "${placeholder}"`);
  const value = tokens.value(placeholder);
  const allowed = clause === 'ADD' ? ['N', 'SS', 'NS', 'BS'] : ['SS', 'NS', 'BS'];
  if (!allowed.includes(typeOf(value))) {
    throw tokens.fail(
      `Incorrect operand type for operator or function; operator: ${clause}, operand type: ${typeOf(value)}`,
    );
  }
  return { kind: clause, path, value };
}

function readSum(tokens: TokenReader): Term {
  const left = readTerm(tokens);
  for (const kind of ['+', '-'] as const) {
    if (tokens.take(kind)) return { kind, left, right: readTerm(tokens) };
  }
  return left;
}

function readTerm(tokens: TokenReader): Term {
  const token = tokens.peek();
  if (token?.startsWith(':') === true) return { kind: 'value', value: tokens.value(tokens.next()) };
  if (!tokens.follows('(')) return { kind: 'path', path: tokens.path() };
  const name = tokens.next();
  tokens.expect('(');
  const term = ((): Term => {
    if (name === 'if_not_exists') {
      const path = tokens.path();
      tokens.expect(',');
      return { kind: 'if_not_exists', path, otherwise: readTerm(tokens) };
    }
    if (name !== 'list_append') throw tokens.fail(`Invalid function name; function: ${name}`);
    const first = readTerm(tokens);
    tokens.expect(',');
    return { kind: 'list_append', first, second: readTerm(tokens) };
  })();
  tokens.expect(')');
  return term;
}

function requireApart(actions: readonly Action[], tokens: TokenReader): void {
  for (const [index, { path }] of actions.entries()) {
    for (const { path: other } of actions.slice(index + 1)) {
      const shorter = Math.min(path.length, other.length);
      if (path.slice(0, shorter).join('\0') === other.slice(0, shorter).join('\0')) {
        throw tokens.fail(
          `Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [${path.join(', ')}], path two: [${other.join(', ')}]`,
        );
      }
    }
  }
}

/** The item after the actions; every term is read from the item before them. Also tells the attributes that changed. */
export function applyUpdate(before: TableItem, actions: readonly Action[]): { after: TableItem; touched: string[] } {
  const after = structuredClone(before);
  const changes = actions.filter(({ kind }) => kind !== 'REMOVE');
  // From the end of a list, so that indexes stay what they were.
  const removals = actions
    .filter(({ kind }) => kind === 'REMOVE')
    .sort((a, b) => Number(b.path.at(-1)) - Number(a.path.at(-1)) || 0);
  for (const action of [...changes, ...removals]) {
    switch (action.kind) {
      case 'SET':
        setAt(after, action.path, structuredClone(termValue(before, action.term)));
        break;
      case 'REMOVE':
        removeAt(after, action.path);
        break;
      case 'ADD':
        setAt(after, action.path, sum(valueAt(before, action.path), action.value));
        break;
      case 'DELETE':
        subtract(after, action.path, valueAt(before, action.path), action.value);
        break;
      default:
        action satisfies never;
    }
  }
  return { after, touched: [...new Set(actions.map(({ path }) => String(path[0])))] };
}

function termValue(item: TableItem, term: Term): AttributeValue {
  switch (term.kind) {
    case 'value':
      return term.value;
    case 'path': {
      const value = valueAt(item, term.path);
      if (value === undefined) {
        throw validation('The provided expression refers to an attribute that does not exist in the item');
      }
      return value;
    }
    case 'if_not_exists':
      return valueAt(item, term.path) ?? termValue(item, term.otherwise);
    case 'list_append': {
      const [first, second] = [termValue(item, term.first), termValue(item, term.second)];
      if (first.L === undefined || second.L === undefined) throw wrongType();
      return { L: [...first.L, ...second.L] };
    }
    case '+':
    case '-': {
      const [left, right] = [termValue(item, term.left), termValue(item, term.right)];
      if (left.N === undefined || right.N === undefined) throw wrongType();
      return { N: String(number(left.N) + (term.kind === '+' ? 1 : -1) * number(right.N)) };
    }
    default:
      return term satisfies never;
  }
}

function wrongType(): Error {
  return validation('An operand in the update expression has an incorrect data type');
}

function sum(there: AttributeValue | undefined, added: AttributeValue): AttributeValue {
  if (there === undefined) return structuredClone(added);
  if (typeOf(there) !== typeOf(added)) throw wrongType();
  if (there.N !== undefined && added.N !== undefined) return { N: String(number(there.N) + number(added.N)) };
  return setOf(there, [...new Set([...members(there), ...members(added)])]);
}

function subtract(item: TableItem, path: Path, there: AttributeValue | undefined, taken: AttributeValue): void {
  if (there === undefined) return;
  if (typeOf(there) !== typeOf(taken)) throw wrongType();
  const gone = members(taken);
  const left = members(there).filter((member) => !gone.includes(member));
  if (left.length === 0) removeAt(item, path);
  else setAt(item, path, setOf(there, left));
}

function setOf(like: AttributeValue, texts: string[]): AttributeValue {
  if (like.SS !== undefined) return { SS: texts };
  if (like.NS !== undefined) return { NS: texts };
  throw validation('The world keeps no binary sets');
}

/** The first of the names that an update names. */
export function updatedName(actions: readonly Action[], names: readonly string[]): string | undefined {
  return names.find((name) => actions.some(({ path }) => path[0] === name));
}
