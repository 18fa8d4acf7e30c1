/** The deny in the host firewall, quarantine, and the probes. */
import assert from 'node:assert/strict';
import { ATTACKER, ATTACKER_V6, type Lab } from '../lab.ts';
import { AGENT, BOTH_ADDRESSES, liveShell, SHELL, SHELL_V6, scenario } from '../scenario.ts';

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

// A restart empties the firewalls and keeps nothing of ours: what `verify` reads is what is in force, not what was told.

const LOST = 'the host firewall does not hold the addresses: its rules do not survive a restart';

scenario('after a restart verify says that nothing holds any more, and lists what came back', async (lab) => {
  await liveShell(lab);
  lab.script('cut');
  const held = lab.script('verify');
  assert.deepEqual([held.verdict.firewall, held.verdict.listed, held.verdict.notes], ['nftables', 0, []]);
  lab.victim('nft flush ruleset');
  lab.endProcesses();
  lab.start('reverse_shell', ATTACKER, SHELL);
  await lab.alive(SHELL);
  const { verdict, flows } = lab.script('verify');
  assert.deepEqual([verdict.firewall, verdict.survived, verdict.notes], ['none', 1, [LOST]]);
  assert.deepEqual(
    flows.map(({ remotePort, after }) => [remotePort, after]),
    [[SHELL, 'open']],
  );
  // The cut can be made again, and undone without anything being there.
  assert.equal(lab.script('cut').verdict.firewall, 'nftables');
  lab.victim('nft flush ruleset');
  const undone = lab.script('undo').verdict;
  assert.deepEqual([undone.firewall, undone.errors], ['none', []]);
});

scenario('after a restart verify says so with iptables too, and where one of two addresses is gone', async (lab) => {
  lab.victim('rm /usr/sbin/nft');
  await liveShell(lab);
  lab.script('cut', { remote: BOTH_ADDRESSES });
  assert.equal(lab.script('verify', { remote: BOTH_ADDRESSES }).verdict.firewall, 'iptables');
  lab.victim('ip6tables -F');
  const { verdict } = lab.script('verify', { remote: BOTH_ADDRESSES });
  assert.deepEqual([verdict.firewall, verdict.notes], ['none', [LOST]]);
  assert.equal(lab.script('verify').verdict.firewall, 'iptables');
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
  const { verdict } = lab.script('cut');
  assert.deepEqual(verdict.probes, { peer: 'unreachable', agent: 'reachable' });
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
