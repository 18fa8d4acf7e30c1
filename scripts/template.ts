import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export type Node = null | boolean | number | string | readonly Node[] | { readonly [key: string]: Node };
export type NodeMap = { readonly [key: string]: Node };

export interface Parameter {
  readonly Type: string;
  readonly Description?: string;
  readonly Default?: string | number;
  readonly AllowedValues?: readonly (string | number)[];
  readonly AllowedPattern?: string;
  readonly ConstraintDescription?: string;
  readonly MinValue?: number;
  readonly MaxValue?: number;
  readonly MinLength?: number;
  readonly MaxLength?: number;
}

export interface Resource {
  readonly Type: string;
  readonly Condition?: string;
  readonly DeletionPolicy?: string;
  readonly Metadata?: NodeMap;
  readonly Properties: NodeMap;
}

export interface Template {
  readonly Metadata: NodeMap;
  readonly Parameters: Readonly<Record<string, Parameter>>;
  readonly Conditions: NodeMap;
  readonly Globals: NodeMap;
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs: NodeMap;
}

const SHORT_FORMS = [
  'Ref',
  'Condition',
  'Sub',
  'GetAtt',
  'If',
  'Equals',
  'Not',
  'Or',
  'Join',
  'Split',
  'Select',
] as const;

const longName = (name: (typeof SHORT_FORMS)[number]): string =>
  name === 'Ref' || name === 'Condition' ? name : `Fn::${name}`;

interface Collection {
  toJSON(): unknown;
}

/** `!Ref X` becomes `{ Ref: 'X' }`, `!Sub ...` becomes `{ 'Fn::Sub': ... }`; a tag that is not listed fails. */
const customTags = SHORT_FORMS.flatMap((name) => [
  { tag: `!${name}`, resolve: (scalar: string) => ({ [longName(name)]: scalar }) },
  {
    tag: `!${name}`,
    collection: 'seq' as const,
    resolve: (list: Collection) => ({ [longName(name)]: list.toJSON() }),
  },
]);

export function parseTemplate(yaml: string): Template {
  return parse(yaml, { customTags, logLevel: 'error' }) as Template;
}

/** The template as it is deployed. */
export function readTemplate(): Template {
  return parseTemplate(readFileSync(new URL('../template.yaml', import.meta.url), 'utf8'));
}

/** Text as it is; anything else as JSON. */
export const text = (node: unknown): string => (typeof node === 'string' ? node : (JSON.stringify(node) ?? ''));

export const isMap = (node: Node | undefined): node is NodeMap =>
  typeof node === 'object' && node !== null && !Array.isArray(node);

const isList = (node: Node | undefined): node is readonly Node[] => Array.isArray(node);

/** A list as it is, one thing as a list of one, nothing as an empty list. */
export function listOf(node: Node | undefined): readonly Node[] {
  if (node === undefined) return [];
  return isList(node) ? node : [node];
}

/** What the pseudo parameters stand for when a template is resolved offline. */
const PSEUDO: NodeMap = {
  'AWS::AccountId': '111122223333',
  'AWS::Partition': 'aws',
  'AWS::Region': 'eu-central-1',
  'AWS::StackId': 'arn:aws:cloudformation:eu-central-1:111122223333:stack/flowcut/00000000-0000-4000-8000-000000000000',
  'AWS::StackName': 'flowcut',
  'AWS::URLSuffix': 'amazonaws.com',
};

const NOTHING = Symbol('AWS::NoValue');

/** A resource of the template, or the rule that SAM makes of an event of a function, named after both. */
function isDeployed({ Resources }: Template, id: string): boolean {
  if (Resources[id] !== undefined) return true;
  const rules = Object.entries(Resources).flatMap(([owner, { Properties }]) => {
    const events = Properties?.['Events'];
    return isMap(events) ? Object.keys(events).map((event) => `${owner}${event}`) : [];
  });
  return rules.includes(id);
}

/**
 * What CloudFormation makes of a node, given values for parameters and pseudo parameters (default: theirs). A reference to a resource becomes
 * its logical id in angle brackets, `<CaseTable>`, an attribute `<CaseTable.Arn>`.
 */
