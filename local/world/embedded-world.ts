import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { tables } from '../dynamodb/keys.ts';
import { takenSnapshots } from './api/ec2/snapshots.ts';
import type { ExecutionStarter, StartedExecution } from './api/executions.ts';
import { playedFindings } from './api/guardduty.ts';
import type { CallCounts, JournalEntry } from './api/journal.ts';
import {
  attachTo,
  createWire,
  type Interceptor,
  type SdkClient,
  settle,
  type TrailListener,
} from './api/middleware.ts';
import { noteExecution } from './api/sfn.ts';
import type { ApiState } from './api/shapes.ts';
import { type PublishedMessage, publishedMessages } from './api/sns.ts';
import type { WorldFile } from './parse-world.ts';
import { createPhysics, type WorldPhysics } from './physics.ts';
import type { Physics, WorldClock } from './state.ts';
import type { FlowTruth } from './truth.ts';

/** A world that answers AWS SDK clients; see {@link createEmbeddedWorld}. */
export interface EmbeddedWorld<P extends Physics = WorldPhysics> {
  readonly physics: P;
  readonly clock: WorldClock;
  /** Makes a client talk to the world, and to nothing else; gives the same client back. */
  attach<C extends SdkClient>(client: C): C;
  /** Runs under the name of a state, which the timeline shows for every call made in there. */
  inState<T>(name: string, run: () => T): T;
  /** Runs as one of several things that go on at once: {@link calls} and {@link timeline} tell what it alone has done. */
  inRun<T>(name: string, run: () => T): T;
  /**
   * Says that a function of the machine starts now, for the count of what runs one after another before the first cut;
   * call the answer when it ends.
   */
  enterFunction(name: string): () => void;
  /** Puts something that is no AWS call on the timeline. */
  note(service: JournalEntry['service'], call: string, outcome: string, input?: unknown): void;
  /** Of everything, or of one run. */
  calls(run?: string): CallCounts;
  timeline(run?: string): JournalEntry[];
  /** Lets the world run on and tells what became of every flow; call it last. */
  truth(): FlowTruth[];
  /** The state as of now in the file's own shapes. */
  snapshot(): Record<string, unknown>;
  /** What was published, oldest first. */
  readonly messages: readonly PublishedMessage[];
  /** Items of a table (of all tables without a name), as plain objects, by key. */
  dumpTable(name?: string): Record<string, unknown>[];
  /** Items of one partition of a table, as plain objects, by key. */
  partition(name: string, key: string): Record<string, unknown>[];
  /** An execution that was not started by a call, as from the console: whoever asks for it finds it. */
  executionStarted(
    execution: { readonly executionArn: string; readonly input: unknown },
    started: StartedExecution,
  ): void;
  /** Runs calls on somebody else's behalf; without it they are the responder's. */
  callAs<T>(callerArn: string, run: () => T): T;
  /** GuardDuty knows the finding of an event that is played, unless the file says what GuardDuty knows. */
  playFinding(detail: Record<string, unknown>): void;
  /** Hands of a test in the world. */
  readonly interceptors: Interceptor[];
  /** Who runs state machines; without one an execution stays RUNNING. */
  onStartExecution: ExecutionStarter | null;
  /** Who is told of the calls of others, `TrailDeliverySeconds` after each; it may well return a promise. */
  onTrailEvent: TrailListener | null;
}

/**
 * The embedded world: AWS's APIs over one world file in virtual time.
 *
 * @example
 * await runInVirtualTime(file.Now, async (clock) => {
 *   const world = createEmbeddedWorld(file, clock);
 *   const ec2 = world.attach(new EC2Client({ region: file.Region }));
 * });
 */
export function createEmbeddedWorld(file: WorldFile, clock: WorldClock): EmbeddedWorld;
export function createEmbeddedWorld<P extends Physics>(file: ApiState, clock: WorldClock, physics: P): EmbeddedWorld<P>;
export function createEmbeddedWorld(
  file: ApiState,
  clock: WorldClock,
  physics: Physics & Partial<WorldPhysics> = createPhysics(file as WorldFile),
): EmbeddedWorld<Physics> {
  const wire = createWire(file, physics, clock);
  const { journal, memory } = wire;
  return {
    physics,
    clock,
    attach: (client) => attachTo(wire, client),
    inState: (name, run) => journal.inState(name, run),
    inRun: (name, run) => journal.inRun(name, run),
    enterFunction: (name) => journal.enterFunction(name),
    note: (service, call, outcome, input) => journal.note(service, call, outcome, input),
    calls: (run) => journal.calls(run),
    timeline: (run) => journal.timeline(run),
    truth() {
      settle(wire);
      return physics.truth?.() ?? [];
    },
    snapshot() {
      settle(wire);
      const taken = memory.of(takenSnapshots);
      const snapshots = taken.length > 0 ? { Snapshots: taken } : {};
      return JSON.parse(JSON.stringify({ ...file, ...snapshots })) as Record<string, unknown>;
    },
    messages: memory.of(publishedMessages),
    dumpTable(name) {
      const chosen = [...memory.of(tables)].filter(([table]) => name === undefined || table === name);
      const items = chosen.flatMap(([, table]) => [...table].sort(([a], [b]) => (a < b ? -1 : 1)));
      return items.map(([, item]) => unmarshall(item as Record<string, AttributeValue>));
    },
    partition(name, key) {
      const items = [...(memory.of(tables).get(name)?.values() ?? [])].filter(({ pk }) => pk?.S === key);
      return items.map((item) => unmarshall(item as Record<string, AttributeValue>));
    },
    executionStarted(execution, started) {
      noteExecution(memory, { ...execution, startDate: clock.iso(clock.now()) }, started);
    },
    callAs: (callerArn, run) => wire.callers.as(callerArn, run),
    playFinding(detail) {
      memory.of(playedFindings).push(detail);
    },
    interceptors: wire.interceptors,
    get onStartExecution() {
      return wire.onStartExecution;
    },
    set onStartExecution(starter) {
      wire.onStartExecution = starter;
    },
    get onTrailEvent() {
      return wire.onTrailEvent;
    },
    set onTrailEvent(listener) {
      wire.onTrailEvent = listener;
    },
  };
}
