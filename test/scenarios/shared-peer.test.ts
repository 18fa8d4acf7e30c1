import { describe, expect, it } from 'vitest';
import { readCase } from '../../functions/aws/case-table/cases.ts';
import type { StartResult } from '../../functions/start-response/step.ts';
import type { WorldFile } from '../../local/world/parse-world.ts';
import { defaultWorld, ids, readEvent } from '../support/bench.ts';
import { type Episode, inEpisode } from '../support/episode.ts';
import { laterFinding, neighbourFinding } from './worlds.ts';

const SECOND_STAGE = '203.0.113.77';

/** Both servers hold a shell to the peer of the finding and one to the second stage; the neighbour closes nothing. */
function bothTalkToBoth(world: WorldFile): void {
  const [shell] = world.Flows;
  const [host] = world.Hosts;
  if (shell === undefined || host === undefined) throw new Error('the default world has lost a part');
  const flow = (name: string, changes: object) =>
    world.Flows.push({ ...structuredClone(shell), Name: name, ...changes });
  const neighbour = { NetworkInterfaceId: 'eni-00000000000000e02', LocalAddress: '10.0.1.20' };
  flow('second stage', { RemoteAddress: SECOND_STAGE, LocalPort: 51_300, Process: { Pid: 43, Name: 'sh' } });
  flow('shell of the neighbour', { ...neighbour, LocalPort: 51_400, Process: { Pid: 44, Name: 'sh' } });
  flow('second stage of the neighbour', {
    ...neighbour,
    RemoteAddress: SECOND_STAGE,
    LocalPort: 51_500,
    Process: { Pid: 45, Name: 'sh' },
  });
  world.FlowLogs = [{ ResourceId: ids.vpc, DeliverySeconds: 300 }];
  world.Hosts.push({ ...host, InstanceId: ids.neighbour, AgentLies: 'claims-success', SocketKill: false });
}

const needing = ({ world }: Episode, cidr: string): readonly number[] =>
  world
    .dumpTable()
    .flatMap((item) => (String(item['sk']).endsWith(`#${cidr}`) ? [(item['cases'] as Set<string>).size] : []));

describe('a peer that only the host names and that another case denies already', () => {
  it('is denied for both: it stays when the other case is restored, and no packet passes after the verdict', async () => {
    await inEpisode(defaultWorld(bothTalkToBoth), async (episode) => {
      const caseOf = (result: StartResult): string => ('caseIds' in result ? (result.caseIds[0] ?? '') : '');
      const first = caseOf(await episode.begin(readEvent('guardduty-ec2-c2activity')));
      await episode.begin(laterFinding(SECOND_STAGE));
      await episode.world.clock.sleep(600);
      const second = caseOf(await episode.begin(neighbourFinding()));
      await episode.world.clock.sleep(4 * 3600);
      const saidAt = episode.world.clock.now();
      expect((await readCase(episode.tools.cases, second))?.verdict).toBe('held');
      expect(needing(episode, `${SECOND_STAGE}/32`)).toEqual([2, 2]);
      await episode.restore(first, true);
      expect(needing(episode, `${SECOND_STAGE}/32`)).toEqual([1, 1]);
      await episode.world.clock.sleep(3600);
      episode.world.physics.advanceTo(episode.world.clock.now());
      const flow = episode.world.physics.truthNow().find(({ name }) => name === 'second stage of the neighbour');
      expect(Math.max(flow?.lastPacketAt ?? 0, flow?.revivedAt ?? 0)).toBeLessThan(saidAt);
    });
  });
});
