/** What goes on in a world, so that who waits for quiet or for news need not look again and again. */
export interface Activity {
  /** Counts as going on until the work has ended, well or not; gives it back. */
  track<T>(work: Promise<T>): Promise<T>;
  /** The same of what the stack does by itself: it goes on, and the world runs on no longer for it. */
  attend<T>(work: Promise<T>): Promise<T>;
  /** Resolves when something has begun or ended. */
  news(): Promise<void>;
  announce(): void;
  /** Nothing is due for this sleeper until there is news. */
  rest(name: string): void;
  /** Resolves when nothing goes on and all these sleepers rest. */
  quiet(sleepers: readonly string[]): Promise<void>;
  /** Is anything going on that somebody else has begun? */
  isBusy(): boolean;
  /** When something of that last ended, in seconds. */
  lastEnd(): number;
}

export function createActivity(now: () => number): Activity {
  let running = 0;
  let attended = 0;
  let endedAt = 0;
  const resting = new Set<string>();
  let waiting: (() => void)[] = [];
  let checkQuiet = (): void => undefined;

  const tell = (): void => {
    resting.clear();
    const woken = waiting;
    waiting = [];
    for (const wake of woken) wake();
  };
  const end = (): void => {
    running -= 1;
    endedAt = now();
    tell();
    checkQuiet();
  };
  const endAttended = (): void => {
    attended -= 1;
    tell();
    checkQuiet();
  };
  return {
    track(work) {
      running += 1;
      tell();
      work.then(end, end);
      return work;
    },
    attend(work) {
      attended += 1;
      tell();
      work.then(endAttended, endAttended);
      return work;
    },
    news: () => new Promise((resolve) => waiting.push(resolve)),
    announce: tell,
    rest(name) {
      resting.add(name);
      checkQuiet();
    },
    quiet: (sleepers) =>
      new Promise((resolve) => {
        checkQuiet = () => {
          if (running + attended === 0 && sleepers.every((name) => resting.has(name))) resolve();
        };
        checkQuiet();
      }),
    isBusy: () => running > 0,
    lastEnd: () => endedAt,
  };
}
