import { errorText } from '../aws/errors.ts';
import type { EvidenceItem } from '../core/case/evidence.ts';
import type { RestoreItem } from '../core/case/record.ts';
import { NEEDED, TAKEN_UP } from '../core/case/restore-items.ts';
import type {
  Control,
  ReconcileItem,
  SharedLedger,
  SharedThing,
  TakeItem,
  Target,
  UndoOutcome,
} from '../core/control.ts';
import { readBack } from './read-back.ts';
import type { Toolbox } from './toolbox.ts';

/** What the runner itself needs. `inTurn` calls EC2 in turn with the other responses; without it, calls are made at once. */
export interface RunnerTools extends Pick<Toolbox, 'sleep'> {
  /** For controls whose things several cases share. */
  readonly ledger?: SharedLedger;
  readonly inTurn?: <T>(api: string, call: () => Promise<T>, canWait: boolean) => Promise<T>;
}

/** The records of a control in the case table. */
export interface Records<Before> {
  /** What earlier runs recorded, and no restore has put back. */
  readonly known: readonly Before[];
  /** Written before the change, and once: what was recorded first stays. */
  readonly record: (before: Before) => Promise<void>;
}

/** Until a read has caught up with a change that was just made, in seconds: what contradicts is looked at twice. */
const SECOND_LOOK_SECONDS = 1;

/** What is on its way is waited for: how long, and how often it is looked at, in seconds. */
const MOVE_SECONDS = 60;
const LOOK_SECONDS = 5;

export const ACCEPTED = 'AWS has accepted the change';
const UNSEEN = 'an earlier run was about to do it, and whether it is done could not be read';

const seenOtherwise = (found: string): string => `${ACCEPTED} and shows ${found}`;
const notSeen = (error: unknown): string => `${ACCEPTED}, and it could not be read back: ${errorText(error)}`;

function inTurn<T>(
  { rateLimit }: Pick<Control<never, never, never>, 'rateLimit'>,
  tools: RunnerTools,
  what: 'read' | 'write',
  call: () => Promise<T>,
): Promise<T> {
  const api = rateLimit?.[what];
  return api === undefined || tools.inTurn === undefined
    ? call()
    : tools.inTurn(api, call, rateLimit?.canWait ?? false);
}

/** Runs `work` on each, so many at the same time; the results are in the order of the list. */
async function inBatches<T, R>(list: readonly T[], atOnce: number, work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < list.length; at += atOnce) {
    results.push(...(await Promise.all(list.slice(at, at + atOnce).map(work))));
  }
  return results;
}

/**
 * Takes every target of a control: reads, records, changes, and reads back until the change shows. One that fails stops no
 * other. What an earlier run recorded and this one finds in force was done by us, whoever died before saying so.
 */
export async function take<T extends RunnerTools, B, S>(
  control: Control<T, B, S>,
  tools: T,
  { known, record }: Records<B>,
): Promise<readonly TakeItem[]> {
  const ours = new Map(known.map((before) => [control.item(before), before]));
  const targets = await settledTargets(control, tools, new Set(ours.keys()));
  const takeOne = async (target: Target<B, S>): Promise<TakeItem> => {
    if (!('before' in target)) return target;
    const { before, found } = target;
    const item = control.item(before);
    const share = shareOf(control, tools, before);
    const isApplied = control.isApplied(found, before);
    if (isApplied && share === null) return { item, outcome: ours.has(item) ? 'done' : 'already' };
    try {
      await record(before);
      // In force, and not of the ledger: it was so before any case, and is none of ours.
      if (isApplied && share !== null)
        return { item, outcome: (await share.ledger.joinKnown(share.thing)) ? 'done' : 'already' };
      await share?.ledger.join(share.thing);
    } catch (error) {
      return { item, outcome: 'failed', reason: errorText(error) };
    }
    return { item, ...(await make(control, tools, before)) };
  };
  const items = await inBatches<Target<B, S> | TakeItem, TakeItem>(targets, control.atOnce ?? 1, (target) =>
    'outcome' in target ? Promise.resolve(target) : takeOne(target),
  );
  const told = new Set(items.map(({ item }) => item));
  const untold = [...ours].filter(([item]) => !told.has(item));
  const earlier = await inBatches(untold, control.atOnce ?? 1, ([, before]) => byEarlierRun(control, tools, before));
  return [...items, ...earlier.flat()];
}

