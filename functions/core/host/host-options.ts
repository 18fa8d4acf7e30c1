/** How far the host cut goes. The deployment chooses; a person's request may choose otherwise for its own case. */
export interface HostOptions {
  /** `peers`: deny the addresses in the host firewall. `quarantine`: deny everything but the agent (Linux with nftables). */
  readonly mode: 'peers' | 'quarantine';
  /** What becomes of the owner of a socket that cannot be closed. Windows cannot stop a process: `stop` is `leave` there. */
  readonly survivors: 'leave' | 'stop' | 'kill';
  /** `stop`: also end the remote sessions (SSH, Session Manager, RDP) and every process below them. */
  readonly sessions: 'keep' | 'stop';
  /** Whether Session Manager's sessions count as the agent's own flows (`keep`) or are closed like any other. Linux only. */
  readonly agentSessions: 'keep' | 'close';
}

/** The values of each option, the default first: what the documents and the environment do when nobody chooses. */
export const HOST_OPTIONS = {
  mode: ['peers', 'quarantine'],
  survivors: ['stop', 'leave', 'kill'],
  sessions: ['keep', 'stop'],
  agentSessions: ['keep', 'close'],
} as const satisfies { readonly [K in keyof HostOptions]: readonly HostOptions[K][] };

export const DEFAULT_HOST_OPTIONS: HostOptions = {
  mode: HOST_OPTIONS.mode[0],
  survivors: HOST_OPTIONS.survivors[0],
  sessions: HOST_OPTIONS.sessions[0],
  agentSessions: HOST_OPTIONS.agentSessions[0],
};

/** What the responder asks of a host; `close-agent`: close the agent's own connections, after it has answered. */
export type HostVerb = 'cut' | 'undo' | 'close-agent';

/** What the host is asked to do; addresses canonical and single, at most 64 of each list, as the documents take them. */
export interface HostOrder {
  readonly platform: 'linux' | 'windows';
  readonly verb: HostVerb;
  readonly caseId: string;
  readonly addresses: readonly string[];
  /** For `cut`: processes whose flows are asked for. For `undo`: processes to let go on. */
  readonly pids: readonly number[];
  /** Local or remote ports whose flows are asked for. */
  readonly ports: readonly number[];
  readonly options: HostOptions;
}

/** An empty parameter would be refused. */
const listOrNone = (items: readonly (string | number)[]): string => (items.length === 0 ? 'none' : items.join(','));

/** The parameters of our document for that platform, each one text (documents/, docs/host-cut.md). */
export function hostParameters(order: HostOrder): Readonly<Record<string, string>> {
  const { platform, verb, caseId, addresses, pids, ports, options } = order;
  const common = { Verb: verb, CaseId: caseId, RemoteAddresses: listOrNone(addresses), Pids: listOrNone(pids) };
  if (verb !== 'cut') return common;
  if (platform === 'windows') {
    const { survivors, sessions } = options;
    return { ...common, Survivors: survivors === 'kill' ? 'kill' : 'leave', Sessions: sessions };
  }
  return {
    ...common,
    Ports: listOrNone(ports),
    Mode: options.mode,
    Survivors: options.survivors,
    Sessions: options.sessions,
    AgentSessions: options.agentSessions,
  };
}
