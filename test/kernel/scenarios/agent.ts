/** The agent's own connection, which every cut spares: closed after its answer, behind a group that was swapped. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ATTACKER, type Lab, now } from '../lab.ts';
import { AGENT, liveShell, SHELL, SHELLS, scenario } from '../scenario.ts';

async function liveAgent(lab: Lab): Promise<void> {
  lab.start('reverse_shell', ATTACKER, SHELL);
  lab.startAgent(undefined, 'lasting_agent');
  await lab.alive(SHELL, AGENT);
}

const isRunning = (lab: Lab): boolean =>
  lab.victim('ls -l /proc/[0-9]*/exe 2>/dev/null || true').includes('/usr/bin/amazon-ssm-agent');

/** Established entries of the agent in the security group. */
const entries = (lab: Lab): readonly string[] =>
  lab.trackedEntries().filter((line) => line.includes('ESTABLISHED') && line.includes(`dport=${AGENT} `));

scenario(
  "the agent's own connection is closed after its answer, its entry ends, and it comes back once the groups are back",
  async (lab) => {
    await liveAgent(lab);
    lab.script('cut');
    lab.swapGroup();
    await sleep(500);
    // What the swap leaves running.
    await lab.alive(AGENT);
    const { verdict, flows, startedAt } = lab.script('close-agent');
    const answeredAt = now();
    assert.deepEqual([flows.length, verdict.listed, verdict.closed, verdict.errors], [0, 0, 0, []]);
    assert.ok(answeredAt - startedAt < 2, 'the answer waits for nothing');
    // It has time to hand the answer in.
    await sleep(1000);
    assert.ok(lab.dataSince(AGENT, answeredAt + 0.2) > 1, 'the agent was cut before it could answer');
    await lab.until('the entry ends', () => entries(lab).length === 0, 15);
    const closedAt = now();
    await sleep(4000);
    assert.equal(lab.dataSince(AGENT, closedAt + 0.2), 0);
    assert.equal(isRunning(lab), true);
    lab.restoreGroup();
    // It dials as the real one does; what is still at work closes it once more at most, and then it stays.
    await lab.alive(AGENT);
    return [`closed ${(closedAt - answeredAt).toFixed(1)} s after the answer`];
  },
);

scenario('what the agent opens again before the swap takes effect is closed too', async (lab) => {
  await liveAgent(lab);
  lab.script('close-agent');
  // Its first connection is closed while the old groups stand: it dials again within a second.
  await lab.until('it is closed', () => lab.sawReset(AGENT), 15);
  const closedAt = now();
  await lab.alive(AGENT);
  lab.swapGroup();
  await lab.until('no entry is left', () => entries(lab).length === 0, 30);
  const endedAt = now();
  await sleep(3000);
  assert.equal(lab.dataSince(AGENT, endedAt + 0.2), 0);
  return [`the second connection ended ${(endedAt - closedAt).toFixed(1)} s after the first`];
});

scenario('where the kernel closes no socket the agent is started anew by its service manager', async (lab) => {
  await liveAgent(lab);
  lab.script('cut');
  lab.swapGroup();
  // An ss that closes nothing, as on a kernel without CONFIG_INET_DIAG_DESTROY, and a manager that does as systemd would.
  lab.victim(
    [
      'mv "$(readlink -f /usr/bin/ss)" /usr/bin/ss-real',
      'rm -f /usr/bin/ss /usr/sbin/ss',
      `printf '#!/bin/sh\\ncase " $* " in *" -K "*) exit 0 ;; esac\\nexec /usr/bin/ss-real "$@"\\n' > /usr/bin/ss`,
      'chmod 755 /usr/bin/ss',
      `printf '#!/bin/sh\\necho "$*" >> /run/managed\\ncase $1 in is-active) [ "$3" = amazon-ssm-agent.service ] ;; --no-block) for p in $(ls /proc | grep -x "[0-9]*"); do case $(readlink /proc/$p/exe) in */amazon-ssm-agent) kill -TERM $p ;; esac; done ;; esac\\n' > /usr/bin/systemctl`,
      'chmod 755 /usr/bin/systemctl',
    ].join(' && '),
  );
  await lab.alive(AGENT);
  lab.script('close-agent');
  await lab.until('the entry ends', () => entries(lab).length === 0, 15);
  assert.deepEqual(lab.victim('cat /run/managed').trim().split('\n'), [
    'is-active --quiet amazon-ssm-agent.service',
    '--no-block restart amazon-ssm-agent.service',
  ]);
});

for (const shell of SHELLS) {
  scenario(`${shell.join(' ')}: the close outlives the script, which holds nobody up`, async (lab) => {
    await liveShell(lab);
    lab.swapGroup();
    const startedAt = now();
    lab.script('close-agent', { shell });
    assert.ok(now() - startedAt < 2.5, 'the script was waited for');
    await lab.until('the entry ends', () => entries(lab).length === 0, 15);
  });
}
