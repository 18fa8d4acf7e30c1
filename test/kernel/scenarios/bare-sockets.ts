/** Sockets that are no connections: ping, raw and packet sockets, and UDP without a peer. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ATTACKER, ATTACKER_V6, now, PEERS } from '../lab.ts';
import { AGENT, BEACON, scenario } from '../scenario.ts';

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
  const shell = (python: string, kind: string) =>
    lab.startShell(`exec ${python} -u ${PEERS} raw_shell ${kind} ${ATTACKER}`);
  shell(dhclient, 'packet');
  await lab.until('the daemon has its socket', () => lab.victim('ss -0an').includes('p_'));
  const quiet = lab.script('cut', { remote: 'none' }).verdict;
  assert.deepEqual([quiet.listed, quiet.survived, quiet.stopped], [0, 0, []]);
  assert.match(quiet.notes?.join() ?? '', /\/usr\/sbin\/dhclient \(process \d+\) has a raw or packet socket/);
  // A DHCP client needs no ICMP; another path is another program; a container's root has its own /usr/sbin.
  shell(dhclient, 'raw');
  shell(wrong, 'packet');
  lab.startShell(`exec unshare --pid --fork ${dhclient} -u ${PEERS} raw_shell packet ${ATTACKER}`);
  await lab.until('all three are there', () => lab.script('list', { remote: 'none' }).verdict.listed === 3);
});

// What no list shows of a UDP socket without a peer is whom it speaks to: the script tells of it, and nothing calls it gone.

scenario('UDP sockets without a peer are listed as a doubt, and nobody is stopped for them', async (lab) => {
  lab.start('loose_beacon', ATTACKER, BEACON);
  lab.start('loose_beacon', ATTACKER, BEACON, 4500);
  lab.start('loose_beacon', ATTACKER_V6, BEACON);
  lab.startAgent();
  await lab.alive(BEACON, AGENT);
  await lab.until('all three send', () => lab.script('list', { remote: 'none' }).verdict.listed === 3);
  const { flows, verdict } = lab.script('cut', { remote: 'none' });
  assert.ok(flows.every(({ protocol, remotePort, pid }) => protocol === 'udp' && remotePort === null && pid !== null));
  assert.deepEqual(flows.map(({ remoteAddress }) => remoteAddress).toSorted(), ['0.0.0.0', '0.0.0.0', '::']);
  assert.ok(flows.some(({ localPort }) => localPort === 4500));
  assert.ok(flows.every(({ after }) => after === 'unknown'));
  assert.deepEqual([verdict.listed, verdict.closed, verdict.survived, verdict.stopped], [3, 0, 0, []]);
  assert.deepEqual([...verdict.sources].toSorted(), ['proc', 'ss']);
  assert.match(verdict.notes?.join() ?? '', /3 UDP sockets have no peer/);
  assert.deepEqual(
    lab.script('verify', { remote: 'none' }).flows.map(({ after }) => after),
    ['unknown', 'unknown', 'unknown'],
  );
  // They speak on: what the verdict says of them is all that is known.
  await lab.alive(BEACON);
  // The deny reaches them.
  lab.script('cut');
  const from = now();
  await sleep(700);
  assert.equal(lab.dataSince(BEACON, from + 0.2), 0);
});

scenario(
  'a UDP socket without a peer loses the port that the kernel chose; a group without rules then holds it',
  async (lab) => {
    lab.start('loose_beacon', ATTACKER, BEACON);
    lab.startAgent();
    await lab.alive(BEACON, AGENT);
    const portOf = (): number | null | undefined => lab.script('list', { remote: 'none' }).flows[0]?.localPort;
    const before = portOf();
    assert.equal(portOf(), before);
    lab.script('cut', { remote: 'none' });
    assert.notEqual(portOf(), before);
    // Isolated first, the same close ends it: the group lets nothing new out.
    lab.swapGroup();
    await sleep(300);
    await lab.alive(BEACON);
    lab.script('cut', { remote: 'none' });
    const from = now();
    await sleep(1000);
    assert.equal(lab.dataSince(BEACON, from), 0);
  },
);

scenario('the owner of a UDP socket without a peer is stopped where the finding names it', async (lab) => {
  lab.start('loose_beacon', ATTACKER, BEACON);
  lab.startAgent();
  await lab.alive(BEACON, AGENT);
  const pid = lab.script('list', { remote: 'none' }).flows[0]?.pid ?? 0;
  const { flows, verdict } = lab.script('cut', { remote: 'none', environment: { SSM_Pids: String(pid) } });
  // Closed and stopped, it has no port any more, and what has no port is in no list.
  assert.ok(flows.length === 1 && flows[0]?.asked === 'pid' && flows[0].after !== 'open');
  assert.deepEqual(verdict.stopped, [pid]);
  const from = now();
  await sleep(700);
  assert.equal(lab.dataSince(BEACON, from), 0);
  lab.script('undo', { environment: { SSM_Pids: String(pid) } });
  await lab.alive(BEACON);
});

scenario(
  "a system daemon's UDP socket on its own port is a note; on another port, or of another user, it is a doubt",
  async (lab) => {
    const chronyd = lab.copyPython('/usr/sbin/chronyd');
    const start = (port: number) => lab.startShell(`exec ${chronyd} -u ${PEERS} loose_beacon ${ATTACKER} 9 ${port}`);
    start(123);
    await lab.until('the daemon has its socket', () => lab.victim('ss -uan').includes(':123 '));
    const { verdict } = lab.script('cut', { remote: 'none' });
    assert.deepEqual([verdict.listed, verdict.survived], [0, 0]);
    assert.match(verdict.notes?.join() ?? '', /\/usr\/sbin\/chronyd \(process \d+\) has a UDP socket without a peer/);
    start(4567);
    await lab.until('the other port', () => lab.script('list', { remote: 'none' }).verdict.listed === 1);
    // Whoever runs a resolver of the system with no rights of its own binds its port like anybody.
    const resolved = lab.copyPython('/usr/lib/systemd/systemd-resolved');
    lab.startShell(`exec ${resolved} -u ${PEERS} loose_beacon ${ATTACKER} 9 5355`);
    lab.startShell(
      `exec setpriv --reuid=33 --clear-groups ${resolved} -u - loose_beacon ${ATTACKER} 9 5353 < ${PEERS}`,
    );
    await lab.until('both resolvers', () => lab.victim('ss -Huan').match(/:535[35] /g)?.length === 2);
    const { flows } = lab.script('list', { remote: 'none' });
    assert.deepEqual(flows.map(({ localPort }) => String(localPort)).toSorted(), ['4567', '5353']);
  },
);

scenario("a UDP socket without a peer that listens to this host alone is nobody's flow", async (lab) => {
  lab.startShell(`exec /usr/bin/python3 -c 'import socket,time
a=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);a.bind(("127.0.0.53",53))
b=socket.socket(socket.AF_INET6,socket.SOCK_DGRAM);b.bind(("::1",53))
time.sleep(60)'`);
  await lab.until('it listens', () => lab.victim('ss -uan').includes('127.0.0.53'));
  assert.equal(lab.script('list', { remote: 'none' }).verdict.listed, 0);
});
