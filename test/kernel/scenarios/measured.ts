/**
 * How long a flow lives on once our script starts: seconds from its start to the last packet at the attacker. One lab stands for
 * all runs of a scenario, each run has fresh processes, and the shells take turns.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ATTACKER, type CutResult, type Lab, now, type ScriptOptions } from '../lab.ts';
import {
  AGENT,
  BEACON,
  BOTH_ADDRESSES,
  everyKind,
  KINDS,
  LOGIN,
  type Measurement,
  measured,
  POD,
  SHELL,
  SHELLS,
} from '../scenario.ts';

const RUNS = Number(process.env['LAB_RUNS'] ?? 20);

const shellOf = (turn: number): readonly string[] => SHELLS[turn % SHELLS.length] ?? ['sh'];

measured('every kind of flow at once', async (lab) => {
  const seconds = new Map<number, number[]>(KINDS.map(([port]) => [port, []]));
  lab.startAgent();
  for (let turn = 0; turn < RUNS; turn += 1) {
    const from = now();
    const resetsFrom = lab.mark();
    await everyKind(lab);
    const { flows, verdict, startedAt } = lab.script('cut', { shell: shellOf(turn), remote: BOTH_ADDRESSES });
    const cutAt = now();
    assert.deepEqual([verdict.survived, verdict.errors], [0, []]);
    for (const [port, what] of KINDS) {
      const flow = flows.find(({ remotePort, localPort }) => (port === LOGIN ? localPort : remotePort) === port);
      assert.equal(flow?.after, 'gone', what);
      assert.equal(flow?.openedBy, port === LOGIN ? 'remote' : 'instance', what);
      assert.equal(flow?.namespace, port === POD ? 'netns:pod' : null, what);
    }
    assert.equal(
      flows.find(({ remotePort }) => remotePort === AGENT),
      undefined,
    );
    for (const [port, what] of KINDS) {
      if (port === BEACON) continue;
      await lab.until(`the attacker sees the reset of the ${what}`, () =>
        lab.events.slice(resetsFrom).some((event) => event.kind === 'reset' && event.port === port),
      );
    }
    await lab.until('every entry leaves ESTABLISHED', () => lab.trackedEstablished().length === 0, 15);
    await sleep(200);
    await lab.alive(AGENT);
    for (const [port, what] of KINDS) {
      const last = lab.lastPacket(port);
      assert.ok(last >= from && last <= cutAt, `the last packet of the ${what}`);
      seconds.get(port)?.push(last - startedAt);
    }
    lab.endProcesses();
    lab.script('undo');
  }
  return KINDS.map(([port, what]) => ({ what, seconds: seconds.get(port) ?? [] }));
});

interface Measured {
  /** What is measured, in the table. */
  readonly what: string;
  /** Makes the host what it is, once; the agent is started after it. */
  readonly prepare?: (lab: Lab) => void | Promise<void>;
  /** Starts what is to be cut, fresh for each run. */
  readonly begin?: (lab: Lab) => void | Promise<void>;
  readonly options?: ScriptOptions;
  /** The first answers, where more than one script runs. */
  readonly cut?: (lab: Lab, options: ScriptOptions) => Promise<CutResult>;
  readonly check: (result: CutResult) => void;
  readonly port?: number;
  readonly isAlive?: (lab: Lab) => Promise<void>;
  readonly lastPacket?: (lab: Lab) => number;
  readonly runs?: number;
}

/** One after the other: what was prepared stays, processes and rules go. */
function measure({
  what,
  prepare,
  begin = (lab) => void lab.start('reverse_shell', ATTACKER, SHELL),
  options = {},
  cut = (lab, given) => Promise.resolve(lab.script('cut', given)),
  check,
  port = SHELL,
  isAlive = (lab) => lab.alive(port),
  lastPacket = (lab) => lab.lastPacket(port),
  runs = RUNS,
}: Measured): void {
  measured(what, async (lab): Promise<readonly Measurement[]> => {
    const seconds: number[] = [];
    await prepare?.(lab);
    lab.startAgent();
    await lab.alive(AGENT);
    for (let turn = 0; turn < runs; turn += 1) {
      const from = now();
      await begin(lab);
      await isAlive(lab);
      const result = await cut(lab, { shell: shellOf(turn), ...options });
      const cutAt = now();
      check(result);
      await sleep(300);
      const last = lastPacket(lab);
      assert.ok(last >= from, 'no packet was seen');
      assert.ok(last <= cutAt, `a packet ${(last - cutAt).toFixed(2)} s after the cut`);
      await lab.alive(AGENT);
      seconds.push(last - result.startedAt);
      lab.endProcesses();
      lab.dropRules();
    }
    return [{ what, seconds }];
  });
}

const shellIs = (after: string, { flows }: CutResult): void => {
  assert.equal(flows.find(({ remotePort }) => remotePort === SHELL)?.after, after);
};
const STUBBORN = (lab: Lab): void => void lab.start('stubborn_shell', ATTACKER, SHELL);
const replaceTool = (name: string): string =>
  `printf '#!/bin/sh\\nexit 0\\n' > ${name}.new && chmod +x ${name}.new && mv -f ${name}.new ${name}`;

