import { InputError } from '../functions/core/errors.ts';
import { matches } from '../scripts/event-pattern.ts';
import type { NodeMap } from '../scripts/template.ts';
import { choosesFindings, type EventRule } from './deployment.ts';
import { newRun, type Session } from './session.ts';

/** What became of an asynchronous invocation. */
export type Delivery =
  | { readonly kind: 'delivered'; readonly output: unknown }
  | { readonly kind: 'dead-letter'; readonly error: unknown };

/**
 * Lambda's own retries of an asynchronous invocation: a minute, then two, and then the dead-letter queue.
 * https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
 */
const RETRY_PAUSES = [60, 120];

/** Invokes a function as EventBridge does. An InputError is no fault that goes away: it is thrown at once. */
export async function invoke(
  { world, tools, around, triggers }: Session,
  { folder, retries }: Pick<EventRule, 'folder' | 'retries'>,
  event: unknown,
): Promise<Delivery> {
  const started = triggers.functions[folder];
  if (started === undefined)
    throw new Error(`local/deployment.ts has no function for ${folder}, which the template starts`);
  const state = folder === 'start-response' ? 'Start' : folder;
  for (const pause of [...RETRY_PAUSES.slice(0, retries), null]) {
    try {
      return { kind: 'delivered', output: await around(state, folder, () => started.step(tools, event as never)) };
    } catch (error) {
      if (error instanceof InputError) throw error;
      if (pause === null) return { kind: 'dead-letter', error };
      await world.clock.sleep(pause);
    }
  }
  throw new Error('unreachable');
}

/** Delivers an event to every rule of the stack that it matches; nothing where it matches none. */
export function deliver(session: Session, event: unknown): Promise<readonly Delivery[]> {
  const rules = session.triggers.rules.filter(({ pattern }) => matches(pattern, event as NodeMap));
  return Promise.all(rules.map((rule) => invoke(session, rule, event)));
}

/** Delivers the calls of others as CloudTrail tells EventBridge of them, where a rule of the stack takes them. */
export function hearTrail(session: Session): void {
  const run = newRun('CloudTrail');
  session.world.onTrailEvent = (event) => session.within(run, () => session.activity.track(deliver(session, event)));
}

/** How long after a call it may still be heard of, in seconds; 0 = no rule takes what CloudTrail tells. */
export function trailSeconds({ file, triggers }: Session): number {
  const isHeard = triggers.rules.some(({ pattern }) => JSON.stringify(pattern).includes('via CloudTrail'));
  return isHeard ? (file.Assumptions.TrailDeliverySeconds ?? 0) : 0;
}

/**
 * Delivers a finding to start-response. One that is played is one that has arrived, whatever its severity and type, unless
 * somebody chose by parameter which findings the stack takes; null = its rule does not take this one.
 */
export function deliverFinding(session: Session, event: unknown): Promise<Delivery | null> {
  const rule = session.triggers.rules.find(({ folder }) => folder === 'start-response');
  if (rule === undefined) throw new Error('no rule of template.yaml starts start-response');
  const isTaken = !choosesFindings(session.parameters) || matches(rule.pattern, event as NodeMap);
  return isTaken ? invoke(session, rule, event) : Promise.resolve(null);
}
