/** What happens on hosts at later seconds, in order of time. */
export interface Schedule {
  now(): number;
  later(at: number, run: () => void): void;
  /** Does all that is due up to `to`; `bringTo` has moved the wire there before each. */
  advanceTo(to: number): void;
}

export function createSchedule(bringTo: (at: number) => void): Schedule {
  const agenda: { readonly at: number; readonly run: () => void }[] = [];
  let now = 0;
  const moveTo = (at: number): void => {
    bringTo(at);
    now = Math.max(now, at);
  };
  return {
    now: () => now,
    later(at, run) {
      const place = agenda.findIndex((one) => one.at > at);
      agenda.splice(place < 0 ? agenda.length : place, 0, { at, run });
    },
    advanceTo(to) {
      for (let next = agenda[0]; next !== undefined && next.at <= to; next = agenda[0]) {
        agenda.shift();
        moveTo(next.at);
        next.run();
      }
      moveTo(to);
    },
  };
}