interface Share {
  readonly ledger: SharedLedger;
  readonly thing: SharedThing;
}

/** A shared thing and its ledger; null = nobody shares it. */
function shareOf<T extends RunnerTools, B>(
  control: Pick<Control<T, B, never>, 'name' | 'shared'>,
  { ledger }: T,
  before: B,
): Share | null {
  const thing = control.shared?.(before);
  if (thing === undefined) return null;
  if (ledger === undefined) throw new Error(`${control.name} is shared, and there is no ledger`);
  return { ledger, thing };
}

/**
 * The targets, read twice where one of them shows as in force already and no record of ours says so: the read may lag behind
 * a restore.
 */
async function settledTargets<T extends RunnerTools, B, S>(
  control: Control<T, B, S>,
  tools: T,
  ours: ReadonlySet<string>,
): Promise<readonly (Target<B, S> | TakeItem)[]> {
  const look = () => inTurn(control, tools, 'read', () => control.targets(tools));
  const isOthersWork = (target: Target<B, S>): boolean =>
    'before' in target && control.isApplied(target.found, target.before) && !ours.has(control.item(target.before));
  try {
    const targets = await look();
    if (!targets.some(isOthersWork)) return targets;
    await tools.sleep(SECOND_LOOK_SECONDS);
    return await look();
  } catch (error) {
    return [{ item: control.name, outcome: 'failed', reason: errorText(error) }];
  }
}

/** Changes one thing and sees that it is changed. What is seen counts, not the answer: one that is lost may have had its effect. */
async function make<T extends RunnerTools, B, S>(
  control: Control<T, B, S>,
  tools: T,
  before: B,
): Promise<Omit<EvidenceItem, 'item'>> {
  const read = reading(control, tools, before);
  const isApplied = (state: S): boolean => control.isApplied(state, before);
  try {
    await inTurn(control, tools, 'write', () => control.apply(tools, before));
  } catch (error) {
    const isThere = await read().then(isApplied, () => false);
    return isThere ? { outcome: 'done' } : { outcome: 'failed', reason: errorText(error) };
  }
  try {
    const seen = await readBack(tools, read, isApplied);
    return isApplied(seen)
      ? { outcome: 'done' }
      : { outcome: 'failed', reason: seenOtherwise(control.describe(seen, before)) };
  } catch (error) {
    return { outcome: 'failed', reason: notSeen(error) };
  }
}

const reading =
  <T extends RunnerTools, B, S>(control: Control<T, B, S>, tools: T, before: B): (() => Promise<S>) =>
  () =>
    inTurn(control, tools, 'read', () => control.read(tools, before));

/** What an earlier run recorded and is no target any more: done where it is seen to be, nothing where it is gone. */
async function byEarlierRun<T extends RunnerTools, B, S>(
  control: Control<T, B, S>,
  tools: T,
  before: B,
): Promise<readonly TakeItem[]> {
  const item = control.item(before);
  try {
    const seen = await reading(control, tools, before)();
    if (control.isApplied(seen, before)) return [{ item, outcome: 'done' }];
    if (control.isGone?.(seen, before) === true) return [];
    return [{ item, outcome: 'failed', reason: `it shows ${control.describe(seen, before)}` }];
  } catch (error) {
    return control.saysGone?.(error) === true ? [] : [{ item, outcome: 'failed', reason: UNSEEN }];
  }
}

/**
 * Looks whether one thing is still as we made it, and makes it so again where it is not. `whoChangedIt` says by whom it was
 * undone, where that is known.
 */
