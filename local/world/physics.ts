import type { CommandAnswer } from './hosts/host.ts';
import type { WorldFile } from './parse-world.ts';
import { createEngine, type Engine, hostOf, powerOff, timerOf } from './physics/engine.ts';
import { takeSnapshot } from './physics/snapshot.ts';
import type { Physics } from './state.ts';
import { type FlowTruth, truthHorizon } from './truth.ts';

/** {@link Physics}, and what the local run asks beside the APIs. */
export interface WorldPhysics extends Physics {
  /** Closes the sockets of the instance to an address, as a responder's own hand on the host would. */
  closeSockets(instanceId: string, remoteAddress: string, at: number): void;
  /** Closes the connection of the instance's agent, as a host verb would that means it. */
  closeAgentConnection(instanceId: string, at: number): void;
  /** Names of the flows whose local socket is open on the instance. */
  openFlows(instanceId: string): string[];
  /** Lets the world run on for twice its longest timer plus a day, then tells what became of every flow of the file. */
  truth(): FlowTruth[];
  /** The same as of now, without running on. */
  truthNow(): FlowTruth[];
  /** The longest tracking timer of the world so far, in seconds. */
  longestTimer(): number;
  /** Steps that were simulated, to guard the cost of long worlds. */
  processedEvents(): number;
}

/**
 * What packets and hosts really do in a world. It reads the world's lists when it is made and at every `networkChanged`,
 * and keeps its own copy in between.
 *
 * @example
 * const physics = createPhysics(world);
 * world.NetworkInterfaces[0].Groups = [{ GroupId: isolation }];
 * physics.networkChanged();
 * physics.advanceTo(60);
 */
export function createPhysics(world: WorldFile): WorldPhysics {
  const engine = createEngine(world);
  const { schedule, flowLog } = engine;
  return {
    advanceTo: (seconds) => schedule.advanceTo(seconds),
    networkChanged: () => networkChanged(engine),
    instanceStopped: (instanceId) => powerOff(engine, instanceId),
    sendCommand: (command) => sendCommand(engine, command),
    flowLogRecords(networkInterfaceId, fromSeconds, toSeconds, at, log) {
      schedule.advanceTo(at);
      return flowLog.lines(networkInterfaceId, { from: fromSeconds, to: toSeconds, at }, log);
    },
    closeSockets(instanceId, remoteAddress, at) {
      schedule.advanceTo(at);
      hostOf(engine, instanceId).closePeer(remoteAddress);
    },
    closeAgentConnection(instanceId, at) {
      schedule.advanceTo(at);
      hostOf(engine, instanceId).closeAgentConnection();
    },
    openFlows: (instanceId) =>
      engine.flows
        .filter((one) => one.talk.instanceId === instanceId && one.talk.sockets.local.open)
        .map((one) => one.flow.Name),
    truth() {
      schedule.advanceTo(schedule.now() + truthHorizon(engine.longestTimer));
      return truthNow(engine);
    },
    truthNow: () => truthNow(engine),
    longestTimer: () => engine.longestTimer,
    processedEvents: () => engine.steps,
  };
}

function networkChanged(engine: Engine): void {
  const { world, timeline, schedule } = engine;
  const snapshot = takeSnapshot(world, schedule.now() + world.Assumptions.PropagationSeconds);
  timeline.push(snapshot);
  engine.longestTimer = Math.max(engine.longestTimer, timerOf(snapshot));
}

function sendCommand(
  engine: Engine,
  { instanceId, documentName, parameters, deliverySeconds }: Parameters<Physics['sendCommand']>[0],
): ReturnType<Physics['sendCommand']> {
  let answer: CommandAnswer | null = null;
  let cancelled = false;
  const deliverUntil = engine.schedule.now() + deliverySeconds;
  const command = { documentName, parameters, deliverUntil, isCancelled: () => cancelled };
  hostOf(engine, instanceId).run(command, (given) => {
    answer = given;
  });
  return {
    answer(at) {
      engine.schedule.advanceTo(at);
      return answer;
    },
    cancel(at) {
      engine.schedule.advanceTo(at);
      cancelled = true;
    },
  };
}

function truthNow({ flows, talks }: Engine): FlowTruth[] {
  return flows.map(({ flow, talk }) => ({
    name: flow.Name,
    localPorts: talks.filter((one) => one.tracker === talk.tracker).map((one) => one.tuple.localPort),
    lastPacketAt: toMicroseconds(talk.tracker.truth.lastPacketAt),
    stoppedBy: talk.tracker.truth.stoppedBy,
    revivedAt: toMicroseconds(talk.tracker.truth.revivedAt),
  }));
}

/** Takes the noise of adding up fractions off a time. */
const toMicroseconds = (seconds: number | null): number | null =>
  seconds === null ? null : Math.round(seconds * 1e6) / 1e6;
