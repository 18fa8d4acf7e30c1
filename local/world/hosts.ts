import type { HostEvidenceLine, HostFlowLine, HostVerdictLine } from '../../functions/core/host/host-protocol.ts';
import { HOST_OUTPUT_LIMIT, HOST_PROTOCOL_VERSION } from '../../functions/core/host/host-protocol.ts';
import { HOST_DEFAULTS } from './parse/incident.ts';
import type { WorldFile, WorldFlow, WorldHost } from './parse-world.ts';
import { canonicalAddress } from './physics/addresses.ts';
import type { Conversation } from './physics/conversation.ts';

/** One flow of the file and the conversation in which it goes on at present. */
export interface HostedFlow {
  readonly flow: WorldFlow;
  talk: Conversation;
}

/** What a host can do to the wire. */
export interface HostSurroundings {
  now(): number;
  /** Runs at a later second, in order of time. */
  later(at: number, run: () => void): void;
  /** The flows whose local socket the instance has, closed ones included. */
  flowsOf(instanceId: string): readonly HostedFlow[];
  /** Kills the local socket, now. */
  closeSocket(hosted: HostedFlow): void;
  /** Stops the process that holds the local socket (SIGSTOP), or lets it go on, now. */
  pauseOwner(hosted: HostedFlow, isStopped: boolean): void;
  /** Opens the flow anew from another local port, now. */
  reopen(hosted: HostedFlow): void;
  /** The host firewall of the instance has changed. */
  firewallChanged(instanceId: string): void;
  agentReachesService(instanceId: string): boolean;
}