export function resolve(template: Template, node: Node, values: Readonly<Record<string, string>> = {}): Node {
  const reference = (name: string): Node | typeof NOTHING => {
    if (name === 'AWS::NoValue') return NOTHING;
    const pseudo = PSEUDO[name];
    if (pseudo !== undefined) return values[name] ?? pseudo;
    const parameter = template.Parameters[name];
    if (parameter !== undefined) {
      // Every value is text on its way through CloudFormation, numbers too.
      const value = values[name] ?? String(parameter.Default ?? '');
      return parameter.Type === 'CommaDelimitedList' ? value.split(',') : value;
    }
    if (!isDeployed(template, name.split('.')[0] ?? '')) {
      throw new Error(`template.yaml refers to ${name}, which is neither a parameter nor a resource`);
    }
    return `<${name}>`;
  };
  const condition = (name: string): boolean => {
    const found = template.Conditions[name];
    if (found === undefined) throw new Error(`template.yaml uses the condition ${name}, which it does not declare`);
    return walk(found) === true;
  };
  const texts = (value: Node): readonly string[] => {
    const list = walk(value);
    if (!Array.isArray(list)) throw new Error(`expected a list, found ${JSON.stringify(list)}`);
    return list.map((entry: Node) => text(entry));
  };
  const functions: Readonly<Record<string, (argument: Node) => Node | typeof NOTHING>> = {
    Ref: (name) => reference(text(name)),
    Condition: (name) => condition(text(name)),
    'Fn::GetAtt': (name) => reference(Array.isArray(name) ? name.join('.') : text(name)),
    'Fn::Sub': (argument) => {
      const [pattern, own] = isList(argument) ? (argument as readonly [string, NodeMap]) : [text(argument), {}];
      return pattern.replaceAll(/\$\{([\w:.]+)\}/g, (_, name: string) => {
        const value = own[name];
        return text(value === undefined ? reference(name) : walk(value));
      });
    },
    'Fn::If': (argument) => {
      const [name, yes, no] = argument as readonly [string, Node, Node];
      return walk(condition(name) ? yes : no);
    },
    'Fn::Equals': (argument) => {
      const [one, other] = argument as readonly [Node, Node];
      return text(walk(one)) === text(walk(other));
    },
    'Fn::Not': (argument) => walk((argument as readonly [Node])[0]) !== true,
    'Fn::Or': (argument) => listOf(argument).some((entry) => walk(entry) === true),
    'Fn::Join': (argument) => {
      const [delimiter, list] = argument as readonly [string, Node];
      return texts(list).join(delimiter);
    },
    'Fn::Split': (argument) => {
      const [delimiter, source] = argument as readonly [string, Node];
      return text(walk(source)).split(delimiter);
    },
    'Fn::Select': (argument) => {
      const [index, list] = argument as readonly [number, Node];
      const chosen = texts(list)[index];
      if (chosen === undefined) throw new Error(`Fn::Select: the list has no entry ${index}`);
      return chosen;
    },
  };
  function walk(current: Node): Node | typeof NOTHING {
    if (isList(current)) return current.map(walk).filter((entry) => entry !== NOTHING);
    if (!isMap(current)) return current;
    const [[key, argument] = ['', null], ...more] = Object.entries(current);
    const apply = more.length === 0 ? functions[key] : undefined;
    if (apply !== undefined) return apply(argument);
    const entries = Object.entries(current).map(([name, value]) => [name, walk(value)] as const);
    return Object.fromEntries(entries.filter(([, value]) => value !== NOTHING)) as NodeMap;
  }
  const result = walk(node);
  return result === NOTHING ? null : result;
}

/** Resources of one type with their logical ids. */
export function resourcesOf(template: Template, type: string): readonly (readonly [string, Resource])[] {
  return Object.entries(template.Resources).filter(([, resource]) => resource.Type === type);
}

/** The folder under functions/ whose bundle a function runs, from its CodeUri `dist/<folder>/`. */
export function folderOf(resource: Resource): string {
  return /^dist\/([\w-]+)\/?$/.exec(text(resource.Properties['CodeUri']))?.[1] ?? text(resource.Properties['CodeUri']);
}

/** The logical id of the role of a function. */
export const roleIdOf = (resource: Resource): string => {
  const role = resource.Properties['Role'];
  const target = isMap(role) ? role['Fn::GetAtt'] : undefined;
  return (Array.isArray(target) ? text(target[0]) : text(target ?? '')).replace(/\.Arn$/, '');
};
