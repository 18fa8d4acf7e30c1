import { InputError, quote } from '../functions/core/errors.ts';
import { type ApiCall, makeCall, parseCallsOfStep } from './calls.ts';
import { trailSeconds } from './deliveries.ts';
import { type EpisodeStep, placed } from './episode.ts';
import { madeFor, type Reference, replaceReferences } from './references.ts';
import { type Responded, type Restored, respondToEvent, respondToRequest, restoreCase } from './responses.ts';
import { newRun, openSession, type Run, type Session, type SessionOptions } from './session.ts';
import { playTriggers } from './triggers.ts';
import { runInVirtualTime } from './world/clock.ts';
import type { WorldFile } from './world/parse-world.ts';
import type { FlowTruth } from './world/truth.ts';

/** A step that was played. */
export interface PlayedStep {
  readonly step: EpisodeStep;
  readonly run: Run;
  readonly outcome: StepOutcome;
}

export type StepOutcome =
  | { readonly kind: 'responded'; readonly responded: Responded }
  | { readonly kind: 'restored'; readonly restored: Restored; readonly begunAt: number }
  | { readonly kind: 'called'; readonly outcomes: readonly string[] };

/** An episode that was played, with everything that a report or a test wants to know of it. */
export interface Played {
  readonly file: WorldFile;
  readonly session: Session;
  readonly steps: readonly PlayedStep[];
  /** Truth by the name of the flow, after the world has run on. */
  readonly truth: ReadonlyMap<string, FlowTruth>;
  readonly finalState: Record<string, unknown>;
  /** The moment at which everything had ended, in seconds. */
  readonly endedAt: number;
}

/**
 * Plays an episode in virtual time: each step when the clock reaches its `at`, whatever is still running. Throws InputError
 * for input that nothing was done with.
 */
export function playEpisode(
  file: WorldFile,
  steps: readonly EpisodeStep[],
  options: SessionOptions = {},
): Promise<Played> {
  return runInVirtualTime(file.Now, async (clock) => {
    const session = openSession(file, clock, options);
    const triggers = playTriggers(session);
    const begun: Begun[] = [];
    for (const step of steps) {
      const run = newRun(`step ${begun.length + 1}`);
      begun.push({ step, run, ended: session.activity.track(playStep(session, step, run, [...begun])) });
    }
    const played = await Promise.all(
      begun.map(async ({ step, run, ended }): Promise<PlayedStep> => ({ step, run, outcome: await ended })),
    );
    await triggers.untilQuiet();
    return { file, session, steps: played, ...endOf(session) };
  });
}

/** What the world has come to, and what became of its flows once it has run on. */
export function endOf({ world }: Session): Pick<Played, 'truth' | 'finalState' | 'endedAt'> {
  const endedAt = world.clock.now();
  const finalState = world.snapshot();
  return { endedAt, finalState, truth: new Map(world.truth().map((entry) => [entry.name, entry])) };
}

interface Begun {
  readonly step: EpisodeStep;
  readonly run: Run;
  readonly ended: Promise<StepOutcome>;
}

/** The step cannot be played as it is written, for a reference names nothing (yet). */
class NothingNamedError extends Error {
  override readonly name = 'NothingNamedError';
}

async function playStep(session: Session, step: EpisodeStep, run: Run, before: readonly Begun[]): Promise<StepOutcome> {
  const { clock } = session.world;
  if (step.at > 0) await clock.sleep(step.at - clock.now());
  try {
    return await session.within(run, () => playNow(session, step, run, before));
  } catch (error) {
    if (error instanceof NothingNamedError) throw new InputError(step.path, error.message, { cause: error });
    throw placed(step.path, error);
  }
}

async function playNow(session: Session, step: EpisodeStep, run: Run, before: readonly Begun[]): Promise<StepOutcome> {
  const resolved = (json: unknown, path: string): Promise<unknown> => resolveReferences(session, json, path, before);
  switch (step.kind) {
    case 'event':
      return {
        kind: 'responded',
        responded: await respondToEvent(session, run, await resolved(step.input, step.path)),
      };
    case 'request':
      return { kind: 'responded', responded: await respondToRequest(session, await resolved(step.input, step.path)) };
    case 'restore': {
      const begunAt = session.world.clock.now();
      return { kind: 'restored', begunAt, restored: await restoreNamed(session, resolved(step.input, step.path)) };
    }
    case 'calls':
      return { kind: 'called', outcomes: await makeCalls(session, step, run, resolved) };
    default:
      return step.kind satisfies never;
  }
}

async function restoreNamed(session: Session, request: Promise<unknown>): Promise<Restored> {
  try {
    return await restoreCase(session, await request);
  } catch (error) {
    if (error instanceof NothingNamedError) return { kind: 'failed', reason: error.message };
    throw error;
  }
}

/** One call after another; what one of them names is looked up when its turn comes. */
async function makeCalls(
  session: Session,
  { input, path, at: stepAt, by }: EpisodeStep,
  run: Run,
  resolved: (json: unknown, path: string) => Promise<unknown>,
): Promise<readonly string[]> {
  const { clock } = session.world;
  const outcomes: string[] = [];
  for (const [index, given] of (input as readonly unknown[]).entries()) {
    const { at = stepAt } = given as { readonly at?: number };
    if (at > clock.now()) await clock.sleep(at - clock.now());
    try {
      const [call] = parseCallsOfStep([await resolved(given, `${path}[${index}]`)], path, stepAt);
      const make = (given: ApiCall) => makeCall(session.world, given, `${run.name} calls[${index}]`);
      if (call !== undefined) outcomes.push(await session.world.callAs(by ?? somebody(session), () => make(call)));
    } catch (error) {
      if (!(error instanceof NothingNamedError)) throw error;
      outcomes.push(`not made: ${error.message}`);
    }
  }
  // The episode is not over before CloudTrail has told of them.
  const heardAfter = trailSeconds(session);
  if (heardAfter > 0) await clock.sleep(heardAfter);
  return outcomes;
}

/** Who calls where a step does not say. */
const somebody = ({ file }: Session): string => `arn:aws:iam::${file.AccountId}:user/somebody`;

/** Puts in what each reference names now. */
async function resolveReferences(
  session: Session,
  json: unknown,
  path: string,
  before: readonly Begun[],
): Promise<unknown> {
  const isStep = (number: number): boolean => number >= 1 && number <= before.length;
  const named = new Set<number>();
  replaceReferences(json, path, isStep, (reference) => {
    named.add(reference.step);
    return reference.text;
  });
  for (const number of named) await settled(before[number - 1]);
  return replaceReferences(json, path, isStep, (reference) => namedValue(session, reference, before));
}

/** Waits until the step has a case, or has ended without one. */
async function settled(begun: Begun | undefined): Promise<void> {
  if (begun === undefined) return;
  const end = (): void => undefined;
  await Promise.race([begun.run.named, begun.ended.then(end, end)]);
}

function namedValue(session: Session, { step, text, property }: Reference, before: readonly Begun[]): string | number {
  const caseId = before[step - 1]?.run.caseId() ?? null;
  if (caseId === null) throw new NothingNamedError(`${quote(text)} names step ${step}, which has opened no case`);
  if (property === null) return caseId;
  const value = madeFor(session.world, { tools: session.tools, caseId, property });
  if (value !== null) return value;
  const now = session.world.clock.now();
  throw new NothingNamedError(`${quote(text)} names nothing: ${caseId} has no ${property} at ${now} s`);
}
