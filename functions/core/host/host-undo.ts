import { HOST_LIST_LIMIT, type HostUndoAgain, type UndoProgress } from '../case/record.ts';
import { isStoppable, STOPPED_LIMIT } from './host-protocol.ts';

/**
 * How long an undo is tried, and how long the agent has for one try, in seconds. The agent comes back when it next dials out
 * after the isolation, and dials again after pauses that grow: minutes.
 */
const UNDO_SECONDS = 900;
const TRY_SECONDS = { least: 30, most: 300 };

/** The pauses between the tries, in seconds: the first one, doubled each time, and the longest. */
const FIRST_PAUSE = 15;
const LONGEST_PAUSE = 120;

/** How long the processes of one more command may take once the host has answered to the one before, in seconds. */
const NEXT_COMMAND_SECONDS = 60;

const later = (now: Date, seconds: number): string => new Date(now.getTime() + seconds * 1000).toISOString();

const secondsLeft = ({ until }: UndoProgress, now: Date): number => (Date.parse(until) - now.getTime()) / 1000;

export const undoBegun = (now: Date): UndoProgress => ({ until: later(now, UNDO_SECONDS), tries: 0, letGo: 0 });

/** How long the next command lives, and is waited for. */
export const undoSeconds = (progress: UndoProgress, now: Date): number =>
  Math.max(TRY_SECONDS.least, Math.min(TRY_SECONDS.most, Math.ceil(secondsLeft(progress, now))));

/** What becomes of an undo that did not reach the host: tried again after a pause, until its time is over. */
export function undoAgain(progress: UndoProgress, now: Date, reason: string): HostUndoAgain | NotUndone {
  const left = Math.ceil(secondsLeft(progress, now));
  if (left <= 0) return { kind: 'unavailable', reason: `${reason}; it was tried ${timesText(progress.tries)}` };
  const pause = Math.min(FIRST_PAUSE * 2 ** Math.max(0, progress.tries - 1), LONGEST_PAUSE);
  return { kind: 'again', reason, waitSeconds: Math.min(pause, left), undo: progress };
}

interface NotUndone {
  readonly kind: 'unavailable';
  readonly reason: string;
}

const timesText = (tries: number): string => (tries === 1 ? 'once' : `${tries} times`);

/**
 * What no waiting mends: the permission, the document, or what it is given. Everything else may pass: an agent that is not
 * back yet is `InvalidInstanceId` ("make sure that the SSM Agent is running"), and so is one that never was.
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html#API_SendCommand_Errors
 */
const FOR_GOOD = [
  'AccessDenied',
  'AccessDeniedException',
  'InvalidDocument',
  'InvalidDocumentVersion',
  'InvalidParameters',
  'UnsupportedPlatformType',
  'ValidationException',
];

export const isForGood = (errorCode: string): boolean => FOR_GOOD.includes(errorCode);

/**
 * The processes that the next command lets go on, as many as a document takes. What the case table holds is checked again:
 * one number that is no process id, and the document would refuse all of them.
 */
export function pidsToLetGo(stopped: readonly number[], { letGo }: UndoProgress): readonly number[] {
  return stoppable(stopped).slice(letGo, letGo + HOST_LIST_LIMIT);
}

const stoppable = (stopped: readonly number[]): readonly number[] =>
  [...new Set(stopped)].filter(isStoppable).slice(0, STOPPED_LIMIT);

/** The command after one that the host has answered; null = there is no process left to let go on. */
export function nextUndo(stopped: readonly number[], progress: UndoProgress, now: Date): HostUndoAgain | null {
  const letGo = progress.letGo + HOST_LIST_LIMIT;
  if (stoppable(stopped).length <= letGo) return null;
  const until = secondsLeft(progress, now) > NEXT_COMMAND_SECONDS ? progress.until : later(now, NEXT_COMMAND_SECONDS);
  const reason = 'more processes are to be let go on than one command takes';
  return { kind: 'again', reason, waitSeconds: 1, undo: { until, tries: 0, letGo } };
}
