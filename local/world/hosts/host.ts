import type { HostVerdictLine } from '../../../functions/core/host/host-protocol.ts';
import { HOST_DEFAULTS } from '../parse/incident.ts';
import type { WorldFile, WorldHost } from '../parse-world.ts';
import { canonicalAddress } from '../physics/addresses.ts';
import type { HostedFlow } from './hosted-flow.ts';
import { type HostCommand, type Orders, readOrders } from './orders.ts';
import { firewallName, flowLine, printed, processLines } from './output.ts';

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
  /** Whether the agent hears of commands: over the connection that it has, or a new one. */
  agentIsInTouch(instanceId: string): boolean;
  /** Whether a new connection to the agent's service can be made. */
  agentCanDial(instanceId: string): boolean;
}

export interface CommandAnswer {
  readonly status: 'Success' | 'Failed';
  readonly responseCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Host {
  /** Whether its firewall drops packets from and to the address. */
  drops(address: string): boolean;
  /** Runs one of our documents; `answered` is called unless the answer finds no way out. */
  run(command: HostCommand, answered: (answer: CommandAnswer) => void): void;
  closePeer(remoteAddress: string): void;
  /** Closes the agent's own connection; an agent that can dial makes a new one. */
  closeAgentConnection(): void;
  powerOff(): void;
}

/** What a root attacker does, seconds after it happened to him. */
const RULE_LIVES = 20;
const REOPENS_AFTER = 30;
/** How often an agent that is out of touch, or does not answer, dials, and when one dials that lost its connection. */
const AGENT_DIALS_AFTER = 5;
/** When a host that was asked to closes its agent's connection, and again what the agent has opened since, in seconds, as in the script. */
const AGENT_CLOSED_AFTER = [3, 8, 18, 33, 63, 93];

/** What each cut has denied, and for which case. */
interface HostRule {
  readonly caseId: string;
  readonly denies: (address: string) => boolean;
}

/** One host as it is now. */
interface HostState {
  readonly id: string;
  readonly settings: WorldHost;
  readonly isWindows: boolean;
  readonly around: HostSurroundings;
  firewall: HostRule[];
  readonly paused: Set<HostedFlow>;
  poweredOff: boolean;
}

function hostSettings(world: WorldFile, instanceId: string): WorldHost {
  return world.Hosts.find((one) => one.InstanceId === instanceId) ?? { InstanceId: instanceId, ...HOST_DEFAULTS };
}

function isWindows(world: WorldFile, instanceId: string): boolean {
  const instance = world.Reservations.flatMap((one) => one.Instances).find((one) => one.InstanceId === instanceId);
  return instance?.Platform?.toLowerCase() === 'windows';
}

export function createHost(world: WorldFile, instanceId: string, around: HostSurroundings): Host {
  const host: HostState = {
    id: instanceId,
    settings: hostSettings(world, instanceId),
    isWindows: isWindows(world, instanceId),
    around,
    firewall: [],
    paused: new Set(),
    poweredOff: false,
  };
  return {
    drops: (address) => host.firewall.some((one) => one.denies(address)),
    run: (command, answered) => run(host, command, answered),
    closePeer: (remoteAddress) => closePeer(host, remoteAddress),
    closeAgentConnection: () => closeAgentConnection(host),
    powerOff() {
      host.poweredOff = true;
    },
  };
}

const openFlows = ({ id, around }: HostState): HostedFlow[] =>
  around.flowsOf(id).filter((one) => one.talk.sockets.local.open);

/** What a script can find at all: the agent's own connection it leaves alone. */
const withinReach = (host: HostState): HostedFlow[] =>
  openFlows(host).filter(({ flow }) => flow.OnHostLists && !flow.IsAgentConnection);

/** Established TCP and UDP sockets, ping and raw sockets; no connection that has no answer yet. */
const listed = (host: HostState): HostedFlow[] =>
  withinReach(host).filter(
    ({ flow, talk }) => talk.phase !== 'connecting' && !(host.settings.AgentLies === 'hides' && flow.Malicious),
  );

function close(host: HostState, hosted: HostedFlow): void {
  const { around, settings } = host;
  host.paused.delete(hosted);
  around.closeSocket(hosted);
  if (!settings.RootAttacker || !hosted.flow.Malicious) return;
  around.later(around.now() + REOPENS_AFTER, () => {
    if (!host.poweredOff && !hosted.talk.sockets.local.open) around.reopen(hosted);
  });
}

/** The owner of a socket that the kernel does not close; one that nobody owns stays as it is. */
function dealWithSurvivor(host: HostState, hosted: HostedFlow, survivors: Orders['survivors']): void {
  const { around, settings } = host;
  if (hosted.flow.Process === null || survivors === 'leave') return;
  if (survivors === 'kill') {
    close(host, hosted);
    return;
  }
  host.paused.add(hosted);
  around.pauseOwner(hosted, true);
  if (settings.RootAttacker && hosted.flow.Malicious) {
    around.later(around.now() + REOPENS_AFTER, () => letGoOn(host, hosted));
  }
}

function letGoOn(host: HostState, hosted: HostedFlow): void {
  if (host.paused.delete(hosted)) host.around.pauseOwner(hosted, false);
}

function deny(host: HostState, { caseId, addresses, isQuarantine }: Orders): void {
  if (addresses.size === 0 && !isQuarantine) return;
  const { around, settings, id } = host;
  const rule = { caseId, denies: (address: string) => isQuarantine || addresses.has(address) };
  host.firewall.push(rule);
  around.firewallChanged(id);
  if (settings.RootAttacker) around.later(around.now() + RULE_LIVES, () => allowAgain(host, (one) => one === rule));
}

function allowAgain(host: HostState, matches: (rule: HostRule) => boolean): void {
  host.firewall = host.firewall.filter((one) => !matches(one));
  host.around.firewallChanged(host.id);
}

/** What the script does to the flows; what it cannot list, it does not know of. */
function cut(host: HostState, orders: Orders, before: readonly HostedFlow[], kernelCloses: boolean): void {
  for (const hosted of withinReach(host)) {
    // A kill also takes the connection attempts that no list shows.
    const isUnlisted = hosted.talk.phase === 'connecting' && host.settings.AgentLies !== 'hides';
    if (!before.includes(hosted) && !isUnlisted) continue;
    if (kernelCloses) close(host, hosted);
    else dealWithSurvivor(host, hosted, orders.survivors);
  }
  deny(host, orders);
}

function undo(host: HostState, { caseId, pids }: Orders): void {
  allowAgain(host, (one) => one.caseId === caseId);
  for (const hosted of host.paused) if (pids.has(hosted.flow.Process?.Pid ?? -1)) letGoOn(host, hosted);
}

function perform(host: HostState, orders: Orders, onWindows: boolean): string {
  const { verb, caseId, addresses } = orders;
  const claims = host.settings.AgentLies === 'claims-success';
  const before = listed(host);
  // No document of ours closes the socket of another process on Windows: only its owner's end does.
  if (verb === 'cut' && !claims) cut(host, orders, before, host.settings.SocketKill && !onWindows);
  if (verb === 'undo') undo(host, orders);
  if (verb === 'close-agent' && !claims) closeAgentLater(host);
  const after = new Set(listed(host));
  const lines = before.map((hosted) => {
    const isSaidGone = verb !== 'list' && claims;
    const isGone = verb === 'cut' && !after.has(hosted);
    return flowLine(hosted, isSaidGone || isGone ? 'gone' : 'open', orders);
  });
  const isHeld =
    host.firewall.some((one) => one.caseId === caseId) || (claims && verb !== 'undo' && addresses.size > 0);
  const stopped = before.filter((hosted) => host.paused.has(hosted)).map(({ flow }) => flow.Process?.Pid ?? null);
  const isListing = verb !== 'undo' && verb !== 'close-agent';
  return printed(isListing ? lines : [], verb === 'cut' && !onWindows ? processLines(before, orders) : [], {
    verb,
    caseId,
    sources: onWindows ? ['powershell', 'netstat'] : ['ss', 'proc'],
    firewall: firewallName(isHeld, onWindows),
    ...(verb === 'cut' && !onWindows && { stopped: unique(stopped) }),
    ...(verb === 'cut' && isHeld && !onWindows && { probes: probesOf(host, addresses) }),
  });
}

/** The script dials after the deny: a peer that it denies, and the agent's endpoint. */
function probesOf({ around, id }: HostState, addresses: ReadonlySet<string>): NonNullable<HostVerdictLine['probes']> {
  return {
    peer: addresses.size > 0 ? 'unreachable' : 'skipped',
    agent: around.agentCanDial(id) ? 'reachable' : 'skipped',
  };
}

function run(host: HostState, command: HostCommand, answered: (answer: CommandAnswer) => void): void {
  const { around, settings, id } = host;
  const isDropped = (): boolean => host.poweredOff || command.isCancelled() || around.now() > command.deliverUntil;
  const fetch = (): void => {
    if (isDropped()) return;
    const isThere = settings.AgentAnswers && around.agentIsInTouch(id);
    if (isThere) around.later(around.now() + settings.AgentDelaySeconds, start);
    else around.later(around.now() + AGENT_DIALS_AFTER, fetch);
  };
  const start = (): void => {
    if (isDropped()) return;
    const onWindows = host.isWindows || /windows/i.test(command.documentName);
    const answer = runDocument(command, settings, onWindows, (orders) => perform(host, orders, onWindows));
    if (around.agentIsInTouch(id)) answered(answer);
  };
  fetch();
}

/** A hand on the host that means one address closes the agent's connection too, where it goes there. */
function closePeer(host: HostState, remoteAddress: string): void {
  const address = canonicalAddress(remoteAddress);
  for (const hosted of openFlows(host)) {
    if (hosted.talk.tuple.remoteAddress !== address || !hosted.flow.OnHostLists) continue;
    if (hosted.flow.IsAgentConnection) closeAgentConnection(host);
    // Without the kernel's help a hand on the host kills the owner; a socket that nobody owns stays.
    else if (host.settings.SocketKill || hosted.flow.Process !== null) close(host, hosted);
  }
}

function closeAgentConnection(host: HostState): void {
  const { around, id, settings } = host;
  for (const hosted of openFlows(host).filter(({ flow }) => flow.IsAgentConnection)) {
    around.closeSocket(hosted);
    const dial = (isAllowed: () => boolean) => (): void => {
      const isClosed = !hosted.talk.sockets.local.open;
      if (isClosed && !host.poweredOff && isAllowed()) around.reopen(hosted);
    };
    around.later(
      around.now() + AGENT_DIALS_AFTER,
      dial(() => around.agentCanDial(id)),
    );
    // Whoever has the host may dial in the agent's place, whether it is let through or not.
    if (settings.RootAttacker)
      around.later(
        around.now() + REOPENS_AFTER,
        dial(() => true),
      );
  }
}

/**
 * The verb: the command is answered first. Where the kernel cannot close a socket, the agent's service starts anew, which ends
 * its connections too.
 */
function closeAgentLater(host: HostState): void {
  const { around } = host;
  const from = around.now();
  for (const seconds of AGENT_CLOSED_AFTER) {
    around.later(from + seconds, () => {
      if (!host.poweredOff) closeAgentConnection(host);
    });
  }
}

function runDocument(
  { parameters }: HostCommand,
  settings: WorldHost,
  onWindows: boolean,
  performed: (orders: Orders) => string,
): CommandAnswer {
  const orders = readOrders(parameters, onWindows);
  if (orders === null) return { status: 'Failed', responseCode: 2, stdout: '', stderr: '' };
  const stdout = performed(orders);
  // The command runs; it is what it says that nobody can read.
  if (settings.AgentLies === 'garbage') return answerOf('\u0000\u0007 Segmentation fau{"v":1,"kind":"flo');
  return answerOf(stdout);
}

const unique = (pids: readonly (number | null)[]): number[] => [...new Set(pids.filter((pid) => pid !== null))];

const answerOf = (stdout: string): CommandAnswer => ({ status: 'Success', responseCode: 0, stdout, stderr: '' });
