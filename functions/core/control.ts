import type { EvidenceItem } from './case/evidence.ts';
import type { PlannedChange, RestoreItem } from './case/record.ts';

/** What isolation by groups and network ACLs leaves open, and a control may close. */
export type WayOut = 'VPC DNS resolver' | 'instance metadata' | "copies of the instance role's credentials";

/** What became of one thing that a control was to change. */
export type TakeItem = EvidenceItem;

/** What became of one thing on a later look: still as we made it, made so again, or neither. */
export interface ReconcileItem {
  readonly item: string;
  readonly outcome: 'in-force' | 'retaken' | 'lost';
  readonly detail?: string;
}

/** What became of one thing that was to be given back. */
export type UndoOutcome = Pick<RestoreItem, 'outcome' | 'detail'>;

/** A thing that several cases may need at once, such as a blocked domain: the last one out undoes it. */
export interface SharedThing {
  readonly kind: string;
  readonly id: string;
}

/** Who needs the shared things, as one case sees it (aws/case-table/shared-things.ts). */
export interface SharedLedger {
  join(thing: SharedThing): Promise<void>;
  /** Joins a thing that some case needs; false = the ledger has no such thing, so it is not ours. */
  joinKnown(thing: SharedThing): Promise<boolean>;
  /** Returns the cases that still need it; null = the ledger has no such thing. */
  leave(thing: SharedThing): Promise<readonly string[] | null>;
  /** Says that this case is about to undo it; false = a case has joined it meanwhile. */
  beginUndo(thing: SharedThing): Promise<boolean>;
  /** Forgets a thing that is undone; false = a case has joined it meanwhile, and must not lose it. */
  endUndo(thing: SharedThing): Promise<boolean>;
  /** It stands again, for the case that joined. */
  keep(thing: SharedThing): Promise<void>;
}

/** What a control does, as far as it needs other permissions for it. */
export type Way = 'find' | 'look' | 'take' | 'undo';

/** What a control must be allowed. The check of the template, the documentation and the simulation read it from here. */
export interface ControlPermission {
  /** The statement of template.yaml that holds it. */
  readonly sid: string;
  /** `find`: to find what there is to change; `look`: to see how that is; `take` and `undo`: to change it. */
  readonly for: Way;
  readonly actions: readonly string[];
  /** `*` where IAM knows no resource for the action. */
  readonly resources: readonly string[];
  readonly condition?: string;
  readonly why: string;
}

/**
 * A thing to change, with what is needed to undo that and how it is now; or a thing that is not changed, and why. `already`:
 * it is as the control would make it, whoever did that.
 */
export type Target<Before, State> =
  | { readonly before: Before; readonly found: State }
  | { readonly item: string; readonly outcome: 'already' | 'not-possible'; readonly reason: string };

/** What a person who decides reads of a change. `cuts` absent = nothing. */
export type PlannedWords = Omit<PlannedChange, 'cuts'> & Partial<Pick<PlannedChange, 'cuts'>>;

/** The part of a control that every protocol has: by it the check of permissions and the documentation know it. */
export interface Face {
  readonly name: string;
  readonly closes?: readonly WayOut[];
  readonly permissions: readonly ControlPermission[];
}

/**
 * A reversible change. A control says how to look, to change and to undo; the runner (shared/control-runner.ts) records
 * before it changes, reads back after it, and deals with lost answers, throttles, stale reads and runs that died.
 */
export interface Control<Tools, Before, State> extends Face {
  /** What records of it have as their `kind`. Absent for a control whose records are its own affair. */
  readonly kind?: string;
  /** Which records of its kind are its own, where another control has others. */
  owns?(before: Before): boolean;
  /** EC2 APIs that are called in turn with all other responses; `canWait`: whatever is more important goes first. */
  readonly rateLimit?: { readonly read?: string; readonly write?: string; readonly canWait?: boolean };
  /** Things that are changed side by side. One by default: EC2 refuses changes of one instance that race. */
  readonly atOnce?: number;
  /** It marks the instance: it is given back only when nothing of the case is in force any more. */
  readonly waitsForTheRest?: boolean;
  /** What it made is each case's own: what a restore left of an earlier case is not given back by a later one. */
  readonly ownOfCase?: boolean;
  /** It is about what is around the instance: it is given back though the instance is there no more. */
  readonly outlivesInstance?: boolean;
  /** Clean-up, which is done once: undone by somebody, it is not made so again. */
  readonly once?: boolean;
  /** It is never undone, and why. */
  readonly stays?: string;

  /** Several cases share it. What was so before the first of them is told as `already`, and never undone. */
  shared?(before: Before): SharedThing;
  /** What there is to change. A plan asks this too, so it changes nothing. */
  targets(tools: Tools): Promise<readonly Target<Before, State>[]>;
  /** Its name in reports, and its key in the case table. */
  item(before: Before): string;
  /** What a plan says of these things. Absent where the plan has to know the flows to say it (core/case/plan.ts). */
  planned?(tools: Tools, befores: readonly Before[]): PlannedWords;
  read(tools: Tools, before: Before): Promise<State>;
  isApplied(state: State, before: Before): boolean;
  isOriginal(state: State, before: Before): boolean;
  /** Somebody has changed it beside us, though our own part stands: it is not undone. */
  isForeign?(state: State, before: Before): boolean;
  /** It is our work, though somebody has changed it since: it is undone all the same. Absent: what is applied is. */
  isOurs?(state: State, before: Before): boolean;
  /** There is nothing any more that could be undone. */
  isGone?(state: State, before: Before): boolean;
  /** The error says that. */
  saysGone?(error: unknown): boolean;
  /** It is on its way to what it will be: looked at again before it is compared. */
  isMoving?(state: State): boolean;
  describe(state: State, before: Before): string;
  /** What we made of it, in the words of {@link describe}. */
  expected(before: Before, state: State): string;
  /** What is to be added where it is found as it was, or gone. */
  remark?(state: State, before: Before): string | null;
  apply(tools: Tools, before: Before): Promise<unknown>;
  /** A text that it returns is added to what is said of the thing. */
  undo(tools: Tools, before: Before): Promise<unknown>;
}

/** How a control is recorded in the case table: its kind, and what undoes it. */
export interface Recorded {
  readonly kind: string;
}
