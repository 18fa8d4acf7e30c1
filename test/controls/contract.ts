import { expect, it } from 'vitest';
import type { RestoreItem } from '../../functions/core/case/record.ts';
import type { Recorded, TakeItem } from '../../functions/core/control.ts';
import { giveBack, reconcile, take } from '../../functions/shared/control-runner.ts';
import { type Ground, isChange, isWrite, refused } from './ground.ts';

/** What makes a ground, runs the body on it and takes it away again. */
export type OnGround = (body: (ground: Ground) => Promise<void>) => Promise<void>;

/** What a ground cannot show, with the reason: what is left out is said, and never passed over. */
export interface Limits {
  /** It is never undone, so nobody undoes it by hand either. */
  readonly stays?: string | undefined;
  /** A process dies only at calls that change something: each call takes its time here. */
  readonly diesAtChangesAlone?: boolean;
}

const outcomesOf = (items: readonly { readonly outcome: string }[]): readonly string[] => [
  ...new Set(items.map(({ outcome }) => outcome)),
];

async function takeAll(ground: Ground): Promise<readonly TakeItem[]> {
  return take(ground.control, await ground.tools(), await ground.records());
}

/** What is recorded, in the order in which it was. */
const recordedOf = async (ground: Ground): Promise<readonly Recorded[]> => (await ground.records()).known;

async function giveAllBack(ground: Ground, wasDone = false): Promise<readonly RestoreItem[]> {
  const items: RestoreItem[] = [];
  const tools = await ground.tools();
  for (const before of await recordedOf(ground)) {
    items.push(await giveBack(ground.control, tools, before, { wasDone, note: () => ground.note(before) }));
  }
  return items;
}

/** Whether each thing is in force, original, or neither. */
async function statesOf(ground: Ground, befores: readonly Recorded[]): Promise<readonly string[]> {
  const { control } = ground;
  const tools = await ground.tools();
  return Promise.all(
    befores.map(async (before) => {
      const state = await control.read(tools, before);
      if (control.isApplied(state, before)) return 'in force';
      return control.isOriginal(state, before) ? 'original' : 'other';
    }),
  );
}

const all = (befores: readonly Recorded[], state: string): readonly string[] => befores.map(() => state);

const KILLED = 'Killed';

/** The process dies at its n-th call, before it is made or after it has had its effect. */
const deathAt =
  (at: number, when: 'before' | 'after') =>
  (_: string, moment: 'before' | 'after', nth: number): Error | null =>
    nth > at || (nth === at && moment === when) ? refused(KILLED) : null;

/** Where the service takes a change and never shows it, that is all that can be seen: nothing is called done. */
export function unseenContract(onGround: OnGround, why: string): void {
  it(`is not called done where the change does not show: ${why}`, () =>
    onGround(async (ground) => {
      const items = await takeAll(ground);
      expect(items.length).toBeGreaterThan(0);
      expect(outcomesOf(items)).not.toContain('done');
    }));
}

