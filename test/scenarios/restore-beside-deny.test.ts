import { describe, expect, it } from 'vitest';
import { defaultWorld, readEvent } from '../support/bench.ts';
import { type Episode, inEpisode } from '../support/episode.ts';
import { laterFinding } from './worlds.ts';

const finding = readEvent('guardduty-ec2-c2activity');

const denied = ({ file }: Episode): readonly string[] =>
  (file.NetworkAcls[0]?.Entries ?? [])
    .filter(({ RuleAction, RuleNumber }) => RuleAction === 'deny' && RuleNumber < 32_767)
    .map(({ Egress, CidrBlock, RuleNumber }) => `${Egress ? 'out' : 'in'} ${RuleNumber} ${CidrBlock}`)
    .sort();
const ledger = ({ world }: Episode): readonly string[] =>
  world
    .dumpTable()
    .filter(({ sk }) => String(sk).startsWith('DENY#'))
    .map(({ egress, ruleNumber, cidr }) => `${egress === true ? 'out' : 'in'} ${String(ruleNumber)} ${String(cidr)}`)
    .sort();

/** A deny that EC2 refuses for a while is made late, when the restore may have looked already. */
const throttled = (calls: readonly number[]) =>
  defaultWorld((world) => {
    world.Faults = calls.map((Call) => ({
      Api: 'CreateNetworkAclEntry',
      Call,
      Error: 'RequestLimitExceeded',
      AfterEffect: false,
    }));
  });

const OFFSETS = Array.from({ length: 24 }, (_, index) => index / 4);

describe('a restore while a deny is on its way', () => {
  it.each(OFFSETS)(
    'of a later finding, %s s after it: no entry is left that the ledger does not know',
    async (offset) => {
      await inEpisode(throttled([3, 4, 5, 6, 7, 8]), async (episode) => {
        const [first] = await episode.send(finding);
        const restoring = episode.restore(first?.caseId ?? '', true);
        await episode.world.clock.sleep(offset);
        await episode.begin(laterFinding('203.0.113.9'));
        await restoring;
        const [second] = await episode.settle();
        expect(denied(episode)).toEqual(ledger(episode));
        await episode.restore(second?.caseId ?? '', true);
        expect([...denied(episode), ...ledger(episode)]).toEqual([]);
      });
    },
  );

  it.each(OFFSETS)('of the same response, %s s after its finding', async (offset) => {
    await inEpisode(throttled([1, 2, 3, 4, 5, 6, 7, 8]), async (episode) => {
      const started = await episode.begin(finding);
      if (started.kind === 'nothing-to-do') throw new Error('unreachable');
      const [caseId = ''] = started.caseIds;
      await episode.world.clock.sleep(offset);
      await episode.restore(caseId, true);
      await episode.settle();
      expect(denied(episode)).toEqual(ledger(episode));
      await episode.restore(caseId, true);
      expect([...denied(episode), ...ledger(episode)]).toEqual([]);
    });
  });
});
