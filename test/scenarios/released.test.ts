import { describe, expect, it } from 'vitest';
import { releaseNacl } from '../../functions/release-nacl/step.ts';
import { ids, onBench, readEvent, refusedBy, shellWatched } from '../support/bench.ts';
import { type Episode, inEpisode } from '../support/episode.ts';
import { laterFinding } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const AFTER_PROOF = { releaseDenies: 'after-proof' } as const;
const denies = ({ file }: Pick<Episode, 'file'>) =>
  (file.NetworkAcls[0]?.Entries ?? []).filter(
    ({ RuleAction, RuleNumber }) => RuleAction === 'deny' && RuleNumber < 32_767,
  );

describe('denies that are released on two kinds of evidence', () => {
  it('leave the verdict what it was, now and at a later finding, and the restore needs no force', async () => {
    await inEpisode(
      shellWatched(),
      async (episode) => {
        const [report] = await episode.send(finding);
        expect(report).toMatchObject({ verdict: 'contained', basis: ['host', 'flow-log'], held: [], lastResort: [] });
        expect(denies(episode)).toEqual([]);
        const [later] = await episode.send(laterFinding(ids.peer, 9, '2026-01-25T16:00:00.000Z'));
        expect(later?.verdict).toBe('contained');
        const { restore } = await episode.restore(report?.caseId ?? '');
        expect(restore.kind).toBe('restored');
      },
      AFTER_PROOF,
    );
  });

  it('are made again by a finding with a new peer, which is released when it is proven dead too', async () => {
    await inEpisode(
      shellWatched(),
      async (episode) => {
        await episode.send(finding);
        expect(denies(episode)).toEqual([]);
        const [later] = await episode.send(laterFinding('203.0.113.9', 9, '2026-01-25T16:00:00.000Z'));
        // Nobody but the flow log can say of the new peer that it is silent: the agent is cut off.
        expect(later).toMatchObject({ verdict: 'contained', basis: expect.arrayContaining(['flow-log']), held: [] });
        const made = episode.world.timeline().filter(({ call }) => call === 'CreateNetworkAclEntry');
        expect(made.filter(({ input }) => input.includes('203.0.113.9/32'))).toHaveLength(2);
        expect(denies(episode)).toEqual([]);
      },
      AFTER_PROOF,
    );
  });

  it.each([1, 2])('killed after %s of two: the second run removes what is left, and says so', async (nth) => {
    await onBench(
      shellWatched(),
      async (bench) => {
        const record = await bench.contain(finding);
        let deletes = 0;
        let isDead = false;
        bench.world.interceptors.push({
          before: ({ call }) => {
            if (isDead) throw refusedBy('Killed')();
            if (call === 'DeleteNetworkAclEntry') deletes += 1;
            if (call === 'DeleteNetworkAclEntry' && deletes > nth) throw refusedBy('Killed')();
          },
          after: ({ call }) => {
            if (call === 'DeleteNetworkAclEntry' && deletes >= nth) isDead = true;
          },
        });
        await releaseNacl(bench.tools, record).catch(() => undefined);
        bench.world.interceptors.pop();
        expect((await releaseNacl(bench.tools, record)).kind).toBe('released');
        expect(denies(bench)).toEqual([]);
      },
      AFTER_PROOF,
    );
  });
});
