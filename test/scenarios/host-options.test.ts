import { describe, expect, it } from 'vitest';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { defaultWorld, ids, readEvent } from '../support/bench.ts';
import { simulate } from '../support/own-flow-log.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const request = { instanceId: ids.instance, remoteAddresses: [ids.peer], mode: 'contain' };

/** A kernel without SOCK_DESTROY: only the end of a process closes its sockets. */
const withoutSocketKill = (change: (world: WorldFile) => void = () => undefined): WorldFile =>
  defaultWorld((world) => {
    world.Hosts = [{ InstanceId: ids.instance, SocketKill: false } as WorldFile['Hosts'][number]];
    change(world);
  });

const itemOf = (restored: readonly { readonly item: string; readonly outcome: string }[], item: string) =>
  restored.filter((entry) => entry.item === item).map(({ outcome }) => outcome);

describe('a socket that cannot be closed', () => {
  it('is not called dead: its owner is stopped, its packets are denied, and the report says how to go further', async () => {
    const { report, truth, reportedAt } = await simulate(withoutSocketKill(), finding);

    expect(report.verdict).toBe('held');
    expect(report.onHost).toContainEqual(expect.stringMatching(/^stopped, .*4242/));
    expect(report.lastResort).toContainEqual(expect.stringContaining('{"survivors": "kill"}'));
    expect(truth.get('reverse shell')?.lastPacketAt ?? 0).toBeLessThan(reportedAt);
  });

  it('ends with its owner where a person says so', async () => {
    const { report, truth } = await simulate(withoutSocketKill(), { ...request, host: { survivors: 'kill' } });

    expect(report).toMatchObject({ verdict: 'held', basis: ['host', 'untracked'] });
    expect(report.lastResort).toEqual([]);
    expect(truth.get('reverse shell')).toMatchObject({ stoppedBy: 'nacl', revivedAt: null });
  });

  it('ends with its owner where the deployment says so, unless the person says no', async () => {
    const config = {
      hostOptions: { mode: 'peers', survivors: 'kill', sessions: 'keep', agentSessions: 'keep' },
    } as const;
    const chosen = await simulate(withoutSocketKill(), finding, { config });
    const declined = await simulate(withoutSocketKill(), { ...request, host: { survivors: 'leave' } }, { config });

    expect(chosen.report.verdict).toBe('held');
    expect(declined.report.verdict).toBe('held');
    expect(declined.report.onHost.join()).not.toMatch(/stopped|killed/);
  });

  it('has its owner let go on by a restore, by its process id', async () => {
    const sent: unknown[] = [];
    const run = await simulate(withoutSocketKill(), finding, {
      restore: { force: true },
      prepare: (world) => {
        world.interceptors.push({ before: ({ call, input }) => call === 'SendCommand' && sent.push(input) });
      },
    });

    expect(sent.at(-1)).toMatchObject({ Parameters: { Verb: ['undo'], Pids: [expect.stringContaining('4242')] } });
    expect(itemOf(run.restored, 'host firewall')).toEqual(['restored']);
  });
});

describe('what the host said', () => {
  it('is kept whole in the case table, and in the report without command lines', async () => {
    const { table, report } = await simulate(defaultWorld(), readEvent('guardduty-runtime-reverse-shell'));
    const kept = table.filter(({ sk }) => String(sk).startsWith('HOST#'));

    expect(kept).toHaveLength(1);
    expect(String(kept[0]?.['output'])).toContain('"kind":"verdict"');
    expect(report.onHost[0]).toBe('2 of 2 flows closed, 0 left');
    expect(report.onHost).toContainEqual(expect.stringMatching(/^pid 4242 \(named\): bash/));
  });

  it('names no peer, though a person names its port: a deny hits the whole subnet', async () => {
    const untracked = { instanceId: ids.instance, mode: 'contain', ports: [40_211] };
    const plain = await simulate(defaultWorld(), { instanceId: ids.instance, mode: 'contain' });
    const named = await simulate(defaultWorld(), untracked);
    const denied = ({ report }: typeof named) => new Set(report.held.map(({ Cidr }) => Cidr));

    expect(denied(plain)).not.toContain('192.0.2.55/32');
    expect(denied(named)).not.toContain('192.0.2.55/32');
  });
});

describe('a host whose answer was lost', () => {
  it('is undone all the same: the cut may have run', async () => {
    const file = defaultWorld((world) => {
      world.Hosts = [{ InstanceId: ids.instance, AgentLies: 'garbage' } as WorldFile['Hosts'][number]];
    });
    const sent: string[] = [];
    await simulate(file, finding, {
      restore: { force: true },
      prepare: (world) => {
        world.interceptors.push({
          before: ({ call, input }) => call === 'SendCommand' && sent.push(JSON.stringify(input)),
        });
      },
    });

    expect(sent).toHaveLength(2);
    expect(sent[1]).toContain('"undo"');
  });

  it('is not undone twice', async () => {
    const sent: string[] = [];
    const run = await simulate(defaultWorld(), finding, {
      restore: { force: true },
      prepare: (world) => {
        world.interceptors.push({
          before: ({ call, input }) => call === 'SendCommand' && sent.push(JSON.stringify(input)),
        });
      },
    });
    const document = run.table.find(({ sk }) => sk === 'CASE');

    expect(sent.filter((input) => input.includes('"undo"'))).toHaveLength(1);
    expect(JSON.parse(String(document?.['document']))).toMatchObject({ hostUndone: true });
  });
});
