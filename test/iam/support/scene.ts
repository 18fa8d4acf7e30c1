import type { ServiceMemory } from '../../../local/memory-slots.ts';
import type { ApiState, Tag } from '../../../local/world/api/shapes.ts';
import type { Ask, Context } from './records.ts';

/** Where a call is made: the world as it is at that moment. */
export interface Scene {
  readonly state: ApiState;
  readonly memory: ServiceMemory;
}

/** Says what IAM is asked when an API is called with an input. */
export type Asker = (input: unknown, scene: Scene) => readonly Ask[];

/** A member of a member of an input; undefined = it is not there. */
export const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (node, name) => (typeof node === 'object' && node !== null ? (node as Record<string, unknown>)[name] : undefined),
    value,
  );

export const textAt = (value: unknown, ...path: readonly string[]): string => {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : '';
};

export const listAt = (value: unknown, ...path: readonly string[]): readonly unknown[] => {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
};

/** The ARN of something, of this account where it says no other. */
export const arn = ({ state }: Scene, service: string, rest: string, account = state.AccountId): string =>
  `arn:aws:${service}:${state.Region}:${account}:${rest}`;

/** The keys of what is tagged already. */
export const resourceTags = (tags: readonly Tag[] = []): Context =>
  Object.fromEntries(
    tags.flatMap(({ Key, Value }) =>
      Key === undefined
        ? []
        : [
            [`aws:ResourceTag/${Key}`, Value ?? ''],
            [`ec2:ResourceTag/${Key}`, Value ?? ''],
          ],
    ),
  );

/** The keys of what is to be tagged. */
export const requestTags = (tags: readonly unknown[]): Context => ({
  ...Object.fromEntries(tags.map((tag) => [`aws:RequestTag/${textAt(tag, 'Key')}`, textAt(tag, 'Value')])),
  ...(tags.length > 0 && { 'aws:TagKeys': tags.map((tag) => textAt(tag, 'Key')) }),
});

/** The keys that every request to EC2 has. */
export const inRegion = ({ state }: Scene): Context => ({ 'ec2:Region': state.Region });

const ID =
  /\b(?!vpc-flow-log)(i|eni|sg|sgr|vpc|subnet|acl|vol|snap|pl|fl|rtb|igw|eigw|vpce|rslvr-frg|rslvr-fdl|ami|lt)-[0-9a-z]{1,17}\b/g;
const CASE = /\bcase-[0-9a-f]{20}\b/g;

/** The hour of a cap, the name of an execution, which of many target groups: no matter of rights. */
const VARYING = /(CAP#[\w-]+#|-respond:|:targetgroup\/)[^"/]*/g;

/** The account and Region of the local runs' own names, which stand for those of the stack. */
const LOCAL_ACCOUNT = /:(local|[a-z]{2}-[a-z]+-\d):000000000000:/g;

/**
 * The same question with ids that do not tell one run from another: the first VPC is always the same one, and so on. What
 * depends on which of two things it is cannot be told from it, and no statement of the template asks that.
 */
export function generic(ask: Ask, { state }: Pick<Scene, 'state'>): Ask {
  const known = new Map<string, string>();
  const counts = new Map<string, number>();
  const rename = (id: string, kind: string): string => {
    const found = known.get(id);
    if (found !== undefined) return found;
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    const name = `${kind}-${String(count).padStart(17, '0')}`;
    known.set(id, name);
    return name;
  };
  const text = JSON.stringify(ask)
    .replaceAll(LOCAL_ACCOUNT, `:${state.Region}:${state.AccountId}:`)
    .replaceAll(state.Region, REGION)
    .replaceAll(state.AccountId, ACCOUNT)
    .replaceAll(ID, (id, kind: string) => rename(id, kind))
    .replaceAll(CASE, 'case-00000000000000000001')
    .replaceAll(VARYING, '$1x');
  return JSON.parse(text) as Ask;
}

/** Where every recorded call is made. */
export const REGION = 'eu-central-1';
export const ACCOUNT = '111122223333';
export const VPC = 'vpc-00000000000000001';
