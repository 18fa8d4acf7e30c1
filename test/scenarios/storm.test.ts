import { describe, expect, it } from 'vitest';
import { readCase } from '../../functions/aws/case-table/cases.ts';
import type { Report } from '../../functions/core/report/report.ts';
import { readDefinition } from '../../local/definitions.ts';
import { runMachine } from '../../local/runner.ts';
import { defaultWorld, ids, onBench, readEvent, refusedBy } from '../support/bench.ts';
import { type Episode, inEpisode } from '../support/episode.ts';
import { withoutAgent } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');

/** Others use up the turns at one API until the given second. */
const busy = ({ world }: Episode, api: string, seconds: number): void => {
  world.interceptors.push({
    before: ({ call, at }) => {
      if (call === api && at < seconds) throw refusedBy('RequestLimitExceeded')();
    },
  });
};
const doneAt = ({ world }: Episode, call: string, input: string): number =>
  world.timeline().find((entry) => entry.call === call && entry.outcome === 'ok' && entry.input.includes(input))?.at ??
  Number.POSITIVE_INFINITY;
const isolatedAt = (episode: Episode) => doneAt(episode, 'ModifyNetworkInterfaceAttribute', 'Groups');
const deniedAt = (episode: Episode) => doneAt(episode, 'CreateNetworkAclEntry', ids.peer);
const bodies = ({ world }: Episode): readonly string[] => world.messages.map(({ message }) => message);

describe('a response for whose denies EC2 has no turn', () => {
  it('is isolated meanwhile, says what waits, denies when it can, and is held', async () => {
    await inEpisode(defaultWorld(), async (episode) => {
      busy(episode, 'CreateNetworkAclEntry', 60);
      const [report] = await episode.send(finding);
      expect(isolatedAt(episode)).toBeLessThan(40);
      expect(deniedAt(episode)).toBeGreaterThanOrEqual(60);
      expect(deniedAt(episode)).toBeLessThan(90);
      expect(bodies(episode)[0]).toMatch(/^SO FAR .*denies of 198\.51\.100\.7\/32 wait for their turn/s);
      expect(report).toMatchObject({ verdict: 'held', held: [{ Egress: false }, { Egress: true }] });
      expect(bodies(episode).at(-1)).not.toContain('wait for their turn');
    });
  });

  it('ends in a verdict that says so where EC2 never has one, with every other control in force', async () => {
    await inEpisode(defaultWorld(), async (episode) => {
      busy(episode, 'CreateNetworkAclEntry', Number.POSITIVE_INFINITY);
      const [report] = await episode.send(finding);
      expect(isolatedAt(episode)).toBeLessThan(40);
      expect(report?.verdict).not.toBe('contained');
      expect(report?.held).toEqual([]);
      expect(JSON.stringify(report?.skipped)).toMatch(
        /198\.51\.100\.7.*EC2 (refuses|takes only so many) CreateNetworkAclEntry/,
      );
      // Waiting cannot better it: after three more cuts in a row a person hears of it, after minutes and not days.
      expect(episode.world.clock.now()).toBeLessThan(1800);
      const document = await readCase(episode.tools.cases, report?.caseId ?? '');
      expect(document).toMatchObject({ host: { kind: 'answered' }, isolatedAt: expect.any(String) });
    });
  });

  it('is no leak to a flow log that saw packets before the late deny', async () => {
    const watched = defaultWorld((world) => {
      world.FlowLogs = [{ ResourceId: ids.eni, DeliverySeconds: 300 }] as never;
      world.InstanceInformationList = [];
    });
    await inEpisode(watched, async (episode) => {
      busy(episode, 'CreateNetworkAclEntry', 120);
      const [report] = await episode.send(finding);
      expect(isolatedAt(episode)).toBeLessThan(40);
      expect(report?.flows.find((flow) => flow.remoteAddress === ids.peer)?.evidence).not.toBe('requested');
      expect(['held', 'contained']).toContain(report?.verdict);
    });
  });
});

describe('a response whose swap has no turn', () => {
  it('waits for it, and is isolated', async () => {
    await inEpisode(defaultWorld(), async (episode) => {
      busy(episode, 'ModifyNetworkInterfaceAttribute', 60);
      const [report] = await episode.send(finding);
      expect(isolatedAt(episode)).toBeGreaterThanOrEqual(60);
      expect(isolatedAt(episode)).toBeLessThan(120);
      expect(deniedAt(episode)).toBeLessThan(10);
      expect(['held', 'contained']).toContain(report?.verdict);
    });
  });
});

describe('a response whose isolation fails in a storm', () => {
  it('makes the denies that wait, preserves the evidence, and says why nothing is isolated', async () => {
    await onBench(withoutAgent(), async (bench) => {
      bench.world.interceptors.push({
        before: ({ call, at }) => {
          if (call === 'CreateNetworkAclEntry' && at < 60) throw refusedBy('RequestLimitExceeded')();
        },
      });
      const request = { instanceId: ids.instance, remoteAddresses: [ids.peer] };
      const { output, error } = await runMachine(readDefinition('respond'), request, bench.tools, {
        around: (state, _name, run) =>
          state.startsWith('Isolate') && state !== 'Isolate and preserve'
            ? Promise.reject(new Error('Rate exceeded'))
            : run(),
      });
      expect(error).toBeNull();
      expect(bench.entries().filter((line) => line.includes('deny'))).toEqual([
        `in 1 deny -1 ${ids.peer}/32`,
        `out 1 deny -1 ${ids.peer}/32`,
      ]);
      expect(bench.calls('CreateSnapshots')).toBe(1);
      const { report } = output as unknown as { report: Report };
      expect(bench.world.messages.map(({ message }) => message.split('\n')[0])).toEqual([
        expect.stringMatching(/^SO FAR LEAKING: nothing in force reaches the flow/),
        expect.stringMatching(/^NOT-PROVEN: eni-00000000000000e01 should be isolated and could not be/),
      ]);
      expect(report.held).toHaveLength(2);
      expect(report.verdict).toBe('not-proven');
      expect(report.leftOpen).toContain('the function that isolates failed: Rate exceeded');
      expect(report.leftOpen.join()).not.toContain('stopped early');
      expect(report.skipped).toContainEqual({
        id: ids.eni,
        reason: expect.stringContaining('not seen on an isolation group'),
      });
    });
  });
});
