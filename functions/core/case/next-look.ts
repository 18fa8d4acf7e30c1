import type { Verdict } from '../verdict/verdict.ts';
import { type CaseDocument, isClosing } from './case.ts';
import { SETTLE_SECONDS } from './expiry.ts';

/** What the response does after a verification; the state machine compares the `kind`. */
export type NextLook =
  /** Denies are missing: make them, let them settle, look again. */
  | { readonly kind: 'cut-again'; readonly seconds: number }
  /** Not proven yet: look again after so many seconds. `tell-and-wait`: the verdict has changed, people hear it first. */
  | { readonly kind: 'wait' | 'tell-and-wait'; readonly seconds: number }
  /** It is proven, or waiting proves nothing: the last report. */
  | { readonly kind: 'report' };

/** Cuts after the first one without a pause; then each later look cuts once more at most. */
const CUTS_WITHOUT_PAUSE = 3;

/** The next look comes after half the time that has passed since the isolation, and not before so many seconds. */
const SHORTEST_PAUSE_SECONDS = 300;

const DAY_SECONDS = 24 * 3600;

/**
 * How long a response looks on, in seconds since the isolation; then its controls stay, and people decide. What is held may be
 * proven by silence for days. What leaks or is in doubt for a day does not end by waiting.
 */
const longestWatch = (kind: Verdict['kind'], isBlind: boolean): number =>
  kind === 'held' || isBlind ? 10 * DAY_SECONDS : DAY_SECONDS;

/** Decides what comes after a verification. Times in ms. */
export function nextLook({
  document,
  verdict,
  toDeny,
  cutsMade,
  hasJustCut,
  isBlind,
  now,
}: {
  readonly document: CaseDocument;
  readonly verdict: Pick<Verdict, 'kind' | 'nextProof'>;
  /** Denies that are missing. */
  readonly toDeny: number;
  /** Cuts after the first one so far. */
  readonly cutsMade: number;
  /** The look before this one asked for a cut. */
  readonly hasJustCut: boolean;
  /** What is in force could not be read back, and may be later. */
  readonly isBlind: boolean;
  readonly now: number;
}): NextLook {
  if (toDeny > 0 && (cutsMade < CUTS_WITHOUT_PAUSE || !hasJustCut))
    return { kind: 'cut-again', seconds: SETTLE_SECONDS };
  if (verdict.kind === 'contained' || isClosing(document)) return { kind: 'report' };
  const elapsed = (now - Date.parse(document.isolatedAt ?? document.openedAt)) / 1000;
  if (elapsed > longestWatch(verdict.kind, isBlind)) return { kind: 'report' };
  const pause = Math.max(SHORTEST_PAUSE_SECONDS, Math.round(elapsed / 2));
  // What was told in the interim report stands until it can be read again.
  if (isBlind) return { kind: 'wait', seconds: pause };
  if (verdict.nextProof === null || document.isolatedAt === null) return { kind: 'report' };
  const untilProven = Math.ceil((Date.parse(verdict.nextProof) - now) / 1000);
  // A beacon into a deny delays the proof at every look; the pauses still get longer.
  const soonest = Math.max(untilProven, Math.round(elapsed / 16));
  // Where no verdict could be told yet, a report of `held` may wait for the last one. A cut that was made since is news.
  const isNews = verdict.kind !== (document.verdict ?? 'held') || (hasJustCut && toDeny === 0);
  return { kind: isNews ? 'tell-and-wait' : 'wait', seconds: untilProven > 0 ? Math.min(pause, soonest) : pause };
}
