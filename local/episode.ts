import { needCaseId } from '../functions/core/case/case-id.ts';
import { InputError, quote } from '../functions/core/errors.ts';
import { intake } from '../functions/core/intake/intake.ts';
import { parseRestoreRequest } from '../functions/core/intake/restore-request.ts';
import type { Mode } from '../functions/core/model.ts';
import { objectAt, parseCallsOfStep, parseSecond } from './calls.ts';
import { adviceFor } from './near-miss.ts';
import { placeholderOf, type Reference, replaceReferences } from './references.ts';
import { isEvent, withMode } from './requests.ts';

/** Kinds of steps: inputs of the deployed functions, and `calls`, which are somebody else's. */
const KINDS = ['event', 'request', 'restore', 'decide', 'calls'] as const;

type Kind = (typeof KINDS)[number];

/** One step of an episode, with the references that it was written with. */
export interface EpisodeStep {
  /** Virtual seconds. */
  readonly at: number;
  readonly kind: Exclude<Kind, 'decide'>;
  readonly input: unknown;
  /** Who makes the calls of a `calls` step, an ARN; null = it does not say. */
  readonly by: string | null;
  /** Where it stands in the file, for sentences: `episode[1].restore`. */
  readonly path: string;
}

/**
 * Reads an `--episode` file: several things in one world, each when the clock reaches its `at`. One wrong field and an
 * InputError names it, before anything is played. `mode` overrides that of requests.
 *
 * @example parseEpisode([{ at: 0, event: {} }, { at: 900, restore: { caseId: '$1' } }])
 */
export function parseEpisode(json: unknown, mode?: Mode): readonly EpisodeStep[] {
  if (!Array.isArray(json)) throw new InputError('episode', `${quote(json)} is not a list of steps`);
  if (json.length === 0) throw new InputError('episode', 'has no step');
  const steps: EpisodeStep[] = [];
  for (const [index, given] of json.entries()) {
    const step = parseStep(given, index, mode);
    const before = steps.at(-1)?.at ?? 0;
    if (step.at < before) {
      throw new InputError(`episode[${index}].at`, `${step.at} is before the step that stands before it, ${before}`);
    }
    checkInput(step, steps);
    steps.push(step);
  }
  return steps;
}

function parseStep(json: unknown, index: number, mode: Mode | undefined): EpisodeStep {
  const path = `episode[${index}]`;
  const given = objectAt(json, path);
  const kind = kindOf(given, path);
  const at = parseSecond(given['at'], `${path}.at`);
  if (kind === 'decide') throw new InputError(`${path}.decide`, 'is of no use yet: nothing asks for an approval');
  const { by = null, [kind]: input } = given;
  if (by !== null && kind !== 'calls') throw new InputError(`${path}.by`, 'goes with calls');
  if (by !== null && !isCallerArn(by)) throw new InputError(`${path}.by`, `${quote(by)} is not the ARN of a caller`);
  return { at, kind, by, path: `${path}.${kind}`, input: kind === 'request' ? withMode(input, mode) : input };
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns */
const isCallerArn = (by: unknown): by is string =>
  typeof by === 'string' && /^arn:[a-z-]+:(iam|sts)::(\d{12}|aws):[\w+=,.@/-]+$/.test(by);

/** The one kind that a step names. */
function kindOf(given: Record<string, unknown>, path: string): Kind {
  const known = ['at', 'by', ...KINDS];
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    const advice = adviceFor(key, known, `a step is one of ${KINDS.join(', ')}`);
    throw new InputError(path, `${quote(key)} is no kind of step; ${advice}`);
  }
  const [kind, ...more] = KINDS.filter((name) => Object.hasOwn(given, name));
  if (kind === undefined) throw new InputError(path, `does nothing; a step is one of ${KINDS.join(', ')}`);
  if (more.length > 0) throw new InputError(path, `is both ${kind} and ${more.join(' and ')}; make two steps of it`);
  return kind;
}

/** Refuses what the step's function would refuse, with every reference in it standing for something. */
function checkInput(step: EpisodeStep, before: readonly EpisodeStep[]): void {
  const isStep = (number: number): boolean => number >= 1 && number <= before.length;
  const input = replaceReferences(step.input, step.path, isStep, (reference, path) => {
    checkReference(reference, path, before);
    return placeholderOf(reference);
  });
  within(step.path, () => readInput({ ...step, input }));
}

/** What the step's function makes of its input, references replaced. */
function readInput({ kind, input, path, at }: EpisodeStep): unknown {
  switch (kind) {
    case 'event':
      if (!isEvent(input)) throw new InputError('', 'is not an event; what a person asks for is a request');
      return intake(input);
    case 'request':
      return isCaseRequest(input) ? null : intake(input);
    case 'restore':
      return parseRestoreRequest(input);
    case 'calls':
      return parseCallsOfStep(input, path, at);
    default:
      return kind satisfies never;
  }
}

/** A case that is started again by its id. */
const isCaseRequest = (input: unknown): boolean => {
  if (typeof input !== 'object' || input === null || !('caseId' in input)) return false;
  needCaseId(input.caseId, 'caseId');
  return true;
};

/** Runs a check; the field of its sentence is told by its place in the file. */
export function within<T>(path: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw placed(path, error);
  }
}

/** An InputError with its place in the file; anything else as it is. */
export function placed(path: string, error: unknown): unknown {
  if (!(error instanceof InputError) || error.field.startsWith('episode[')) return error;
  const problem = error.message.slice(error.field.length + 2);
  const field = error.field === '' || error.field === 'input' ? path : `${path}.${error.field}`;
  return new InputError(field, problem, { cause: error });
}

/** A reference names an earlier step that opens or joins a case. */
function checkReference({ text, step }: Reference, path: string, before: readonly EpisodeStep[]): void {
  const named = before[step - 1];
  if (named === undefined) {
    throw new InputError(path, `${quote(text)} names step ${step}, which is not before this one`);
  }
  if (named.kind === 'restore' || named.kind === 'calls') {
    throw new InputError(path, `${quote(text)} names step ${step}, which opens no case: it is a step of ${named.kind}`);
  }
  if (!isCaseRequest(named.input) && !hasReference(named.input) && intake(named.input).kind === 'ignored') {
    throw new InputError(path, `${quote(text)} names step ${step}, which opens no case: it will be ignored`);
  }
}

function hasReference(input: unknown): boolean {
  let found = false;
  const note = (reference: Reference): string | number => {
    found = true;
    return placeholderOf(reference);
  };
  replaceReferences(input, '', () => true, note);
  return found;
}
