import type { Physics } from '../state.ts';
import type { ExecutionStarter } from './executions.ts';
import type { ServiceMemory } from './memory.ts';
import type { ApiState } from './shapes.ts';

/** What a handler gets: the state at the moment at which the call takes effect. */
export interface ApiContext {
  readonly state: ApiState;
  readonly physics: Physics;
  readonly memory: ServiceMemory;
  /** Seconds since the event's arrival. */
  readonly now: number;
  readonly iso: (seconds: number) => string;
  /** A change that AWS makes by itself at a later second. */
  readonly later: (seconds: number, change: () => void) => void;
  /** Tells physics, once the handler is through, that packets may be judged differently. */
  readonly networkChanged: () => void;
  readonly startExecution: ExecutionStarter | null;
}

/** Answers one call, at one moment; `input` is typed by each handler with the SDK's own type. */
export interface Handlers {
  readonly [command: string]: (context: ApiContext, input: never) => object;
}
