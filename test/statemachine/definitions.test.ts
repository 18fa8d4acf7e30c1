import { readFileSync } from 'node:fs';
import aslValidator from 'asl-validator';
import { describe, expect, it } from 'vitest';
import { type MachineDefinition, readDefinition, type StateDefinition, statesOf } from '../../local/definitions.ts';

/** Fields that a state may have, per type: asl-validator passes what it does not know, `MaxAttemps` included. */
const COMMON = ['Type', 'Comment', 'Next', 'End', 'OutputPath', 'InputPath'];
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  Task: [...COMMON, 'Resource', 'TimeoutSeconds', 'Retry', 'Catch', 'ResultPath'],
  Parallel: [...COMMON, 'Branches', 'Retry', 'Catch', 'ResultSelector', 'ResultPath'],
  Pass: [...COMMON, 'Parameters', 'Result', 'ResultPath'],
  Choice: ['Type', 'Comment', 'Choices', 'Default'],
  Wait: [...COMMON, 'Seconds', 'SecondsPath'],
  Succeed: ['Type', 'Comment'],
  Fail: ['Type', 'Comment', 'Error', 'Cause', 'ErrorPath', 'CausePath'],
};
const MACHINE_FIELDS = ['Comment', 'StartAt', 'TimeoutSeconds', 'States'];
const BRANCH_FIELDS = ['StartAt', 'States'];
const RETRY_FIELDS = [
  'ErrorEquals',
  'IntervalSeconds',
  'BackoffRate',
  'MaxAttempts',
  'MaxDelaySeconds',
  'JitterStrategy',
];
const CATCH_FIELDS = ['ErrorEquals', 'ResultPath', 'Next'];
const RULE_FIELDS = [
  'Variable',
  'StringEquals',
  'NumericGreaterThan',
  'IsPresent',
  'IsNull',
  'And',
  'Or',
  'Not',
  'Next',
];

interface Retrier {
  readonly ErrorEquals: readonly string[];
  readonly IntervalSeconds?: number;
  readonly BackoffRate?: number;
  readonly MaxAttempts?: number;
}
interface Catcher {
  readonly ErrorEquals: readonly string[];
  readonly Next: string;
}
interface Rule {
  readonly Next?: string;
  readonly And?: readonly Rule[];
  readonly Or?: readonly Rule[];
}

/** The last states: where it cannot report, the execution fails, and an alarm says so. */
const MAY_FAIL = ['Report', 'Report the restore'];

/**
 * The only inputs that are reshaped: who reports has to name the execution, who restores has to know it again, and the sweep
 * has to be able to ask how it stands. What they are
 * given stays as it is.
 */
const TOLD_THE_EXECUTION: Readonly<Record<string, string>> = {
  '${AssessFlowsFunctionArn}': '{"input.$":"$","execution.$":"$$.Execution.Id"}',
  '${VerifyCutFunctionArn}': '{"record.$":"$","execution.$":"$$.Execution.Id"}',
  '${ReportCaseFunctionArn}': '{"record.$":"$","execution.$":"$$.Execution.Id"}',
  '${ReportRestoreFunctionArn}': '{"record.$":"$","execution.$":"$$.Execution.Id"}',
  '${RestoreInstanceFunctionArn}': '{"request.$":"$","execution.$":"$$.Execution.Id"}',
};

const listOf = <T>(value: unknown): readonly T[] => (Array.isArray(value) ? (value as T[]) : []);

const unknownFields = (where: string, given: object, known: readonly string[]): string[] =>
  Object.keys(given)
    .filter((field) => !known.includes(field))
    .map((field) => `${where}: "${field}" is no field of it`);

/** Pauses and the time of work that the retries of a task allow, as its comment says it. */
function worstCase(state: StateDefinition): string | null {
  const retrier = listOf<Retrier>(state['Retry']).find(({ ErrorEquals }) => ErrorEquals.includes('States.ALL'));
  if (retrier === undefined) return null;
  const { IntervalSeconds = 1, BackoffRate = 2, MaxAttempts = 3 } = retrier;
  const pauses = Array.from({ length: MaxAttempts }, (_, attempt) => IntervalSeconds * BackoffRate ** attempt);
  return `Retry: ${pauses.join('+')} s, at most ${MaxAttempts + 1} x ${String(state['TimeoutSeconds'])} s of work.`;
}

