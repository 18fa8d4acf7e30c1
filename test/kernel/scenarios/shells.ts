/** Every shell and every awk that a host may have, and parameters that are refused. */
import assert from 'node:assert/strict';
import { ATTACKER, ATTACKER_V6 } from '../lab.ts';
import { everyKind, KINDS, LOGIN, liveShell, SHELL, SHELLS, scenario } from '../scenario.ts';

const AWKS = ['mawk', 'gawk', 'busybox awk'];

for (const shell of SHELLS) {
  scenario(`${shell.join(' ')} runs the script: list, cut, verify, undo`, async (lab) => {
    // The program that runs it is the one that is meant, not a link to another.
    const program = lab.victim(`${shell.join(' ')} -c 'readlink /proc/$$/exe; :'`).trim();
    assert.ok(shell[0] === 'sh' || program.endsWith(`/${shell[0]}`), program);
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
