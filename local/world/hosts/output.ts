import type { HostEvidenceLine, HostFlowLine, HostVerdictLine } from '../../../functions/core/host/host-protocol.ts';
import { HOST_OUTPUT_LIMIT, HOST_PROTOCOL_VERSION } from '../../../functions/core/host/host-protocol.ts';
import type { WorldFlow } from '../parse/incident.ts';
import type { HostedFlow } from './hosted-flow.ts';
import type { Orders } from './orders.ts';

export function firewallName(isHeld: boolean, isWindows: boolean): HostVerdictLine['firewall'] {
  if (!isHeld) return 'none';
  return isWindows ? 'windows' : 'nftables';
}

export function flowLine({ flow, talk }: HostedFlow, after: 'gone' | 'open', orders: Orders): HostFlowLine {
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
export function processLines(flows: readonly HostedFlow[], { pids }: Orders): HostEvidenceLine[] {
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
export function printed(
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
