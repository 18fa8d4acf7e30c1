import { hearTrail, invoke } from './deliveries.ts';
import type { DueView, NextDue, Schedule } from './deployment.ts';
import { newRun, type Session } from './session.ts';
import { truthHorizon } from './world/truth.ts';

/**
 * Starts what the stack starts by itself, beside all else: its schedules, and its rules for what CloudTrail tells. The answer
 * is how to wait until everything is quiet.
 */
export function playTriggers(session: Session): { untilQuiet(): Promise<void> } {
  let isOver = false;
  hearTrail(session);
  const { schedules, functions } = session.triggers;
  const loops = schedules.map((schedule) =>
    playSchedule(session, schedule, functions[schedule.folder]?.nextDue, () => isOver),
  );
  return {
    async untilQuiet() {
      await session.activity.quiet(schedules.map(({ name }) => name));
      isOver = true;
      session.activity.announce();
      await Promise.all(loops);
    },
  };
}

async function playSchedule(
  session: Session,
  schedule: Schedule,
  nextDue: NextDue | undefined,
  isOver: () => boolean,
): Promise<void> {
  const { activity, world } = session;
  const run = newRun(schedule.name, { isByItself: true });
  let last = 0;
  while (!isOver()) {
    const due = nextDue === undefined ? dueAtEveryTick(session) : inRunOn(session, nextDue(viewOf(session)));
    const news = activity.news();
    if (due === null) {
      activity.rest(schedule.name);
      await news;
      continue;
    }
    const tick = tickFrom(Math.max(due, world.clock.now()), schedule.everySeconds, last);
    const isReached = await Promise.race([
      world.clock.sleep(tick - world.clock.now()).then(() => true),
      news.then(() => false),
    ]);
    if (!isReached) continue;
    last = tick;
    // What cannot be done now is tried again at the next tick.
    await session.within(run, () => invoke(session, { ...schedule, retries: 0 }, schedule.input));
  }
}

/** The first tick at or after a moment, and after the last one. */
function tickFrom(moment: number, every: number, last: number): number {
  return Math.max(Math.ceil(moment / every) * every, last + every);
}

const viewOf = ({ world, tools }: Session): DueView => ({
  items: (partition) => world.partition(tools.cases.name, partition),
  now: world.clock.now(),
  iso: (seconds) => world.clock.iso(seconds),
});

/** A moment as long as something goes on, and for as long afterwards as the world runs on; later ones are not played. */
function inRunOn({ activity, world }: Session, due: number | null): number | null {
  if (due === null || activity.isBusy()) return due;
  const end = activity.lastEnd() + truthHorizon(world.physics.longestTimer());
  return Math.max(due, world.clock.now()) < end ? due : null;
}

function dueAtEveryTick(session: Session): number | null {
  return inRunOn(session, session.world.clock.now());
}