export async function reconcile<T extends RunnerTools, B, S>(
  control: Control<T, B, S>,
  tools: T,
  before: B,
  whoChangedIt: (item: string) => Promise<string | null> = () => Promise.resolve(null),
): Promise<ReconcileItem> {
  const item = control.item(before);
  const read = reading(control, tools, before);
  try {
    const found = await read();
    if (control.isApplied(found, before)) return { item, outcome: 'in-force' };
    if (control.isGone?.(found, before) === true) return { item, outcome: 'lost', detail: 'it is there no more' };
    await tools.sleep(SECOND_LOOK_SECONDS);
    if (control.isApplied(await read(), before)) return { item, outcome: 'in-force' };
    const who = await whoChangedIt(item).catch(() => null);
    const change = `found ${control.describe(found, before)}${who === null ? '' : `, changed by ${who}`}`;
    if (control.once === true) return { item, outcome: 'lost', detail: change };
    const made = await make(control, tools, before);
    return made.outcome === 'done'
      ? { item, outcome: 'retaken', detail: change }
      : { item, outcome: 'lost', detail: `${change}; ${made.reason ?? made.outcome}` };
  } catch (error) {
    if (control.saysGone?.(error) === true) return { item, outcome: 'lost', detail: 'it is there no more' };
    return { item, outcome: 'lost', detail: errorText(error) };
  }
}

export interface GiveBack<State> {
  /** It is known to have been as we made it: found otherwise, somebody has changed it. */
  readonly wasDone?: boolean;
  /** How it was seen a moment ago; read where it is not given. */
  readonly found?: State;
  /** Somebody else's to give back, and whose; asked when time has passed. */
  readonly claimed?: () => Promise<UndoOutcome | null>;
  /** Notes that it is back; false = a response has taken it again meanwhile. */
  readonly note?: () => Promise<boolean>;
}

/** A change that was undone, and is to be read back; or what has become of it at once. */
export type Begun = { readonly item: string; readonly end: () => Promise<UndoOutcome>; readonly isWritten: boolean };

/** Compares one thing with what we made of it, undoes it, reads it back, and notes that it is back. */
export async function giveBack<T extends RunnerTools, B, S>(
  control: Control<T, B, S>,
  tools: T,
  before: B,
  options: GiveBack<S> = {},
): Promise<RestoreItem> {
  return ended(await beginGiveBack(control, tools, before, options));
}

export const ended = async ({ item, end }: Begun): Promise<RestoreItem> => ({ item, ...(await end()) });

/** The first half of {@link giveBack}: several things are undone, and then read back together. */
export async function beginGiveBack<T extends RunnerTools, B, S>(
  control: Control<T, B, S>,
  tools: T,
  before: B,
  options: GiveBack<S> = {},
): Promise<Begun> {
  const item = control.item(before);
  let begun: UndoOutcome | Left | Undone;
  try {
    begun = await undoOne(control, tools, before, options);
  } catch (error) {
    begun = control.saysGone?.(error) === true ? { outcome: 'gone' } : { outcome: 'failed', detail: errorText(error) };
  }
  const result = begun;
  if ('remark' in result) {
    return {
      item,
      isWritten: true,
      end: async () => noted(await seeBack(control, tools, before, result, options), options),
    };
  }
  return { item, isWritten: false, end: () => noted(result, options) };
}

/** It was not touched: what is said of it is not noted. */
type Left = { readonly left: UndoOutcome };
type Undone = { readonly remark: string | null };

async function noted<S>(result: UndoOutcome | Left, { note }: GiveBack<S>): Promise<UndoOutcome> {
  if ('left' in result) return result.left;
  if (result.outcome === 'failed' || note === undefined) return result;
  try {
    return (await note()) ? result : TAKEN_UP;
  } catch (error) {
    return { outcome: 'failed', detail: errorText(error) };
  }
}

async function undoOne<T extends RunnerTools, B, S>(
  control: Control<T, B, S>,
  tools: T,
  before: B,
  options: GiveBack<S>,
): Promise<UndoOutcome | Left | Undone> {
  if (control.stays !== undefined) return { outcome: 'already', detail: control.stays };
  const share = shareOf(control, tools, before);
  const others = share === null ? [] : await share.ledger.leave(share.thing);
  // Not of the ledger: it was so before any case, or an earlier run has forgotten it.
  if (others === null) return { outcome: 'already' };
  if (others.length > 0) return NEEDED;
  const result = await compareAndUndo(control, tools, before, options, share);
  // Nothing is left to undo.
  if (share !== null && 'outcome' in result && result !== NEEDED) await share.ledger.endUndo(share.thing);
  return result;
}

