import { describe, expect, it } from 'vitest';
import type { CaseDocument } from '../../functions/core/case/case.ts';
import { defaultWorld, ids, readEvent } from '../support/bench.ts';
import { type Episode, inEpisode } from '../support/episode.ts';
import { laterFinding } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');

const groupsOf = ({ file }: Episode) => file.NetworkInterfaces[0]?.Groups.map(({ GroupId }) => GroupId) ?? [];
const timeoutsOf = ({ file }: Episode) => file.NetworkInterfaces[0]?.ConnectionTrackingConfiguration;
const openCases = ({ world }: Episode): readonly string[] =>
  world.dumpTable().flatMap(({ sk, document }) => {
    if (sk !== 'CASE') return [];
    const { caseId, status } = JSON.parse(String(document)) as CaseDocument;
    return status === 'restored' ? [] : [caseId];
  });

describe('the restore of a case that a newer one has followed', () => {
  it.each([true, false])('leaves what the newer one has isolated, and names it (force: %s)', async (force) => {
    await inEpisode(defaultWorld(), async (episode) => {
      const [first] = await episode.send(finding);
      await episode.restore(first?.caseId ?? '', true);
      const [second] = await episode.send(laterFinding(ids.peer));
      const isolated = [groupsOf(episode), timeoutsOf(episode)];
      expect(isolated[0]).not.toEqual([ids.web]);
      const { restore } = await episode.restore(first?.caseId ?? '', force);
      expect(restore).toMatchObject({ items: [{ outcome: 'drifted' }] });
      expect(JSON.stringify(restore)).toContain(second?.caseId);
      expect([groupsOf(episode), timeoutsOf(episode)]).toEqual(isolated);
      await episode.restore(second?.caseId ?? '', true);
      expect(groupsOf(episode)).toEqual([ids.web]);
    });
  });
});

/** From before the case is assessed to after the verdict's first reads. */
const OFFSETS = Array.from({ length: 28 }, (_, index) => index * 0.25);

describe('a restore that is forced while the response itself runs', () => {
  it.each(OFFSETS)('%s s after it began: whatever is isolated has an open case, and comes back', async (seconds) => {
    await inEpisode(defaultWorld(), async (episode) => {
      const started = await episode.begin(finding);
      await episode.world.clock.sleep(seconds);
      if (started.kind === 'nothing-to-do') throw new Error('nothing was started');
      const [caseId = ''] = started.caseIds;
      await episode.restore(caseId, true);
      const [report] = await episode.settle();
      const isIsolated = groupsOf(episode).join() !== ids.web;
      expect(isIsolated && openCases(episode).join() !== caseId).toBe(false);
      expect(!isIsolated && ['contained', 'held'].includes(report?.verdict ?? '')).toBe(false);
      // What the next finding records, and its restore puts back, is what was there before everything.
      const [next] = await episode.send(laterFinding(ids.peer));
      await episode.restore(next?.caseId ?? '', true);
      expect(groupsOf(episode)).toEqual([ids.web]);
    });
  });
});
