import { type CommandAnswer, createHost, type Host, type HostedFlow } from './hosts.ts';
import type { WorldFile, WorldFlow } from './parse-world.ts';
import { advance, afterSomething } from './physics/advance.ts';
import { agentReachesService } from './physics/agent-path.ts';
import {
  type Conversation,
  establishedConversation,
  reopenedConversation,
  type Surroundings,
} from './physics/conversation.ts';
import { closeLocalSocket, closeRemoteSocket, judge, skipMissedTicks } from './physics/exchange.ts';
import { createFlowLog } from './physics/flow-log.ts';
import { type Snapshot, takeSnapshot } from './physics/snapshot.ts';
import { createTruthTracker } from './physics/truth-tracker.ts';
import type { Physics } from './state.ts';
import { type FlowTruth, truthHorizon } from './truth.ts';

/** {@link Physics}, and what the local run asks beside the APIs. */
export interface WorldPhysics extends Physics {
  /** Closes the sockets of the instance to an address, as a responder's own hand on the host would. */
  closeSockets(instanceId: string, remoteAddress: string, at: number): void;
  /** Names of the flows whose local socket is open on the instance. */
  openFlows(instanceId: string): string[];
  /** Lets the world run on for twice its longest timer plus a day, then tells what became of every flow of the file. */
  truth(): FlowTruth[];
  /** The same as of now, without running on. */
  truthNow(): FlowTruth[];
  /** Steps that were simulated, to guard the cost of long worlds. */
  processedEvents(): number;
}

interface Scheduled {
  readonly at: number;
  readonly run: () => void;
}

