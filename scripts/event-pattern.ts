import { isMap, type Node, type NodeMap, text } from './template.ts';

/**
 * Does EventBridge deliver the event to a rule with this pattern? Exact values, `prefix`, `numeric`, `exists` and
 * `anything-but`, as far as a pattern of ours goes; anything else is refused, so that no pattern passes because nobody understood it.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
 */
export function matches(pattern: NodeMap, event: NodeMap): boolean {
  return Object.entries(pattern).every(([field, wanted]) => {
    const given = event[field];
    // What is not there at any depth is not there.
    if (isMap(wanted)) return matches(wanted, isMap(given) ? given : {});
    if (!Array.isArray(wanted)) throw new Error(`EventBridge refuses ${field}: neither an object nor a list`);
    const values: readonly (Node | undefined)[] = Array.isArray(given) ? given : [given];
    return wanted.some((alternative: Node) => values.some((value) => matchesOne(field, alternative, value)));
  });
}

function matchesOne(field: string, alternative: Node, value: Node | undefined): boolean {
  if (!isMap(alternative)) return alternative === value;
  const [[operator, operand] = ['', null], ...more] = Object.entries(alternative);
  if (more.length > 0) throw new Error(`EventBridge refuses ${field}: more than one operator`);
  switch (operator) {
    case 'prefix':
      if (typeof operand !== 'string') throw new Error(`EventBridge refuses ${field}: prefix takes text`);
      return typeof value === 'string' && value.startsWith(operand);
    case 'exists':
      if (typeof operand !== 'boolean') throw new Error(`EventBridge refuses ${field}: exists takes true or false`);
      return (value !== undefined) === operand;
    case 'anything-but':
      return value !== undefined && !(Array.isArray(operand) ? operand : [operand]).includes(value);
    case 'numeric':
      return numeric(field, operand, value);
    default:
      throw new Error(`${field}: this matcher does not know ${operator}`);
  }
}

function numeric(field: string, operand: Node, value: Node | undefined): boolean {
  const parts = (Array.isArray(operand) ? operand : []) as readonly Node[];
  if (parts.length === 0 || parts.length % 2 !== 0)
    throw new Error(`EventBridge refuses ${field}: numeric takes pairs`);
  for (let index = 0; index < parts.length; index += 2) {
    const [comparison, bound] = [parts[index], parts[index + 1]];
    if (typeof bound !== 'number')
      throw new Error(`EventBridge refuses ${field}: ${JSON.stringify(bound)} is no number`);
    if (typeof value !== 'number' || !compare(text(comparison), value, bound)) return false;
  }
  return true;
}

function compare(comparison: string, value: number, bound: number): boolean {
  switch (comparison) {
    case '>=':
      return value >= bound;
    case '>':
      return value > bound;
    case '<=':
      return value <= bound;
    case '<':
      return value < bound;
    case '=':
      return value === bound;
    default:
      throw new Error(`EventBridge knows no ${comparison}`);
  }
}
