import { describe, expect, it } from 'vitest';
import { readCase } from '../../functions/aws/case-table/cases.ts';
import type { Report } from '../../functions/core/report/report.ts';
import { defaultWorld, ids, readEvent } from '../support/bench.ts';
import { type Episode, inEpisode } from '../support/episode.ts';
import { laterFinding, worldOf } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const NEW_PEER = '203.0.113.9';

const peersIn = (report: Report | undefined) =>
  [...new Set(report?.flows.map(({ remoteAddress }) => remoteAddress))].sort();
const deniesIn = ({ file }: Episode) =>
  file.NetworkAcls.flatMap(({ Entries }) =>
    Entries.filter(({ RuleAction, RuleNumber }) => RuleAction === 'deny' && RuleNumber < 32_767).map(
      ({ Egress, CidrBlock }) => `${Egress ? 'out' : 'in'} ${CidrBlock}`,
    ),
  ).sort();
const both = (...peers: readonly string[]) => peers.flatMap((peer) => [`in ${peer}/32`, `out ${peer}/32`]).sort();
const swaps = ({ world }: Episode) =>
  world.timeline().filter(({ call, input }) => call === 'ModifyNetworkInterfaceAttribute' && input.includes('Groups'));
const cases = ({ world }: Episode) => world.dumpTable().filter(({ sk }) => sk === 'CASE');
const documentOf = async ({ tools }: Episode, report: Report | undefined) => {
  const document = await readCase(tools.cases, report?.caseId ?? '');
  if (document === null) throw new Error('there is no case');
  return document;
};

