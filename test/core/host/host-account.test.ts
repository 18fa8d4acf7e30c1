import { describe, expect, it } from 'vitest';
import { accountLines, type HostAccount, hostAccount } from '../../../functions/core/host/host-account.ts';
import type { HostEvidenceLine, HostReport, HostVerdictLine } from '../../../functions/core/host/host-protocol.ts';
import { theProcess, theVerdict } from '../../support/host-report.ts';

const reportOf = (
  verdict: Partial<HostVerdictLine> = {},
  processes: readonly HostEvidenceLine[] = [theProcess],
): Extract<HostReport, { kind: 'evidence' }> => ({
  kind: 'evidence',
  flows: [],
  processes,
  verdict: { ...theVerdict, ...verdict },
});

const theAccount: HostAccount = hostAccount(reportOf(), undefined);

describe('hostAccount', () => {
  it('keeps of a process what tells it, and not its command line, which may hold a secret', () => {
    expect(theAccount.processes).toEqual([
      { pid: 4242, parentPid: 1, role: 'owner', process: 'bash', executable: '/usr/bin/bash', sha256: 'a'.repeat(64) },
    ]);
    expect(JSON.stringify(theAccount)).not.toContain('hunter2');
  });

  it('puts named processes first, keeps twelve, and counts the rest', () => {
    const many = Array.from({ length: 20 }, (_, n) => ({ ...theProcess, pid: n + 1, role: 'ancestor' as const }));
    const account = hostAccount(
      reportOf({ processesOmitted: 3 }, [...many, { ...theProcess, role: 'named' }]),
      undefined,
    );
    expect(account.processes).toHaveLength(12);
    expect(account.processes[0]).toMatchObject({ pid: 4242, role: 'named' });
    expect(account.processesOmitted).toBe(12);
  });

  it('never forgets whom the case has stopped, killed or described', () => {
    const first = hostAccount(reportOf({ stopped: [7], killed: [8], sessionsEnded: 1 }), undefined);
    const second = hostAccount(
      reportOf({ stopped: [7, 9], sessionsEnded: 2 }, [{ ...theProcess, process: 'x' }]),
      first,
    );
    expect(second).toMatchObject({ stopped: [7, 9], killed: [8], sessionsEnded: 3, processes: [{ process: 'bash' }] });
  });

  it('keeps the ids of 1,024 stopped processes over all cuts, and counts the rest for people', () => {
    const pids = (from: number): number[] => Array.from({ length: 1000 }, (_, n) => from + n);
    const first = hostAccount(reportOf({ stopped: pids(1) }), undefined);
    const second = hostAccount(reportOf({ stopped: pids(1001), killed: pids(1) }), first);
    const third = hostAccount(reportOf({ stopped: [9000], killed: pids(1001) }), second);

    expect(first.stoppedOmitted).toBeUndefined();
    expect(second).toMatchObject({ stopped: { length: 1024 }, stoppedOmitted: 976 });
    expect(third).toMatchObject({ stopped: { length: 1024 }, stoppedOmitted: 977, killed: { length: 1024 } });
    expect(accountLines(third)).toContainEqual(expect.stringMatching(/^977 stopped processes more than/));
  });

  it('replaces what could steer a terminal or a mail', () => {
    const evil = 'a\u001b[2J\u202e\u2028b';
    const account = hostAccount(
      reportOf({ errors: [evil], notes: [evil] }, [{ ...theProcess, executable: evil }]),
      undefined,
    );
    expect(JSON.stringify(account)).not.toMatch(/\\u001b|\u202e|\u2028/);
    expect(account.errors).toEqual(['a\u{fffd}[2J\u{fffd}\u{fffd}b']);
  });
});

describe('accountLines', () => {
  it.each<[string, Partial<HostAccount>, string]>([
    ['whom it killed', { killed: [8] }, 'killed: pid 8'],
    ['whom it stopped', { stopped: [7, 9] }, 'stopped, and let go on by a restore: pid 7, 9'],
    ['one session', { sessionsEnded: 1 }, '1 remote session ended'],
    ['more sessions', { sessionsEnded: 2 }, '2 remote sessions ended'],
    [
      'a peer that is cut off',
      { probes: { peer: 'unreachable', agent: 'skipped' } },
      'a denied peer cannot be reached',
    ],
    ['a peer that is not', { probes: { peer: 'reachable', agent: 'skipped' } }, 'a denied peer CAN STILL be reached'],
    ['an agent that was cut off', { probes: { peer: 'skipped', agent: 'unreachable' } }, 'the agent could not reach'],
    ['its errors', { errors: ['no firewall tool'] }, 'no firewall tool'],
    ['its remarks', { notes: ['ld.so.preload is in use'] }, 'ld.so.preload is in use'],
    ['processes by path and hash', {}, `pid 4242 (owner): /usr/bin/bash, SHA-256 ${'a'.repeat(64)}`],
    ['what is left out', { processesOmitted: 1 }, '1 more process not shown'],
  ])('tell %s', (_, change, line) => {
    expect(accountLines({ ...theAccount, ...change })).toContainEqual(expect.stringContaining(line));
  });

  it('are silent where nothing was probed', () => {
    const probes = { peer: 'skipped', agent: 'skipped' } as const;
    expect(accountLines({ ...theAccount, processes: [], probes })).toEqual([]);
  });
});
