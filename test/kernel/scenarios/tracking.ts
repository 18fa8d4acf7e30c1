/** What the kernel does to a tracked flow, with and without our script. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ATTACKER, now } from '../lab.ts';
import { AGENT, liveShell, SHELL, scenario } from '../scenario.ts';

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
