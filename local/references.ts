import { ISOLATION_GROUP } from '../functions/aws/security-groups.ts';
import { InputError, quote } from '../functions/core/errors.ts';
import { adviceFor } from './near-miss.ts';
import type { World } from './toolbox.ts';

/**
 * `"$2"` in a later step of an episode is the case that step 2 opened or joined; `"$2.denyRuleNumber"` and the like name
 * what the responder made for that case. Steps count from 1.
 */
export const PROPERTIES = ['isolationGroupId', 'flowLogId', 'sealAclId', 'denyRuleNumber'] as const;

export type Property = (typeof PROPERTIES)[number];

export interface Reference {
  /** As it is written. */
  readonly text: string;
  readonly step: number;
  /** null = the case id itself. */
  readonly property: Property | null;
}

const ALONE = /^\$(\d{1,6})(?:\.(\w+))?$/;
const AMONG_TEXT = /\$(\d{1,6})(?:\.(isolationGroupId|flowLogId|sealAclId|denyRuleNumber)\b)?/g;

/**
 * Replaces every reference in the texts of a JSON value. A text that is nothing but a reference becomes the value itself,
 * number or text; among other words, `isStep` tells a reference from a sum of money.
 */
export function replaceReferences(
  json: unknown,
  path: string,
  isStep: (number: number) => boolean,
  valueFor: (reference: Reference, path: string) => string | number,
): unknown {
  const walk = (value: unknown, at: string): unknown => {
    if (typeof value === 'string') return inText(value, at);
    if (Array.isArray(value)) return value.map((item, index) => walk(item, `${at}[${index}]`));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, keyPath(at, key))]));
  };
  const inText = (value: string, at: string): string | number => {
    const alone = ALONE.exec(value);
    if (alone !== null) {
      const [text, step, property = null] = alone;
      return valueFor({ text, step: Number(step), property: knownProperty(property, text, at) }, at);
    }
    return value.replaceAll(AMONG_TEXT, (text: string, step: string, property?: Property) =>
      isStep(Number(step)) ? String(valueFor({ text, step: Number(step), property: property ?? null }, at)) : text,
    );
  };
  return walk(json, path);
}

const keyPath = (at: string, key: string): string =>
  /^[\w-]{1,60}$/.test(key) ? `${at}.${key}` : `${at}[${quote(key)}]`;

function knownProperty(property: string | null, text: string, path: string): Property | null {
  if (property === null) return null;
  const known = PROPERTIES.find((name) => name === property);
  if (known !== undefined) return known;
  const advice = adviceFor(property, PROPERTIES, `a step has ${PROPERTIES.join(', ')}`);
  throw new InputError(path, `${quote(text)} names nothing of a step; ${advice}`);
}

/** Stands for what is not known yet, where only the form is checked. */
export function placeholderOf({ property }: Reference): string | number {
  switch (property) {
    case null:
      return 'case-00000000000000000000';
    case 'isolationGroupId':
      return 'sg-00000000000000000';
    case 'flowLogId':
      return 'fl-00000000000000000';
    case 'sealAclId':
      return 'acl-00000000000000000';
    case 'denyRuleNumber':
      return 1;
    default:
      return property satisfies never;
  }
}

type Item = Readonly<Record<string, unknown>>;

/** What the responder made for a case, as the world and the case table have it now; null = nothing of the kind. */
export function madeFor(
  world: World,
  {
    tools,
    caseId,
    property,
  }: {
    readonly tools: { readonly cases: { readonly name: string } };
    readonly caseId: string;
    readonly property: Property;
  },
): string | number | null {
  const items = world.dumpTable(tools.cases.name);
  const ofCase = items.filter((item) => item['pk'] === `CASE#${caseId}` || namesCase(item, caseId));
  switch (property) {
    case 'isolationGroupId':
      return isolationGroupOf(world, ofCase);
    case 'flowLogId':
      return madeThing(world, ofCase, caseId, 'FlowLogs', 'FlowLogId');
    case 'sealAclId':
      return madeThing(world, ofCase, caseId, 'NetworkAcls', 'NetworkAclId');
    case 'denyRuleNumber':
      return denyNumberOf(ofCase);
    default:
      return property satisfies never;
  }
}

/** Items that several cases share hold a set of them. */
function namesCase({ cases }: Item, caseId: string): boolean {
  const list: readonly unknown[] = cases instanceof Set || Array.isArray(cases) ? [...cases] : [];
  return list.includes(caseId);
}

/** The lowest number, of several. */
function denyNumberOf(items: readonly Item[]): number | null {
  const numbers = items.filter(({ sk }) => String(sk).startsWith('DENY#')).map((item) => Number(item['ruleNumber']));
  return numbers.length === 0 ? null : Math.min(...numbers);
}

/** The group of the VPC in which the case has found its first interface. */
function isolationGroupOf(world: World, items: readonly Item[]): string | null {
  const before = items.find(({ sk }) => String(sk).startsWith('BEFORE#'));
  if (before === undefined) return null;
  const { vpcId } = JSON.parse(String(before['before'])) as { vpcId?: string };
  const { key, value } = { key: ISOLATION_GROUP.tag.Key, value: ISOLATION_GROUP.tag.Value };
  const group = listOf(world, 'SecurityGroups').find(
    (one) => one['VpcId'] === vpcId && tagsOf(one).some(({ Key, Value }) => Key === key && Value === value),
  );
  return typeof group?.['GroupId'] === 'string' ? group['GroupId'] : null;
}

/** A thing that the case's items name, or that is tagged with the case. */
function madeThing(world: World, items: readonly Item[], caseId: string, list: string, idKey: string): string | null {
  const told = JSON.stringify(items, (_, value: unknown) => (value instanceof Set ? [...value] : value));
  const named = listOf(world, list).filter((one) => tagsOf(one).some(({ Key }) => Key?.startsWith('flowcut:')));
  const thing =
    named.find((one) => tagsOf(one).some(({ Value }) => Value === caseId)) ??
    named.find((one) => told.includes(`${String(one[idKey])}`));
  return typeof thing?.[idKey] === 'string' ? thing[idKey] : null;
}

const listOf = (world: World, key: string): readonly Item[] => (world.snapshot()[key] ?? []) as Item[];

const tagsOf = ({ Tags }: Item): readonly { readonly Key?: string; readonly Value?: string }[] =>
  Array.isArray(Tags) ? (Tags as { Key?: string; Value?: string }[]) : [];
