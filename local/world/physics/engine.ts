import { createHost, type Host } from '../hosts/host.ts';
import type { HostedFlow } from '../hosts/hosted-flow.ts';
import { HOST_DEFAULTS } from '../parse/incident.ts';
import type { WorldFile, WorldFlow } from '../parse-world.ts';
import { advance, afterSomething } from './advance.ts';
import { canDialService, hasLiveConnection } from './agent-path.ts';
import { type Conversation, establishedConversation, reopenedConversation, type Surroundings } from './conversation.ts';
import { closeLocalSocket, closeRemoteSocket, judge, skipMissedTicks } from './exchange.ts';
import { createFlowLog, type FlowLogRecorder } from './flow-log.ts';
import { tupleOf } from './judge.ts';
import { createSchedule, type Schedule } from './schedule.ts';
import { type Snapshot, takeSnapshot } from './snapshot.ts';
import { createTruthTracker } from './truth-tracker.ts';

/** Everything that moves in one world. */
export interface Engine {
  readonly world: WorldFile;
  /** Snapshots of the network, ascending by the second from which packets see them. */
  readonly timeline: Snapshot[];
  readonly flowLog: FlowLogRecorder;
  readonly hosts: Map<string, Host>;
  readonly schedule: Schedule;
  /** The flows of the file, each with the conversation in which it goes on at present. */
  readonly flows: HostedFlow[];
  /** All conversations there ever were. */
  readonly talks: Conversation[];
  /** Steps that were simulated. */
  steps: number;
  longestTimer: number;
}

const OFF_STATES = ['stopped', 'stopping', 'shutting-down', 'terminated'];

export function createEngine(world: WorldFile): Engine {
  const first = takeSnapshot(world, Number.NEGATIVE_INFINITY);
  const timeline = [first];
  const talks: Conversation[] = [];
  const engine: Engine = {
    world,
    timeline,
    flowLog: createFlowLog(world, () => timeline.at(-1) as Snapshot),
    hosts: new Map(),
    schedule: createSchedule((at) => {
      for (const talk of talks) advance(talk, at);
    }),
    flows: [],
    talks,
    steps: 0,
    longestTimer: Math.max(timerOf(first), ...world.Flows.map((flow) => flow.EntryTimeoutSeconds ?? 0)),
  };
  for (const flow of world.Flows) engine.flows.push({ flow, talk: establish(engine, flow) });
  for (const { talk } of engine.flows) {
    talks.push(talk);
    judge(talk, 'security-group');
  }
  for (const instance of world.Reservations.flatMap((one) => one.Instances)) {
    if (OFF_STATES.includes(instance.State?.Name ?? '')) powerOff(engine, instance.InstanceId);
  }
  return engine;
}

export const timerOf = (snapshot: Snapshot): number =>
  Math.max(600, ...[...snapshot.enis.values()].map((one) => one.timers.tcp));

/** The network as packets see it now. */
const inForce = ({ timeline, schedule }: Engine): number =>
  timeline.findLastIndex((one) => one.effectiveAt <= schedule.now());

const presentNetwork = (engine: Engine): Snapshot => engine.timeline[inForce(engine)] as Snapshot;

function establish(engine: Engine, flow: WorldFlow): Conversation {
  const [first] = engine.timeline;
  const eniId = flow.NetworkInterfaceId;
  const instanceId = first?.enis.get(eniId)?.instanceId ?? first?.secondaryInterfaces.get(eniId) ?? null;
  return establishedConversation({
    around: surroundings(engine, flow, instanceId),
    eniId,
    instanceId,
    tuple: tupleOf(flow),
    tracker: createTruthTracker(),
    packetEverySeconds: flow.PacketEverySeconds,
    wakesAtSeconds: flow.WakesAtSeconds,
    entryTimeoutSeconds: flow.EntryTimeoutSeconds,
  });
}

function surroundings(engine: Engine, flow: WorldFlow, instanceId: string | null): Surroundings {
  // The script leaves the agent's own traffic alone, and what no list shows passes no filter of the host either.
  const isFiltered = instanceId !== null && flow.OnHostLists && !flow.IsAgentConnection;
  return {
    assumptions: engine.world.Assumptions,
    timeline: engine.timeline,
    firewallDrops: () => isFiltered && engine.hosts.get(instanceId)?.drops(flow.RemoteAddress) === true,
    record: (packet, start, period, count) => engine.flowLog.record(packet, { start, period, count }),
    counted: () => {
      engine.steps += 1;
    },
  };
}

export function hostOf(engine: Engine, instanceId: string): Host {
  const there = engine.hosts.get(instanceId);
  if (there !== undefined) return there;
  const { schedule } = engine;
  const host = createHost(engine.world, instanceId, {
    now: () => schedule.now(),
    later: (at, run) => schedule.later(at, run),
    flowsOf: (id) => engine.flows.filter((one) => one.talk.instanceId === id),
    closeSocket: ({ talk }) => {
      closeLocalSocket(talk, schedule.now(), true);
      afterSomething(talk);
    },
    pauseOwner: ({ talk }, isStopped) => {
      talk.isPaused = isStopped;
      skipMissedTicks(talk, schedule.now());
      afterSomething(talk);
    },
    reopen: (hosted) => reopen(engine, hosted),
    firewallChanged: (id) => {
      for (const { talk } of engine.flows) if (talk.instanceId === id) afterSomething(talk);
    },
    agentIsInTouch: (id) => agentHasConnection(engine, id) || agentCanDial(engine, id),
    agentCanDial: (id) => agentCanDial(engine, id),
  });
  engine.hosts.set(instanceId, host);
  return host;
}

const agentHasConnection = ({ flows }: Engine, instanceId: string): boolean =>
  flows.some(({ flow, talk }) => flow.IsAgentConnection && talk.instanceId === instanceId && hasLiveConnection(talk));

function agentCanDial(engine: Engine, instanceId: string): boolean {
  const host = engine.world.Hosts.find((one) => one.InstanceId === instanceId);
  return canDialService(presentNetwork(engine), instanceId, host?.AgentEndpoint ?? HOST_DEFAULTS.AgentEndpoint);
}

function reopen(engine: Engine, hosted: HostedFlow): void {
  const old = hosted.talk;
  old.current = false;
  const port = freePort(engine, old.tuple.localPort);
  hosted.talk = reopenedConversation(old, port, engine.schedule.now(), inForce(engine));
  engine.talks.push(hosted.talk);
  judge(hosted.talk, 'security-group');
}

function freePort({ talks }: Engine, used: number | null): number | null {
  if (used === null) return null;
  const taken = new Set(talks.map((talk) => talk.tuple.localPort));
  let port = 32_768 + ((used + 1) % 28_000);
  while (taken.has(port)) port = 32_768 + ((port + 1) % 28_000);
  return port;
}

/** The sockets of an instance are gone, without a FIN. */
export function powerOff(engine: Engine, instanceId: string): void {
  hostOf(engine, instanceId).powerOff();
  const network = presentNetwork(engine);
  for (const { talk } of engine.flows) {
    const peer = network.enis.get(talk.path.peer?.eniId ?? '');
    if (talk.instanceId === instanceId) closeLocalSocket(talk, engine.schedule.now(), false);
    else if (peer?.instanceId === instanceId) closeRemoteSocket(talk);
    else continue;
    afterSomething(talk);
  }
}
