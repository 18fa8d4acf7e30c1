import type { HostFlowLine, HostVerdictLine } from '../../functions/core/host-protocol.ts';
import { HOST_OUTPUT_LIMIT, HOST_PROTOCOL_VERSION } from '../../functions/core/host-protocol.ts';
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
  readonly isCancelled: () => boolean;
}

/** What a root attacker does, seconds after it happened to him. */
const RULE_LIVES = 20;
const REOPENS_AFTER = 30;

const VERBS = ['list', 'cut', 'verify', 'undo'] as const;
type Verb = (typeof VERBS)[number];

export function hostSettings(world: WorldFile, instanceId: string): WorldHost {
  return world.Hosts.find((one) => one.InstanceId === instanceId) ?? { InstanceId: instanceId, ...HOST_DEFAULTS };
}

export function createHost(world: WorldFile, instanceId: string, around: HostSurroundings): Host {
  const settings = hostSettings(world, instanceId);
  const isWindowsInstance = world.Reservations.flatMap((one) => one.Instances).some(
    (one) => one.InstanceId === instanceId && one.Platform?.toLowerCase() === 'windows',
  );
  /** What each cut has denied, and for which case. */
  let firewall: { readonly caseId: string; readonly addresses: ReadonlySet<string> }[] = [];
  let poweredOff = false;

  const openFlows = (): HostedFlow[] => around.flowsOf(instanceId).filter((one) => one.talk.sockets.local.open);
  /** Established TCP and UDP sockets, ping and raw sockets; no connection that has no answer yet. */
  const listed = (): HostedFlow[] =>
    openFlows().filter(
      ({ flow, talk }) => talk.phase !== 'connecting' && !(settings.AgentLies === 'hides' && flow.Malicious),
    );

  function close(hosted: HostedFlow): void {
    // Without the kernel's help the owner is killed; a socket that nobody owns stays.
    if (!settings.SocketKill && hosted.flow.Process === null) return;
    around.closeSocket(hosted);
    if (!settings.RootAttacker || !hosted.flow.Malicious) return;
    around.later(around.now() + REOPENS_AFTER, () => {
      if (!poweredOff && !hosted.talk.sockets.local.open) around.reopen(hosted);
    });
  }

  function deny(caseId: string, addresses: ReadonlySet<string>): void {
    if (addresses.size === 0) return;
    const rule = { caseId, addresses };
    firewall.push(rule);
    around.firewallChanged(instanceId);
    if (settings.RootAttacker) around.later(around.now() + RULE_LIVES, () => allowAgain((one) => one === rule));
  }

  function allowAgain(matches: (rule: (typeof firewall)[number]) => boolean): void {
    firewall = firewall.filter((one) => !matches(one));
    around.firewallChanged(instanceId);
  }

  function perform(verb: Verb, caseId: string, addresses: ReadonlySet<string>, isWindows: boolean): string {
    const claims = settings.AgentLies === 'claims-success';
    const before = listed();
    if (verb === 'cut' && !claims) {
      // A kill also takes the connection attempts that no list shows.
      for (const hosted of openFlows()) {
        const isUnlisted = hosted.talk.phase === 'connecting' && settings.AgentLies !== 'hides';
        if (before.includes(hosted) || isUnlisted) close(hosted);
      }
      deny(caseId, addresses);
    }
    if (verb === 'undo') allowAgain((one) => one.caseId === caseId);
    const after = new Set(listed());
    const lines = before.map((hosted) => {
      const isSaidGone = verb !== 'list' && claims;
      const isGone = verb === 'cut' && !after.has(hosted);
      return flowLine(hosted, isSaidGone || isGone ? 'gone' : 'open', verb === 'undo');
    });
    const isHeld = firewall.some((one) => one.caseId === caseId) || (claims && verb !== 'undo' && addresses.size > 0);
    return printed(lines, {
      verb,
      caseId,
      sources: isWindows ? ['powershell', 'netstat'] : ['ss', 'proc'],
      firewall: firewallName(isHeld, isWindows),
    });
  }

  return {
    settings,
    drops: (address) => firewall.some((one) => one.addresses.has(address)),
    run(command, answered) {
      if (!settings.AgentAnswers || poweredOff || !around.agentReachesService(instanceId)) return;
      around.later(around.now() + settings.AgentDelaySeconds, () => {
        if (poweredOff || command.isCancelled()) return;
        const answer = runDocument(command, settings, (verb, caseId, addresses) =>
          perform(verb, caseId, addresses, isWindowsInstance || /windows/i.test(command.documentName)),
        );
        if (around.agentReachesService(instanceId)) answered(answer);
      });
    },
    closePeer(remoteAddress) {
      const address = canonicalAddress(remoteAddress);
      for (const hosted of openFlows()) if (hosted.talk.tuple.remoteAddress === address) close(hosted);
    },
    powerOff() {
      poweredOff = true;
    },
  };
}

function runDocument(
  { parameters }: HostCommand,
  settings: WorldHost,
  perform: (verb: Verb, caseId: string, addresses: ReadonlySet<string>) => string,
): CommandAnswer {
  const verb = VERBS.find((one) => one === parameters['Verb']?.[0]);
  const caseId = parameters['CaseId']?.[0] ?? '';
  const texts = (parameters['RemoteAddresses'] ?? []).join(',').split(',');
  const addresses = texts.filter((one) => one !== '' && one !== 'none').map(canonicalAddress);
  if (verb === undefined || !/^[a-z0-9-]{1,64}$/.test(caseId) || addresses.includes(null)) {
    return { status: 'Failed', responseCode: 2, stdout: '', stderr: '' };
  }
  const stdout = perform(verb, caseId, new Set(addresses.filter((one) => one !== null)));
  // The command runs; it is what it says that nobody can read.
  if (settings.AgentLies === 'garbage') return answerOf('\u0000\u0007 Segmentation fau{"v":1,"kind":"flo');
  return answerOf(stdout);
}

const answerOf = (stdout: string): CommandAnswer => ({ status: 'Success', responseCode: 0, stdout, stderr: '' });

function firewallName(isHeld: boolean, isWindows: boolean): HostVerdictLine['firewall'] {
  if (!isHeld) return 'none';
  return isWindows ? 'windows' : 'nftables';
}

function flowLine({ flow, talk }: HostedFlow, after: 'gone' | 'open', isUndo: boolean): HostFlowLine | null {
  if (isUndo) return null;
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
    process: flow.Process?.Name?.slice(0, 256) ?? null,
    namespace: null,
    after,
  };
}

function socketKind(protocol: string): HostFlowLine['protocol'] {
  if (protocol === 'tcp' || protocol === 'udp') return protocol;
  return protocol.startsWith('icmp') ? 'icmp' : 'raw';
}

/** One line per flow, those still open first, as many as the output may hold; the verdict last. */
function printed(
  lines: readonly (HostFlowLine | null)[],
  head: Pick<HostVerdictLine, 'verb' | 'caseId' | 'sources' | 'firewall'>,
): string {
  const all = lines.filter((one) => one !== null).sort((a, b) => rank(a) - rank(b));
  const texts: string[] = [];
  let room = HOST_OUTPUT_LIMIT - 1000;
  for (const line of all) {
    const text = JSON.stringify(line);
    room -= text.length + 1;
    if (room < 0) break;
    texts.push(text);
  }
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
  };
  return `${[...texts, JSON.stringify(verdict)].join('\n')}\n`;
}

const rank = (line: HostFlowLine): number => (line.after === 'open' ? 0 : 1);
