import { describe, expect, it } from 'vitest';
import type { CaseDocument } from '../../functions/core/case/case.ts';
import { laterFinding } from '../scenarios/worlds.ts';
import { defaultWorld, ids, readEvent } from '../support/bench.ts';
import { type Episode, inEpisode } from '../support/episode.ts';

const finding = readEvent('guardduty-ec2-c2activity');
const NEW_PEER = '203.0.113.9';

const isIsolated = ({ file }: Episode) => file.NetworkInterfaces[0]?.Groups.every(({ GroupId }) => GroupId !== ids.web);
const denied = ({ file }: Episode) =>
  (file.NetworkAcls[0]?.Entries ?? [])
    .filter(({ RuleAction, RuleNumber }) => RuleAction === 'deny' && RuleNumber < 32_767)
    .map(({ Egress, CidrBlock }) => `${Egress ? 'out' : 'in'} ${CidrBlock}`)
    .sort();
const ledger = ({ world }: Episode) =>
  world
    .dumpTable()
    .flatMap(({ sk }) => (String(sk).startsWith('DENY#') ? [String(sk).slice(5).replace('#', ' ')] : []))
    .sort();
const documents = ({ world }: Episode) =>
  world
    .dumpTable()
    .flatMap(({ sk, document }) => (sk === 'CASE' ? [JSON.parse(String(document)) as CaseDocument] : []));
/** A restore takes about five seconds: before, between and after all its calls. */
const OFFSETS = Array.from({ length: 14 }, (_, index) => index * 0.5);

describe.each([
  ['the same peer', ids.peer],
  ['a new peer', NEW_PEER],
])('a finding with %s that arrives while a restore runs', (_, peer) => {
  it.each(OFFSETS)('%s s after it began, is told truly, and can be undone', async (seconds) => {
    await inEpisode(defaultWorld(), async (episode) => {
      const [first] = await episode.send(finding);
      const restoring = episode.restore(first?.caseId ?? '', true);
      await episode.world.clock.sleep(seconds);
      const started = await episode.begin(laterFinding(peer));
      expect(started.kind).toBe('started');
      await restoring;
      const reports = await episode.settle();
      expect(reports).toHaveLength(1);
      const [report] = reports;
      const isKept = ['contained', 'held'].includes(report?.verdict ?? '');
      expect(isKept && !isIsolated(episode)).toBe(false);
      // What is called held stands, and what stands is in the ledger.
      expect(denied(episode)).toEqual(ledger(episode));
      expect(denied(episode)).toHaveLength(report?.held.length ?? -1);
      // An isolated instance always has a case that is not closed and knows what was found at first.
      const open = documents(episode).filter(({ status }) => status !== 'restored');
      expect(open.map(({ caseId }) => caseId)).toEqual(isIsolated(episode) ? [report?.caseId] : []);
      const restored = await episode.restore(report?.caseId ?? '', true);
      expect(restored.restore.kind).toBe('restored');
      expect(episode.file.NetworkInterfaces[0]?.Groups.map(({ GroupId }) => GroupId)).toEqual([ids.web]);
      expect([...denied(episode), ...ledger(episode)]).toEqual([]);
    });
  });
});