function taskProblems(name: string, state: StateDefinition, isCaught: boolean): string[] {
  const problems: string[] = [];
  const timeout = state['TimeoutSeconds'];
  if (typeof timeout !== 'number' || timeout < 1) problems.push(`${name}: a task without TimeoutSeconds waits a year`);
  const retries = listOf<Retrier>(state['Retry']);
  if (retries.length === 0) problems.push(`${name}: a task without Retry fails on the first throttle`);
  for (const retrier of retries) problems.push(...unknownFields(`${name}, Retry`, retrier, RETRY_FIELDS));
  if (!isCaught && listOf(state['Catch']).length === 0 && !MAY_FAIL.includes(name)) {
    problems.push(`${name}: neither the task nor what holds it catches its failure`);
  }
  const expected = worstCase(state);
  if (expected !== null && state.Comment?.includes(expected) !== true) {
    problems.push(`${name}: the comment should say "${expected}"`);
  }
  return problems;
}

const rulesIn = (rule: Rule): readonly Rule[] => [rule, ...[...(rule.And ?? []), ...(rule.Or ?? [])].flatMap(rulesIn)];

function successorsOf(state: StateDefinition): readonly string[] {
  const { Next, Default } = state;
  return [
    ...[Next, Default].filter((next) => typeof next === 'string'),
    ...listOf<Catcher>(state['Catch']).map((catcher) => catcher.Next),
    ...listOf<Rule>(state['Choices']).flatMap(({ Next: next }) => next ?? []),
  ];
}

function reachable({ StartAt, States }: MachineDefinition): ReadonlySet<string> {
  const seen = new Set([StartAt]);
  for (const name of seen) {
    const state = States[name];
    if (state !== undefined) for (const next of successorsOf(state)) seen.add(next);
  }
  return seen;
}

function fieldProblems(name: string, state: StateDefinition): string[] {
  const told = TOLD_THE_EXECUTION[state.Resource ?? ''];
  if (told === undefined) return unknownFields(name, state, FIELDS[state.Type] ?? []);
  const { Parameters, ...plain } = state;
  const isTold = JSON.stringify(Parameters) === told;
  return [
    ...(isTold ? [] : [`${name}: does not learn its execution`]),
    ...unknownFields(name, plain, FIELDS[state.Type] ?? []),
  ];
}

/** What is wrong with a definition, or with the branches of one; in sentences that begin with the state. */
function problemsOf(definition: MachineDefinition, isBranch = false, isCaught = false): readonly string[] {
  const problems = unknownFields('the machine', definition, isBranch ? BRANCH_FIELDS : MACHINE_FIELDS);
  if (!isBranch && typeof definition['TimeoutSeconds'] !== 'number') problems.push('the machine has no TimeoutSeconds');
  const reached = reachable(definition);
  for (const [name, state] of Object.entries(definition.States)) {
    problems.push(...fieldProblems(name, state));
    if ((state.Comment ?? '') === '') problems.push(`${name}: says nothing in a Comment`);
    if (!reached.has(name)) problems.push(`${name}: no state leads here`);
    for (const catcher of listOf<Catcher>(state['Catch'])) {
      problems.push(...unknownFields(`${name}, Catch`, catcher, CATCH_FIELDS));
    }
    for (const rule of listOf<Rule>(state['Choices']).flatMap(rulesIn)) {
      problems.push(...unknownFields(`${name}, Choices`, rule, RULE_FIELDS));
    }
    if (state.Type === 'Task') problems.push(...taskProblems(name, state, isCaught));
    const catches = isCaught || listOf(state['Catch']).length > 0;
    for (const branch of state.Branches ?? []) problems.push(...problemsOf(branch, true, catches));
  }
  return problems;
}

const readText = (machine: string) =>
  readFileSync(new URL(`../../statemachine/${machine}.asl.json`, import.meta.url), 'utf8');
const read = (machine: string) => JSON.parse(readText(machine)) as MachineDefinition;
/** As it is deployed: with an ARN for every placeholder. */
const deployed = (text: string) =>
  JSON.parse(
    text.replaceAll(/\$\{(\w+)\}/g, 'arn:aws:lambda:eu-central-1:111122223333:function:$1'),
  ) as MachineDefinition;

