import type { Verdict } from '../verdict/verdict.ts';
import { type CaseDocument, isClosing, laterOf } from './case.ts';
import { hasEndedAs } from './case-events.ts';
import { SETTLE_SECONDS } from './expiry.ts';
import { type LookPart, watchInterval } from './watch.ts';

/** What the response does after a verification; the state machine compares the `kind`. */
export type NextLook =
  /** Controls are not in force that should be: take them again, make missing denies beside, let it settle, look again. */
  | { readonly kind: 'take-again'; readonly seconds: number }
  /** Denies are missing: make them, let them settle, look again. */
  | { readonly kind: 'cut-again'; readonly seconds: number }
  /** Not proven yet: look again after so many seconds. `tell-and-wait`: the verdict has changed, people hear it first. */
  | { readonly kind: 'wait' | 'tell-and-wait'; readonly seconds: number }
  /** It is proven, or waiting proves nothing: the last report. */
  | { readonly kind: 'report' }
  /** A look of the watch has found what people know: it ends, and nobody is told. */
  | { readonly kind: 'rest' };

/** Cuts after the first one without a pause; then each later look cuts once more at most. */
const CUTS_WITHOUT_PAUSE = 3;

const DAY_SECONDS = 24 * 3600;

/**
 * How long a response itself looks on, in seconds from the last change; its controls stay, and the watch goes on. What is held
 * gets the time to be silent for the longest timer, twice over; what leaks or is in doubt will not end by waiting.
 */
function longestResponse(kind: Verdict['kind'], { isBlind, longestTimerSeconds }: Patience): number {
  if (isBlind) return 10 * DAY_SECONDS;
  return kind === 'held' ? 2 * longestTimerSeconds + 2 * DAY_SECONDS : DAY_SECONDS;
}

interface Patience {
  /** What is in force could not be read back, and may be later. */
  readonly isBlind: boolean;
  /** The longest tracking timer of the interfaces. */
  readonly longestTimerSeconds: number;
}

/** Decides what comes after a verification. Times in ms. */
export function nextLook({
  document,
  verdict,
  toTake,
  toDeny,
  cutsMade,
  hasJustCut,
  isBlind,
  longestTimerSeconds,
  look = null,
  now,
}: {
  readonly document: CaseDocument;
  readonly verdict: Pick<Verdict, 'kind' | 'nextProof'>;
  /** Controls that are to be taken again. */
  readonly toTake: number;
  /** Denies that are missing. */
  readonly toDeny: number;
  /** Cuts after the first one so far. */
  readonly cutsMade: number;
  /** The look before this one asked for a cut, or took controls again. */
  readonly hasJustCut: boolean;
  /** How a look of the watch is part of the case; null = it is the response's own. */
  readonly look?: LookPart | null;
  readonly now: number;
} & Patience): NextLook {
  if (toTake > 0) return { kind: 'take-again', seconds: SETTLE_SECONDS };
  if (toDeny > 0 && (cutsMade < CUTS_WITHOUT_PAUSE || !hasJustCut))
    return { kind: 'cut-again', seconds: SETTLE_SECONDS };
  const hasCut = hasJustCut && toDeny === 0;
  if (look !== null) return { kind: isToldBy(look, document, { verdict, hasCut, isBlind }) ? 'report' : 'rest' };
  if (verdict.kind === 'contained' || isClosing(document)) return { kind: 'report' };
  // A cut that was made since begins anew.
  const { isolatedAt, cutAgainAt, openedAt } = document;
  const elapsed = (now - Date.parse(laterOf(isolatedAt, cutAgainAt) ?? openedAt)) / 1000;
  if (elapsed > longestResponse(verdict.kind, { isBlind, longestTimerSeconds })) return { kind: 'report' };
  const pause = watchInterval(elapsed);
  // What was told in the interim report stands until it can be read again.
  if (isBlind) return { kind: 'wait', seconds: pause };
  if (verdict.nextProof === null || document.isolatedAt === null) return { kind: 'report' };
  const untilProven = Math.ceil((Date.parse(verdict.nextProof) - now) / 1000);
  // A beacon into a deny delays the proof at every look; the pauses still get longer.
  const soonest = Math.max(untilProven, Math.round(elapsed / 16));
  // Where no verdict could be told yet, a report of `held` may wait for the last one. A cut that was made since is news.
  const isNews = verdict.kind !== (document.verdict ?? 'held') || hasCut;
  return { kind: isNews ? 'tell-and-wait' : 'wait', seconds: untilProven > 0 ? Math.min(pause, soonest) : pause };
}

/** A look tells what people do not know. One beside a response leaves to it what it proves, and its end. */
function isToldBy(
  look: LookPart,
  document: CaseDocument,
  {
    verdict: { kind },
    hasCut,
    isBlind,
  }: { readonly verdict: Pick<Verdict, 'kind'>; readonly hasCut: boolean; readonly isBlind: boolean },
): boolean {
  if (isClosing(document)) return false;
  switch (look) {
    case 'last':
      return true;
    case 'beside':
      return !isBlind && (hasCut || (kind !== document.verdict && kind !== 'contained'));
    case 'alone':
      // What a response has ended with is known; where it died before its end, people hear the end now.
      return !isBlind && (hasCut || kind !== document.verdict || !hasEndedAs(document, kind));
    default:
      return look satisfies never;
  }
}
