import type { Toolbox } from './toolbox.ts';

/**
 * Pauses between the looks, in seconds. EC2's reads may lag behind its writes: look again after a couple of seconds, then after more
 * ("Eventual consistency in the Amazon EC2 API", EC2 Developer Guide).
 */
const PAUSES = [1, 2, 4, 8];

/** Reads until what is seen is what was written, five times at most; returns what was seen last, whatever it is. */
export async function readBack<T>(
  { sleep }: Pick<Toolbox, 'sleep'>,
  read: () => Promise<T>,
  isAsWritten: (seen: T) => boolean,
): Promise<T> {
  let seen = await read();
  for (const pause of PAUSES) {
    if (isAsWritten(seen)) break;
    await sleep(pause);
    seen = await read();
  }
  return seen;
}
