import { type CaseDocument, isClosing } from './case.ts';

/**
 * What the sweep knows of a case under watch, without reading the case: one small item each, so that a hundred of them are one
 * page.
 */
export interface WatchedCase {
  readonly caseId: string;
  /** When its watch began, ISO: `WatchDays` count from here. */
  readonly from: string;
  /** When the sweep sees to it next, ISO. Whoever looks moves it ahead. */
  readonly due: string;
  /** The newest execution of its response, an ARN; null = it is not known. */
  readonly execution: string | null;
  /** Until when that execution sleeps, ISO; null = it works, or has ended. */
  readonly wakesAt: string | null;
  /** The last look that the sweep has started, an ARN; null = none. */
  readonly look: string | null;
  /** When CloudTrail last woke it, ISO; null = never. */
  readonly wokenAt: string | null;
  /** It was woken and could not be looked at then. */
  readonly isPending: boolean;
  /** Ids of what holds it: its instance, interfaces, network ACLs, groups, flow logs. */
  readonly touches: readonly string[];
}

/** How often the sweep comes, in seconds; template.yaml has the same rate. */
export const SWEEP_SECONDS = 300;

const HOUR = 3600;
const DAY = 24 * HOUR;

/** 5 minutes in the first hour after the isolation, an hour in the first day, 6 hours later; all in seconds. */
export function watchInterval(elapsed: number): number {
  if (elapsed < HOUR) return SWEEP_SECONDS;
  return elapsed < DAY ? HOUR : 6 * HOUR;
}

/** From the isolation on, or from the opening where there is none; seconds. */
export const elapsedSince = ({ isolatedAt, openedAt }: CaseDocument, now: number): number =>
  (now - Date.parse(isolatedAt ?? openedAt)) / 1000;

/** A look is counted from its end: without this it would be due a moment after the tick that it belongs to. Seconds. */
const SLACK_SECONDS = 120;

/** When an interval from now on is over; ms. */
const intervalEnd = (document: CaseDocument, now: number): number =>
  now + (watchInterval(elapsedSince(document, now)) - SLACK_SECONDS) * 1000;

/** An execution that is so late at its own look is asked how it stands, in seconds. */
export const LATE_SECONDS = 120;

/** An execution that runs and has not looked for so long after its time counts for dead, in seconds. */
const OVERDUE_SECONDS = 3600;

/** A look beside a response that sleeps has to be over before it wakes, in seconds. */
const ASLEEP_SECONDS = 120;

/** At most one wake per case in so many seconds. */
export const WAKE_SECONDS = 60;

/**
 * How a look is part of its case. `alone`: the response has ended, or died, and the look goes on for it. `beside`: the response
 * sleeps, and goes on itself when it wakes. `last`: the days of the watch are over.
 */
export const LOOK_PARTS = ['alone', 'beside', 'last'] as const;

export type LookPart = (typeof LOOK_PARTS)[number];

/** What the sweep starts an execution with. */
export interface LookInput {
  readonly look: { readonly caseId: string; readonly as: LookPart };
}

/** What the sweep does about one case. */
export type SweepDecision =
  /** It is being restored, or is, or is not there: nobody looks at it any more. */
  | { readonly kind: 'forget' }
  /** Somebody looks at it already, or nobody may: not before this moment, ISO. */
  | { readonly kind: 'postpone'; readonly due: string }
  /** It was woken while somebody works on it: the next sweep sees to it. */
  | { readonly kind: 'wait' }
  | { readonly kind: 'look'; readonly as: LookPart; readonly due: string };

export interface SweepQuestion {
  readonly watched: WatchedCase;
  /** null = the case is not in the table. */
  readonly document: CaseDocument | null;
  /** Whether the response's execution, and the sweep's last look, are running. */
  readonly isRunning: boolean;
  readonly isLooking: boolean;
  /** The switch in the case table stops everything. */
  readonly isOff: boolean;
  /** CloudTrail tells of a change; otherwise its time has come. */
  readonly isWoken: boolean;
  readonly watchDays: number;
  readonly now: number;
}

const iso = (time: number): string => new Date(time).toISOString();

const isAsleep = ({ wakesAt }: WatchedCase, now: number): boolean =>
  wakesAt !== null && Date.parse(wakesAt) > now + ASLEEP_SECONDS * 1000;

/** Decides what the sweep does about a case. Times in ms. */
export function decideSweep(question: SweepQuestion): SweepDecision {
  const { watched, document, isRunning, isLooking, isOff, isWoken, watchDays, now } = question;
  if (document === null || isClosing(document)) return { kind: 'forget' };
  const due = iso(intervalEnd(document, now));
  if (isOff) return { kind: 'postpone', due };
  const wasWoken = isWoken || watched.isPending;
  if (isLooking) return wasWoken ? { kind: 'wait' } : { kind: 'postpone', due };
  if (isRunning && !isOverdue(watched, now)) {
    if (!wasWoken) return { kind: 'postpone', due: ownLookOr(due, watched, now) };
    return isAsleep(watched, now)
      ? { kind: 'look', as: 'beside', due: ownLookOr(due, watched, now) }
      : { kind: 'wait' };
  }
  const isOver = now >= Date.parse(watched.from) + watchDays * DAY * 1000;
  return { kind: 'look', as: isOver ? 'last' : 'alone', due };
}

const isOverdue = ({ wakesAt }: WatchedCase, now: number): boolean =>
  wakesAt !== null && now > Date.parse(wakesAt) + OVERDUE_SECONDS * 1000;

/** As long as the response looks itself, the sweep comes behind it. */
function ownLookOr(due: string, { wakesAt }: WatchedCase, now: number): string {
  const late = wakesAt === null ? 0 : Date.parse(wakesAt) + LATE_SECONDS * 1000;
  return late > now ? iso(late) : due;
}

/** When the sweep sees to a case next, after a look; times in ms, pauses in seconds. */
export function dueAfterLook(
  document: CaseDocument,
  {
    pause,
    provenAt,
    now,
  }: {
    /** Until the same execution looks again; null = it ends. */
    readonly pause: number | null;
    /** When the verdict can be proven, ISO; null = nothing will prove it. */
    readonly provenAt: string | null;
    readonly now: number;
  },
): string {
  if (pause !== null) return iso(now + (pause + LATE_SECONDS) * 1000);
  const end = intervalEnd(document, now);
  const proof = provenAt === null ? end : Math.max(now + WAKE_SECONDS * 1000, Date.parse(provenAt));
  return iso(Math.min(end, proof));
}