/** Every control keeps these promises, on every ground. */
export function controlContract(onGround: OnGround, limits: Limits = {}): void {
  it('says what there is to change without changing anything', () =>
    onGround(async (ground) => {
      const tools = await ground.tools();
      const { result, calls } = await ground.wire.with(
        () => null,
        () => ground.control.targets(tools),
      );
      expect(result).not.toBeInstanceOf(Error);
      expect(result).not.toEqual([]);
      expect(calls.filter(isWrite)).toEqual([]);
    }));

  it('is recorded, taken, and seen in force', () =>
    onGround(async (ground) => {
      const items = await takeAll(ground);
      expect(items.length).toBeGreaterThan(0);
      expect(outcomesOf(items)).toEqual(['done']);
      const befores = await recordedOf(ground);
      expect(befores.map((before) => ground.control.item(before)).sort()).toEqual(items.map(({ item }) => item).sort());
      expect(await statesOf(ground, befores)).toEqual(all(befores, 'in force'));
    }));

  it('taken twice changes nothing the second time, and is still told as done', () =>
    onGround(async (ground) => {
      const first = await takeAll(ground);
      const { result, calls } = await ground.wire.with(
        () => null,
        () => takeAll(ground),
      );
      expect(calls.filter(isWrite)).toEqual([]);
      expect([...(result as TakeItem[])].sort(byItem)).toEqual([...first].sort(byItem));
    }));

  it('is given back, and given back twice changes nothing the second time', () =>
    onGround(async (ground) => {
      await takeAll(ground);
      const befores = await recordedOf(ground);
      const items = await giveAllBack(ground, true);
      const { stays } = ground.control;
      expect(outcomesOf(items)).toEqual([stays === undefined ? 'restored' : 'already']);
      expect(await statesOf(ground, befores)).toEqual(all(befores, stays === undefined ? 'original' : 'in force'));
      const tools = await ground.tools();
      const { result, calls } = await ground.wire.with(
        () => null,
        () => Promise.all(befores.map((before) => giveBack(ground.control, tools, before))),
      );
      expect(calls.filter(isWrite)).toEqual([]);
      expect(outcomesOf(result as RestoreItem[])).toEqual(['already']);
    }));

  it('is not called done where AWS accepts the change and does not make it', () =>
    onGround(async (ground) => {
      const control = { ...ground.control, apply: () => Promise.resolve() };
      const items = await takeAll({ ...ground, control });
      expect(outcomesOf(items)).toEqual(['failed']);
      for (const { reason } of items) expect(reason).toContain('AWS has accepted the change and shows');
    }));

  it('is looked for again while reads lag behind the change', () =>
    onGround(async (ground) => {
      const stale = new Map<string, unknown>();
      const control = {
        ...ground.control,
        apply: async (tools: never, before: Recorded) => {
          stale.set(ground.control.item(before), await ground.control.read(tools, before));
          await ground.control.apply(tools, before);
        },
        // The first look after the change shows what was there before it.
        read: (tools: never, before: Recorded) => {
          const item = ground.control.item(before);
          const old = stale.get(item);
          return stale.delete(item) ? Promise.resolve(old) : ground.control.read(tools, before);
        },
      };
      expect(outcomesOf(await takeAll({ ...ground, control }))).toEqual(['done']);
      await giveAllBack(ground);
    }));

  it('is done where the answer to the change was lost, and given back likewise', () =>
    onGround(async (ground) => {
      const lost = (call: string, moment: string) =>
        isWrite(call) && moment === 'after' ? refused('TimeoutError') : null;
      const taken = await ground.wire.with(lost, () => takeAll(ground));
      expect(outcomesOf(taken.result as TakeItem[])).toEqual(['done']);
      const befores = await recordedOf(ground);
      expect(await statesOf(ground, befores)).toEqual(all(befores, 'in force'));
      await ground.wire.with(lost, () => giveAllBack(ground));
      // What is made of several calls is not whole after the first of them: the next run ends it.
      await giveAllBack(ground);
      const end = ground.control.stays === undefined ? 'original' : 'in force';
      expect(await statesOf(ground, befores)).toEqual(all(befores, end));
    }));

  it('refused, is told with the reason, and leaves nothing to give back', () =>
    onGround(async (ground) => {
      const no = (call: string) => (isWrite(call) ? refused('UnauthorizedOperation') : null);
      const { result } = await ground.wire.with(no, () => takeAll(ground));
      expect(outcomesOf(result as TakeItem[])).toEqual(['failed']);
      for (const { reason } of result as TakeItem[]) expect(reason).toContain('UnauthorizedOperation');
      const befores = await recordedOf(ground);
      expect(await statesOf(ground, befores)).toEqual(all(befores, 'original'));
      expect(outcomesOf(await giveAllBack(ground))).toEqual(['already']);
    }));

  it('that cannot be recorded is not taken', () =>
    onGround(async (ground) => {
      const no = (call: string) => (/^(Put|Update)Item$/.test(call) ? refused('UnauthorizedOperation') : null);
      const records = await ground.records();
      const closed = { ...records, record: () => Promise.reject(refused('UnauthorizedOperation')) };
      const tools = await ground.tools();
      const { result, calls } = await ground.wire.with(no, () => take(ground.control, tools, closed));
      expect(outcomesOf(result as TakeItem[])).toEqual(['failed']);
      expect(calls.filter(isWrite)).toEqual([]);
    }));

  it('that cannot be read is told as failed, under its name', () =>
    onGround(async (ground) => {
      const control = { ...ground.control, targets: () => Promise.reject(refused('AccessDenied')) };
      expect(await takeAll({ ...ground, control })).toEqual([
        { item: control.name, outcome: 'failed', reason: expect.stringContaining('AccessDenied') },
      ]);
    }));

  it.each(['before', 'after'] as const)(
    'taken by a process that died %s any of its calls, is whole after the next run, and is given back',
    async (when) => expect(await everyDeath(onGround, when, takeAll, takeAll, 'in force', limits)).toEqual([]),
    60_000,
  );

  it.each(['before', 'after'] as const)(
    'given back by a process that died %s any of its calls, is back after the next run',
    async (when) => {
      const taken: OnGround = (body) =>
        onGround(async (ground) => {
          await takeAll(ground);
          await body(ground);
        });
      expect(await everyDeath(taken, when, giveAllBack, giveAllBack, 'original', limits)).toEqual([]);
    },
    60_000,
  );
  if (limits.stays === undefined) byHandContract(onGround);
}

