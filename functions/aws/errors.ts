/** The AWS error code of anything thrown by an SDK client, or the name of a network error; `unknown` otherwise. */
export function errorCode(error: unknown): string {
  if (error instanceof Error) {
    const { Code } = error as { Code?: unknown };
    return typeof Code === 'string' ? Code : error.name;
  }
  return 'unknown';
}

/** AWS's words for "too many calls". https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html */
const THROTTLES = [
  'RequestLimitExceeded',
  'EC2ThrottledException',
  'Throttling',
  'ThrottlingException',
  'RequestThrottled',
  'ProvisionedThroughputExceededException',
];

/** The call was refused for its number alone, and had no effect. */
export const isThrottle = (error: unknown): boolean =>
  error instanceof ThrottledError || THROTTLES.includes(errorCode(error));

/** A throttle that the SDK is not to try again by itself: the caller waits for its turn. */
class ThrottledError extends Error {
  override readonly name = 'ThrottledError';
}

/** The part of a command that {@link leaveThrottles} takes hold of. */
interface WithMiddleware {
  readonly middlewareStack: { add(middleware: never, options: never): void };
}

/** Has the SDK throw throttles of this one command at once; everything else it tries again as ever. */
export function leaveThrottles<C extends WithMiddleware>(command: C): C {
  const middleware =
    (next: (given: unknown) => Promise<unknown>) =>
    async (given: unknown): Promise<unknown> => {
      try {
        return await next(given);
      } catch (error) {
        throw isThrottle(error) ? new ThrottledError(errorText(error), { cause: error }) : error;
      }
    };
  // Below the SDK's retries, which do not know the error.
  const place = { step: 'finalizeRequest', priority: 'low', name: 'leaveThrottles' };
  command.middlewareStack.add(middleware as never, place as never);
  return command;
}

/** One line for a report: the code and the message without line breaks, cut short. */
export function errorText(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const oneLine = message.replace(/\p{Cc}+/gu, ' ').slice(0, 200);
  return `${errorCode(error)}: ${oneLine}`;
}

/** Runs a call and turns the errors with one of these codes into a value; everything else is thrown on. */
export async function unless<T, F>(
  codes: readonly string[],
  call: () => Promise<T>,
  fallback: (error: Error) => F,
): Promise<T | F> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Error && codes.includes(errorCode(error))) return fallback(error);
    throw error;
  }
}

/** The right to the call is missing: no retry mends that. */
export interface Denied {
  readonly denied: string;
}

/** EC2 has a code of its own for it. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html */
const DENIALS = ['UnauthorizedOperation', 'AccessDenied', 'AccessDeniedException'];

/** The right to the call is missing. */
export const isDenial = (error: unknown): boolean => DENIALS.includes(errorCode(error));

/** Runs a call; where the right to it is missing, says so in one line. Everything else is thrown on. */
export const orDenied = <T>(call: () => Promise<T>): Promise<T | Denied> =>
  unless(DENIALS, call, (error) => ({ denied: errorText(error) }));

export const isDenied = (answer: unknown): answer is Denied =>
  typeof answer === 'object' && answer !== null && 'denied' in answer;
