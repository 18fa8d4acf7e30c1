import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { type Placeholders, readTokens, type TokenReader } from './tokens.ts';
import { equal, members, order, type Path, type TableItem, typeOf, valueAt } from './values.ts';

type Operand =
  | { readonly kind: 'path'; readonly path: Path }
  | { readonly kind: 'value'; readonly value: AttributeValue }
  | { readonly kind: 'size'; readonly path: Path };

type Comparator = '=' | '<>' | '<' | '<=' | '>' | '>=';

export type Condition =
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition }
  | { readonly kind: 'not'; readonly of: Condition }
  | { readonly kind: 'compare'; readonly comparator: Comparator; readonly left: Operand; readonly right: Operand }
  | { readonly kind: 'between'; readonly operand: Operand; readonly low: Operand; readonly high: Operand }
  | { readonly kind: 'in'; readonly operand: Operand; readonly options: readonly Operand[] }
  | { readonly kind: 'exists'; readonly path: Path; readonly wanted: boolean }
  | { readonly kind: 'type'; readonly path: Path; readonly type: Operand }
  | { readonly kind: 'begins_with' | 'contains'; readonly path: Path; readonly operand: Operand };

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html */
export function parseCondition(kind: string, expression: string, known: Placeholders): Condition {
  const tokens = readTokens(kind, expression, known);
  const { condition } = readOr(tokens);
  if (tokens.peek() !== undefined) throw tokens.fail(`Syntax error; token: "${tokens.peek()}"`);
  return condition;
}

/** `bare`: a pair of parentheses and nothing else, which in another pair is an error. */
interface Read {
  readonly condition: Condition;
  readonly bare: boolean;
}

function readOr(tokens: TokenReader): Read {
  let read = readAnd(tokens);
  while (tokens.take('OR')) {
    read = { condition: { kind: 'or', left: read.condition, right: readAnd(tokens).condition }, bare: false };
  }
  return read;
}

function readAnd(tokens: TokenReader): Read {
  let read = readNot(tokens);
  while (tokens.take('AND')) {
    read = { condition: { kind: 'and', left: read.condition, right: readNot(tokens).condition }, bare: false };
  }
  return read;
}

function readNot(tokens: TokenReader): Read {
  if (tokens.take('NOT')) return { condition: { kind: 'not', of: readNot(tokens).condition }, bare: false };
  if (tokens.take('(')) {
    const { condition, bare } = readOr(tokens);
    tokens.expect(')');
    if (bare) throw tokens.fail('The expression has redundant parentheses;');
    return { condition, bare: true };
  }
  const isFunction = tokens.follows('(') && tokens.peek()?.toLowerCase() !== 'size';
  return { condition: isFunction ? readFunction(tokens) : readComparison(tokens), bare: false };
}

function readFunction(tokens: TokenReader): Condition {
  const name = tokens.next();
  tokens.expect('(');
  const path = tokens.path();
  const second = () => {
    tokens.expect(',');
    return readOperand(tokens);
  };
  const condition = ((): Condition => {
    switch (name) {
      case 'attribute_exists':
      case 'attribute_not_exists':
        return { kind: 'exists', path, wanted: name === 'attribute_exists' };
      case 'attribute_type':
        return { kind: 'type', path, type: second() };
      case 'begins_with':
      case 'contains':
        return { kind: name, path, operand: second() };
      default:
        throw tokens.fail(`Invalid function name; function: ${name}`);
    }
  })();
  tokens.expect(')');
  return condition;
}

const COMPARATORS: readonly string[] = ['=', '<>', '<', '<=', '>', '>='] satisfies Comparator[];

function readComparison(tokens: TokenReader): Condition {
  const left = readOperand(tokens);
  if (tokens.take('BETWEEN')) {
    const low = readOperand(tokens);
    tokens.expect('AND');
    return { kind: 'between', operand: left, low, high: readOperand(tokens) };
  }
  if (tokens.take('IN')) {
    tokens.expect('(');
    const options = [readOperand(tokens)];
    while (tokens.take(',')) options.push(readOperand(tokens));
    tokens.expect(')');
    return { kind: 'in', operand: left, options };
  }
  const comparator = tokens.next();
  if (!COMPARATORS.includes(comparator)) throw tokens.fail(`Syntax error; token: "${comparator}"`);
  return { kind: 'compare', comparator: comparator as Comparator, left, right: readOperand(tokens) };
}