describe.each(['respond', 'restore'])('the definition of %s', (machine) => {
  it('is Amazon States Language', () => {
    const { isValid, errors } = aslValidator(deployed(readText(machine)));

    expect(errors).toEqual([]);
    expect(isValid).toBe(true);
  });

  it('has in every task a timeout, retries, a catch and a true comment, and no state that is not reached', () => {
    expect(problemsOf(read(machine))).toEqual([]);
  });
});

/** Every comparison in a Choice state, those inside And, Or and Not included. */
function* comparisonsOf(rule: unknown): Generator<Readonly<Record<string, unknown>>> {
  if (Array.isArray(rule)) for (const part of rule) yield* comparisonsOf(part);
  else if (typeof rule === 'object' && rule !== null) {
    if ('Variable' in rule) yield rule;
    else for (const part of Object.values(rule)) yield* comparisonsOf(part);
  }
}

describe.each(['respond', 'restore'] as const)('the choices of %s', (machine) => {
  it('ask for no absence by a comparison with false, which not every interpreter honours: Not does', () => {
    const choices = [...statesOf(readDefinition(machine))].flatMap(([, state]) => [...comparisonsOf(state['Choices'])]);

    expect(choices.length).toBeGreaterThan(0);
    expect(choices.filter((comparison) => Object.values(comparison).includes(false))).toEqual([]);
  });
});

describe('a broken definition is caught', () => {
  const edited = (from: string, to: string): readonly string[] => {
    const text = readText('respond');
    expect(text).toContain(from);
    return problemsOf(JSON.parse(text.replace(from, to)) as MachineDefinition);
  };

  it.each([
    [
      'a misspelt retry field',
      '"MaxAttempts": 3 }',
      '"MaxAttemps": 3 }',
      'Open and assess, Retry: "MaxAttemps" is no field of it',
    ],
    [
      'a misspelt state field',
      '"TimeoutSeconds": 60',
      '"TimeoutSecond": 60',
      'Open and assess: "TimeoutSecond" is no field of it',
    ],
    [
      'a task without a timeout',
      '"TimeoutSeconds": 60,',
      '',
      'Open and assess: a task without TimeoutSeconds waits a year',
    ],
    [
      'a comment with old numbers',
      '1+2+4 s, at most 4 x 60 s',
      '1+2 s, at most 3 x 60 s',
      'Open and assess: the comment should say "Retry: 1+2+4 s, at most 4 x 60 s of work."',
    ],
    [
      'a task that reshapes its input',
      '"TimeoutSeconds": 30,',
      '"TimeoutSeconds": 30, "Parameters": {},',
      'Cut on the host: "Parameters" is no field of it',
    ],
    [
      'a report that does not learn its execution',
      '"record.$": "$", "execution.$": "$$.Execution.Id"',
      '"record.$": "$", "execution.$": "$$.Execution.Name"',
      'Tell people what is cut so far: does not learn its execution',
    ],
    [
      'a result that is reshaped',
      '"TimeoutSeconds": 60,',
      '"TimeoutSeconds": 60, "ResultSelector": {},',
      'Open and assess: "ResultSelector" is no field of it',
    ],
    [
      'a state that nothing leads to any more',
      '"Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "The deny failed" }],',
      '',
      'The deny failed: no state leads here',
    ],
  ])('%s', (_, from, to, problem) => {
    expect(edited(from, to)).toContain(problem);
  });

  it('a task whose failure nobody catches', () => {
    const definition = read('restore');
    const task = definition.States['Put back what was found'];
    const { Catch: _, ...uncaught } = task as Record<string, unknown>;
    const States = { ...definition.States, 'Put back what was found': uncaught as StateDefinition };

    expect(problemsOf({ ...definition, States })).toContain(
      'Put back what was found: neither the task nor what holds it catches its failure',
    );
  });

  it('a transition to a state that is not there', () => {
    const text = readText('respond').replace('"Next": "Tell people what is cut so far"', '"Next": "Tell people"');

    const { isValid, errors } = aslValidator(deployed(text));

    expect(isValid).toBe(false);
    expect(JSON.stringify(errors)).toContain('Tell people');
  });
});