measure({
  what: 'no ss: the owner is stopped',
  prepare: (lab) => void lab.victim('rm /usr/bin/ss'),
  options: { remote: 'none' },
  check: (result) => {
    shellIs('open', result);
    assert.ok((result.verdict.stopped ?? []).length > 0);
  },
});
measure({
  what: 'no ss, TERM ignored: the owner is killed',
  prepare: (lab) => void lab.victim('rm /usr/bin/ss'),
  begin: STUBBORN,
  options: { remote: 'none', environment: { SSM_Survivors: 'kill' } },
  check: (result) => shellIs('gone', result),
});
measure({
  what: 'a lying ss first in PATH',
  prepare: (lab) =>
    void lab.victim(`mkdir -p /run/evil && for t in ss nft awk ls; do ${replaceTool('/run/evil/$t')}; done`),
  options: { environment: { PATH: '/run/evil:/usr/bin:/bin' } },
  check: (result) => shellIs('gone', result),
});
measure({
  what: 'an ss that was replaced and lies: the owner is stopped',
  prepare: (lab) => void lab.victim(replaceTool('/usr/bin/ss')),
  options: { remote: 'none' },
  check: (result) => shellIs('open', result),
});
measure({
  what: 'a shell that dials again every 200 ms, peer not named',
  begin: (lab) => void lab.start('respawning_shell', ATTACKER, SHELL),
  options: { remote: 'none' },
  check: ({ verdict }) => assert.deepEqual([verdict.survived, verdict.denied], [0, [ATTACKER]]),
});
measure({
  what: 'a full disk and a read-only root',
  prepare: (lab) => lab.fillDisk(),
  check: (result) => shellIs('gone', result),
});
measure({
  what: 'control characters in the name of the process',
  begin: (lab) => void lab.start('named_shell', ATTACKER, SHELL, Buffer.from('\u001b[31m"},\n{"v').toString('hex')),
  check: (result) => {
    shellIs('gone', result);
    assert.match(result.raw, /^[\n -~]*$/);
  },
});
measure({
  what: 'two scripts at once',
  cut: async (lab, options) => {
    const [first, second] = await lab.scriptsAtOnce('cut', 2, options);
    assert.ok(first !== undefined && second !== undefined);
    assert.deepEqual([first.verdict.survived, second.verdict.survived], [0, 0]);
    return first;
  },
  check: ({ verdict }) => assert.equal(verdict.firewall, 'nftables'),
});
measure({
  what: 'iptables only',
  prepare: (lab) => void lab.victim('rm /usr/sbin/nft'),
  check: ({ verdict }) => assert.deepEqual([verdict.survived, verdict.firewall], [0, 'iptables']),
});
measure({
  what: 'neither nftables nor iptables',
  prepare: (lab) => void lab.victim('rm /usr/sbin/nft /usr/sbin/iptables /usr/sbin/ip6tables'),
  check: ({ verdict }) => assert.deepEqual([verdict.survived, verdict.firewall], [0, 'none']),
});
measure({
  what: 'quarantine',
  options: { remote: 'none', environment: { SSM_Mode: 'quarantine' } },
  check: ({ verdict }) => assert.deepEqual([verdict.survived, verdict.firewall], [0, 'nftables']),
});
measure({
  what: 'login sessions are ended too',
  begin: (lab) => lab.dialIn(),
  port: LOGIN,
  options: { environment: { SSM_Sessions: 'stop' } },
  check: ({ verdict }) => assert.equal(verdict.survived, 0),
});
measure({
  what: 'an ICMP tunnel by a raw socket: its owner is stopped',
  begin: (lab) => void lab.start('raw_shell', 'raw', ATTACKER),
  isAlive: async (lab) => {
    const from = now();
    await lab.until('echoes arrive', () => lab.echoesSince(from) > 1);
  },
  lastPacket: (lab) => lab.lastEcho(),
  options: { remote: 'none' },
  check: ({ verdict }) => assert.equal(verdict.listed, 1),
});
measure({
  what: 'a UDP beacon whose socket has no peer: the peer is denied',
  begin: (lab) => void lab.start('loose_beacon', ATTACKER, BEACON),
  port: BEACON,
  check: ({ verdict, flows }) => {
    assert.deepEqual([verdict.survived, verdict.firewall], [0, 'nftables']);
    assert.deepEqual(
      flows.map(({ protocol, remoteAddress, after }) => [protocol, remoteAddress, after]),
      [['udp', '0.0.0.0', 'unknown']],
    );
  },
});
measure({
  what: '20,000 sockets beside it',
  begin: async (lab) => {
    const before = lab.mark();
    lab.start('many', ATTACKER, 5000, 10_000);
    lab.start('many', ATTACKER, 5001, 10_000);
    lab.start('reverse_shell', ATTACKER, SHELL);
    const ready = () => lab.events.slice(before).filter(({ kind }) => kind === 'ready').length === 2;
    await lab.until('20,000 sockets are open', ready, 60);
  },
  check: ({ verdict, flows, raw }) => {
    assert.deepEqual([verdict.listed, verdict.closed, verdict.survived, verdict.errors], [20_001, 20_001, 0, []]);
    assert.ok(raw.length <= 20_000 && flows.length + verdict.omitted === 20_001);
  },
  // Half a minute each.
  runs: Math.min(RUNS, 5),
});
