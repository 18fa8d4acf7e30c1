import { ERROR_NAMES } from '../core/errors.ts';

/** A moment in ms; Infinity = none. */
export type Deadline = () => number;

/** The time for it was over. Not to be tried again by the SDK, and no answer of AWS. */
export class DeadlineError extends Error {
  override readonly name = ERROR_NAMES.deadline;
}

/** The part of an SDK client that is held to a deadline. */
interface WithMiddleware {
  readonly middlewareStack: { add(middleware: never, options: never): void };
}

interface Named {
  readonly commandName?: string;
}
type Next = (given: unknown) => Promise<unknown>;

const nameOf = ({ commandName = 'a call' }: Named): string => commandName.replace(/Command$/, '');

const unanswered = (call: Named): DeadlineError => {
  const name = nameOf(call);
  const effect = /^(Describe|Filter|Get|List)/.test(name) ? '' : ', and may have had its effect';
  return new DeadlineError(`${name} was not answered before the time of this function was over${effect}`);
};

const notBegun = (call: Named): DeadlineError =>
  new DeadlineError(`${nameOf(call)} was not begun: the time of this function is over`);

/**
 * Holds a client to a deadline: after it no call is begun and none tried again, and one on its way is no longer waited for.
 *
 * @example within(new EC2Client({}), () => Date.now() + 20_000)
 */
export function within<C extends WithMiddleware>(client: C, deadline: Deadline): C {
  const whole = (next: Next, call: Named) => async (given: unknown) => {
    const left = deadline() - Date.now();
    if (left <= 0) throw notBegun(call);
    if (left === Number.POSITIVE_INFINITY) return next(given);
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise((_, reject) => {
      timer = setTimeout(() => reject(unanswered(call)), left);
    });
    try {
      return await Promise.race([next(given), over]);
    } finally {
      clearTimeout(timer);
    }
  };
  // Below the SDK's retries, which go on when nobody waits for them any more.
  const attempt = (next: Next, call: Named) => (given: unknown) =>
    Date.now() < deadline() ? next(given) : Promise.reject(notBegun(call));
  client.middlewareStack.add(whole as never, { step: 'initialize', priority: 'high', name: 'untilDeadline' } as never);
  client.middlewareStack.add(
    attempt as never,
    { step: 'finalizeRequest', priority: 'low', name: 'notAfterDeadline' } as never,
  );
  return client;
}