describe('the same finding with a new peer', () => {
  it('denies the new peer in addition and keeps the first', async () => {
    await inEpisode(defaultWorld(), async (episode) => {
      const [first] = await episode.send(finding);
      expect(deniesIn(episode)).toEqual(both(ids.peer));
      const [second] = await episode.send(laterFinding(NEW_PEER));
      expect(second?.caseId).toBe(first?.caseId);
      expect(deniesIn(episode)).toEqual(both(ids.peer, NEW_PEER));
      expect(peersIn(second)).toEqual(expect.arrayContaining([ids.peer, NEW_PEER]));
      expect(cases(episode)).toHaveLength(1);
      expect((await documentOf(episode, second)).request.finding).toMatchObject({ count: 2 });
    });
  });

  it('does not start over: the before-state and the evidence of the first response stand', async () => {
    await inEpisode(worldOf('auto-scaling-member'), async (episode) => {
      const [first] = await episode.send(finding);
      const before = JSON.stringify(episode.world.dumpTable().filter(({ sk }) => String(sk).startsWith('BEFORE#')));
      const [second] = await episode.send(laterFinding(NEW_PEER));
      const after = episode.world.dumpTable().filter(({ sk }) => String(sk).startsWith('BEFORE#'));
      expect(JSON.stringify(after)).toBe(before);
      expect((await documentOf(episode, second)).isolatedAt).toBe((await documentOf(episode, first)).isolatedAt);
      const { byApi } = episode.world.calls();
      expect([byApi['CreateSnapshots'], byApi['EnterStandby'], byApi['DeregisterTargets']]).toEqual([1, 1, 1]);
      expect(episode.world.snapshot()['Snapshots']).toHaveLength(3);
    });
  });

  it('reports again what was preserved the first time', async () => {
    await inEpisode(worldOf('auto-scaling-member'), async ({ send }) => {
      const [first] = await send(finding);
      const [second] = await send(laterFinding(NEW_PEER));
      expect(first?.preserved.length).toBeGreaterThan(8);
      expect([...(second?.preserved ?? [])].sort()).toEqual([...(first?.preserved ?? [])].sort());
    });
  });

  it('is put back whole by one restore', async () => {
    const file = worldOf('auto-scaling-member');
    await inEpisode(file, async (episode) => {
      await episode.send(finding);
      const [second] = await episode.send(laterFinding(NEW_PEER));
      const { restore, evidence } = await episode.restore(second?.caseId ?? '', true);
      expect(restore.kind).toBe('restored');
      expect(deniesIn(episode)).toEqual([]);
      expect(file.NetworkInterfaces[0]?.Groups.map(({ GroupId }) => GroupId)).toEqual([ids.web]);
      expect(evidence.items.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
      expect(file.InstanceAttributes[ids.instance]).toMatchObject({
        DisableApiTermination: false,
        InstanceInitiatedShutdownBehavior: 'terminate',
      });
    });
  });

  it.each<[string, readonly unknown[]]>([
    ['out of order', [laterFinding(NEW_PEER), finding]],
    ['in order, each twice', [finding, finding, laterFinding(NEW_PEER), laterFinding(NEW_PEER)]],
    ['back and forth', [finding, laterFinding(NEW_PEER), finding, laterFinding(NEW_PEER), finding]],
  ])('%s leads to the same union', async (_, events) => {
    await inEpisode(defaultWorld(), async (episode) => {
      let last: Report | undefined;
      for (const event of events) last = (await episode.send(event)).at(-1) ?? last;
      expect(deniesIn(episode)).toEqual(both(ids.peer, NEW_PEER));
      expect(peersIn(last)).toEqual(expect.arrayContaining([ids.peer, NEW_PEER]));
      expect((await documentOf(episode, last)).request.finding).toMatchObject({
        count: 2,
        updatedAt: '2026-01-15T16:00:00.000Z',
      });
      expect(cases(episode)).toHaveLength(1);
    });
  });

  it('while the first response is under way is denied as well', async () => {
    await inEpisode(defaultWorld(), async (episode) => {
      await episode.begin(finding);
      await episode.world.clock.sleep(3);
      await episode.begin(laterFinding(NEW_PEER));
      const reports = await episode.settle();
      expect(reports).toHaveLength(2);
      expect(deniesIn(episode)).toEqual(both(ids.peer, NEW_PEER));
      expect(cases(episode)).toHaveLength(1);
      expect(reports.map(({ verdict }) => verdict)).not.toContain('refused');
    });
  });

  it('ten times, each time another, all at once: every one is denied', async () => {
    // More of them than fit into the quota of an ACL would be refused, and that is another story.
    const peers = Array.from({ length: 10 }, (_, index) => `203.0.113.${index + 1}`);
    await inEpisode(defaultWorld(), async (episode) => {
      await Promise.all(peers.map((peer, index) => episode.begin(laterFinding(peer, index + 2))));
      const reports = await episode.settle();
      expect(cases(episode)).toHaveLength(1);
      expect(deniesIn(episode)).toEqual(both(...peers));
      expect(reports.map(({ verdict }) => verdict)).not.toContain('refused');
      const document = await documentOf(episode, reports[0]);
      expect(document.request.flows.map(({ remoteAddress }) => remoteAddress).sort()).toEqual([...peers].sort());
    });
  });
});

describe('the same finding without anything new', () => {
  it('delivered twice starts once', async () => {
    await inEpisode(defaultWorld(), async (episode) => {
      expect(await episode.send(finding)).toHaveLength(1);
      const before = episode.state();
      await episode.send(finding);
      await episode.send(finding);
      expect(episode.state()).toBe(before);
      expect(swaps(episode)).toHaveLength(1);
    });
  });

  it('delivered ten times at once starts once', async () => {
    await inEpisode(defaultWorld(), async (episode) => {
      await Promise.all(Array.from({ length: 10 }, () => episode.begin(finding)));
      const reports = await episode.settle();
      expect(reports.map(({ verdict }) => verdict)).toEqual(['held']);
      expect(deniesIn(episode)).toEqual(both(ids.peer));
    });
  });

  it('with a higher count is verified again, and nothing is changed', async () => {
    await inEpisode(defaultWorld(), async (episode) => {
      const [first] = await episode.send(finding);
      const before = episode.state();
      const [second] = await episode.send(laterFinding(ids.peer, 7));
      expect(second).toMatchObject({ caseId: first?.caseId, verdict: 'held' });
      expect(episode.state()).toBe(before);
      expect((await documentOf(episode, second)).request.finding).toMatchObject({ count: 7 });
    });
  });
});