const OFF_STATES = ['stopped', 'stopping', 'shutting-down', 'terminated'];

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
  const { Assumptions: assumptions } = world;
  const timeline: Snapshot[] = [takeSnapshot(world, Number.NEGATIVE_INFINITY)];
  const flowLog = createFlowLog(world, () => timeline.at(-1) as Snapshot);
  const hosts = new Map<string, Host>();
  const talks: Conversation[] = [];
  const agenda: Scheduled[] = [];
  let now = 0;
  let events = 0;
  let longestTimer = timerOf(timeline[0]);

  const inForce = (): number => timeline.findLastIndex((one) => one.effectiveAt <= now);
  const later = (at: number, run: () => void): void => {
    const place = agenda.findIndex((one) => one.at > at);
    agenda.splice(place < 0 ? agenda.length : place, 0, { at, run });
  };
  const bringTo = (at: number): void => {
    for (const talk of talks) advance(talk, at);
    now = Math.max(now, at);
  };
  const advanceTo = (to: number): void => {
    for (let next = agenda[0]; next !== undefined && next.at <= to; next = agenda[0]) {
      agenda.shift();
      bringTo(next.at);
      next.run();
    }
    bringTo(to);
  };

  const flows: HostedFlow[] = world.Flows.map((flow) => ({ flow, talk: establish(flow) }));
  for (const { talk } of flows) {
    talks.push(talk);
    judge(talk, 'security-group');
  }

  function establish(flow: WorldFlow): Conversation {
    const instanceId = timeline[0]?.enis.get(flow.NetworkInterfaceId)?.instanceId ?? null;
    return establishedConversation({
      around: surroundings(instanceId, flow.RemoteAddress),
      eniId: flow.NetworkInterfaceId,
      instanceId,
      tuple: {
        protocol: flow.Protocol,
        localAddress: flow.LocalAddress,
        localPort: flow.LocalPort,
        remoteAddress: flow.RemoteAddress,
        remotePort: flow.RemotePort,
        openedBy: flow.OpenedBy === 'instance' ? 'local' : 'remote',
      },
      tracker: createTruthTracker(),
      packetEverySeconds: flow.PacketEverySeconds,
      wakesAtSeconds: flow.WakesAtSeconds,
    });
  }

  function surroundings(instanceId: string | null, remoteAddress: string): Surroundings {
    return {
      assumptions,
      timeline,
      firewallDrops: () => instanceId !== null && hosts.get(instanceId)?.drops(remoteAddress) === true,
      record: ({ eniId, tuple, direction, accepted }, start, period, count) =>
        flowLog.record(eniId, tuple, direction, accepted, start, period, count),
      counted: () => {
        events += 1;
      },
    };
  }

  function hostOf(instanceId: string): Host {
    let host = hosts.get(instanceId);
    if (host === undefined) {
      host = createHost(world, instanceId, {
        now: () => now,
        later,
        flowsOf: (id) => flows.filter((one) => one.talk.instanceId === id),
        closeSocket: ({ talk }) => {
          closeLocalSocket(talk, now, true);
          afterSomething(talk);
        },
        pauseOwner: ({ talk }, isStopped) => {
          talk.isPaused = isStopped;
          skipMissedTicks(talk, now);
          afterSomething(talk);
        },
        reopen,
        firewallChanged: (id) => {
          for (const { talk } of flows) if (talk.instanceId === id) afterSomething(talk);
        },
        agentReachesService: (id) => agentReachesService(timeline[inForce()] as Snapshot, id),
      });
      hosts.set(instanceId, host);
    }
    return host;
  }

  function reopen(hosted: HostedFlow): void {
    const old = hosted.talk;
    old.current = false;
    hosted.talk = reopenedConversation(old, freePort(old.tuple.localPort), now, inForce());
    talks.push(hosted.talk);
    judge(hosted.talk, 'security-group');
  }

  function freePort(used: number | null): number | null {
    if (used === null) return null;
    const taken = new Set(talks.map((talk) => talk.tuple.localPort));
    let port = 32_768 + ((used + 1) % 28_000);
    while (taken.has(port)) port = 32_768 + ((port + 1) % 28_000);
    return port;
  }

  function stop(instanceId: string): void {
    hostOf(instanceId).powerOff();
    for (const { talk } of flows) {
      const peer = timeline[inForce()]?.enis.get(talk.path.peer?.eniId ?? '');
      if (talk.instanceId === instanceId) closeLocalSocket(talk, now, false);
      else if (peer?.instanceId === instanceId) closeRemoteSocket(talk);
      else continue;
      afterSomething(talk);
    }
  }

  for (const instance of world.Reservations.flatMap((one) => one.Instances)) {
    if (OFF_STATES.includes(instance.State?.Name ?? '')) stop(instance.InstanceId);
  }

  const truthNow = (): FlowTruth[] =>
    flows.map(({ flow, talk }) => ({
      name: flow.Name,
      localPorts: talks.filter((one) => one.tracker === talk.tracker).map((one) => one.tuple.localPort),
      lastPacketAt: toMicroseconds(talk.tracker.truth.lastPacketAt),
      stoppedBy: talk.tracker.truth.stoppedBy,
      revivedAt: toMicroseconds(talk.tracker.truth.revivedAt),
    }));

  return {
    advanceTo,
    networkChanged() {
      const snapshot = takeSnapshot(world, now + assumptions.PropagationSeconds);
      timeline.push(snapshot);
      longestTimer = Math.max(longestTimer, timerOf(snapshot));
    },
    instanceStopped: stop,
    sendCommand({ instanceId, documentName, parameters, deliverySeconds }) {
      let answer: CommandAnswer | null = null;
      let cancelled = false;
      const isDropped = () => cancelled;
      const command = { documentName, parameters, deliverUntil: now + deliverySeconds, isCancelled: isDropped };
      hostOf(instanceId).run(command, (given) => {
        answer = given;
      });
      return {
        answer(at) {
          advanceTo(at);
          return answer;
        },
        cancel(at) {
          advanceTo(at);
          cancelled = true;
        },
      };
    },
    flowLogRecords(networkInterfaceId, fromSeconds, toSeconds, at) {
      advanceTo(at);
      return flowLog.lines(networkInterfaceId, fromSeconds, toSeconds, at);
    },
    closeSockets(instanceId, remoteAddress, at) {
      advanceTo(at);
      hostOf(instanceId).closePeer(remoteAddress);
    },
    openFlows: (instanceId) =>
      flows
        .filter((one) => one.talk.instanceId === instanceId && one.talk.sockets.local.open)
        .map((one) => one.flow.Name),
    truth() {
      advanceTo(now + truthHorizon(longestTimer));
      return truthNow();
    },
    truthNow,
    processedEvents: () => events,
  };
}

/** Takes the noise of adding up fractions off a time. */
const toMicroseconds = (seconds: number | null): number | null =>
  seconds === null ? null : Math.round(seconds * 1e6) / 1e6;

function timerOf(snapshot: Snapshot | undefined): number {
  return Math.max(600, ...[...(snapshot?.enis.values() ?? [])].map((one) => one.timers.tcp));
}
