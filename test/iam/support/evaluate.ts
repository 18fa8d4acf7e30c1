import { sendable } from '../../../scripts/permissions.ts';
import type { Template } from '../../../scripts/template.ts';
import { changedOptions, parameterSets, type Values } from './parameters.ts';
import { type Deployed, functionsOf } from './policies.ts';
import type { Ask, CallRecord } from './records.ts';
import { apiOf, asksFor, denial, keyAsks } from './simulate.ts';

/** What came of every question that the calls of one function put under one set of parameters. */
export interface Evaluated {
  readonly folder: string;
  readonly asked: number;
  /** Which function may not do what, and the statement that its role lacks. */
  readonly denied: readonly string[];
}

/** The template as it was written, and as it is deployed. */
export interface Stack {
  readonly source: Template;
  readonly deployed: Template;
}

/**
 * The calls that the bundle of their function can make. What a test's hand does in the middle of a step looks like the
 * step's own; what is not in the bundle cannot be.
 */
export const ownCalls = (
  records: readonly CallRecord[],
  commands: ReadonlyMap<string, readonly string[]>,
): readonly CallRecord[] =>
  records.filter((record) => (commands.get(record.function) ?? []).some((command) => apiOf(command) === record.api));

/**
 * The records of runs that a stack with these parameters can make. A run with an option that the parameters leave off is
 * none: it asks for what the template gives only where the option is on.
 */
export function recordsUnder(source: Template, values: Values, records: readonly CallRecord[]): readonly CallRecord[] {
  const switchable = changedOptions(source, parameterSets(source)['everything on'] ?? {});
  const on = changedOptions(source, values);
  return records.filter(({ options }) => options.every((option) => on.has(option) || !switchable.has(option)));
}

/** Each question once. */
async function questionsOf(records: readonly CallRecord[], values: Values): Promise<readonly Ask[]> {
  const asks = await Promise.all(records.map(asksFor));
  const known = asks.flatMap((each) => (typeof each === 'string' ? [] : each));
  const ofKey = records.flatMap((record) => keyAsks(record, values));
  return [...new Map([...known, ...ofKey].map((ask) => [JSON.stringify(ask), ask])).values()];
}

/** Every function under one set of parameters. */
export function evaluate(
  { source, deployed }: Stack,
  values: Values,
  records: readonly CallRecord[],
): Promise<readonly Evaluated[]> {
  const made = recordsUnder(source, values, records);
  return Promise.all(
    functionsOf(deployed, values).map(async (one): Promise<Evaluated> => {
      const asks = await questionsOf(
        made.filter((record) => record.function === one.folder),
        values,
      );
      const answers = await Promise.all(asks.map((ask) => denial(one, ask, values)));
      return { folder: one.folder, asked: asks.length, denied: answers.filter((answer) => answer !== null) };
    }),
  );
}

/** Sentences about calls that nobody can ask IAM about. */
export async function unmapped(records: readonly CallRecord[]): Promise<readonly string[]> {
  const found = await Promise.all(records.map(asksFor));
  return [...new Set(found.filter((each) => typeof each === 'string'))];
}

/** A call that a bundle can make and no recorded run made, in the forms in which other functions made it. */
export interface Loan {
  readonly folder: string;
  readonly api: string;
  readonly forms: readonly CallRecord[];
}

interface Coverage {
  readonly lent: readonly Loan[];
  /** Sentences about what no recorded run did in anybody's name. */
  readonly missing: readonly string[];
}

/** Commands that a bundle holds and that are never sent: of S3's sessions, none is asked for a general purpose bucket. */
const NEVER_SENT = ['dynamodb:DescribeEndpoints', 's3:CreateSession'];

/** What the bundles can do and were not seen to. */
export function coverage(
  functions: readonly Pick<Deployed, 'folder'>[],
  commands: ReadonlyMap<string, readonly string[]>,
  records: readonly CallRecord[],
): Coverage {
  const loans = functions.flatMap(({ folder }) =>
    sendable(folder, commands.get(folder) ?? [])
      .filter((command) => !NEVER_SENT.includes(command))
      .map(apiOf)
      .filter((api) => !records.some((one) => one.function === folder && one.api === api))
      .map((api): Loan => ({ folder, api, forms: records.filter((one) => one.api === api && one.asks?.length !== 0) })),
  );
  return {
    lent: loans.filter(({ forms }) => forms.length > 0),
    missing: loans
      .filter(({ forms }) => forms.length === 0)
      .map(({ folder, api }) => `${folder} can call ${api}, and no recorded run does: add one to test/iam/worlds`),
  };
}

/** The loans of which the function's role would refuse every form, with what it lacks for the first. */
export async function refusedLoans(
  { deployed }: Pick<Stack, 'deployed'>,
  values: Values,
  loans: readonly Loan[],
): Promise<readonly string[]> {
  const functions = functionsOf(deployed, values);
  const refusals = await Promise.all(
    loans.map(async ({ folder, forms }) => {
      const one = functions.find((each) => each.folder === folder);
      if (one === undefined) return `${folder} is no function of the template`;
      const answers = await Promise.all(
        forms.map(async (form) => {
          const asks = await questionsOf([form], values);
          return (await Promise.all(asks.map((ask) => denial(one, ask, values)))).find((answer) => answer !== null);
        }),
      );
      return answers.includes(undefined) ? null : (answers[0] ?? null);
    }),
  );
  return refusals.filter((refusal) => refusal !== null);
}
