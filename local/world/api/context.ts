import type { Physics } from '../state.ts';
import type { TableItem } from './dynamodb/values.ts';
import type { ExecutionRecord, ExecutionStarter } from './sfn.ts';
import type { ApiState, Snapshot } from './shapes.ts';
import type { PublishedMessage } from './sns.ts';
import type { RunningCommand } from './ssm.ts';

/** What the services remember beside the world file. */
export interface ServiceMemory {
  /** Security groups by id → second of their creation (eventual consistency). */
  readonly groupsCreatedAt: Map<string, number>;
  readonly snapshots: Snapshot[];
  readonly commands: Map<string, RunningCommand>;
  /** Table name → item key → item. */
  readonly tables: Map<string, Map<string, TableItem>>;
  /** Client tokens of transactions that were made. */
  readonly transactions: Map<string, { readonly at: number; readonly text: string }>;
  readonly executions: Map<string, ExecutionRecord>;
  readonly messages: PublishedMessage[];
  /** Counts what was created, to make ids that are the same in every run. */
  created: number;
}

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

export function newServiceMemory(): ServiceMemory {
  return {
    groupsCreatedAt: new Map(),
    snapshots: [],
    commands: new Map(),
    tables: new Map(),
    transactions: new Map(),
    executions: new Map(),
    messages: [],
    created: 0,
  };
}