export interface CommandAnswer {
  readonly status: 'Success' | 'Failed';
  readonly responseCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Host {
  readonly settings: WorldHost;
  /** Whether its firewall drops packets from and to the address. */
  drops(address: string): boolean;
  /** Runs one of our documents; `answered` is called unless the answer finds no way out. */
  run(command: HostCommand, answered: (answer: CommandAnswer) => void): void;
  closePeer(remoteAddress: string): void;
  powerOff(): void;
}

export interface HostCommand {
  readonly documentName: string;
  readonly parameters: Readonly<Record<string, readonly string[]>>;
  /** The second after which the agent does not get it any more. */
  readonly deliverUntil: number;
  readonly isCancelled: () => boolean;
}

/** How often an agent that does not reach its service, or does not answer, tries to, in seconds. */
const AGENT_DIALS_AFTER = 5;

/** What a root attacker does, seconds after it happened to him. */
const RULE_LIVES = 20;
const REOPENS_AFTER = 30;

const VERBS = ['list', 'cut', 'verify', 'undo'] as const;
type Verb = (typeof VERBS)[number];

/** What the document is told to do. */
interface Orders {
  readonly verb: Verb;
  readonly caseId: string;
  readonly addresses: ReadonlySet<string>;
  readonly pids: ReadonlySet<number>;
  readonly ports: ReadonlySet<number>;
  /** The owner of a socket that cannot be closed. */
  readonly survivors: 'leave' | 'stop' | 'kill';
  readonly isQuarantine: boolean;
}

export function hostSettings(world: WorldFile, instanceId: string): WorldHost {
  return world.Hosts.find((one) => one.InstanceId === instanceId) ?? { InstanceId: instanceId, ...HOST_DEFAULTS };
}

export function createHost(world: WorldFile, instanceId: string, around: HostSurroundings): Host {
  const settings = hostSettings(world, instanceId);
  const isWindowsInstance = world.Reservations.flatMap((one) => one.Instances).some(
    (one) => one.InstanceId === instanceId && one.Platform?.toLowerCase() === 'windows',
  );
  /** What each cut has denied, and for which case. */
  let firewall: { readonly caseId: string; readonly denies: (address: string) => boolean }[] = [];
  const paused = new Set<HostedFlow>();
  let poweredOff = false;

  const openFlows = (): HostedFlow[] => around.flowsOf(instanceId).filter((one) => one.talk.sockets.local.open);
  /** Established TCP and UDP sockets, ping and raw sockets; no connection that has no answer yet. */
  const listed = (): HostedFlow[] =>
    openFlows().filter(
      ({ flow, talk }) => talk.phase !== 'connecting' && !(settings.AgentLies === 'hides' && flow.Malicious),
    );

  function close(hosted: HostedFlow): void {
    paused.delete(hosted);
    around.closeSocket(hosted);
    if (!settings.RootAttacker || !hosted.flow.Malicious) return;
    around.later(around.now() + REOPENS_AFTER, () => {
      if (!poweredOff && !hosted.talk.sockets.local.open) around.reopen(hosted);
    });
  }

  /** The owner of a socket that the kernel does not close; one that nobody owns stays as it is. */
  function dealWithSurvivor(hosted: HostedFlow, survivors: Orders['survivors']): void {
    if (hosted.flow.Process === null || survivors === 'leave') return;
    if (survivors === 'kill') {
      close(hosted);
      return;
    }
    paused.add(hosted);
    around.pauseOwner(hosted, true);
    if (settings.RootAttacker && hosted.flow.Malicious) {
      around.later(around.now() + REOPENS_AFTER, () => letGoOn(hosted));
    }
  }

  function letGoOn(hosted: HostedFlow): void {
    if (paused.delete(hosted)) around.pauseOwner(hosted, false);
  }

  function deny({ caseId, addresses, isQuarantine }: Orders): void {
    if (addresses.size === 0 && !isQuarantine) return;
    const rule = { caseId, denies: (address: string) => isQuarantine || addresses.has(address) };
    firewall.push(rule);
    around.firewallChanged(instanceId);
    if (settings.RootAttacker) around.later(around.now() + RULE_LIVES, () => allowAgain((one) => one === rule));
  }

  function allowAgain(matches: (rule: (typeof firewall)[number]) => boolean): void {
    firewall = firewall.filter((one) => !matches(one));
    around.firewallChanged(instanceId);
  }

  /** What the script does to the flows; what it cannot list, it does not know of. */
  function cut(orders: Orders, before: readonly HostedFlow[], kernelCloses: boolean): void {
    for (const hosted of openFlows()) {
      // A kill also takes the connection attempts that no list shows.
      const isUnlisted = hosted.talk.phase === 'connecting' && settings.AgentLies !== 'hides';
      if (!before.includes(hosted) && !isUnlisted) continue;
      if (kernelCloses) close(hosted);
      else dealWithSurvivor(hosted, orders.survivors);
    }
    deny(orders);
  }

  function undo({ caseId, pids }: Orders): void {
    allowAgain((one) => one.caseId === caseId);
    for (const hosted of paused) if (pids.has(hosted.flow.Process?.Pid ?? -1)) letGoOn(hosted);
  }

  function perform(orders: Orders, isWindows: boolean): string {
    const { verb, caseId, addresses } = orders;
    const claims = settings.AgentLies === 'claims-success';
    const before = listed();
    // No document of ours closes the socket of another process on Windows: only its owner's end does.
    if (verb === 'cut' && !claims) cut(orders, before, settings.SocketKill && !isWindows);
    if (verb === 'undo') undo(orders);
    const after = new Set(listed());
    const lines = before.map((hosted) => {
      const isSaidGone = verb !== 'list' && claims;
      const isGone = verb === 'cut' && !after.has(hosted);
      return flowLine(hosted, isSaidGone || isGone ? 'gone' : 'open', orders);
    });
    const isHeld = firewall.some((one) => one.caseId === caseId) || (claims && verb !== 'undo' && addresses.size > 0);
    const stopped = before.filter((hosted) => paused.has(hosted)).map(({ flow }) => flow.Process?.Pid ?? null);
    return printed(verb === 'undo' ? [] : lines, verb === 'cut' && !isWindows ? processLines(before, orders) : [], {
      verb,
      caseId,
      sources: isWindows ? ['powershell', 'netstat'] : ['ss', 'proc'],
      firewall: firewallName(isHeld, isWindows),
      ...(verb === 'cut' && !isWindows && { stopped: unique(stopped) }),
      ...(verb === 'cut' && isHeld && !isWindows && { probes: probesOf(addresses) }),
    });
  }

  /** The script dials after the deny: a peer that it denies, and the agent's endpoint. */
  function probesOf(addresses: ReadonlySet<string>): NonNullable<HostVerdictLine['probes']> {
    return {
      peer: addresses.size > 0 ? 'unreachable' : 'skipped',
      agent: around.agentReachesService(instanceId) ? 'reachable' : 'skipped',
    };
  }

  return {
    settings,
    drops: (address) => firewall.some((one) => one.denies(address)),
    run(command, answered) {
      const isDropped = (): boolean => poweredOff || command.isCancelled() || around.now() > command.deliverUntil;
      const fetch = (): void => {
        if (isDropped()) return;
        const isThere = settings.AgentAnswers && around.agentReachesService(instanceId);
        if (isThere) around.later(around.now() + settings.AgentDelaySeconds, start);
        else around.later(around.now() + AGENT_DIALS_AFTER, fetch);
      };
      const start = (): void => {
        if (isDropped()) return;
        const isWindows = isWindowsInstance || /windows/i.test(command.documentName);
        const answer = runDocument(command, settings, isWindows, (orders) => perform(orders, isWindows));
        if (around.agentReachesService(instanceId)) answered(answer);
      };
      fetch();
    },
    closePeer(remoteAddress) {
      const address = canonicalAddress(remoteAddress);
      for (const hosted of openFlows()) {
        // Without the kernel's help a hand on the host kills the owner; a socket that nobody owns stays.
        const canClose = settings.SocketKill || hosted.flow.Process !== null;
        if (hosted.talk.tuple.remoteAddress === address && canClose) close(hosted);
      }
    },
    powerOff() {
      poweredOff = true;
    },
  };
}

function runDocument(
  { parameters }: HostCommand,
  settings: WorldHost,
  isWindows: boolean,
  perform: (orders: Orders) => string,
): CommandAnswer {
  const orders = readOrders(parameters, isWindows);
  if (orders === null) return { status: 'Failed', responseCode: 2, stdout: '', stderr: '' };
  const stdout = perform(orders);
  // The command runs; it is what it says that nobody can read.
  if (settings.AgentLies === 'garbage') return answerOf('\u0000\u0007 Segmentation fau{"v":1,"kind":"flo');
  return answerOf(stdout);
}

/** Reads the parameters as the documents do, with the defaults of the documents; null = one of them is wrong. */
function readOrders(parameters: HostCommand['parameters'], isWindows: boolean): Orders | null {
  const text = (name: string): string => (parameters[name] ?? []).join(',');
  const items = (name: string): string[] =>
    text(name)
      .split(',')
      .filter((one) => one !== '' && one !== 'none');
  const verb = VERBS.find((one) => one === text('Verb'));
  const caseId = text('CaseId');
  const addresses = items('RemoteAddresses').map(canonicalAddress);
  const survivors = text('Survivors') || (isWindows ? 'leave' : 'stop');
  if (verb === undefined || !/^[a-z0-9-]{1,64}$/.test(caseId) || addresses.includes(null)) return null;
  if (survivors !== 'leave' && survivors !== 'stop' && survivors !== 'kill') return null;
  return {
    verb,
    caseId,
    addresses: new Set(addresses.filter((one) => one !== null)),
    pids: new Set(items('Pids').map(Number)),
    ports: new Set(items('Ports').map(Number)),
    survivors,
    isQuarantine: text('Mode') === 'quarantine',
  };
}

const unique = (pids: readonly (number | null)[]): number[] => [...new Set(pids.filter((pid) => pid !== null))];

const answerOf = (stdout: string): CommandAnswer => ({ status: 'Success', responseCode: 0, stdout, stderr: '' });

function firewallName(isHeld: boolean, isWindows: boolean): HostVerdictLine['firewall'] {
  if (!isHeld) return 'none';
  return isWindows ? 'windows' : 'nftables';
}

function flowLine({ flow, talk }: HostedFlow, after: 'gone' | 'open', orders: Orders): HostFlowLine {
  const { tuple } = talk;
  return {
    v: HOST_PROTOCOL_VERSION,
    kind: 'flow',
    protocol: socketKind(tuple.protocol),
    localAddress: tuple.localAddress,
    localPort: tuple.localPort,
    remoteAddress: tuple.remoteAddress,
    remotePort: tuple.remotePort,
    openedBy: tuple.openedBy === 'local' ? 'instance' : 'remote',
    pid: flow.Process?.Pid ?? null,
    process: nameOf(flow),
    namespace: null,
    after,
    asked: askedBy({ flow, talk }, orders),
  };
}

const nameOf = (flow: WorldFlow): string | null => flow.Process?.Name?.slice(0, 256) ?? null;

function askedBy({ flow, talk }: HostedFlow, { addresses, pids, ports }: Orders): 'peer' | 'pid' | 'port' | null {
  const { remoteAddress, remotePort, localPort } = talk.tuple;
  if (addresses.has(remoteAddress)) return 'peer';
  if (pids.has(flow.Process?.Pid ?? -1)) return 'pid';
  return ports.has(remotePort ?? -1) || ports.has(localPort ?? -1) ? 'port' : null;
}

/** The owners of the flows, as far as a world file knows processes. */
function processLines(flows: readonly HostedFlow[], { pids }: Orders): HostEvidenceLine[] {
  const byPid = new Map(flows.map(({ flow }) => [flow.Process?.Pid ?? null, nameOf(flow)] as const));
  return [...byPid].flatMap(([pid, process]) => (pid === null ? [] : [processLine(pid, process, pids.has(pid))]));
}

function processLine(pid: number, process: string | null, isNamed: boolean): HostEvidenceLine {
  return {
    v: HOST_PROTOCOL_VERSION,
    kind: 'evidence',
    pid,
    parentPid: null,
    userId: null,
    role: isNamed ? 'named' : 'owner',
    process,
    executable: null,
    sha256: null,
    commandLine: null,
    directory: null,
    descriptors: null,
    openFiles: [],
  };
}

function socketKind(protocol: string): HostFlowLine['protocol'] {
  if (protocol === 'tcp' || protocol === 'udp') return protocol;
  return protocol.startsWith('icmp') ? 'icmp' : 'raw';
}

/** What is kept free for processes where the flows alone are too many, in characters, as in the script. */
const PROCESS_ROOM = 3000;

/** One line per flow, those still open first, then the processes, as many as the output may hold; the verdict last. */
function printed(
  flows: readonly HostFlowLine[],
  processes: readonly HostEvidenceLine[],
  head: Pick<HostVerdictLine, 'verb' | 'caseId' | 'sources' | 'firewall' | 'stopped' | 'probes'>,
): string {
  const all = [...flows].sort((a, b) => rank(a) - rank(b));
  const room = HOST_OUTPUT_LIMIT - 1000;
  const wanted = processes.map((line) => JSON.stringify(line));
  const spare = Math.min(
    PROCESS_ROOM,
    wanted.reduce((sum, text) => sum + text.length + 1, 0),
  );
  const texts = fitting(
    all.map((line) => JSON.stringify(line)),
    room - spare,
  );
  const used = texts.reduce((sum, text) => sum + text.length + 1, 0);
  const described = fitting(wanted, room - used);
  const count = (after: HostFlowLine['after']): number =>
    head.verb === 'list' ? 0 : all.filter((one) => one.after === after).length;
  const verdict: HostVerdictLine = {
    v: HOST_PROTOCOL_VERSION,
    kind: 'verdict',
    ...head,
    listed: all.length,
    omitted: all.length - texts.length,
    closed: count('gone'),
    survived: count('open'),
    errors: [],
    processes: described.length,
    processesOmitted: wanted.length - described.length,
  };
  return `${[...texts, ...described, JSON.stringify(verdict)].join('\n')}\n`;
}

/** As many lines as the room holds, in characters. */
function fitting(lines: readonly string[], room: number): string[] {
  let left = room;
  return lines.filter((line) => {
    left -= line.length + 1;
    return left >= 0;
  });
}

const rank = (line: HostFlowLine): number => (line.after === 'open' ? 0 : 1);