async function compareAndUndo<T extends RunnerTools, B, S>(
  control: Control<T, B, S>,
  tools: T,
  before: B,
  options: GiveBack<S>,
  share: Share | null,
): Promise<UndoOutcome | Left | Undone> {
  const read = reading(control, tools, before);
  const first = options.found ?? (await read());
  const found = await settled(control, tools, before, first);
  if (found !== first) {
    // To settle may have taken a minute.
    const claimed = (await options.claimed?.()) ?? null;
    if (claimed !== null) return { left: claimed };
  }
  if (control.isGone?.(found, before) === true) return withRemark('gone', control.remark?.(found, before));
  if (control.isOriginal(found, before)) {
    if (options.wasDone !== true) return withRemark('already', control.remark?.(found, before));
    await tools.sleep(SECOND_LOOK_SECONDS);
    const again = await read();
    if (!control.isApplied(again, before)) return drifted(control, again, before);
  } else if (!isOurs(control, found, before) || control.isForeign?.(found, before) === true) {
    return drifted(control, found, before);
  }
  if (share !== null && !(await share.ledger.beginUndo(share.thing))) return NEEDED;
  try {
    const said = await inTurn(control, tools, 'write', () => control.undo(tools, before));
    return { remark: typeof said === 'string' ? said : null };
  } catch (error) {
    const isBack = await read().then(
      (state) => control.isOriginal(state, before),
      () => false,
    );
    if (isBack) return { outcome: 'restored' };
    throw error;
  }
}

const isOurs = <T, B, S>(control: Control<T, B, S>, found: S, before: B): boolean =>
  control.isOurs?.(found, before) ?? control.isApplied(found, before);

const withRemark = (outcome: UndoOutcome['outcome'], remark: string | null | undefined): UndoOutcome =>
  remark == null ? { outcome } : { outcome, detail: remark };

const drifted = <T, B, S>(control: Control<T, B, S>, found: S, before: B): UndoOutcome => ({
  outcome: 'drifted',
  detail: `found ${control.describe(found, before)}; expected ${control.expected(before, found)}`,
});

/** Waits for what is on its way; what goes on moving is an error, for a later restore. */
async function settled<T extends RunnerTools, B, S>(
  control: Control<T, B, S>,
  tools: T,
  before: B,
  first: S,
): Promise<S> {
  let state = first;
  for (let waited = 0; control.isMoving?.(state) === true; waited += LOOK_SECONDS) {
    if (waited >= MOVE_SECONDS) throw new Error(`still ${control.describe(state, before)}; restore again later`);
    await tools.sleep(LOOK_SECONDS);
    state = await reading(control, tools, before)();
  }
  return state;
}

/** The second half of {@link giveBack}: what counts as restored was seen so. */
async function seeBack<T extends RunnerTools, B, S>(
  control: Control<T, B, S>,
  tools: T,
  before: B,
  { remark }: Undone,
  { claimed }: GiveBack<S>,
): Promise<UndoOutcome | Left> {
  const isEnd = (state: S): boolean => control.isOriginal(state, before) || control.isGone?.(state, before) === true;
  try {
    const seen = await readBack(tools, reading(control, tools, before), isEnd);
    if (control.isGone?.(seen, before) === true) return { outcome: 'gone' };
    if (control.isOriginal(seen, before)) {
      const share = shareOf(control, tools, before);
      if (share === null || (await share.ledger.endUndo(share.thing))) return withRemark('restored', remark);
      // A case that joined while it was being undone must not lose it.
      await inTurn(control, tools, 'write', () => control.apply(tools, before));
      await share.ledger.keep(share.thing);
      return NEEDED;
    }
    const whose = (await claimed?.()) ?? null;
    if (whose !== null) return { left: whose };
    return { outcome: 'failed', detail: seenOtherwise(control.describe(seen, before)) };
  } catch (error) {
    if (control.saysGone?.(error) === true) return { outcome: 'gone' };
    return { outcome: 'failed', detail: notSeen(error) };
  }
}
