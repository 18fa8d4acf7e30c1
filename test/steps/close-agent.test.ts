import { describe, expect, it } from 'vitest';
import type { Isolated, Opened } from '../../functions/core/case/record.ts';
import { onHost } from '../../functions/cut-on-host/step.ts';
import { swapSecurityGroups } from '../../functions/swap-security-groups/step.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { type Bench, defaultWorld, ids, onBench, readEvent, refusedBy } from '../support/bench.ts';

type Host = WorldFile['Hosts'][number];

const withAgent = (change: Partial<Host> = {}, more: (world: WorldFile) => void = () => undefined): WorldFile =>
  defaultWorld((world) => {
    world.Hosts = [{ InstanceId: ids.instance, AgentConnection: true, ...change } as Host];
    more(world);
  });

const finding = readEvent('guardduty-ec2-c2activity');

/** Cuts on the host and swaps, as the state machine does. */
async function isolated(bench: Bench): Promise<Isolated> {
  const opened: Opened = await bench.open(finding);
  const host = await bench.cutHost(opened);
  const swap = await swapSecurityGroups(bench.tools, opened);
  const deny = { kind: 'done', made: 0, refused: 0 } as const;
  const cut = { deny, host, hostDenies: { kind: 'none' }, preparation: { kind: 'ready' } } as const;
  return { ...opened, cut, isolated: swap };
}

const agentOf = (bench: Bench) => bench.world.truth().find(({ name }) => name === `SSM agent of ${ids.instance}`);

const sentVerbs = (bench: Bench): readonly unknown[] =>
  bench
    .inputsOf('SendCommand')
    .map((input) => (input as { Parameters: { Verb: readonly string[] } }).Parameters.Verb[0]);

describe('the agent is asked to close its own connection', () => {
  it('behind the swap, once: its connection ends, and the case says that it was asked', async () => {
    await onBench(withAgent(), async (bench) => {
      const record = await isolated(bench);

      expect(await onHost(bench.tools, record)).toEqual({ kind: 'asked' });
      expect(await onHost(bench.tools, record)).toMatchObject({
        kind: 'left',
        reason: expect.stringMatching(/already/),
      });

      expect(sentVerbs(bench)).toEqual(['cut', 'close-agent']);
      const { isolatedAt, agentAskedAt = '' } = await bench.document(record.case.caseId);
      expect(agentAskedAt > (isolatedAt ?? '')).toBe(true);
      await bench.tools.sleep(15);
      expect(agentOf(bench)).toMatchObject({ stoppedBy: 'host', lastPacketAt: null });
    });
  });

  it('twice without harm, where the run died before it was noted', async () => {
    await onBench(withAgent(), async (bench) => {
      const record = await isolated(bench);
      bench.fail(
        ({ call }) => call === 'UpdateItem',
        () => new Error('the run died'),
      );

      await expect(onHost(bench.tools, record)).rejects.toThrow('the run died');
      await bench.tools.sleep(15);
      expect(agentOf(bench)).toMatchObject({ stoppedBy: 'host', lastPacketAt: null });
    });
  });

  it('and says so where Systems Manager takes no command, without failing', async () => {
    await onBench(withAgent(), async (bench) => {
      const record = await isolated(bench);
      bench.fail(({ call }) => call === 'SendCommand', refusedBy('AccessDeniedException'));

      expect(await onHost(bench.tools, record)).toMatchObject({
        kind: 'unavailable',
        reason: expect.stringContaining('AccessDeniedException'),
      });
      expect((await bench.document(record.case.caseId)).agentAskedAt).toBeUndefined();
    });
  });

  it.each<[string, Partial<Host>]>([
    ['did not answer', { AgentAnswers: false }],
    ['answered what nobody can read', { AgentLies: 'garbage' }],
  ])('never where it %s', async (_, host) => {
    await onBench(withAgent(host), async (bench) => {
      expect(await onHost(bench.tools, await isolated(bench))).toMatchObject({ kind: 'left' });
      expect(sentVerbs(bench)).toEqual(['cut']);
    });
  });

  it('never where AgentEgress lets it come back', async () => {
    const openings = { agentEgress: ['10.0.9.0/24'], analystIngress: [] };
    await onBench(
      withAgent(),
      async (bench) => {
        expect(await onHost(bench.tools, await isolated(bench))).toMatchObject({ kind: 'left' });
        expect(sentVerbs(bench)).toEqual(['cut']);
      },
      { openings },
    );
  });

  it('never where an interface could not be isolated', async () => {
    await onBench(withAgent(), async (bench) => {
      bench.fail(({ call }) => call === 'ModifyNetworkInterfaceAttribute', refusedBy('UnauthorizedOperation'));

      expect(await onHost(bench.tools, await isolated(bench))).toMatchObject({ kind: 'left' });
    });
  });
});