/** What somebody else may do to the thing. */
function byHandContract(onGround: OnGround): void {
  it('is made so again where somebody has undone it, and says who', () =>
    onGround(async (ground) => {
      await takeAll(ground);
      const [before] = await recordedOf(ground);
      if (before === undefined) throw new Error('nothing was recorded');
      const tools = await ground.tools();
      const item = ground.control.item(before);
      expect(await reconcile(ground.control, tools, before)).toEqual({ item, outcome: 'in-force' });
      await byHand(ground, before);
      const { outcome, detail } = await reconcile(ground.control, tools, before, () => Promise.resolve('a stranger'));
      const isOnce = ground.control.once === true;
      expect({ outcome, detail }).toEqual({
        outcome: isOnce ? 'lost' : 'retaken',
        detail: expect.stringContaining('a stranger'),
      });
      expect(await statesOf(ground, [before])).toEqual([isOnce ? 'original' : 'in force']);
      await giveAllBack(ground);
    }));

  it('is lost where it is undone and cannot be made again', () =>
    onGround(async (ground) => {
      await takeAll(ground);
      const [before] = await recordedOf(ground);
      if (before === undefined) throw new Error('nothing was recorded');
      const tools = await ground.tools();
      await byHand(ground, before);
      const no = (call: string) => (isWrite(call) ? refused('UnauthorizedOperation') : null);
      const { result } = await ground.wire.with(no, () => reconcile(ground.control, tools, before));
      const why = ground.control.once === true ? 'found ' : 'UnauthorizedOperation';
      expect(result).toMatchObject({ outcome: 'lost', detail: expect.stringContaining(why) });
      await giveAllBack(ground);
    }));

  it('is left where somebody has changed it, and what was found is told', () =>
    onGround(async (ground) => {
      const { control, strange } = ground;
      await takeAll(ground);
      const [before] = await recordedOf(ground);
      if (before === undefined) throw new Error('nothing was recorded');
      const tools = await ground.tools();
      if (strange === undefined) await byHand(ground, before);
      else await strange(before);
      const { result, calls } = await ground.wire.with(
        () => null,
        () => giveBack(control, tools, before, { wasDone: true }),
      );
      expect(result).toMatchObject({ outcome: 'drifted', detail: expect.stringMatching(/^found .+; expected /) });
      expect(calls.filter(isWrite)).toEqual([]);
    }));
}

/** Long enough for what a service moves to have arrived, in seconds. */
const SETTLE_SECONDS = 120;

/** Somebody undoes it in the console. */
async function byHand({ control, tools }: Ground, before: Recorded): Promise<void> {
  const hand = await tools();
  await hand.sleep(SETTLE_SECONDS);
  await control.undo(hand, before);
  await hand.sleep(SETTLE_SECONDS);
}

const byItem = (a: { readonly item: string }, b: { readonly item: string }): number => (a.item < b.item ? -1 : 1);

/** Kills the work at each of its calls, one after the other, and each time starts it again; returns what was not whole then. */
async function everyDeath(
  onGround: OnGround,
  when: 'before' | 'after',
  work: (ground: Ground) => Promise<unknown>,
  again: (ground: Ground) => Promise<unknown>,
  expected: 'in force' | 'original',
  { diesAtChangesAlone = false }: Limits,
): Promise<readonly string[]> {
  const broken: string[] = [];
  let count = 0;
  let moments: readonly number[] = [];
  await onGround(async (ground) => {
    const { calls } = await ground.wire.with(
      () => null,
      () => work(ground),
    );
    count = calls.length;
    moments = calls.flatMap((call, index) => (!diesAtChangesAlone || isChange(call) ? [index + 1] : []));
    await giveAllBack(ground);
  });
  for (const at of moments) {
    await onGround(async (ground) => {
      await ground.wire.with(deathAt(at, when), () => work(ground));
      const befores = await recordedOf(ground);
      await again(ground);
      const { stays } = ground.control;
      const now = expected === 'in force' ? await recordedOf(ground) : befores;
      const wanted = stays === undefined ? expected : 'in force';
      const states = await statesOf(ground, now);
      if (now.length === 0 && expected === 'in force') broken.push(`killed at call ${at}: nothing is recorded`);
      if (states.some((state) => state !== wanted)) broken.push(`killed at call ${at}: ${states.join(', ')}`);
      await giveAllBack(ground);
    });
  }
  if (count === 0) broken.push('it made no call');
  return broken;
}
