import { AsyncLocalStorage } from 'node:async_hooks';
import { LAST_SECONDS, RESERVE_SECONDS } from '../functions/aws/client-settings.ts';
import { type Deadline, within } from '../functions/shared/deadline.ts';

/**
 * The time of each step where there is no Lambda to end it: what its state waits for it, as a function's own time is when
 * it is deployed. Steps run beside each other on the same clients, so each finds its own in the async context.
 */
const endsAt = new AsyncLocalStorage<number>();

const end = (): number => endsAt.getStore() ?? Number.POSITIVE_INFINITY;

export const stepDeadline: Deadline = () => end() - RESERVE_SECONDS * 1000;

/** Runs a step that has so many seconds from now on. */
export const withSeconds = <T>(seconds: number, run: () => T): T => endsAt.run(Date.now() + seconds * 1000, run);

/** As functions/shared/lambda.ts does: a client for a step's work, and one for what is said of it. */
export const timely = <C extends Parameters<typeof within>[0]>(client: C): C => within(client, stepDeadline);
export const toTheLast = <C extends Parameters<typeof within>[0]>(client: C): C =>
  within(client, () => end() - LAST_SECONDS * 1000);