function readOperand(tokens: TokenReader): Operand {
  if (tokens.peek()?.startsWith(':') === true) return { kind: 'value', value: tokens.value(tokens.next()) };
  if (tokens.peek() === 'size' && tokens.follows('(')) {
    tokens.next();
    tokens.expect('(');
    const path = tokens.path();
    tokens.expect(')');
    return { kind: 'size', path };
  }
  return { kind: 'path', path: tokens.path() };
}

/** Whether an item (or the absence of one) meets a condition. */
export function meets(item: TableItem | undefined, condition: Condition): boolean {
  switch (condition.kind) {
    case 'and':
      return meets(item, condition.left) && meets(item, condition.right);
    case 'or':
      return meets(item, condition.left) || meets(item, condition.right);
    case 'not':
      return !meets(item, condition.of);
    case 'exists':
      return (valueAt(item, condition.path) !== undefined) === condition.wanted;
    case 'type': {
      const value = valueAt(item, condition.path);
      return value !== undefined && typeOf(value) === operandValue(item, condition.type)?.S;
    }
    case 'compare':
      return compares(operandValue(item, condition.left), condition.comparator, operandValue(item, condition.right));
    case 'between': {
      const value = operandValue(item, condition.operand);
      return (
        compares(value, '>=', operandValue(item, condition.low)) &&
        compares(value, '<=', operandValue(item, condition.high))
      );
    }
    case 'in': {
      const value = operandValue(item, condition.operand);
      return condition.options.some((option) => compares(value, '=', operandValue(item, option)));
    }
    case 'begins_with': {
      const value = valueAt(item, condition.path)?.S;
      const prefix = operandValue(item, condition.operand)?.S;
      return value !== undefined && prefix !== undefined && value.startsWith(prefix);
    }
    case 'contains':
      return contains(valueAt(item, condition.path), operandValue(item, condition.operand));
    default:
      return condition satisfies never;
  }
}

function operandValue(item: TableItem | undefined, operand: Operand): AttributeValue | undefined {
  if (operand.kind === 'value') return operand.value;
  const value = valueAt(item, operand.path);
  if (operand.kind === 'path' || value === undefined) return value;
  const size = value.S?.length ?? value.B?.length ?? value.L?.length ?? (value.M && Object.keys(value.M).length);
  return { N: String(size ?? members(value).length) };
}

/** An attribute that is not there meets no comparison but `<>`. */
function compares(
  left: AttributeValue | undefined,
  comparator: Comparator,
  right: AttributeValue | undefined,
): boolean {
  if (left === undefined || right === undefined) return comparator === '<>' && left !== right;
  if (comparator === '=') return equal(left, right);
  if (comparator === '<>') return !equal(left, right);
  const sign = order(left, right);
  if (sign === null) return false;
  if (sign === 0) return comparator === '<=' || comparator === '>=';
  return comparator.startsWith(sign < 0 ? '<' : '>');
}

function contains(value: AttributeValue | undefined, part: AttributeValue | undefined): boolean {
  if (value === undefined || part === undefined) return false;
  if (value.S !== undefined) return part.S !== undefined && value.S.includes(part.S);
  if (value.L !== undefined) return value.L.some((member) => equal(member, part));
  const scalar = part.S ?? (part.N === undefined ? part.B : String(Number(part.N)));
  return scalar !== undefined && members(value).includes(String(scalar));
}

/** Top-level attributes that a condition looks at. */
export function attributesOf(condition: Condition): string[] {
  const ofOperand = (operand: Operand) => (operand.kind === 'value' ? [] : [String(operand.path[0])]);
  switch (condition.kind) {
    case 'and':
    case 'or':
      return [...attributesOf(condition.left), ...attributesOf(condition.right)];
    case 'not':
      return attributesOf(condition.of);
    case 'compare':
      return [...ofOperand(condition.left), ...ofOperand(condition.right)];
    case 'between':
    case 'in':
      return ofOperand(condition.operand);
    default:
      return [String(condition.path[0])];
  }
}
